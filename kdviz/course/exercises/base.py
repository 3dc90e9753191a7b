"""What every exercise is, and how it speaks."""

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

DIFFICULTIES = {"easy": "●○○", "medium": "●●○", "hard": "●●●"}


class NotYet(Exception):
    """Raised by a grader; its text tells the learner what is wrong, and never the answer."""


@dataclass(frozen=True)
class Note:
    """A piece of Markdown that a notebook shows as such and a terminal as text."""

    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Feedback:
    """The outcome of a check. It has no verdict on an answer that nobody has begun."""

    passed: bool
    message: str
    begun: bool = True

    @property
    def verdict(self) -> str:
        if not self.begun:
            return ""
        return "✔ Right." if self.passed else "✘ Not yet."

    def __repr__(self) -> str:
        return f"{self.verdict} {self.message}".strip()

    def _repr_markdown_(self) -> str:
        return f"**{self.verdict}** {self.message}" if self.begun else f"*{self.message}*"


@dataclass
class Exercise:
    """One exercise. A notebook that ends a cell with it shows the question.

    ``answer`` is the name of what the learner writes, ``source`` a solution that defines it, ``start``
    what her cell holds before she begins if that is more than an empty answer, and ``praise`` what is
    said of a right one. ``grade`` takes the learner's answer and raises :class:`NotYet` if it is wrong;
    it may return the numbers that stand in braces in the praise. ``outcome`` says whether the last answer
    was right, and is None before the first one; ``watchers`` are called when there is another.
    """

    name: str
    title: str
    difficulty: str
    minutes: int
    answer: str
    question: str
    hints: tuple[str, str]
    source: str
    praise: str
    grade: Callable[[Any], dict[str, float] | None]
    start: str = ""
    outcome: bool | None = field(default=None, init=False, repr=False)
    watchers: list[Callable] = field(default_factory=list, init=False, repr=False)
    _hints_given: int = field(default=0, init=False, repr=False)

    def check(self, answer: Any) -> Feedback:
        """Check an answer, and say what is wrong with it."""
        if _is_same(answer, self._empty_answer()):
            verb = "Mend" if self.start else "Write"
            what = "function" if callable(answer) else "answer"
            return Feedback(False, f"{verb} the {what}, then run the cell.", begun=False)
        feedback = self._judge(answer)
        self.outcome = feedback.passed
        for tell in self.watchers:
            tell()
        return feedback

    def _judge(self, answer: Any) -> Feedback:
        try:
            numbers = self.grade(answer) or {}
        except NotYet as problem:
            return Feedback(False, str(problem))
        return Feedback(True, self.praise.format(**numbers))

    def hint(self, number: int | None = None) -> Note:
        """The next hint, or the one with that number."""
        if number is None:
            number = min(self._hints_given + 1, len(self.hints))
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(f"this exercise has hints 1 to {len(self.hints)}; got {number!r}")
        self._hints_given = max(self._hints_given, number)
        return Note(f"**Hint {number} of {len(self.hints)}.** {self.hints[number - 1]}")

    def solution(self) -> Note:
        """One way to do it; others may be as good."""
        return Note(f"**One solution to exercise {self.name}**\n\n```python\n{self.source}\n```")

    @property
    def cell(self) -> str:
        """What the cell below the question holds before anybody begins: an empty answer and its check."""
        stub = self.start or _stub(self.source, self.answer)
        gap = "\n\n\n" if stub.startswith("def") else "\n\n"
        return f'{stub}{gap}exercise("{self.name}").check({self.answer})'

    def _empty_answer(self) -> Any:
        scope: dict[str, Any] = {}
        exec(self.start or _stub(self.source, self.answer), scope)
        return scope[self.answer]

    def __repr__(self) -> str:
        return f"{self._heading()}\n\n{self.question}\n\n{self._offers()}"

    def _repr_markdown_(self) -> str:
        # A notebook has the call in the next cell, and says once a page how to ask for a hint.
        return f"**{self._heading()}**\n\n{self.question}"

    def _heading(self) -> str:
        level = f"{DIFFICULTIES[self.difficulty]} {self.difficulty}"
        return f"Exercise {self.name} · {self.title} · {self.minutes} minutes · {level}"

    def _offers(self) -> str:
        call = f'exercise("{self.name}")'
        return f"Check it with `{call}.check({self.answer})`. Stuck? `{call}.hint()`, `{call}.solution()`"


def _stub(source: str, answer: str) -> str:
    """The beginning of an answer: the head of a function, or a dictionary without entries."""
    for part in ast.parse(source).body:
        if isinstance(part, ast.FunctionDef) and part.name == answer:
            return f"def {answer}({ast.unparse(part.args)}):\n    # Your answer.\n    return None"
    return f"{answer} = {{}}  # Your answer."


def _is_same(answer: Any, other: Any) -> bool:
    """Whether they are equal, or functions that do the same, step by step."""
    codes = getattr(answer, "__code__", None), getattr(other, "__code__", None)
    if None in codes:
        return type(answer) is type(other) and isinstance(answer, dict) and answer == other
    one, two = ((code.co_code, code.co_consts, code.co_names) for code in codes)
    return one == two
