"""What every exercise is, and how it speaks."""

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
    """The outcome of a check."""

    passed: bool
    message: str

    @property
    def verdict(self) -> str:
        return "✔ Right." if self.passed else "✘ Not yet."

    def __repr__(self) -> str:
        return f"{self.verdict} {self.message}"

    def _repr_markdown_(self) -> str:
        return f"**{self.verdict}** {self.message}"


@dataclass
class Exercise:
    """One exercise. A notebook that ends a cell with it shows the question.

    ``answer`` is the name of what the learner writes, ``source`` a solution that defines it, and
    ``praise`` what is said of a right one. ``grade`` takes the learner's answer and raises
    :class:`NotYet` if it is wrong; it may return the numbers that stand in braces in the praise.
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
    _hints_given: int = field(default=0, init=False, repr=False)

    def check(self, answer: Any) -> Feedback:
        """Check an answer, and say what is wrong with it."""
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

    def __repr__(self) -> str:
        return f"{self._heading()}\n\n{self.question}\n\n{self._offers()}"

    def _repr_markdown_(self) -> str:
        return f"**{self._heading()}**\n\n{self.question}\n\n*{self._offers()}*"

    def _heading(self) -> str:
        level = f"{DIFFICULTIES[self.difficulty]} {self.difficulty}"
        return f"Exercise {self.name} · {self.title} · {self.minutes} minutes · {level}"

    def _offers(self) -> str:
        call = f'exercise("{self.name}")'
        return f"Check it with `{call}.check({self.answer})`. Stuck? `{call}.hint()`, `{call}.solution()`"
