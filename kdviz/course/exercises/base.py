"""What every exercise is, and how it speaks."""

from collections.abc import Callable
from dataclasses import dataclass, field

_DIFFICULTIES = {"easy": "●○○", "medium": "●●○", "hard": "●●●"}


class NotYet(Exception):
    """Raised by a check; its text tells the learner what is wrong, and never the answer."""


@dataclass(frozen=True)
class Note:
    """A piece of Markdown that a notebook shows as such and a terminal as text."""

    text: str

    def __repr__(self):
        return self.text

    def _repr_markdown_(self):
        return self.text


@dataclass(frozen=True)
class Feedback:
    """The outcome of a check."""

    passed: bool
    message: str

    @property
    def verdict(self):
        return "✔ Right." if self.passed else "✘ Not yet."

    def __repr__(self):
        return f"{self.verdict} {self.message}"

    def _repr_markdown_(self):
        return f"**{self.verdict}** {self.message}"


@dataclass
class Exercise:
    """One exercise. A notebook that ends a cell with it shows the question.

    ``answer`` is the name of what the learner writes, ``source`` a solution that defines it, and
    ``grade`` takes the learner's answer and returns a sentence for a right one or raises
    :class:`NotYet`.
    """

    name: str
    title: str
    question: str
    answer: str
    minutes: int
    difficulty: str
    hints: tuple[str, str]
    source: str
    grade: Callable
    _hints_given: int = field(default=0, init=False, repr=False)

    def check(self, answer):
        """Check an answer, and say what is wrong with it."""
        try:
            return Feedback(True, self.grade(answer))
        except NotYet as problem:
            return Feedback(False, str(problem))

    def hint(self, number=None):
        """The next hint, or the one with that number."""
        if number is None:
            number = min(self._hints_given + 1, len(self.hints))
        if number not in range(1, len(self.hints) + 1):
            raise ValueError(f"this exercise has hints 1 to {len(self.hints)}; got {number!r}")
        self._hints_given = max(self._hints_given, number)
        return Note(f"**Hint {number} of {len(self.hints)}.** {self.hints[number - 1]}")

    def solution(self):
        """One way to do it; others may be as good."""
        return Note(f"**One solution to exercise {self.name}**\n\n```python\n{self.source.strip()}\n```")

    def __repr__(self):
        return f"{self._heading()}\n\n{self.question}\n\n{self._offers()}"

    def _repr_markdown_(self):
        return f"**{self._heading()}**\n\n{self.question}\n\n*{self._offers()}*"

    def _heading(self):
        level = f"{_DIFFICULTIES[self.difficulty]} {self.difficulty}"
        return f"Exercise {self.name} · {self.title} · {self.minutes} minutes · {level}"

    def _offers(self):
        call = f'exercise("{self.name}")'
        return f"Check it with `{call}.check({self.answer})`. Stuck? `{call}.hint()`, `{call}.solution()`"
