"""From a wrong value to a sentence: compare it with what known mistakes would have given.

A mistake is written down as a wrong implementation. So each diagnosis can be tested by handing in
the very mistake that it is about.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch

from kdviz.course.exercises.asking import Call, as_number, ask, check_finite, copied, count_of
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.trials import called, check_calls, check_gradient, harder_calls

SUMMED_OVER_SAMPLES = "You take the sum over the samples. Take their mean."
AVERAGED_OVER_CLASSES = "You take the mean over the classes too. Sum over the classes, mean over the samples."
_KL_DIV = (
    "Your function returned nan. torch's `kl_div` wants the student's log-probabilities as its first "
    "argument and the teacher's probabilities as its second; look for the logarithm of something negative."
)


@dataclass(frozen=True)
class Mistake:
    """A wrong answer, and what to say to who hands it in."""

    function: Callable
    message: str


@dataclass(frozen=True)
class Slip:
    """A wrong factor, which can join any mistake; ``factor`` takes the arguments of the call."""

    factor: Callable
    message: str


class Grader:
    """Judges an answer by a function of it, and knows the mistakes that the function looks for."""

    def __init__(self, grade: Callable[[Any], dict[str, float] | None]):
        self._grade = grade
        self.mistakes: list[Mistake] = []

    def __call__(self, answer: Any) -> dict[str, float] | None:
        return self._grade(answer)

    def mistake(self, function: Callable, message: str | None = None) -> Callable:
        """Register a wrong answer; its docstring is the message, unless another is given."""
        self.mistakes.append(Mistake(function, message or _docstring(function)))
        return function


class NumberGrader(Grader):
    """Judges a function of the learner that returns one number.

    It is called with copies, so it may change what it is given. If its values are right, the first call
    is made again in single precision and, where there are logits, with very large ones.

    Parameters
    ----------
    right : callable
        A right answer.
    calls : sequence of dict
        The arguments by name, for each call. Answers, mistakes and factors get them by position: a
        learner may have named her parameters differently.
    gradient_for, no_gradient_for : str, optional
        The argument whose gradient must be that of the right answer, and the one that must get none.
    gradient_part : callable, optional
        What of that gradient matters, given the gradient and the call.
    forbidden : (str, str), optional
        A pattern for the names of functions that the answer must not call, and what to say if it does.
    samples_and_classes : bool
        Whether the first tensor of a call has one row a sample and one column a class, so that the
        shape of a result tells which of them was forgotten.
    """

    def __init__(
        self,
        right: Callable,
        calls: Sequence[Call],
        *,
        gradient_for: str | None = None,
        no_gradient_for: str | None = None,
        gradient_part: Callable[[torch.Tensor, Call], torch.Tensor] | None = None,
        forbidden: tuple[str, str] | None = None,
        samples_and_classes: bool = True,
    ):
        super().__init__(self._compare)
        self.right = right
        self.calls = calls
        self.slips: list[Slip] = []
        self.gradient_for = gradient_for
        self._gradient = gradient_for, no_gradient_for, gradient_part
        self._forbidden = forbidden
        self._samples_and_classes = samples_and_classes
        # What stands in braces in the praise.
        self.praise_numbers: dict[str, float] = {}

    def slip(self, factor: Callable | float, message: str | None = None) -> Callable | float:
        """Register a wrong factor: a number, or a function of the arguments with a docstring."""
        function = factor if callable(factor) else lambda *values: factor
        self.slips.append(Slip(function, message or _docstring(function)))
        return factor

    def _compare(self, answer: Callable) -> dict[str, float]:
        given = [self._number(answer, call) for call in self.calls]
        expected = _values(self.right, self.calls)
        if not _close(given, expected):
            if not all(map(math.isfinite, given)) and "kl_div" in called(answer, self.calls[0]):
                raise NotYet(_KL_DIV)
            for value in given:
                check_finite(value)
            raise NotYet(self._explanation(given) or _unexplained(given, expected))
        if self._forbidden:
            check_calls(answer, self.calls[0], *self._forbidden)
        if self.gradient_for:
            check_gradient(answer, self.right, self.calls[0], *self._gradient)
        for but, call in harder_calls(self.calls[0]):
            self._check_harder(answer, but, call)
        return self.praise_numbers

    def _number(self, answer: Callable, call: Call) -> float:
        value = ask(answer, **copied(call))
        if not (self._samples_and_classes and any(isinstance(each, torch.Tensor) for each in call.values())):
            count = count_of(value)
            if count != 1:
                raise NotYet(
                    f"Your function should return one number; it returned {count}. What turns them into one?"
                )
        return as_number(value, call)

    def _check_harder(self, answer: Callable, but: str, call: Call) -> None:
        try:
            given = self._number(answer, call)
            check_finite(given)
        except NotYet as problem:
            raise NotYet(f"{but} {problem}") from problem
        (expected,) = _values(self.right, [call])
        if not math.isclose(given, expected, rel_tol=1e-3, abs_tol=1e-6):
            size = "large" if given > expected else "small"
            raise NotYet(f"{but} your function gave {given:.5g}, which is too {size}.")

    def _explanation(self, given: list[float]) -> str | None:
        """What the known mistakes and slips say about these values; the simplest that fits."""
        for mistake, slips in self._suspects():
            values = _values(mistake.function if mistake else self.right, self.calls)
            factors = [math.prod(slip.factor(*call.values()) for slip in slips) for call in self.calls]
            if _close(given, [value * factor for value, factor in zip(values, factors, strict=True)]):
                return " Also: ".join(one.message for one in (mistake, *slips) if one)
        return None

    def _suspects(self) -> Iterator[tuple[Mistake | None, tuple[Slip, ...]]]:
        """Every mistake, with up to two slips beside it; the simplest explanations first."""
        pairs = [
            (mistake, slips)
            for mistake in (None, *self.mistakes, *self._first_sample_only())
            for size in range(3)
            for slips in combinations(self.slips, size)
        ]
        return iter(sorted(pairs[1:], key=lambda pair: (pair[0] is not None) + len(pair[1])))

    def _first_sample_only(self) -> Iterator[Mistake]:
        """The mistake of a loop that returns in its first turn, where all tensors have a row a sample."""

        def first(*values):
            return self.right(*(v[:1] if isinstance(v, torch.Tensor) else v for v in values))

        lengths = [{len(value) for value in call.values() if torch.is_tensor(value)} for call in self.calls]
        if not self._samples_and_classes or any(len(found) != 1 for found in lengths):
            return
        try:
            values = _values(first, self.calls)
        except ValueError:  # some need more than one sample
            return
        if all(map(math.isfinite, values)):
            yield Mistake(
                first, "That is right for the first sample only. Does a loop return in its first turn?"
            )


class LetterGrader(Grader):
    """Judges what was chosen for each letter, such as one loss for each push.

    Parameters
    ----------
    right : dict
        The right choice for each letter.
    choices : iterable of str
        All that can be chosen.
    questions : dict
        For each letter a question that leads to its choice; the first wrong one is asked.
    one, each : str
        What is chosen, and what the letters stand for.
    """

    def __init__(
        self, right: dict[str, str], choices: Iterable[str], questions: dict[str, str], *, one: str, each: str
    ):
        super().__init__(self._compare)
        self.right, self.choices, self.questions = right, list(choices), questions
        self._one, self._each = one, each

    def _compare(self, answer: dict[str, str]) -> None:
        right, each = self.right, self._each
        if not isinstance(answer, dict) or set(answer) != set(right):
            raise NotYet(
                f"Hand in a dictionary with one {self._one} for each {each}: "
                f'{{"A": "…", …, "{max(right)}": "…"}}.'
            )
        for letter, chosen in answer.items():
            if chosen not in self.choices:
                listed = ", ".join(self.choices)
                raise NotYet(f"{each.capitalize()} {letter}: {chosen!r} is not on the list: {listed}.")
        wrong = [letter for letter in right if answer[letter] != right[letter]]
        if wrong:
            score = f"{len(right) - len(wrong)} of {len(right)}"
            raise NotYet(f"{score}. {each.capitalize()} {wrong[0]}: {self.questions[wrong[0]]}")


def _docstring(function: Callable) -> str:
    """A function's docstring on one line."""
    text = inspect.getdoc(function)
    if not text:
        raise ValueError(f"{function} needs a docstring: it is the message to the learner")
    return " ".join(text.split())


def _values(function: Callable, calls: Sequence[Call]) -> list[float]:
    return [float(function(*copied(call).values())) for call in calls]


def _close(given: Sequence[float], expected: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-7) for a, b in zip(given, expected, strict=True))


def _unexplained(given: Sequence[float], expected: Sequence[float]) -> str:
    ratios = [a / b if b else math.nan for a, b in zip(given, expected, strict=True)]
    if all(math.isclose(ratio, 1, rel_tol=5e-3) for ratio in ratios):
        return (
            "Nearly: only the first two or three digits are right. Is something rounded, or computed in half "
            "precision?"
        )
    if any(given) and all(math.isclose(ratio, ratios[0], rel_tol=1e-4) for ratio in ratios):
        return f"Your value is {ratios[0]:.4g} times the right one in every try. A constant factor is wrong."
    if _close(given[1:], expected[:-1]):
        return "Your function gives the right value of the try before. Does it keep something between calls?"
    sizes = ["too large" if a > b else "too small" for a, b in zip(given, expected, strict=True)]
    tries = ", then ".join(f"{a:.5g}, which is {size}" for a, size in zip(given, sizes, strict=True))
    constant = " It does not depend on what it is given." if len(set(given)) == 1 else ""
    return f"The value is not right. In {len(given)} tries your function gave {tries}.{constant}"
