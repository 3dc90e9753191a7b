"""A loss is written for one student; here it is asked about many at once.

Before the axes that one student's tensors have, logits (N, C), features (N, ...) and labels (N,), others may
stand: seeds, settings, several students, the teachers of each. They broadcast as in arithmetic, and
``torch.func.vmap`` maps the loss over them. What all share, as the settings of a sweep share their teacher,
is computed once.
"""

import copy

import torch
from torch.func import vmap

from kdviz.losses.checks import check_same_shape
from kdviz.losses.objective import Loss, Objective
from kdviz.tracing import Trace


def each_value(loss, student, teacher, labels, learned=None):
    """The loss of every student and teacher: a tensor of the axes before those of one student.

    ``learned`` has the student's leading axes. Numbers of the loss may be tensors with a value for each of
    the last of these axes (the settings of a sweep), or for all.
    """
    return _each(type(loss).__call__, loss, student, teacher, labels, learned)


def each_memory(loss, student, teacher, labels, learned):
    """What every student's loss remembers after a batch: :meth:`Loss.remembered`."""
    found = _each(type(loss).remembered, loss, student, teacher, labels, learned)
    if any(part.shape != learned[name].shape for name, part in found.items()):
        raise ValueError(f"{type(loss).__name__} remembers what a teacher said, and can listen to one only")
    return found


def over_teachers(values, weights=None):
    """A student's loss from those under its teachers, the last axis: their mean, or a weighted sum."""
    return values.mean(-1) if weights is None else (values * weights.to(values)).sum(-1)


def each_gradient(objective, student, teacher, labels):
    """The gradient by every student's logits of the terms that have it in closed form; None without any.

    Closed forms broadcast over leading axes by themselves, so these are not mapped.
    """
    total = None
    for term in objective.parts:
        if not has_closed_form(term.loss):
            continue
        if term.loss.needs_teacher:
            check_same_shape(student.logits, teacher.logits)
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


def stacked_objective(objectives) -> Objective:
    """Objectives that differ only in numbers as one, whose numbers are tensors with a value for each."""
    first = objectives[0]
    if any(structure(other) != structure(first) for other in objectives):
        raise ValueError(
            "the objectives of a stack must have the same terms and forms and differ in numbers only; got "
            f"{first} and {next(o for o in objectives if structure(o) != structure(first))}"
        )
    every = [objective.settings() for objective in objectives]
    changes = {}
    for address in every[0]:
        values = [settings[address] for settings in every]
        if any(value != values[0] for value in values):
            changes[address] = torch.tensor(values, dtype=torch.float64)
    return first.replace(changes)


def structure(objective) -> tuple:
    """What two objectives must share to run in one stack: all of them but their numbers."""
    losses = tuple(type(term.loss) for term in objective.parts)
    return losses + tuple(
        (address, None if isinstance(value, (int, float)) and not isinstance(value, bool) else value)
        for address, value in objective.settings().items()
    )


def has_closed_form(loss):
    """Whether its gradient is written out. A subclass with a value of its own has lost its parent's."""
    told = next(
        kind for kind in type(loss).__mro__ if {"value", "__call__", "logit_gradient"} & vars(kind).keys()
    )
    return told is not Loss and "logit_gradient" in vars(told)


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
    """A function of a loss and what it is given, for each of many students."""
    parts = _parts(loss, student, teacher if loss.needs_teacher else None, labels, learned or {})
    axes = max(before for _, before in parts.values())
    if axes == 0:
        return function(loss, student, teacher, labels, learned)

    def alone(tensors):
        groups = {"student": {}, "teacher": {}, "labels": {}, "learned": {}, "numbers": {}}
        for (group, name), tensor in tensors.items():
            groups[group][name] = tensor
        return function(
            with_numbers(loss, groups["numbers"]),
            _trace(groups["student"]),
            _trace(groups["teacher"]),
            groups["labels"].get(None),
            groups["learned"],
        )

    aligned = {key: tensor[(None,) * (axes - before)] for key, (tensor, before) in parts.items()}
    return _mapped(alone, aligned, axes)


_LOGITS, _ROWS = object(), object()  # no layer has such a name


def _parts(loss, student, teacher, labels, learned):
    """All tensors, each with how many axes it has before those of one student."""
    own, before = numbers(loss), student.logits.ndim - 2
    parts = {("numbers", name): (value.to(student.logits), value.ndim) for name, value in own.items()}
    parts |= {("learned", name): (part, before) for name, part in learned.items()}
    if labels is not None:
        parts["labels", None] = labels, labels.ndim - 1
    for group, trace in (("student", student), ("teacher", teacher)):
        if trace is None:
            continue
        before = trace.logits.ndim - 2
        parts |= {(group, path): (feature, before) for path, feature in trace.features.items()}
        parts[group, _LOGITS] = trace.logits, before
        if trace.rows is not None:
            parts[group, _ROWS] = trace.rows, trace.rows.ndim - 1
    return parts


def _trace(parts):
    if not parts:
        return None
    logits, rows = parts.pop(_LOGITS), parts.pop(_ROWS, None)
    return Trace(logits, parts, rows)


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
