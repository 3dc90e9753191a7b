"""A loss is written for one student; here it is asked about many at once.

Before the axes that one student's tensors have, logits (N, C), features (N, ...) and labels (N,), others may
stand: seeds, settings, several students, the teachers of each. They broadcast as in arithmetic, and
``torch.func.vmap`` maps the loss over them. What all share, as the settings of a sweep share their teacher, is
computed once.
"""

import copy

import torch
from torch.func import vmap

from kdviz.losses.objective import Loss
from kdviz.tracing import Trace


def each_value(loss, student, teacher, labels, learned=None):
    """The loss of every student and teacher: a tensor of the axes before those of one student.

    ``learned`` has the student's leading axes. Numbers of the loss may be tensors with a value for each of the
    last of these axes (the settings of a sweep), or for all.
    """
    return _each(Loss.__call__, loss, student, teacher, labels, learned)


def each_memory(loss, student, teacher, labels, learned):
    """What every student's loss remembers after a batch: :meth:`Loss.remembered`."""
    found = _each(type(loss).remembered, loss, student, teacher, labels, learned)
    if any(part.shape != learned[name].shape for name, part in found.items()):
        raise ValueError(f"{type(loss).__name__} remembers what a teacher said, and can listen to one only")
    return found


def over_teachers(values, weights=None):
    """A student's loss from those under each of its teachers, the last axis: their mean, or a weighted sum."""
    return values.mean(-1) if weights is None else (values * weights.to(values)).sum(-1)


def each_gradient(objective, student, teacher, labels):
    """The gradient by the logits of every student, of the terms that have it in closed form; None without any.

    Closed forms broadcast over leading axes by themselves, so these are not mapped.
    """
    total = None
    for term in objective.parts:
        if not has_closed_form(term.loss):
            continue
        own = {
            name: number.to(student.logits)[..., None, None] for name, number in numbers(term.loss).items()
        }
        direction, factor = with_numbers(term.loss, own).logit_gradient(student, teacher, labels)
        weight = term.weight
        if isinstance(weight, torch.Tensor):
            weight = weight.to(direction)[..., None, None]
        factor = torch.as_tensor(weight * factor, dtype=direction.dtype, device=direction.device)
        total = direction.mul_(factor) if total is None else total.addcmul_(direction, factor)
    return total


def has_closed_form(loss):
    return type(loss).logit_gradient is not Loss.logit_gradient


def numbers(loss):
    """The settings of a loss that are tensors: a number for each of many students."""
    return {name: value for name, value in vars(loss).items() if isinstance(value, torch.Tensor)}


def with_numbers(loss, numbers):
    """The same loss with other numbers. They were checked when the loss was made."""
    if not numbers:
        return loss
    loss = copy.copy(loss)
    for name, number in numbers.items():
        object.__setattr__(loss, name, number)
    return loss


def _each(function, loss, student, teacher, labels, learned):
    teacher = teacher if loss.needs_teacher else None
    parts = _Parts()
    parts.take_in("student", student)
    parts.take_in("teacher", teacher)
    parts.add("labels", "", labels, 1)
    for name, tensor in (learned or {}).items():
        parts.add("learned", name, tensor, tensor.ndim - (student.logits.ndim - 2))
    for name, number in numbers(loss).items():
        parts.add("numbers", name, number.to(student.logits), 0)
    if parts.axes == 0:
        return function(loss, student, teacher, labels, learned)

    def alone(tensors):
        groups = {group: {} for group, _ in tensors}
        for (group, name), tensor in tensors.items():
            groups[group][name] = tensor
        return function(
            with_numbers(loss, groups.get("numbers", {})),
            _trace(groups.get("student")),
            _trace(groups.get("teacher")),
            groups.get("labels", {}).get(""),
            groups.get("learned", {}),
        )

    return _mapped(alone, parts.aligned(), parts.axes)


class _Parts:
    """Tensors, each with the axes that it has before those of one student."""

    def __init__(self):
        self._tensors, self._own = {}, {}

    @property
    def axes(self):
        return max(tensor.ndim - self._own[key] for key, tensor in self._tensors.items())

    def add(self, group, name, tensor, own):
        """Take in a tensor that has ``own`` axes for one student."""
        if tensor is not None:
            self._tensors[group, name], self._own[group, name] = tensor, own

    def take_in(self, group, trace):
        if trace is None:
            return
        self.add(group, _LOGITS, trace.logits, 2)
        self.add(group, _ROWS, trace.rows, 1)
        for path, feature in trace.features.items():
            self.add(group, path, feature, feature.ndim - (trace.logits.ndim - 2))

    def aligned(self):
        """The tensors, all with equally many leading axes."""
        axes = self.axes
        return {
            key: tensor[(None,) * (axes + self._own[key] - tensor.ndim)]
            for key, tensor in self._tensors.items()
        }


_LOGITS, _ROWS = object(), object()  # no layer has such a name


def _trace(parts):
    if parts is None:
        return None
    features = {path: part for path, part in parts.items() if path not in (_LOGITS, _ROWS)}
    return Trace(parts[_LOGITS], features, parts.get(_ROWS))


def _mapped(function, tensors, axes):
    """The function over the leading axes of tensors, the first axis outermost; one of length 1 is shared."""
    if axes == 0:
        return function(tensors)
    shared = {key: len(tensor) == 1 for key, tensor in tensors.items()}
    tensors = {key: tensor[0] if shared[key] else tensor for key, tensor in tensors.items()}
    if all(shared.values()):
        found = _mapped(function, tensors, axes - 1)
        many = isinstance(found, dict)
        return {name: part[None] for name, part in found.items()} if many else found[None]
    return vmap(
        lambda inner: _mapped(function, inner, axes - 1),
        in_dims=({key: None if shared[key] else 0 for key in tensors},),
        # What a loss draws is drawn alike for all, as it would be alone.
        randomness="same",
    )(tensors)
