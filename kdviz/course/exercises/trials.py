"""Harder trials of an answer that was right on ordinary calls: its gradient, its precision, what it calls."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from kdviz.course.exercises.asking import Call, ask, copied
from kdviz.course.exercises.base import NotYet

_FROM_THE_STUDENT = {
    "student_logits": "the student's logits",
    "student": "what the student gives",
    "logits": "the logits of the peer that learns",
}


def harder_calls(call: Call) -> Iterator[tuple[str, Call]]:
    """The call in single precision, and with very large logits too; and what to say if one fails."""
    if not any(map(_is_real, call.values())):
        return
    single = {name: value.float() if _is_real(value) else value for name, value in call.items()}
    yield "Right in double precision, but in single precision, as networks have it:", single
    if any("logits" in name for name in call):
        yield "Right on ordinary logits, but on logits of up to 1000:", _enlarged(single, 1000)
        yield "Right on logits of up to 1000, but on logits of up to 10,000:", _enlarged(call, 10_000)


def _enlarged(call: Call, largest: float) -> Call:
    """The call with its logits so large."""
    return {name: v * (largest / v.abs().max()) if "logits" in name else v for name, v in call.items()}


def check_gradient(
    answer: Callable, right: Callable, call: Call, wanted: str, unwanted: str | None, part: Callable | None
) -> None:
    """Whether the gradient for one argument is that of the right answer, and none reaches the other.

    ``part`` picks of that gradient, given the call, what matters.
    """
    names = [name for name in (wanted, unwanted) if name]
    attached = call | {name: call[name].clone().requires_grad_() for name in names}
    source = _FROM_THE_STUDENT[wanted]
    value = ask(answer, **copied(attached))
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
    """Whether the answer makes do without the functions whose full names match the pattern."""
    with _watched() as names:
        ask(answer, **copied(call))
    used = sorted(name for name in names if re.fullmatch(forbidden, name))
    if used:
        raise NotYet(f"{message} (It calls `{used[0].rpartition('.')[2]}`.)")


def called(answer: Callable, call: Call) -> set[str]:
    """The names, without their modules, of the functions that an answer calls."""
    with _watched() as names:
        ask(answer, **copied(call))
    return {name.rpartition(".")[2] for name in names}


@contextmanager
def _watched() -> Iterator[set[str]]:
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
