"""Decoupled distillation (DKD): soft targets taken apart into the label's class and all the others."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import (
    ResponseLoss,
    at_label,
    check_other_classes,
    check_settings,
    divergence,
    is_label,
    labelled_weights,
    log_softmax,
    mean_over_labelled,
    one_hot,
    softmax,
    tempered,
)


def decoupled(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    target_weight: float = 1.0,
    other_weight: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""Decoupled distillation (DKD): how hard a sample is, and which wrong classes it resembles, apart.

    .. math:: \mathrm{DKD} = \alpha\, \mathrm{TCKD} + \beta\, \mathrm{NCKD}

    with :func:`target_class` (TCKD), its weight α ``target_weight``, and :func:`other_classes` (NCKD), its
    weight β ``other_weight``; both with the factor :math:`T^2` of the authors' code. For each sample soft
    targets are :math:`\mathrm{TCKD}_n + (1 - q_{n,y_n})\, \mathrm{NCKD}_n`, where q is the teacher at
    temperature T: they hear the least about the wrong classes where the teacher is surest. So α = β = 1 is
    not soft targets. Published recipes use α = 1 and β from 0.5 (ImageNet, T = 1) to 8 (CIFAR-100, T = 4).

    In nats times :math:`T^2`, 0 or more. Errors: ValueError for fewer than two classes.

    Everything is computed from log-probabilities, so a student that is very sure of a wrong class has a
    finite loss and gradient. Code that takes the logarithm of the probability itself gives infinity there.

    Source: Zhao et al. 2022, *Decoupled Knowledge Distillation*, section 3. Their code also raises the
    whole term linearly over the first epochs; do that with its weight.
    """
    check_settings(target_weight=target_weight, other_weight=other_weight)
    log_p, log_q = _prepared(student_logits, teacher_logits, labels, temperature)
    target = target_weight * _target_class(log_p, log_q, labels)
    others = other_weight * _other_classes(log_p, log_q, labels)
    return temperature**2 * mean_over_labelled(target + others, labels)


def target_class(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0
) -> Tensor:
    r"""The first half of DKD (TCKD): is it the label's class or not?

    .. math:: \mathrm{TCKD} = \frac{T^2}{N} \sum_n
              \Big[ q_{ny} \log \frac{q_{ny}}{p_{ny}} + (1 - q_{ny}) \log \frac{1 - q_{ny}}{1 - p_{ny}} \Big]

    with p and q the student's and the teacher's probabilities at temperature T and y the label. The KL
    divergence of two outcomes; it says how hard the teacher finds the sample. See :func:`decoupled`.
    """
    log_p, log_q = _prepared(student_logits, teacher_logits, labels, temperature)
    return temperature**2 * mean_over_labelled(_target_class(log_p, log_q, labels), labels)


def other_classes(
    student_logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0
) -> Tensor:
    r"""The second half of DKD (NCKD): if it were not the label's class, which would it be?

    .. math:: \mathrm{NCKD} = \frac{T^2}{N} \sum_n \sum_{c \ne y_n}
              \hat q_{nc} \log \frac{\hat q_{nc}}{\hat p_{nc}}, \qquad \hat p_{nc} = \frac{p_{nc}}{1 - p_{ny}}

    The logit of the label plays no part. With two classes only one other is left, and it is always 0.
    See :func:`decoupled`.
    """
    log_p, log_q = _prepared(student_logits, teacher_logits, labels, temperature)
    return temperature**2 * mean_over_labelled(_other_classes(log_p, log_q, labels), labels)


def _prepared(student_logits, teacher_logits, labels, temperature):
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    check_labels(student_logits, labels)
    check_other_classes(student_logits, "decoupled distillation")
    return log_p, log_q


def _target_class(log_p, log_q, labels):
    log_p_label, log_q_label = at_label(log_p, labels), at_label(log_q, labels)
    log_p_rest, log_q_rest = _without_label(log_p, labels), _without_label(log_q, labels)
    log_p_rest, log_q_rest = log_p_rest.logsumexp(-1), log_q_rest.logsumexp(-1)
    return divergence(torch.stack([log_q_label, log_q_rest], -1), torch.stack([log_p_label, log_p_rest], -1))


def _other_classes(log_p, log_q, labels):
    return divergence(log_softmax(_without_label(log_q, labels)), log_softmax(_without_label(log_p, labels)))


def _without_label(logits, labels):
    """Logits in which the label's class is impossible."""
    return logits.masked_fill(is_label(labels, logits.shape[-1]), -float("inf"))


@dataclass(frozen=True)
class Decoupled(ResponseLoss):
    """:func:`decoupled` as a term of an objective.

    >>> Decoupled()(torch.zeros(1, 3), torch.tensor([[4.0, 0.0, -4.0]]), torch.tensor([0]))
    tensor(17.8661)
    """

    target_weight: float = 1.0
    other_weight: float = 8.0
    temperature: float = 4.0
    function = staticmethod(decoupled)
    name = "decoupled"
    paper = "DKD, Zhao et al. 2022, section 3; times T² as their code"
    formula = r"\alpha\, \mathrm{TCKD} + \beta\, \mathrm{NCKD}"
    needs_labels = True
    scale = "nats times T²; its gradient keeps its size over T"
    cost = "four softmaxes"

    def logit_gradient(self, student, teacher, labels):
        z_student, z_teacher = student.logits / self.temperature, teacher.logits / self.temperature
        p_label = at_label(softmax(z_student), labels).unsqueeze(-1)
        q_label = at_label(softmax(z_teacher), labels).unsqueeze(-1)
        p_hat = softmax(_without_label(z_student, labels))
        q_hat = softmax(_without_label(z_teacher, labels))
        # Whether it is the label's class hangs on one number, its logit less the softmax's logarithm of
        # the others, whose derivative by the logits is the one-hot label less p_hat.
        target = (one_hot(labels, p_hat) - p_hat) * (p_label - q_label)
        direction = self.target_weight * target + self.other_weight * (p_hat - q_hat)
        return direction, self.temperature * labelled_weights(labels, p_hat.dtype).unsqueeze(-1)

    def latex(self):
        target = rf"{self.target_weight:g}\, \mathrm{{TCKD}}"
        return rf"\big({target} + {self.other_weight:g}\, \mathrm{{NCKD}}\big)_{{T={self.temperature:g}}}"
