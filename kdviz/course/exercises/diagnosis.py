"""From a wrong value to a sentence: compare it with what known mistakes would have given.

A mistake is written down as a wrong implementation. So each diagnosis can be tested by handing in
the very mistake that it is about.
"""

import inspect
import math
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch

from kdviz.course.exercises.base import NotYet

SUMMED_OVER_SAMPLES = "You take the sum over the samples. Take their mean."
AVERAGED_OVER_CLASSES = "You take the mean over the classes too. Sum over the classes, mean over the samples."


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

    Parameters
    ----------
    right : callable
        A right answer.
    calls : sequence of dict
        The arguments by name, for each call. Answers, mistakes and factors get them by position: a
        learner may have named her parameters differently.
    gradient_for, no_gradient_for : str, optional
        The argument whose gradient must be that of the right answer, and the one that must get none.
    samples_and_classes : bool
        Whether the first tensor of a call has one row a sample and one column a class, so that the
        shape of a result tells which of them was forgotten.
    """

    def __init__(
        self,
        right: Callable,
        calls: Sequence[dict[str, Any]],
        *,
        gradient_for: str | None = None,
        no_gradient_for: str | None = None,
        samples_and_classes: bool = True,
    ):
        super().__init__(self._compare)
        self.right = right
        self.calls = calls
        self.slips: list[Slip] = []
        self._gradients = gradient_for, no_gradient_for
        self._samples_and_classes = samples_and_classes
        self._finally: Callable[[Callable], dict[str, float]] | None = None

    def slip(self, factor: Callable | float, message: str | None = None) -> Callable | float:
        """Register a wrong factor: a number, or a function of the arguments with a docstring."""
        function = factor if callable(factor) else lambda *values: factor
        self.slips.append(Slip(function, message or _docstring(function)))
        return factor

    def praised_with(self, function: Callable[[Callable], dict[str, float]]) -> Callable:
        """Register what works out the numbers of the praise, from the right answer handed in."""
        self._finally = function
        return function

    def _compare(self, answer: Callable) -> dict[str, float] | None:
        given = [self._number(answer, call) for call in self.calls]
        expected = _values(self.right, self.calls)
        if not _close(given, expected):
            raise NotYet(self._explanation(given) or _unexplained(given, expected))
        if self._gradients[0]:
            _check_gradients(answer, self.right, self.calls[0], *self._gradients)
        return self._finally(answer) if self._finally else None

    def _number(self, answer: Callable, call: dict[str, Any]) -> float:
        value = ask(answer, **copied(call))
        if self._samples_and_classes and any(isinstance(each, torch.Tensor) for each in call.values()):
            return as_number(value, call)
        count = _count(value)
        if count != 1:
            raise NotYet(
                f"Your function should return one number; it returned {count}. What turns them into one?"
            )
        return as_number(value, call)

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
            for mistake in (None, *self.mistakes)
            for size in range(3)
            for slips in combinations(self.slips, size)
        ]
        return iter(sorted(pairs[1:], key=lambda pair: (pair[0] is not None) + len(pair[1])))


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
                f'Hand in a dictionary with one {self._one} for each {each}: {{"A": "…", …, "E": "…"}}.'
            )
        for letter, chosen in answer.items():
            if chosen not in self.choices:
                listed = ", ".join(self.choices)
                raise NotYet(f"{each.capitalize()} {letter}: {chosen!r} is not on the list: {listed}.")
        wrong = [letter for letter in right if answer[letter] != right[letter]]
        if wrong:
            score = f"{len(right) - len(wrong)} of {len(right)}"
            raise NotYet(f"{score}. {each.capitalize()} {wrong[0]}: {self.questions[wrong[0]]}")


def ask(answer: Callable, **arguments: Any) -> Any:
    """Call the learner's function. What goes wrong in it becomes a message, with the call we made."""
    if not callable(answer):
        raise NotYet(f"Hand in the function itself, without calling it. What came in is {_kind(answer)}.")
    try:
        return answer(*arguments.values())
    except Exception as problem:
        raise NotYet(
            f"Your function stopped with `{type(problem).__name__}: {problem}`{_line_of(problem)}. "
            f"It was called as `{_call(answer, arguments)}`."
        ) from problem


def copied(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, the tensors and arrays as copies that an answer may change."""
    return {
        name: value.clone()
        if isinstance(value, torch.Tensor)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for name, value in call.items()
    }


def as_number(value: Any, call: dict[str, Any]) -> float:
    """One number out of what the learner's function returned, or a message about its shape."""
    if value is None:
        raise NotYet("Your function returned `None`. Does it end with `return`?")
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Your function should return one number; it returned {_kind(value)}.") from None
    if tensor.numel() != 1:
        raise NotYet(
            f"Your function should return one number; it returned a tensor of shape "
            f"{tuple(tensor.shape)}. {_left_over(tensor.shape, call)}"
        )
    number = float(tensor.detach())
    if not math.isfinite(number):
        raise NotYet(
            f"Your function returned {number}. Look for the logarithm of 0, or for an exponential that "
            "overflows."
        )
    return number


def _check_gradients(answer, right, call, wanted: str, unwanted: str | None) -> None:
    """Whether the gradient for one argument is that of the right answer, and none reaches the other."""
    names = [name for name in (wanted, unwanted) if name]
    attached = call | {name: call[name].clone().requires_grad_() for name in names}
    value = ask(answer, **copied(attached))
    if not (isinstance(value, torch.Tensor) and value.requires_grad):
        raise NotYet(
            "The value is right, but no gradient can flow: somewhere the tensors became plain numbers or "
            "were detached. The student's logits must stay attached."
        )
    inputs = [attached[name] for name in names]
    found, *reached = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    if any(gradient is not None and gradient.abs().max() > 0 for gradient in reached):
        raise NotYet(
            "The value is right, but a gradient also reaches the teacher's logits. The teacher is given: "
            "detach its logits."
        )
    expected = torch.autograd.grad(right(*attached.values()), attached[wanted])[0]
    if found is None or not torch.allclose(found, expected):
        raise NotYet(
            "The value is right, but the student's gradient is not: part of what depends on the student's "
            "logits was detached."
        )


def _docstring(function: Callable) -> str:
    """A function's docstring on one line."""
    text = inspect.getdoc(function)
    if not text:
        raise ValueError(f"{function} needs a docstring: it is the message to the learner")
    return " ".join(text.split())


def _values(function: Callable, calls: Sequence[dict[str, Any]]) -> list[float]:
    return [float(function(*copied(call).values())) for call in calls]


def _close(given: Sequence[float], expected: Sequence[float]) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-7) for a, b in zip(given, expected, strict=True))


def _count(value: Any) -> int:
    """How many numbers came back."""
    return len(value) if isinstance(value, (list, tuple)) else math.prod(getattr(value, "shape", ()))


def _unexplained(given: Sequence[float], expected: Sequence[float]) -> str:
    ratios = [a / b if b else math.nan for a, b in zip(given, expected, strict=True)]
    if all(math.isclose(ratio, ratios[0], rel_tol=1e-4) for ratio in ratios):
        return f"Your value is {ratios[0]:.4g} times the right one in every try. A constant factor is wrong."
    sizes = ["too large" if a > b else "too small" for a, b in zip(given, expected, strict=True)]
    tries = ", then ".join(f"{a:.5g}, which is {size}" for a, size in zip(given, sizes, strict=True))
    return f"The value is not right. In {len(given)} tries your function gave {tries}."


def _left_over(shape: tuple[int, ...], call: dict[str, Any]) -> str:
    batch = next((value.shape for value in call.values() if isinstance(value, torch.Tensor)), ())
    if shape == batch:
        return "The sum over the classes and the mean over the samples are missing."
    if shape == batch[:1]:
        return "That is one value for each sample: take their mean."
    if shape == batch[1:]:
        return "That is one value for each class: reduce over the classes, then over the samples."
    return "Check along which dimension you reduce: samples are dimension 0, classes dimension 1."


def _call(answer: Callable, arguments: dict[str, Any]) -> str:
    shown = ", ".join(
        f"{name} of shape {tuple(value.shape)}"
        if isinstance(value, torch.Tensor)
        else f"{name}={value:g}"
        if isinstance(value, float)
        else name
        for name, value in arguments.items()
    )
    return f"{getattr(answer, '__name__', 'your function')}({shown})"


def _line_of(problem: Exception) -> str:
    """Where in the learner's own code it happened: the frame just below ours."""
    frames = traceback.extract_tb(problem.__traceback__)[1:]
    if not frames or not frames[0].line:
        return ""
    return f" at line {frames[0].lineno}, `{frames[0].line}`"


def _kind(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
