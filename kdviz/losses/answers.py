r"""Losses of answers that are no classes, or classes of which one is nearly everywhere.

Numbers are rows (N, D) with labels of the same size, NaN where there is none. Of a picture each pixel is a
row of logits (N, C) with a label, -1 where there is none; the classes have weights. They stand beside the
losses of student and teacher's classes, as those of :mod:`kdviz.losses.images` do.

>>> objective = NumberLabels(beta=0.1) + NumberTargets(beta=0.1)
>>> objective(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [2.0]]), torch.tensor([torch.nan, 1.0]))
tensor(0.4750)
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import (
    check_above_zero,
    check_from_zero,
    check_labels,
    check_same_shape,
    check_temperature,
)
from kdviz.losses.objective import Loss
from kdviz.losses.response.logits import at_label, divergence, log_softmax, tempered


def smooth_absolute(values: Tensor, targets: Tensor, beta: float = 1.0) -> Tensor:
    r"""The smooth absolute difference of numbers from their targets: square near 0, straight from beta on.

    .. math:: \frac{1}{M} \sum_n \begin{cases} d_n^2 / 2\beta & |d_n| < \beta \\ |d_n| - \beta / 2 &
              \text{else} \end{cases}, \qquad d_n = v_n - y_n

    over the M targets that are known; 0 if there is none. In the unit of the numbers, 0 or more. Shapes:
    values (N, D), targets as many, NaN where unknown. ``beta``, above 0, is in the same unit. Source:
    Girshick 2015, *Fast R-CNN*, equation 3, with beta 1.

    >>> smooth_absolute(torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0]))
    tensor(1.3125)
    """
    check_above_zero("beta", beta)
    difference, known = _differences(values, targets.detach())
    size = difference.abs()
    each = torch.where(size < beta, difference.square() / (2 * beta), size - beta / 2)
    return _mean_of_known(each, known)


def teacher_bounded(student: Tensor, teacher: Tensor, labels: Tensor, margin: float = 0.0) -> Tensor:
    r"""The teacher-bounded loss: the truth, and only where the student is not yet better than its teacher.

    .. math:: \frac{1}{M} \sum_n \lVert v^S_n - y_n \rVert^2 \; [\, \lVert v^S_n - y_n \rVert^2 + m >
              \lVert v^T_n - y_n \rVert^2 \,]

    over the M samples whose labels are known; 0 if there is none. In squared units, 0 or more. What the
    teacher says decides whether a sample counts, and nothing else. Shapes: student and teacher (N, D), labels
    as many numbers, NaN where unknown. ``margin`` m, from 0, is in squared units. Source: Chen et al. 2017,
    *Learning Efficient Object Detection Models with Knowledge Distillation*, section 3.3.

    >>> teacher_bounded(torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0], [2.0]]), torch.tensor([0.0, 0.0]))
    tensor(4.5000)
    """
    check_from_zero("margin", margin)
    check_same_shape(student, teacher, "numbers")
    ours, known = _differences(student, labels)
    theirs, _ = _differences(teacher.detach(), labels)
    ours, theirs = ours.square().sum(-1), theirs.square().sum(-1)
    return _mean_of_known(torch.where(ours + margin > theirs, ours, 0.0), known.all(-1))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, class_weights) -> Tensor:
    r"""Cross-entropy in which each class has a weight.

    .. math:: -\frac{\sum_n w_{y_n} \log p_{n, y_n}}{\sum_n w_{y_n}}, \qquad p_n = \mathrm{softmax}(z_n)

    over the rows whose labels are known; 0 if there is none. In nats, 0 or more; with equal weights the
    plain cross-entropy. Shapes: logits (N, C), labels (N,), ``class_weights`` C numbers from 0 up. It is
    torch's ``cross_entropy`` with ``weight``.

    >>> weighted_cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]), (1.0, 0.3))
    tensor(0.6931)
    """
    check_labels(logits, labels)
    weights = _weights(class_weights, logits)[labels.clamp(min=0)] * (labels >= 0)
    return _weighted_mean(-at_label(log_softmax(logits), labels), weights)


def weighted_soft_targets(
    student: Tensor, teacher: Tensor, class_weights, temperature: float = 1.0
) -> Tensor:
    r"""Soft targets in which a row counts as its teacher's answer weighs.

    .. math:: T^2 \frac{\sum_n \omega_n \mathrm{KL}(q_n \Vert p_n)}{\sum_n \omega_n}, \qquad
              \omega_n = \sum_c w_c \, \mathrm{softmax}(z^T_n)_c

    with q and p at temperature T. In nats times T², 0 or more; with equal weights
    :func:`kdviz.losses.response.soft_targets`. So a pixel that the teacher takes for background counts as
    little as one with that label does in :func:`weighted_cross_entropy`. Shapes: student and teacher (N, C).

    >>> weighted_soft_targets(torch.zeros(1, 2), torch.zeros(1, 2), (1.0, 0.3))
    tensor(0.)
    """
    log_p, log_q = tempered(student, teacher, temperature)
    weights = log_softmax(teacher.detach()).exp() @ _weights(class_weights, teacher)
    return temperature**2 * _weighted_mean(divergence(log_q, log_p), weights)


def _differences(values, targets):
    """Values less their targets, 0 where these are not known, and where they are."""
    if values.numel() != targets.numel():
        raise ValueError(
            f"there must be a target for each number, NaN where it is not known; got {tuple(values.shape)} "
            f"numbers and {tuple(targets.shape)} targets"
        )
    targets = targets.reshape(values.shape).to(values)
    known = ~targets.isnan()
    return torch.where(known, values - targets.nan_to_num(), 0.0), known


def _mean_of_known(each, known):
    return each.masked_fill(~known, 0.0).sum() / known.sum().clamp(min=1)


def _weighted_mean(each, weights):
    total = weights.sum()
    return (weights * each).sum() / torch.where(total > 0, total, 1.0)


def _weights(given, like):
    weights = torch.as_tensor(given, dtype=like.dtype, device=like.device)
    if weights.shape != like.shape[-1:] or not bool((weights >= 0).all()):
        raise ValueError(
            f"class_weights must be {like.shape[-1]} numbers from 0 up, one for each class; got {given!r}"
        )
    return weights


class AnswerLoss(Loss):
    """A loss on what the last layer says, which is a number or a pixel's logits."""

    kind = "answer"
    memory = "N × C"
    cost = "one pass over the answers"
    needs_labels = needs_teacher = False

    def latex(self):
        return self.symbol


@dataclass(frozen=True)
class NumberLabels(AnswerLoss):
    """:func:`smooth_absolute` from the labels, as a term of an objective."""

    beta: float = 1.0
    name = "number_labels"
    paper = "Girshick 2015, equation 3"
    formula = r"\frac{1}{M} \sum_n \mathrm{smooth}_\beta(v_n - y_n)"
    symbol = r"\mathrm{L1}_{\beta}(v_S,\, y)"
    scale = "the unit of the numbers"
    needs_labels = True

    def __post_init__(self):
        check_above_zero("beta", self.beta)

    def value(self, student, teacher, labels, learned):
        return smooth_absolute(student.logits, labels, self.beta)


@dataclass(frozen=True)
class NumberTargets(AnswerLoss):
    """:func:`smooth_absolute` from what the teacher says, as a term of an objective."""

    beta: float = 1.0
    name = "number_targets"
    paper = "Girshick 2015, equation 3, of a teacher's numbers"
    formula = r"\frac{1}{N} \sum_n \mathrm{smooth}_\beta(v^S_n - v^T_n)"
    symbol = r"\mathrm{L1}_{\beta}(v_S,\, v_T)"
    scale = "the unit of the numbers"
    needs_teacher = True

    def __post_init__(self):
        check_above_zero("beta", self.beta)

    def value(self, student, teacher, labels, learned):
        check_same_shape(student.logits, teacher.logits, "numbers")
        return smooth_absolute(student.logits, teacher.logits, self.beta)


@dataclass(frozen=True)
class TeacherBounded(AnswerLoss):
    """:func:`teacher_bounded` as a term of an objective."""

    margin: float = 0.0
    name = "teacher_bounded"
    paper = "Chen et al. 2017, section 3.3"
    formula = r"\frac{1}{M} \sum_n d_n^2\, [\, d_n^2 + m > (v^T_n - y_n)^2 \,], \quad d_n = v^S_n - y_n"
    symbol = r"\mathrm{L}_b(v_S,\, v_T,\, y)"
    scale = "squared units of the numbers"
    needs_teacher = needs_labels = True

    def __post_init__(self):
        check_from_zero("margin", self.margin)

    def value(self, student, teacher, labels, learned):
        return teacher_bounded(student.logits, teacher.logits, labels, self.margin)


@dataclass(frozen=True)
class WeightedCrossEntropy(AnswerLoss):
    """:func:`weighted_cross_entropy` as a term of an objective."""

    class_weights: tuple[float, ...]
    name = "weighted_cross_entropy"
    paper = "the usual loss of unequal classes"
    formula = r"-\sum_n w_{y_n} \log p_{n y_n} / \sum_n w_{y_n}"
    symbol = r"\mathrm{CE}_w(y,\, p)"
    scale = "nats"
    invariant_to = ("shift",)
    needs_labels = True

    def value(self, student, teacher, labels, learned):
        return weighted_cross_entropy(student.logits, labels, self.class_weights)


@dataclass(frozen=True)
class WeightedSoftTargets(AnswerLoss):
    """:func:`weighted_soft_targets` as a term of an objective."""

    class_weights: tuple[float, ...]
    temperature: float = 1.0
    name = "weighted_soft_targets"
    paper = "Hinton et al. 2015, with the weights of the labels' loss"
    formula = r"T^2 \sum_n \omega_n \mathrm{KL}(q_n \Vert p_n) / \sum_n \omega_n"
    symbol = r"T^2 \, \mathrm{KL}_\omega(q^T \Vert p^T)"
    scale = "nats times T²"
    invariant_to = ("shift",)
    needs_teacher = True

    def __post_init__(self):
        check_temperature(self.temperature)

    def value(self, student, teacher, labels, learned):
        return weighted_soft_targets(student.logits, teacher.logits, self.class_weights, self.temperature)
