"""The checks that every loss makes of its inputs, with errors that say what to do."""

import math
from collections.abc import Mapping
from numbers import Integral

import torch

from kdviz.tracing import Trace


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
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
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
    """Teacher and student must agree on samples and classes, whatever stands before them."""
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


def check_given(loss, student, teacher, labels):
    """What a loss is called with: traces, or tensors; one alone, in order, or by layer."""
    for name, given in (("student", student), ("teacher", teacher)):
        if name == "teacher" and given is None:
            continue
        if not isinstance(given, (Trace, torch.Tensor, Mapping, list, tuple)):
            raise TypeError(
                f"{loss} compares tensors, or what kdviz.trace returns; its {name} is "
                f"{type(given).__name__}. Hand it the logits or the features, as torch tensors"
            )
        if isinstance(student, Trace) != isinstance(given, Trace):
            raise TypeError(
                f"{loss} needs traces of both student and teacher, or tensors of both; got "
                f"{type(student).__name__} and {type(given).__name__}"
            )
    if labels is not None and not (isinstance(labels, torch.Tensor) and labels.layout == torch.strided):
        kind = f"{labels.layout} tensor" if isinstance(labels, torch.Tensor) else type(labels).__name__
        raise TypeError(f"labels must be a dense torch tensor of class numbers; got {kind}")


def check_numbers_of(what, tensor):
    """Logits and features are dense tensors of fractions, and of something."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(
            f"{what} must be a torch tensor; got {type(tensor).__name__}. Use torch.as_tensor(...)"
        )
    if not tensor.is_floating_point() or tensor.layout != torch.strided:
        kind = f"{tensor.layout}, {tensor.dtype}".replace("torch.strided, ", "")
        raise TypeError(
            f"{what} must be a dense tensor of fractions; got {kind}. Use .to_dense() or .float()"
        )
    if tensor.ndim < 1 or not tensor.numel():
        raise ValueError(f"{what} must have numbers for each sample; got shape {tuple(tensor.shape)}")


def check_labels(logits, labels):
    """Labels are class numbers, or -1 where the label is not known."""
    check_labels_of(logits, labels)
    classes = logits.shape[-1]
    if _can_be_read(labels) and labels.numel():
        low, high = int(labels.min()), int(labels.max())
        if low < -1 or high >= classes:
            raise ValueError(
                f"labels must be from 0 to {classes - 1}, or -1 for unlabelled (torch's -100); "
                f"got values from {low} to {high}"
            )


def check_labels_of(logits, labels):
    """Labels are whole numbers, one for each sample of logits or features."""
    if logits.ndim < 2 or labels.ndim != logits.ndim - 1:
        raise ValueError(
            "there must be one label for each sample and a row of numbers for each; got labels of shape "
            f"{tuple(labels.shape)} for {tuple(logits.shape)}"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"labels must be whole class numbers (torch.long); got {labels.dtype}. Use .long()")
    if labels.shape[-1] != logits.shape[-2]:
        raise ValueError(
            f"there are {labels.shape[-1]} labels for {logits.shape[-2]} samples "
            f"(labels {tuple(labels.shape)}, logits {tuple(logits.shape)})"
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
