"""Hard labels: cross-entropy, plain and smoothed."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import (
    ResponseLoss,
    at_label,
    check_settings,
    labelled_weights,
    log_softmax,
    mean_over_labelled,
    one_hot,
    softmax,
)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Cross-entropy with the hard labels.

    .. math:: \mathrm{CE} = -\frac{1}{N} \sum_n \log p_{n, y_n}, \qquad p_n = \mathrm{softmax}(z_n)

    In nats, 0 or more. A batch without a single label gives 0. Errors: ValueError for labels out of range,
    or not one a sample.
    """
    check_labels(logits, labels)
    return mean_over_labelled(-at_label(log_softmax(logits), labels), labels)


def label_smoothing(logits: Tensor, labels: Tensor, amount: float = 0.1) -> Tensor:
    r"""Cross-entropy with labels of which a part is spread evenly over all classes.

    .. math:: -\frac{1}{N} \sum_n \sum_c q_{nc} \log p_{nc}, \qquad
              q_{nc} = (1 - \varepsilon)\,[c = y_n] + \frac{\varepsilon}{C}

    ``amount`` is :math:`\varepsilon`, from 0 (plain cross-entropy) to 1. In nats; its minimum is the entropy
    of q, not 0. Source: Szegedy et al. 2016, *Rethinking the Inception Architecture*, section 7.
    """
    check_settings(amount=amount)
    check_labels(logits, labels)
    log_p = log_softmax(logits)
    hard, even = -at_label(log_p, labels), -log_p.mean(-1)
    return mean_over_labelled((1 - amount) * hard + amount * even, labels)


@dataclass(frozen=True)
class CrossEntropy(ResponseLoss):
    """:func:`cross_entropy` as a term of an objective.

    >>> CrossEntropy()(torch.zeros(1, 10), labels=torch.tensor([3]))
    tensor(2.3026)
    """

    function = staticmethod(cross_entropy)
    name = "cross_entropy"
    paper = "the usual loss of classification"
    formula = r"-\frac{1}{N} \sum_n \log p_{n y_n}"
    needs_labels = True
    scale = "nats; log C for even answers"
    cost = "one softmax"
    needs_teacher = False

    def logit_gradient(self, student, teacher, labels):
        p = softmax(student.logits)
        return p.sub_(one_hot(labels, p)), labelled_weights(labels, p.dtype).unsqueeze(-1)

    def latex(self):
        return r"\mathrm{CE}(y,\, p)"


@dataclass(frozen=True)
class LabelSmoothing(ResponseLoss):
    """:func:`label_smoothing` as a term of an objective.

    >>> LabelSmoothing(0.1)(torch.zeros(1, 10), labels=torch.tensor([3]))
    tensor(2.3026)
    """

    amount: float = 0.1
    function = staticmethod(label_smoothing)
    name = "label_smoothing"
    paper = "Szegedy et al. 2016, section 7"
    formula = (
        r"-\frac{1}{N} \sum_{nc} \left( (1 - \varepsilon)\, [c = y_n] + \frac{\varepsilon}{C} \right) "
        r"\log p_{nc}"
    )
    needs_labels = True
    scale = "nats; log C for even answers"
    cost = "one softmax"
    needs_teacher = False

    def logit_gradient(self, student, teacher, labels):
        p = softmax(student.logits)
        direction = p.sub_((1 - self.amount) * one_hot(labels, p) + self.amount / p.shape[-1])
        return direction, labelled_weights(labels, p.dtype).unsqueeze(-1)

    def latex(self):
        return rf"\mathrm{{CE}}(y^{{\varepsilon={self.amount:g}}},\, p)"
