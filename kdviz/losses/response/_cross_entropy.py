"""Hard labels: cross-entropy, plain and smoothed."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_labels, check_share
from kdviz.losses.objective import Loss
from kdviz.losses.response.logits import (
    at_label,
    for_each_student,
    log_softmax,
    mean_over_labelled,
    one_hot,
    shares_of_labelled,
    softmax,
)


def cross_entropy(logits, labels):
    r"""Cross-entropy with the hard labels.

    .. math:: \mathrm{CE} = -\frac{1}{N} \sum_n \log p_{n, y_n}, \qquad p_n = \mathrm{softmax}(z_n)

    Samples whose label is -1 (unlabelled) are left out of the sum and of N; a batch without a
    single label gives 0.

    Parameters
    ----------
    logits : (..., N, C)
    labels : (..., N) whole numbers, 0 to C - 1, or -1 for unlabelled

    Raises
    ------
    ValueError
        Labels out of range, or not one a sample.
    """
    check_labels(logits, labels)
    return mean_over_labelled(-at_label(log_softmax(logits), labels), labels)


def label_smoothing(logits, labels, amount=0.1):
    r"""Cross-entropy with labels of which a share is spread evenly over all classes.

    .. math:: -\frac{1}{N} \sum_n \sum_c q_{nc} \log p_{nc}, \qquad
              q_{nc} = (1 - \varepsilon)\,[c = y_n] + \frac{\varepsilon}{C}

    ``amount`` is :math:`\varepsilon`, from 0 (plain cross-entropy) to 1. Its minimum is the entropy
    of q, not 0. Source: Szegedy et al. 2016, *Rethinking the Inception Architecture*, section 7.
    """
    check_share("amount", amount)
    check_labels(logits, labels)
    log_p = log_softmax(logits)
    if isinstance(amount, torch.Tensor):
        amount = amount.to(logits)[..., None]
    hard, even = -at_label(log_p, labels), -log_p.mean(-1)
    return mean_over_labelled((1 - amount) * hard + amount * even, labels)


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """:func:`cross_entropy` as a term of an objective."""

    name = "cross_entropy"
    kind = "response"
    paper = "the usual loss of classification"
    formula = r"-\frac{1}{N} \sum_n \log p_{n y_n}"
    needs_labels = True
    scale = "nats; log C for even answers"
    memory = "N × C"
    cost = "one softmax"
    invariant_to = ("shift",)
    needs_teacher = False

    def __call__(self, student, teacher, labels, learned=None):
        return cross_entropy(student.logits, labels)

    def logit_gradient(self, student, teacher, labels):
        p = softmax(student.logits)
        shares = shares_of_labelled(labels, p.dtype).unsqueeze(-1)
        return p.sub_(one_hot(labels, p)), shares

    def latex(self):
        return r"\mathrm{CE}(y,\, p_S)"


@dataclass(frozen=True)
class LabelSmoothing(Loss):
    """:func:`label_smoothing` as a term of an objective."""

    amount: float = 0.1
    name = "label_smoothing"
    kind = "response"
    paper = "Szegedy et al. 2016, section 7"
    formula = (
        r"-\frac{1}{N} \sum_{nc} \left( (1 - \varepsilon)\, [c = y_n] + \frac{\varepsilon}{C} \right) "
        r"\log p_{nc}"
    )
    needs_labels = True
    scale = "nats; log C for even answers"
    memory = "N × C"
    cost = "one softmax"
    invariant_to = ("shift",)
    needs_teacher = False

    def __post_init__(self):
        check_share("amount", self.amount)

    def __call__(self, student, teacher, labels, learned=None):
        return label_smoothing(student.logits, labels, self.amount)

    def logit_gradient(self, student, teacher, labels):
        p = softmax(student.logits)
        shares = shares_of_labelled(labels, p.dtype).unsqueeze(-1)
        amount = for_each_student(self.amount, p)
        return p.sub_((1 - amount) * one_hot(labels, p) + amount / p.shape[-1]), shares

    def latex(self):
        return rf"\mathrm{{CE}}(y^{{\varepsilon={self.amount:g}}},\, p_S)"
