"""The checks that every loss makes of its inputs, with errors that say what to do."""

import math

import torch


def check_temperature(temperature):
    """A temperature is a finite number above zero."""
    check_above_zero("temperature", temperature)


def check_share(name, value):
    check_numbers(name, value, lambda share: (share >= 0) & (share <= 1), "a number from 0 to 1")


def check_weight(value):
    check_from_zero("a weight", value)


def check_above_zero(name, value):
    check_numbers(name, value, lambda number: number > 0, "a finite number above 0")


def check_from_zero(name, value):
    check_numbers(name, value, lambda number: number >= 0, "a finite number from 0 up")


def check_from_one(name, value):
    check_numbers(name, value, lambda number: number >= 1, "a finite number from 1 up")


def check_whole(name, value, least):
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}")


def check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}")


def check_form(form, forms):
    check_choice("form", form, forms)


def check_numbers(name, value, valid, expected):
    """A number, or a tensor with several, must be finite and valid."""
    if isinstance(value, torch.Tensor):
        fine = not _can_be_read(value) or bool((torch.isfinite(value) & valid(value)).all())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        fine = math.isfinite(value) and bool(valid(value))
    else:
        raise TypeError(f"{name} must be {expected}; got {value!r} ({type(value).__name__})")
    if not fine:
        raise ValueError(f"{name} must be {expected}; got {value!r}")


def check_same_shape(student, teacher, what="logits"):
    """Teacher and student must agree on samples and classes."""
    if student.ndim < 2 or teacher.ndim < 2:
        raise ValueError(
            f"{what} must have shape (samples, classes); the student's have {tuple(student.shape)}, "
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
        raise TypeError(f"labels must be whole class numbers (torch.long); got {labels.dtype}. Use .long()")
    if labels.shape[-1] != logits.shape[-2]:
        raise ValueError(
            f"there are {labels.shape[-1]} labels for {logits.shape[-2]} samples "
            f"(labels {tuple(labels.shape)}, logits {tuple(logits.shape)})"
        )
    if _can_be_read(labels) and labels.numel():
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            raise ValueError(
                f"labels must be from 0 to {classes - 1}, or -1 for unlabelled (torch's -100); "
                f"got values from {low} to {high}"
            )


def check_masks(loss, value, student, teacher):
    """A loss that is no number since it compares masked classes is an error that names them."""
    if not _can_be_read(value) or not value.isnan().any():
        return
    logits = {"student": student.logits} | ({} if teacher is None else {"teacher": teacher.logits})
    # What is no number itself, or no distribution, stays so in the value, as torch has it.
    if any(part.isnan().any() or part.isneginf().all(-1).any() for part in logits.values()):
        return
    for whose, part in logits.items():
        masked = int(part.isneginf().sum())
        if masked:
            raise ValueError(
                f"{loss} is not a number, since the {whose}'s logits are -inf in {masked} of "
                f"{part.numel()} places; it compares the logits themselves, not probabilities, which are "
                "0 where a class is masked. Leave masked classes out, or use a loss of probabilities such as "
                "SoftTargets"
            )


def _can_be_read(tensor):
    """Whether its values may be looked at: not on a GPU, which would stall at every step, nor under vmap.

    There the scheme checks labels once, and settings are checked when their loss is made.
    """
    while torch._C._functorch.is_gradtrackingtensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor.device.type == "cpu" and not torch._C._functorch.is_batchedtensor(tensor)
