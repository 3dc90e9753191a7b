"""Reads the exercises of a page out of its Markdown."""

import re
from collections.abc import Iterator
from typing import Any

_PARTS = ["Hint 1", "Hint 2", "Solution", "When it is right"]
_START = "Begin with"
_FACTS = re.compile(r"(?P<difficulty>easy|medium|hard), (?P<minutes>\d+) minutes, answer: `(?P<answer>\w+)`")
_CODE = re.compile(r"```python\n(.*)\n```", re.DOTALL)


def read(text: str, where: str) -> Iterator[dict[str, Any]]:
    """What each exercise in the text consists of, by the names of the fields of ``Exercise``.

    An exercise begins with ``## 4.1 Its title``; its parts follow under ``###`` headings. ``where``
    is told if something is missing.
    """
    for heading, body in _split(text, "## "):
        name, _, title = heading.partition(" ")
        question, *parts = _split("### \n" + body, "### ")
        yield _exercise(name, title, question[1], dict(parts), f"{where}, exercise {name}")


def _exercise(name: str, title: str, opening: str, parts: dict[str, str], where: str) -> dict[str, Any]:
    start = parts.pop(_START, None)
    begun = _CODE.fullmatch(start) if start is not None else None
    if list(parts) != _PARTS or not all(parts.values()):
        raise ValueError(f"{where}: its parts must be {_PARTS}, none empty; got {list(parts)}")
    facts, _, question = opening.partition("\n\n")
    known, code = _FACTS.fullmatch(facts), _CODE.fullmatch(parts["Solution"])
    if not (title and question and known):
        raise ValueError(
            f"{where}: a title, a line such as 'easy, 5 minutes, answer: `its_name`', an empty line and the "
            f"question must come first; got {facts!r}"
        )
    if not code or (start is not None and not begun):
        raise ValueError(f"{where}: a solution or a beginning must be one block of code, fenced as ```python")
    return {
        "name": name,
        "title": title,
        "difficulty": known["difficulty"],
        "minutes": int(known["minutes"]),
        "answer": known["answer"],
        "question": question.strip(),
        "hints": (parts["Hint 1"], parts["Hint 2"]),
        "source": code[1],
        "start": begun[1] if begun else "",
        "praise": " ".join(parts["When it is right"].split()),
    }


def _split(text: str, mark: str) -> list[tuple[str, str]]:
    """Each heading that begins with the mark, and the text below it; a comment in a fence is no heading."""
    sections: list[tuple[str, list[str]]] = []
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith(mark) and not fenced:
            sections.append((line.removeprefix(mark), []))
        elif sections:
            sections[-1][1].append(line)
    return [(heading, "\n".join(lines).strip()) for heading, lines in sections]
