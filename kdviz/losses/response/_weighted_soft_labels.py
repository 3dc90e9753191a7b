"""Weighted soft labels (WSLD): the teacher counts less where the student already does better."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import (
    ResponseLoss,
    at_label,
    check_settings,
    divergence,
    labelled_weights,
    log_softmax,
    mean_over_labelled,
    soft_cross_entropy,
    soft_gradient,
    tempered,
)

FORMS = ("authors", "divergence")


def weighted_soft_labels(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 2.0,
    form: str = "authors",
) -> Tensor:
    r"""Weighted soft labels: soft targets, each sample by how much the student has still to learn of it.

    .. math:: \frac{T^2}{N} \sum_n w_n \mathrm{soft}_n, \qquad
              w_n = 1 - \exp\Big({-\frac{\mathrm{CE}_{S,n}}{\mathrm{CE}_{T,n}}}\Big)

    with p and q the student's and the teacher's probabilities at temperature T, and the cross-entropies
    with the label at temperature 1. A sample that the student finds easier than the teacher does gets a
    weight near 0, one that only the teacher can do a weight near 1; the same cross-entropy gives 1 - 1/e.
    The weights are constants for the gradient.

    form="authors"
        :math:`\mathrm{soft}_n = -\sum_c q_{nc} \log p_{nc}`, the cross-entropy, as in the authors' code and
        in mmrazor. It is larger than the divergence by the teacher's entropy times the weight, so its value
        may rise while the student learns nothing wrong.
    form="divergence"
        :math:`\mathrm{soft}_n = \mathrm{KL}(q_n \Vert p_n)`. Its gradient is the same.

    As in that code 1e-7 is added to the teacher's cross-entropy, so that a teacher without any doubt
    gives no division by 0. Samples whose label is -1 are left out. In nats times :math:`T^2`, 0 or more.

    Source: Zhou et al. 2021, *Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff
    Perspective*. Their recipe adds it to cross-entropy with weight 2.5.
    """
    check_settings(FORMS, form=form)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    check_labels(student_logits, labels)
    weights = _weights(student_logits.detach(), teacher_logits.detach(), labels)
    compare = divergence if form == "divergence" else soft_cross_entropy
    return temperature**2 * mean_over_labelled(weights * compare(log_q, log_p), labels)


def _weights(student_logits, teacher_logits, labels):
    student = -at_label(log_softmax(student_logits), labels)
    teacher = -at_label(log_softmax(teacher_logits), labels)
    return -torch.expm1(-student / (teacher + 1e-7))


@dataclass(frozen=True)
class WeightedSoftLabels(ResponseLoss):
    """:func:`weighted_soft_labels` as a term of an objective.

    >>> WeightedSoftLabels(1)(torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([0]))  # log 2 (1 - 1/e)
    tensor(0.4382)
    """

    temperature: float = 2.0
    form: str = "authors"
    forms = FORMS
    function = staticmethod(weighted_soft_labels)
    name = "weighted_soft_labels"
    paper = "WSLD, Zhou et al. 2021"
    formula = (
        r"-\frac{T^2}{N} \sum_n \left( 1 - e^{-\mathrm{CE}_{S,n} / \mathrm{CE}_{T,n}} \right) "
        r"\sum_c q_{nc} \log p_{nc}"
    )
    needs_labels = True
    scale = "nats times T², each sample weighted from 0 to 1"
    cost = "four softmaxes"

    def logit_gradient(self, student, teacher, labels):
        direction = soft_gradient(student, teacher, self.temperature)
        weights = _weights(student.logits, teacher.logits, labels)
        weights = (labelled_weights(labels, direction.dtype) * weights).unsqueeze(-1)
        return direction, self.temperature * weights

    def latex(self):
        temperature = f"{self.temperature:g}"
        divergence = rf"\mathrm{{KL}}(q^{{T={temperature}}} \,\Vert\, p^{{T={temperature}}})"
        return rf"{temperature}^2\, w\, {divergence}"
