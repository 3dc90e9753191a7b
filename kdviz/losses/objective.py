"""The objective: a weighted sum of losses that reads as the paper's formula."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace

import torch

from kdviz.losses.checks import check_weight


class _Sum:
    """What losses, terms and objectives share: they add up and take weights."""

    def terms(self):
        raise NotImplementedError

    def __rmul__(self, weight):
        check_weight(weight)
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms()))

    def __add__(self, other):
        if not isinstance(other, _Sum):
            raise TypeError(f"only losses can be added to an objective; got {type(other).__name__}")
        return Objective(self.terms() + other.terms())


class Loss(_Sum, ABC):
    """A loss as a value: frozen settings, called with two traces and the labels.

    A subclass is a frozen dataclass whose fields are its settings. It names itself (``name``), says
    whether it listens to the teacher (``needs_teacher``) and which layers it reads, and calls one pure
    function of its module.

    A loss that learns something of its own, such as a regressor between two widths, gives the initial
    values in ``initial(student, teacher)`` as tensors by name, and gets them back as ``learned``: in a
    stack each with the stack's leading axes, so that every student has its own.
    """

    name: str
    # For the reference card: where it comes from, its formula in the form that is the default, what it
    # reads, what one unit of it is, what it costs, and what may be done to the student's logits or features
    # without changing it.
    kind: str
    paper: str
    formula: str
    reads: str = "logits"
    scale: str
    memory: str
    cost: str
    invariant_to: tuple[str, ...] = ()
    needs_teacher = True
    needs_labels = False
    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()

    @abstractmethod
    def __call__(self, student, teacher, labels, learned=None):
        """The loss, averaged over the samples; one value for each student of a stack."""

    def initial(self, student, teacher):
        """What this loss learns, before its first step, for traces like these of one student."""
        return {}

    def logit_gradient(self, student, teacher, labels):
        """The gradient with respect to the student's logits in closed form, where a loss has it.

        Given as a fresh tensor like the logits and a factor for it, a number or a tensor that broadcasts.
        """
        raise NotImplementedError(f"{self.name} has no gradient in closed form")

    @abstractmethod
    def latex(self):
        """The loss as it stands in a formula."""

    def terms(self):
        return (Term(1.0, self),)


@dataclass(frozen=True)
class Term:
    """A loss with its weight."""

    weight: float
    loss: Loss


@dataclass(frozen=True)
class Objective(_Sum):
    """A weighted sum of losses. It never changes: ``replace`` gives another one.

    >>> objective = 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)
    >>> objective.replace({"soft_targets.temperature": 2, "soft_targets.weight": 0.5})
    """

    parts: tuple[Term, ...]

    def terms(self):
        return self.parts

    @property
    def named(self):
        """The terms by name. A loss that occurs twice is numbered: ``soft_targets_2``."""
        named = {}
        for term in self.parts:
            count = sum(other.loss.name == term.loss.name for other in named.values())
            named[f"{term.loss.name}_{count + 1}" if count else term.loss.name] = term
        return named

    @property
    def needs_teacher(self):
        return any(term.loss.needs_teacher for term in self.parts)

    @property
    def student_layers(self):
        return tuple(dict.fromkeys(layer for term in self.parts for layer in term.loss.student_layers))

    @property
    def teacher_layers(self):
        return tuple(dict.fromkeys(layer for term in self.parts for layer in term.loss.teacher_layers))

    def settings(self):
        """Everything that can be tuned, by address: ``{"soft_targets.temperature": 4.0, ...}``."""
        settings = {}
        for name, term in self.named.items():
            settings[f"{name}.weight"] = term.weight
            for field in fields(term.loss):
                settings[f"{name}.{field.name}"] = getattr(term.loss, field.name)
        return settings

    def replace(self, changes):
        """The same objective with some settings changed, addressed as ``term.setting``."""
        known = self.settings()
        unknown = [address for address in changes if address not in known]
        if unknown:
            raise ValueError(f"unknown setting {unknown[0]!r}; the settings are: {', '.join(known)}")
        terms = []
        for name, term in self.named.items():
            weight = changes.get(f"{name}.weight", term.weight)
            check_weight(weight)
            here = {
                field.name: changes[f"{name}.{field.name}"]
                for field in fields(term.loss)
                if f"{name}.{field.name}" in changes
            }
            terms.append(Term(weight, replace(term.loss, **here)))
        return Objective(tuple(terms))

    def initial(self, student, teacher):
        """What the terms learn, by term: see :meth:`Loss.initial`."""
        return {name: term.loss.initial(student, teacher) for name, term in self.named.items()}

    def __call__(self, student, teacher, labels, learned=None):
        """The weighted sum, and each term's unweighted value by name."""
        learned = learned or {}
        values = {
            name: term.loss(student, teacher, labels, learned.get(name)) for name, term in self.named.items()
        }
        total = sum(term.weight * values[name] for name, term in self.named.items())
        return total, values

    @property
    def differentiated(self):
        """The terms by name whose gradient is not written out in closed form."""
        return {
            name: term
            for name, term in self.named.items()
            if type(term.loss).logit_gradient is Loss.logit_gradient
        }

    def logit_gradient(self, student, teacher, labels):
        """The weighted sum of the closed forms of the terms that have one; None if none has."""
        total = None
        for term in self.parts:
            if type(term.loss).logit_gradient is Loss.logit_gradient:
                continue
            direction, factor = term.loss.logit_gradient(student, teacher, labels)
            weight = term.weight
            if isinstance(weight, torch.Tensor):
                weight = weight.to(direction)[..., None, None]
            factor = torch.as_tensor(weight * factor, dtype=direction.dtype, device=direction.device)
            total = direction.mul_(factor) if total is None else total.addcmul_(direction, factor)
        return total

    def latex(self):
        """The objective as a formula."""
        parts = [rf"{term.weight:g}\; {term.loss.latex()}" for term in self.parts]
        return r"\mathcal{L} = " + " + ".join(parts)

    def _repr_latex_(self):
        return f"$${self.latex()}$$"

    def __repr__(self):
        return " + ".join(f"{term.weight:g} * {term.loss!r}" for term in self.parts)


def as_objective(value):
    """An objective from a loss or an objective."""
    if isinstance(value, Objective):
        return value
    if isinstance(value, Loss):
        return Objective(value.terms())
    raise TypeError(
        "an objective is a weighted sum of losses, for example "
        f"0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4); got {type(value).__name__}"
    )


def stacked_objective(objectives):
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


def structure(objective):
    """What two objectives must share to run in one stack: all of them but their numbers."""
    return tuple(
        (address, None if isinstance(value, (int, float)) and not isinstance(value, bool) else value)
        for address, value in objective.settings().items()
    )
