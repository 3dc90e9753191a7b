"""The checks that every loss makes of its inputs, with errors that say what to do."""

import math

import torch


def check_temperature(temperature):
    """A temperature is a finite number above zero (or a tensor of them, one a student)."""
    _check_numbers("temperature", temperature, lambda value: value > 0, "a finite number above 0")


def check_share(name, value):
    _check_numbers(name, value, lambda share: (share >= 0) & (share <= 1), "a number from 0 to 1")


def check_weight(value):
    _check_numbers("a weight", value, lambda weight: weight >= 0, "a finite number from 0 up")


def check_form(form, forms):
    if form not in forms:
        raise ValueError(f"form must be one of {', '.join(map(repr, forms))}; got {form!r}")


def _check_numbers(name, value, valid, expected):
    if isinstance(value, torch.Tensor):
        # Reading values back from a GPU would stall it at every step.
        fine = value.device.type != "cpu" or bool((torch.isfinite(value) & valid(value)).all())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        fine = math.isfinite(value) and bool(valid(value))
    else:
        raise TypeError(f"{name} must be {expected}; got {value!r} ({type(value).__name__})")
    if not fine:
        raise ValueError(f"{name} must be {expected}; got {value!r}")


def check_same_shape(student, teacher, what="logits"):
    """Teacher and student must agree on samples and classes; a stack's leading axes may broadcast."""
    if student.ndim < 2 or teacher.ndim < 2:
        raise ValueError(
            f"{what} must have shape (..., samples, classes); the student's have {tuple(student.shape)}, "
            f"the teacher's {tuple(teacher.shape)}"
        )
    if student.shape[-2:] != teacher.shape[-2:]:
        raise ValueError(
            f"the student's {what} have shape {tuple(student.shape)} and the teacher's "
            f"{tuple(teacher.shape)}; the samples and classes must be the same. Check that both saw the "
            "same batch and have the same classes"
        )


def check_labels(logits, labels):
    """Labels are class numbers, or -1 where the label is not known."""
    classes = logits.shape[-1]
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(
            f"labels must be whole class numbers (torch.long); got {labels.dtype}. Use .long()"
        )
    if labels.shape[-1] != logits.shape[-2]:
        raise ValueError(
            f"there are {labels.shape[-1]} labels for {logits.shape[-2]} samples "
            f"(labels {tuple(labels.shape)}, logits {tuple(logits.shape)})"
        )
    # Reading values back from a GPU would stall it at every step; there the scheme checks once.
    if labels.device.type == "cpu" and labels.numel():
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            raise ValueError(
                f"labels must be from 0 to {classes - 1}, or -1 for unlabelled; "
                f"got values from {low} to {high}"
            )
