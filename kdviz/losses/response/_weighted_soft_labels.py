"""Weighted soft labels (WSLD): the teacher counts less where the student already does better."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_form, check_temperature
from kdviz.losses.objective import Loss
from kdviz.losses.response._labels import at_own_label, soft_loss, tempered_with_labels
from kdviz.losses.response.logits import (
    log_softmax,
    mean_over_labelled,
    shares_of_labelled,
    soft_gradient,
)

FORMS = ("divergence", "authors")


def weighted_soft_labels(student_logits, teacher_logits, labels, temperature=2.0, form="divergence"):
    r"""Weighted soft labels: soft targets, each sample by how much the student has still to learn of it.

    .. math:: \frac{T^2}{N} \sum_n w_n\, \mathrm{KL}(q_n \Vert p_n), \qquad
              w_n = 1 - \exp\Big({-\frac{\mathrm{CE}_{S,n}}{\mathrm{CE}_{T,n}}}\Big)

    with p and q the student's and the teacher's probabilities at temperature T, and the cross-entropies
    with the label at temperature 1. A sample that the student finds easier than the teacher does gets a
    weight near 0, one that only the teacher can do a weight near 1; the same cross-entropy gives 1 - 1/e.
    The weights are constants for the gradient.

    form="divergence"
        As above.
    form="authors"
        The cross-entropy :math:`-\sum_c q_{nc} \log p_{nc}` in place of the KL divergence, as in the authors'
        code and in mmrazor. Its gradient is the same; its value is larger by the teacher's entropy times
        the weight, so it may rise while the student learns nothing wrong.

    As in that code 1e-7 is added to the teacher's cross-entropy, so that a teacher without any doubt
    gives no division by 0. Samples whose label is -1 are left out. In nats times :math:`T^2`, 0 or more.
    Adding a constant to a sample's logits changes nothing. Memory N × C.

    Source: Zhou et al. 2021, *Rethinking Soft Labels for Knowledge Distillation: A Bias-Variance Tradeoff
    Perspective*. Their recipe adds it to cross-entropy with weight 2.5.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C)
    labels : (..., N) whole numbers, 0 to C - 1, or -1 for unlabelled
    temperature : float above 0, or a tensor with one value for each student of a stack
    """
    check_form(form, FORMS)
    log_p, log_q, square = tempered_with_labels(student_logits, teacher_logits, labels, temperature)
    weights = _weights(student_logits.detach(), teacher_logits.detach(), labels)
    return mean_over_labelled(square * weights * soft_loss(log_p, log_q, form), labels)


def _weights(student_logits, teacher_logits, labels):
    student = -at_own_label(log_softmax(student_logits), labels)
    teacher = -at_own_label(log_softmax(teacher_logits), labels)
    return -torch.expm1(-student / (teacher + 1e-7))


@dataclass(frozen=True)
class WeightedSoftLabels(Loss):
    """:func:`weighted_soft_labels` as a term of an objective."""

    temperature: float = 2.0
    form: str = "divergence"
    name = "weighted_soft_labels"
    kind = "response"
    paper = "Zhou et al. 2021 (WSLD)"
    formula = (
        r"\frac{T^2}{N} \sum_n \left( 1 - e^{-\mathrm{CE}_{S,n} / \mathrm{CE}_{T,n}} \right) "
        r"\mathrm{KL}(q_n \Vert p_n)"
    )
    needs_labels = True
    scale = "nats times T², each sample weighted from 0 to 1"
    memory = "N × C"
    cost = "four softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_temperature(self.temperature)
        check_form(self.form, FORMS)

    def __call__(self, student, teacher, labels, learned=None):
        return weighted_soft_labels(student.logits, teacher.logits, labels, self.temperature, self.form)

    def logit_gradient(self, student, teacher, labels):
        direction, temperature = soft_gradient(student, teacher, self.temperature)
        weights = _weights(student.logits, teacher.logits, labels)
        shares = (shares_of_labelled(labels, direction.dtype) * weights).unsqueeze(-1)
        return direction, temperature * shares

    def latex(self):
        temperature = f"{self.temperature:g}"
        divergence = rf"\mathrm{{KL}}(p_T^{{T={temperature}}} \,\Vert\, p_S^{{T={temperature}}})"
        return rf"{temperature}^2\, w\, {divergence}"
