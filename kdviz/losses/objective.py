"""The objective: a weighted sum of losses that reads as the paper's formula."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from torch import Tensor

from kdviz.losses.checks import check_given, check_masks, check_numbers_of, check_weight
from kdviz.losses.precision import in_precision, precision_for, without_autocast
from kdviz.tracing import Trace


class _Sum:
    """What losses, terms and objectives share: they add up and take weights."""

    def terms(self):
        raise NotImplementedError

    def __mul__(self, weight: float) -> "Objective":
        if isinstance(weight, _Sum):
            return NotImplemented
        check_weight(weight)
        return Objective(tuple(replace(term, weight=weight * term.weight) for term in self.terms()))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Objective":
        return self * (1 / divisor)

    def __add__(self, other: "_Sum") -> "Objective":
        if not isinstance(other, _Sum):
            raise TypeError(f"only losses can be added to an objective; got {type(other).__name__}")
        return Objective(self.terms() + other.terms())

    def __radd__(self, other) -> "Objective":
        # sum([...]) begins with 0.
        return as_objective(self) if isinstance(other, int) and other == 0 else self + other


class Loss(_Sum, ABC):
    """A loss as a value: frozen settings, called with what student and teacher gave, and the labels.

    A subclass is a frozen dataclass whose fields are its settings, checked when it is made. It names itself
    (``name``), says whether it listens to the teacher (``needs_teacher``) and which layers it reads, and its
    ``value`` is the paper's formula for one student: logits (N, C), features (N, D) or (N, C, H, W). Many
    students at once are the engine's business.

    A loss that learns something of its own, such as a regressor between two widths, gives the initial values
    in ``initial(student, teacher)`` as tensors by name, and gets them back as ``learned``. Those of them that
    it names in ``remembers`` are no parameters but a memory, which ``remembered`` renews after each step.
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
    remembers: tuple[str, ...] = ()

    def __call__(
        self,
        student: Tensor | Sequence | Mapping | Trace,
        teacher: Tensor | Sequence | Mapping | Trace | None = None,
        labels: Tensor | None = None,
        learned: Mapping[str, Tensor] | None = None,
    ) -> Tensor:
        """The loss of one student, averaged over the samples.

        Parameters
        ----------
        student, teacher : what :func:`kdviz.trace` returns for each, or plain tensors
            The logits (N, C), or the features (N, ...) of the one layer that the loss reads; where it reads
            several, a list with the features of each, or a dictionary by layer.
        labels : (N,) class numbers, or -1 for unlabelled; only where the loss needs them
        learned : what the loss has learned; by default it begins with ``initial``

        It is computed in the precision of the student's logits; half precision in single, and the loss is a
        float32 then. A class masked with -inf
        is one of probability 0, and counts as in ``torch.distributions``: nothing where the target has it at
        0 too, infinity where the target does not.

        Errors: TypeError for what is no tensor of fractions. ValueError where the teacher or the labels are
        missing, shapes do not fit, or a loss that reads no probabilities is given masked classes.
        """
        for needed, given, what in (
            (self.needs_teacher, teacher, "what the teacher gave, as its second argument"),
            (self.needs_labels, labels, "the labels, as its third argument or labels=..."),
        ):
            if needed and given is None:
                raise ValueError(f"{type(self).__name__} needs {what}")
        teacher = teacher if self.needs_teacher else None
        check_given(type(self).__name__, student, teacher, labels)
        if not isinstance(student, Trace):
            student, teacher = self.traces(student, teacher)
        check_numbers_of("the student's logits", student.logits)
        if teacher is not None:
            check_numbers_of("the teacher's logits", teacher.logits)
        dtype = precision_for(student.logits)
        student, teacher, learned = (in_precision(given, dtype) for given in (student, teacher, learned))
        with without_autocast(student.logits):
            if learned is None:
                learned = self.initial(student, teacher)
            value = self.value(student, teacher, labels, learned)
        check_masks(type(self).__name__, value, student, teacher)
        return value

    def traces(self, student, teacher):
        """What was given as plain tensors, as the traces that ``value`` reads: those of logits."""
        return Trace(student), None if teacher is None else Trace(teacher)

    @abstractmethod
    def value(self, student: Trace, teacher: Trace, labels: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
        """The formula, for one student."""

    def initial(self, student: Trace, teacher: Trace) -> dict[str, Tensor]:
        """What this loss learns, before its first step, for traces like these."""
        return {}

    def remembered(self, student: Trace, teacher: Trace, labels: Tensor, learned) -> dict[str, Tensor]:
        """The memory after this batch, of those that ``remembers`` names."""
        return {}

    def logit_gradient(self, student, teacher, labels):
        """The gradient with respect to the student's logits in closed form, where a loss has it.

        Given as a fresh tensor like the logits and a factor for it, a number or a tensor that broadcasts.
        Written along the last axes only, so that it holds for many students at once.
        """
        raise NotImplementedError(f"{self.name} has no gradient in closed form")

    @abstractmethod
    def latex(self) -> str:
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

    >>> from kdviz.losses import CrossEntropy, SoftTargets
    >>> objective = 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)
    >>> objective.replace({"soft_targets.temperature": 2, "soft_targets.weight": 0.5})
    0.1 * CrossEntropy() + 0.5 * SoftTargets(temperature=2)
    """

    parts: tuple[Term, ...]

    def terms(self):
        return self.parts

    @property
    def named(self) -> dict[str, Term]:
        """The terms by name. A loss that occurs twice is numbered: ``soft_targets_2``."""
        named = {}
        for term in self.parts:
            count = sum(other.loss.name == term.loss.name for other in named.values())
            named[f"{term.loss.name}_{count + 1}" if count else term.loss.name] = term
        return named

    @property
    def needs_teacher(self) -> bool:
        return any(term.loss.needs_teacher for term in self.parts)

    @property
    def student_layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for term in self.parts for layer in term.loss.student_layers))

    @property
    def teacher_layers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(layer for term in self.parts for layer in term.loss.teacher_layers))

    def settings(self) -> dict:
        """Everything that can be tuned, by address: ``{"soft_targets.temperature": 4.0, ...}``."""
        settings = {}
        for name, term in self.named.items():
            settings[f"{name}.weight"] = term.weight
            for field in fields(term.loss):
                settings[f"{name}.{field.name}"] = getattr(term.loss, field.name)
        return settings

    def replace(self, changes: Mapping) -> "Objective":
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

    def initial(self, student: Trace, teacher: Trace) -> dict[str, dict[str, Tensor]]:
        """What the terms learn, by term: see :meth:`Loss.initial`."""
        dtype = precision_for(student.logits)
        student, teacher = in_precision(student, dtype), in_precision(teacher, dtype)
        return {name: term.loss.initial(student, teacher) for name, term in self.named.items()}

    def __call__(self, student, teacher=None, labels=None, learned=None) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each term's unweighted value by name; arguments as those of a loss."""
        learned = learned or {}
        values = {
            name: term.loss(student, teacher, labels, learned.get(name)) for name, term in self.named.items()
        }
        return self.total(values), values

    def total(self, values: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms' values."""
        return sum(term.weight * values[name] for name, term in self.named.items())

    def latex(self) -> str:
        """The objective as a formula."""
        parts = [rf"{term.weight:g} \cdot {term.loss.latex()}" for term in self.parts]
        return r"\mathcal{L} = " + " + ".join(parts)

    def _repr_latex_(self):
        return f"$${self.latex()}$$"

    def __repr__(self):
        return " + ".join(f"{term.weight:g} * {term.loss!r}" for term in self.parts)


def as_objective(value) -> Objective:
    """An objective from a loss or an objective."""
    if isinstance(value, Objective):
        return value
    if isinstance(value, Loss):
        return Objective(value.terms())
    raise TypeError(
        "an objective is a weighted sum of losses, for example "
        f"0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4); got {type(value).__name__}"
    )
