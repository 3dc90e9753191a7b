r"""What the losses on logits have in common: softmax, temperature, labels, and the rule for :math:`T^2`.

A divergence between softened probabilities has a gradient that shrinks as :math:`1/T^2`. Hinton et al. 2015
multiply by :math:`T^2` where soft targets stand beside hard labels, and much code does so everywhere. One
rule holds for all losses here: a form called ``"paper"`` is what its paper prints, with :math:`T^2` or
without; a form that multiplies by a :math:`T^2` of which the paper knows nothing is called ``"scaled"``. The
card and the docstring of each loss say which form is the default, and whose it is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form, check_same_shape, check_share, check_temperature, check_weight
from kdviz.losses.objective import Loss


@dataclass(frozen=True)
class ResponseLoss(Loss):
    """A loss on logits: its ``function`` gets those of the student and whatever else it needs."""

    kind = "response"
    memory = "N × C"
    invariant_to = ("shift",)
    forms = ()

    def __post_init__(self):
        check_settings(self.forms, **vars(self))

    def value(self, student, teacher, labels, learned):
        if self.needs_teacher and student.logits.ndim != teacher.logits.ndim:
            raise ValueError(
                "student and teacher must give logits with as many axes; the student's have shape "
                f"{tuple(student.logits.shape)}, the teacher's {tuple(teacher.logits.shape)}"
            )
        given = [student.logits]
        given += [teacher.logits] if self.needs_teacher else []
        given += [labels] if self.needs_labels else []
        return self.function(*given, **vars(self))


def check_settings(forms=(), **settings):
    """Settings by name, each of which has the same range in every loss on logits."""
    for name, value in settings.items():
        if name == "form":
            check_form(value, forms)
        elif name in ("temperature", "lowest"):
            check_temperature(value)
        elif name in ("amount", "beta", "confidence", "reversal"):
            check_share(name, value)
        else:
            check_weight(value)


def softmax(logits: Tensor) -> Tensor:
    """Probabilities over the last axis."""
    return _over_classes(torch.softmax, logits)


def log_softmax(logits: Tensor) -> Tensor:
    """Log-probabilities over the last axis."""
    return _over_classes(torch.log_softmax, logits)


def _over_classes(function, logits):
    # Where samples lie side by side in memory, torch is an order of magnitude slower over a last axis of few
    # classes than over the one before it.
    if logits.stride(-1) != 1:
        return function(logits.transpose(-1, -2), -2).transpose(-1, -2)
    return function(logits, -1)


def tempered(student_logits, teacher_logits, temperature):
    """The log-probabilities of both at a temperature; the teacher's get no gradient."""
    check_temperature(temperature)
    check_same_shape(student_logits, teacher_logits)
    return log_softmax(student_logits / temperature), log_softmax(teacher_logits.detach() / temperature)


def divergence(log_q, log_p):
    """KL(q ‖ p) of each sample, in nats."""
    return expected(log_q.exp(), log_q - log_p)


def soft_cross_entropy(log_q, log_p):
    """The cross-entropy of p under q of each sample: the divergence and the entropy of q."""
    return -expected(log_q.exp(), log_p)


def expected(probabilities, values):
    """The mean of values under probabilities, over the last axis: what never happens counts nothing.

    So a class masked with -inf in the target adds 0, whatever its logarithm, as in ``torch.distributions``.
    """
    return (probabilities * values.masked_fill(probabilities == 0, 0.0)).sum(-1)


def soft_gradient(student, teacher, temperature):
    """p - q: the gradient of T KL(q ‖ p) by the student's logits, for each sample."""
    p = softmax(student.logits / temperature)
    return p.sub_(softmax(teacher.logits / temperature))


def soft_latex(temperature, target="q", guess="p", scaled=True):
    """The KL divergence of the two at a temperature, times T² where it is scaled."""
    at = rf"^{{T={temperature:g}}}"
    square = rf"{temperature:g}^2 \cdot " if scaled else ""
    return rf"{square}\mathrm{{KL}}({target}{at} \,\Vert\, {guess}{at})"


def at_label(values: Tensor, labels: Tensor) -> Tensor:
    """The entry of each sample's label; an unlabelled sample gets that of class 0."""
    return values.take_along_dim(labels.clamp(min=0).unsqueeze(-1), -1).squeeze(-1)


def is_label(labels, classes):
    """True at each sample's label; nowhere for an unlabelled sample."""
    return labels.unsqueeze(-1) == torch.arange(classes, device=labels.device)


def one_hot(labels: Tensor, like: Tensor) -> Tensor:
    """Rows of 0 with a 1 at the label; the row of an unlabelled sample is all 0."""
    classes = like.shape[-1]
    # The last row, which is that of label -1, has no 1.
    return torch.eye(classes + 1, classes, dtype=like.dtype, device=like.device)[labels]


def labelled_weights(labels, dtype):
    """The weight of each sample in the mean over the labelled ones: 1 / their number, or 0."""
    known = (labels >= 0).to(dtype)
    return known / known.sum(-1, keepdim=True).clamp(min=1)


def mean_over_labelled(values, labels):
    values = values.masked_fill(labels < 0, 0.0)
    return (values * labelled_weights(labels, values.dtype)).sum(-1)


def as_tensor(number, like):
    """A setting as a tensor that goes with others."""
    return number if isinstance(number, Tensor) else like.new_full((), number)


def check_other_classes(logits, what):
    """Some losses compare a class with the others, so there must be others."""
    if logits.shape[-1] < 2:
        raise ValueError(
            f"{what} needs at least two classes; the logits have shape {tuple(logits.shape)}, "
            "samples by classes in the last two axes"
        )
