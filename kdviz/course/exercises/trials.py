"""Harder trials of an answer that was right on ordinary calls: its gradient, its precision, what it calls."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from kdviz.course.exercises.base import NotYet

Call = dict[str, Any]

_FROM_THE_STUDENT = {
    "student_logits": "the student's logits",
    "student": "what the student gives",
    "logits": "the logits of the peer that learns",
}


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


def harder_calls(call: Call) -> Iterator[tuple[str, Call, float]]:
    """The call in single precision and with very large logits: what to say of it, itself, a tolerance."""
    if any(_is_real(value) for value in call.values()):
        single = {name: value.float() if _is_real(value) else value for name, value in call.items()}
        yield "Right in double precision, but in single precision, as networks have it:", single, 1e-3
    large = {
        name: value * (1000 / value.abs().max()) if "logits" in name else value
        for name, value in call.items()
    }
    if any("logits" in name for name in call):
        yield "Right on ordinary logits, but on logits of up to 1000:", large, 1e-4


def check_gradient(
    answer: Callable, right: Callable, call: Call, wanted: str, unwanted: str | None, part: Callable | None
) -> None:
    """Whether the gradient for one argument is that of the right answer, and none reaches the other.

    ``part`` picks of that gradient, given the call, what matters.
    """
    names = [name for name in (wanted, unwanted) if name]
    attached = call | {name: call[name].clone().requires_grad_() for name in names}
    source = _FROM_THE_STUDENT[wanted]
    value = answer(*copied(attached).values())
    if not (isinstance(value, torch.Tensor) and value.requires_grad):
        raise NotYet(
            "The value is right, but no gradient can flow: somewhere the tensors became plain numbers or "
            f"were detached. {source[0].upper()}{source[1:]} must stay attached."
        )
    inputs = [attached[name] for name in names]
    found, *reached = torch.autograd.grad(value.sum(), inputs, allow_unused=True)
    if any(gradient is not None and gradient.abs().max() > 0 for gradient in reached):
        raise NotYet(
            "The value is right, but a gradient also reaches the teacher's logits. The teacher is given: "
            "detach its logits."
        )
    expected = torch.autograd.grad(right(*attached.values()), attached[wanted])[0]
    if part and found is not None:
        found, expected = part(found, call), part(expected, call)
    if found is not None and not found.isfinite().all():
        raise NotYet(
            "The value is right, but its gradient is not a finite number. Look for the root or the length "
            "of a 0, whose slope has no end."
        )
    if found is None or not torch.allclose(
        found, expected, rtol=1e-4, atol=1e-6 * float(expected.abs().max())
    ):
        raise NotYet(
            "The value is right, but the student's gradient is not: part of what depends on "
            f"{source} was detached."
        )


def check_calls(answer: Callable, call: Call, forbidden: str, message: str) -> None:
    """Whether the answer makes do without the functions whose names match the pattern."""
    with _called_functions() as names:
        answer(*copied(call).values())
    used = sorted(name for name in names if re.fullmatch(forbidden, name))
    if used:
        raise NotYet(f"{message} (It calls `{used[0].rpartition('.')[2]}`.)")


@contextmanager
def _called_functions() -> Iterator[set[str]]:
    """The names of all functions called meanwhile: with their module, or only a dot if written in C."""
    names: set[str] = set()

    def note(frame, event, function):
        if event == "call":
            names.add(f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}")
        elif event == "c_call":
            names.add(f".{function.__name__}")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield names
    finally:
        sys.setprofile(before)


def _is_real(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()
