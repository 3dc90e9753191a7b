"""What a check says, and the list of all that were made."""

import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

# What each finding says and how to fix it, by name.
_TEXTS = tomllib.loads(Path(__file__).with_name("findings.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Finding:
    """One fault: its ``name``, ``what`` is wrong, the ``evidence`` in numbers, and how to ``fix`` it."""

    name: str
    what: str
    evidence: str
    fix: str

    def __str__(self):
        lines = [f"{self.name}: {self.what}", f"evidence: {self.evidence}", f"fix: {self.fix}"]
        return "\n".join(
            textwrap.fill(line, 96, initial_indent=indent, subsequent_indent="      ")
            for line, indent in zip(lines, ("  ", "    ", "    "), strict=True)
        )


@dataclass(frozen=True)
class Passed:
    """A check that found nothing, and the numbers that it looked at."""

    name: str
    evidence: str


@dataclass(frozen=True)
class Unchecked:
    """A check that could not be made, and what it would take."""

    name: str
    missing: str


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor saw: ``findings``, the checks that ``passed``, and those left ``unchecked``."""

    findings: tuple[Finding, ...]
    passed: tuple[Passed, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def names(self):
        """The names of the findings."""
        return [finding.name for finding in self.findings]

    def __str__(self):
        count = len(self.findings)
        parts = [f"{count} finding{'' if count == 1 else 's'}" if count else "Nothing was found."]
        parts += [str(finding) for finding in self.findings]
        if self.passed:
            parts.append(f"{len(self.passed)} checks passed")
            parts += [_line(check.name, check.evidence) for check in self.passed]
        if self.unchecked:
            parts.append(f"{len(self.unchecked)} checks could not be made")
            parts += [_line(check.name, check.missing) for check in self.unchecked]
        return "\n".join(parts)

    __repr__ = __str__


def finding(key, evidence, **words):
    """The finding with this key in ``findings.toml``, whose text is completed with words."""
    text = _TEXTS[key]
    return Finding(key.partition("/")[0], text["what"].format(**words), evidence, text["fix"].format(**words))


def verdict(bad, key, evidence, passed=None, **words):
    """The finding where something is bad; else the check has passed, on other evidence or the same."""
    return finding(key, evidence, **words) if bad else Passed(key.partition("/")[0], passed or evidence)


def _line(name, text):
    return textwrap.fill(f"{name}: {text}", 96, initial_indent="  ", subsequent_indent="      ")
