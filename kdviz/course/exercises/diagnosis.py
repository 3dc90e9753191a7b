"""From a wrong value to a sentence: compare it with what known mistakes would have given.

A mistake is written down as a wrong implementation. So each diagnosis can be tested by handing in
the very mistake that it is about.
"""

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import torch

from kdviz.course.exercises.base import NotYet


@dataclass(frozen=True)
class Mistake:
    """A wrong implementation, and what to say to who wrote it."""

    name: str
    message: str
    function: Callable


@dataclass(frozen=True)
class Slip:
    """A wrong factor, which can join any mistake; ``factor`` takes the arguments of the call."""

    name: str
    message: str
    factor: Callable


def summed_over_samples(name):
    """The sum in place of the mean, seen by the argument of this name with one row a sample."""
    message = "You take the sum over the samples. Take their mean."
    return Slip("samples", message, lambda **call: len(call[name]))


def averaged_over_classes(name):
    """A mean over the classes too, seen by the argument of this name with one column a class."""
    message = "You take the mean over the classes too. Sum over the classes, mean over the samples."
    return Slip("classes", message, lambda **call: 1 / call[name].shape[-1])


def ask(answer, **arguments):
    """Call the learner's function. What goes wrong in it becomes a message, with the call we made."""
    if not callable(answer):
        raise NotYet(f"Hand in the function itself, without calling it. What came in is {_kind(answer)}.")
    try:
        # By position: she may have named her parameters differently.
        return answer(*arguments.values())
    except Exception as problem:
        raise NotYet(
            f"Your function stopped with `{type(problem).__name__}: {problem}`{_place(problem)}. "
            f"It was called as `{_call(answer, arguments)}`."
        ) from problem


def as_number(value, call):
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


def check_numbers(answer, right, calls, mistakes=(), slips=()):
    """Compare the learner's numbers with the right ones on several calls, and explain a difference."""
    given = [as_number(ask(answer, **call), call) for call in calls]
    expected = [float(right(**call)) for call in calls]
    if _close(given, expected):
        return
    for mistake, slipped in _explanations(mistakes, slips):
        function = mistake.function if mistake else right
        would_be = [
            float(function(**call)) * math.prod(slip.factor(**call) for slip in slipped) for call in calls
        ]
        if _close(given, would_be):
            reasons = [one.message for one in (mistake, *slipped) if one]
            raise NotYet(" Also: ".join(reasons))
    raise NotYet(_unexplained(given, expected))


def check_letters(answer, right, choices, questions, *, one, each):
    """Compare what was chosen for each letter, such as one loss for each push; ask about the first wrong."""
    if not isinstance(answer, dict) or set(answer) != set(right):
        raise NotYet(f'Hand in a dictionary with one {one} for each {each}: {{"A": "…", …, "E": "…"}}.')
    for letter, chosen in answer.items():
        if chosen not in choices:
            raise NotYet(
                f"{each.capitalize()} {letter}: {chosen!r} is not on the list: {', '.join(choices)}."
            )
    wrong = [letter for letter in right if answer[letter] != right[letter]]
    if wrong:
        score = f"{len(right) - len(wrong)} of {len(right)}"
        raise NotYet(f"{score}. {each.capitalize()} {wrong[0]}: {questions[wrong[0]]}")


def _explanations(mistakes, slips):
    """Every mistake, with up to two slips beside it; the simplest explanations first."""
    pairs = [
        (mistake, slipped)
        for mistake in (None, *mistakes)
        for size in range(3)
        for slipped in combinations(slips, size)
    ]
    return sorted(pairs[1:], key=lambda pair: (pair[0] is not None) + len(pair[1]))


def _close(given, expected):
    return all(math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-7) for a, b in zip(given, expected, strict=True))


def _unexplained(given, expected):
    ratios = [a / b if b else math.nan for a, b in zip(given, expected, strict=True)]
    if _close(ratios, ratios[:1] * len(ratios)):
        return f"Your value is {ratios[0]:.4g} times the right one in every try. A constant factor is wrong."
    sizes = ["too large" if a > b else "too small" for a, b in zip(given, expected, strict=True)]
    tries = ", then ".join(f"{a:.5g}, which is {size}" for a, size in zip(given, sizes, strict=True))
    return f"The value is not right. In {len(given)} tries your function gave {tries}."


def _left_over(shape, call):
    batch = next(value.shape for value in call.values() if isinstance(value, torch.Tensor))
    if shape == batch:
        return "The sum over the classes and the mean over the samples are missing."
    if shape == batch[:1]:
        return "That is one value for each sample: take their mean."
    if shape == batch[1:]:
        return "That is one value for each class: reduce over the classes, then over the samples."
    return "Check along which dimension you reduce: samples are dimension 0, classes dimension 1."


def _call(answer, arguments):
    shown = ", ".join(
        f"{name} of shape {tuple(value.shape)}"
        if isinstance(value, torch.Tensor)
        else f"{name}={value:g}"
        if isinstance(value, float)
        else name
        for name, value in arguments.items()
    )
    return f"{getattr(answer, '__name__', 'your function')}({shown})"


def _place(problem):
    """Where in the learner's own code it happened: the frame just below ours."""
    frames = traceback.extract_tb(problem.__traceback__)[1:]
    if not frames or not frames[0].line:
        return ""
    return f" at line {frames[0].lineno}, `{frames[0].line}`"


def _kind(value):
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
