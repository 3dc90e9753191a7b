"""Teacher-free distillation (Tf-KD): a teacher made up from the labels."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import (
    ResponseLoss,
    as_tensor,
    at_label,
    check_other_classes,
    check_settings,
    labelled_weights,
    log_softmax,
    mean_over_labelled,
    one_hot,
    softmax,
)

FORMS = ("paper", "scaled", "authors")


def virtual_teacher(
    logits: Tensor, labels: Tensor, confidence: float = 0.99, temperature: float = 20.0, form: str = "paper"
) -> Tensor:
    r"""Teacher-free distillation: soft targets of a teacher that is always right and has no dark knowledge.

    The virtual teacher gives the label's class the probability ``confidence`` = a and each of the others
    :math:`(1 - a) / (C - 1)`; call that u.

    form="paper"
        :math:`\frac{1}{N} \sum_n \mathrm{KL}(u_n^T \,\Vert\, p_n^T)` with the student at temperature T,
        :math:`p^T = \mathrm{softmax}(z / T)`, and u softened by it too,
        :math:`u^T = \mathrm{softmax}(\log u / T)`.
        At T = 1 and :math:`a = 1 - \varepsilon + \varepsilon / C` its gradient is that of label smoothing.
        At the paper's T = 20 it is small: 1/400 of the scaled form.
    form="scaled"
        The paper's times :math:`T^2`, as in soft targets: its gradient keeps its size when T changes.
    form="authors"
        :math:`\frac{1}{NC} \sum_n \mathrm{KL}(\mathrm{softmax}(u_n / T) \,\Vert\, \mathrm{softmax}(z_n))`,
        their code (which further multiplies by a constant of each recipe). The student stays at
        temperature 1, the mean runs over the classes too, and u, already a probability, is taken as
        logits: the target is almost even at any T well above 1, so it mostly asks the student to doubt.

    In nats, 0 or more. Samples whose label is -1 are left out. Errors: ValueError for a single class.

    Source: Yuan et al. 2020, *Revisiting Knowledge Distillation via Label Smoothing Regularization*,
    equations 8 and 9. They do not say how a probability is softened; here by its logarithm, as softmax
    would.
    """
    check_settings(FORMS, confidence=confidence, temperature=temperature, form=form)
    check_labels(logits, labels)
    check_other_classes(logits, "the virtual teacher")
    log_p = log_softmax(_tempered(logits, temperature, form))
    at_y, elsewhere = _target(logits, confidence, temperature, form)
    log_p_y = at_label(log_p, labels)
    others = logits.shape[-1] - 1
    divergence = torch.xlogy(at_y, at_y) + others * torch.xlogy(elsewhere, elsewhere)
    divergence = divergence - at_y * log_p_y - elsewhere * (log_p.sum(-1) - log_p_y)
    return _scale(logits, temperature, form) * mean_over_labelled(divergence, labels)


def _target(logits, confidence, temperature, form):
    """The target's probability of the label and of each other class."""
    confidence = as_tensor(confidence, logits)
    others = logits.shape[-1] - 1
    if form == "authors":
        advantage = confidence - (1 - confidence) / others
    else:
        advantage = torch.logit(confidence) + math.log(others)
    odds = advantage / temperature - math.log(others)
    return odds.sigmoid(), (-odds).sigmoid() / others


def _tempered(logits, temperature, form):
    return logits if form == "authors" else logits / temperature


def _scale(logits, temperature, form):
    if form == "scaled":
        return temperature**2
    return 1.0 if form == "paper" else 1 / logits.shape[-1]


@dataclass(frozen=True)
class VirtualTeacher(ResponseLoss):
    """:func:`virtual_teacher` as a term of an objective.

    >>> VirtualTeacher(temperature=1)(torch.zeros(1, 10), labels=torch.tensor([3]))
    tensor(2.2246)
    """

    confidence: float = 0.99
    temperature: float = 20.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(virtual_teacher)
    name = "virtual_teacher"
    paper = "Tf-KD, Yuan et al. 2020, equations 8 and 9"
    formula = r"\frac{1}{N} \sum_n \mathrm{KL}(u_n \Vert p_n), \quad u_{n y_n} = a"
    needs_labels = True
    scale = "nats"
    cost = "one softmax"
    needs_teacher = False

    def logit_gradient(self, student, teacher, labels):
        p = softmax(_tempered(student.logits, self.temperature, self.form))
        at_y, elsewhere = _target(student.logits, self.confidence, self.temperature, self.form)
        weights = labelled_weights(labels, p.dtype).unsqueeze(-1)
        factor = _tempered(weights * _scale(p, self.temperature, self.form), self.temperature, self.form)
        return p.sub_((at_y - elsewhere) * one_hot(labels, p) + elsewhere), factor

    def latex(self):
        temperature = f"{self.temperature:g}"
        return rf"\mathrm{{KL}}(u_{{a={self.confidence:g}}}^{{T={temperature}}} \,\Vert\, p)"
