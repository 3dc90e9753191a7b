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
class Question(Finding):
    """What may be meant so, and is a fault if not: an ``objective=`` that says what is meant decides."""


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
    """What the doctor saw: ``findings``, ``questions``, the checks that ``passed``, and those ``unchecked``.

    ``not_put_back`` names what the step reaches and nobody can put back, such as an open file.
    """

    findings: tuple[Finding, ...]
    questions: tuple[Question, ...]
    passed: tuple[Passed, ...]
    unchecked: tuple[Unchecked, ...]
    not_put_back: tuple[str, ...] = ()

    @property
    def names(self):
        """The names of the findings."""
        return [finding.name for finding in self.findings]

    def __str__(self):
        parts = [_count(len(self.findings), "finding") if self.findings else "Nothing was found."]
        parts += [str(finding) for finding in self.findings]
        if self.questions:
            parts.append(f"{_count(len(self.questions), 'question')}: is that meant?")
            parts += [str(question) for question in self.questions]
        if self.not_put_back:
            parts.append(f"Reached by your step and not put back: {', '.join(self.not_put_back)}")
        if self.passed:
            parts.append(f"{_count(len(self.passed), 'check')} passed")
            parts += [_line(check.name, check.evidence) for check in self.passed]
        if self.unchecked:
            parts.append(f"{_count(len(self.unchecked), 'check')} could not be made")
            parts += [_line(check.name, check.missing) for check in self.unchecked]
        return "\n".join(parts)

    __repr__ = __str__


def question(key, evidence, **words):
    """The question with this key in ``findings.toml``."""
    text = _TEXTS[key]
    return Question(key.partition("/")[0], text["ask"].format(**words), evidence, text["fix"].format(**words))


def finding(key, evidence, **words):
    """The finding with this key in ``findings.toml``, whose text is completed with words."""
    text = _TEXTS[key]
    return Finding(key.partition("/")[0], text["what"].format(**words), evidence, text["fix"].format(**words))


def verdict(bad, key, evidence, passed=None, **words):
    """The finding where something is bad; else the check has passed, on other evidence or the same."""
    return finding(key, evidence, **words) if bad else Passed(key.partition("/")[0], passed or evidence)


def _line(name, text):
    return textwrap.fill(f"{name}: {text}", 96, initial_indent="  ", subsequent_indent="      ")


def _count(number, what):
    return f"{number} {what}{'' if number == 1 else 's'}"
