"""What explorers are given: images, labels and numbers, checked and in one form."""

import math
import numbers
from collections.abc import Iterable

import numpy as np
import torch
import traitlets

from kdviz.datasets import Dataset


def array(name, values):
    """Values as an array of finite numbers in double precision."""
    values = values.detach().cpu() if isinstance(values, torch.Tensor) else values
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a table of numbers: {error}") from None
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must hold finite numbers only; it holds infinity or NaN")
    return values


def check_data(data):
    """Explorers show samples of a kdviz data set."""
    if not isinstance(data, Dataset):
        raise TypeError(
            "data must be a kdviz data set, such as kdviz.datasets.digits() gives; got "
            f"{type(data).__name__}. Tensors of yours are shown by the explorer's class, from arrays"
        )


def items(name, values, what="numbers"):
    """What can be gone through, as a list; a text is one thing."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list of {what}; got {values!r}")
    return list(values)


def number(name, value, least=-math.inf, most=math.inf):
    """A finite number within its range, as a float."""
    value = value.item() if isinstance(value, torch.Tensor) and value.ndim == 0 else value
    if not isinstance(value, numbers.Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} must be from {least:g} to {most:g}; got {value!r}")
    return float(value)


def checked_images(values, count):
    """Grey images (n, height, width), from 0 (paper) to 1 (ink), or colour images (n, height, width, 3)."""
    values = array("images", values)
    shape = values.shape
    if values.ndim == 4 and shape[1] in (1, 3):
        values = values[:, 0] if shape[1] == 1 else values.transpose(0, 2, 3, 1)
    if (values.ndim != 3 and values.shape[3:] != (3,)) or len(values) != count or 0 in values.shape:
        raise ValueError(
            f"images must be grey, of shape ({count}, height, width) or ({count}, 1, height, width), or in "
            f"colour, of shape ({count}, 3, height, width) or ({count}, height, width, 3); got {shape}"
        )
    if values.min() < 0 or values.max() > 1:
        raise ValueError(
            f"images must have values from 0 to 1; got {values.min():.3g} to {values.max():.3g}. "
            "Undo the centring first: inputs + data.mean"
        )
    return values


def class_numbers(values, count, classes):
    """Labels as whole numbers of classes, one for each of so many images."""
    values = array("labels", values)
    if values.shape != (count,):
        raise ValueError(f"labels must have shape ({count},), one for each image; got {values.shape}")
    if ((values < 0) | (values >= classes) | (values != np.rint(values))).any():
        raise ValueError(f"labels must be whole numbers from 0 to {classes - 1}; got {values}")
    return values.astype(np.int64)


def named(students):
    """Students by name; a single one has no other name than what it is."""
    students = students if isinstance(students, dict) else {"student": students}
    if not students or not all(isinstance(name, str) and name.strip() for name in students):
        raise ValueError(
            "students must be one student, or a dict of at least one, each under a name that is a text; "
            f"got the names {list(students)}"
        )
    return students


def check_index(name, value, count):
    """The number of one among so many, from 0."""
    if not is_whole(value) or not 0 <= value < count:
        raise ValueError(f"{name} must be a whole number from 0 to {count - 1}; got {value!r}")
    return value


def check_count(name, value, least, most, of=""):
    """A whole number from ``least`` to ``most``; ``of`` says what ``most`` is."""
    if not is_whole(value) or not least <= value <= most:
        of = of and f", the number of {of}"
        raise ValueError(f"{name} must be a whole number from {least} to {most}{of}; got {value!r}")
    return int(value)


def is_whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


class Index(traitlets.Int):
    """A synced trait: the number of one among those that another trait of the explorer holds, from 0."""

    def __init__(self, of):
        super().__init__(0)
        self.of = of
        self.tag(sync=True)

    def _cross_validate(self, obj, value):
        # Not `validate`, which would not wait for what the other trait is set to at the same time.
        value = super()._cross_validate(obj, value)
        return check_index(self.name, value, len(getattr(obj, self.of)))


def rising(steps):
    """The training steps at which something was looked at: two or more whole numbers that rise."""
    steps = [int(number("a step", step)) for step in items("steps", steps)]
    if len(steps) < 2 or any(late <= early for early, late in zip(steps, steps[1:], strict=False)):
        raise ValueError(f"steps must be two or more numbers that rise; got {steps}")
    return steps
