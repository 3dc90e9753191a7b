"""Calls what a learner handed in and makes a number of what comes back; a problem becomes a message."""

import math
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from kdviz.course.exercises.base import NotYet

Call = dict[str, Any]


def ask(answer: Callable, **arguments: Any) -> Any:
    """Call the learner's function. What goes wrong in it becomes a message, with the call we made."""
    if not callable(answer):
        raise NotYet(f"Hand in the function itself, without calling it. What came in is {kind_of(answer)}.")
    try:
        return answer(*arguments.values())
    except Exception as problem:
        raise NotYet(
            f"Your function stopped with `{type(problem).__name__}: {problem}`{line_of(problem)}. "
            f"It was called as `{_call(answer, arguments)}`."
        ) from problem


def copied(call: Call) -> Call:
    """The arguments of a call, the tensors and arrays as copies that an answer may change."""
    return {
        name: value.clone()
        if isinstance(value, torch.Tensor)
        else value.copy()
        if isinstance(value, np.ndarray)
        else value
        for name, value in call.items()
    }


def as_number(value: Any, call: Call) -> float:
    """One number out of what the learner's function returned, or a message about its shape."""
    if value is None:
        raise NotYet("Your function returned `None`. Does it end with `return`?")
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"Your function should return one number; it returned {kind_of(value)}.") from None
    if tensor.numel() != 1:
        raise NotYet(
            f"Your function should return one number; it returned a tensor of shape "
            f"{tuple(tensor.shape)}. {_left_over(tensor.shape, call)}"
        )
    return float(tensor.detach())


def check_finite(number: float) -> None:
    """Raise if it is not a finite number."""
    if not math.isfinite(number):
        raise NotYet(
            f"Your function returned {number}. Look for the logarithm of 0, or for an exponential that "
            "overflows."
        )


def count_of(value: Any) -> int:
    """How many numbers came back."""
    return len(value) if isinstance(value, (list, tuple)) else math.prod(getattr(value, "shape", ()))


def _left_over(shape: tuple[int, ...], call: Call) -> str:
    batch = next((value.shape for value in call.values() if isinstance(value, torch.Tensor)), ())
    if shape == batch:
        return "The sum over the classes and the mean over the samples are missing."
    if shape == batch[:1]:
        return "That is one value for each sample: take their mean."
    if shape == batch[1:]:
        return "That is one value for each class: reduce over the classes, then over the samples."
    return "Check along which dimension you reduce: samples are dimension 0, classes dimension 1."


def _call(answer: Callable, arguments: Call) -> str:
    shown = ", ".join(
        f"{name} of shape {tuple(value.shape)}"
        if isinstance(value, torch.Tensor)
        else f"{name}={value:g}"
        if isinstance(value, float)
        else name
        for name, value in arguments.items()
    )
    return f"{getattr(answer, '__name__', 'your function')}({shown})"


def line_of(problem: Exception) -> str:
    """Where in the learner's own code it happened: the frame just below ours."""
    frames = traceback.extract_tb(problem.__traceback__)[1:]
    if not frames or not frames[0].line:
        return ""
    return f" at line {frames[0].lineno}, `{frames[0].line}`"


def kind_of(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
