"""Measures of one model's logits, or of two models' logits on the same samples.

Logits have shape (N, C) and labels (N,). Fractions run from 0 to 1. ValueError for logits of unequal shapes,
labels out of range, or samples without a label where labels are needed.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from kdviz.losses.checks import check_labels, check_same_shape


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Fraction of the samples whose largest logit is the label's.

    >>> accuracy(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]))
    0.5
    """
    _check(logits, labels)
    return float((logits.argmax(-1) == labels).double().mean())


def recall(logits: torch.Tensor, labels: torch.Tensor, label: int) -> float:
    """Fraction of the samples of one class that are recognised.

    >>> recall(torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0]), 0)
    0.5
    """
    _check(logits, labels)
    own = labels == label
    if not own.any():
        raise ValueError(f"no sample has the label {label}, so its recall is not defined")
    return float((logits.argmax(-1) == label)[own].double().mean())


def agreement(logits: torch.Tensor, other: torch.Tensor) -> float:
    """Fraction of the samples on which two models give the same answer, right or wrong.

    >>> agreement(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.3, 0.1]]))
    1.0
    """
    check_same_shape(logits, other)
    return float((logits.argmax(-1) == other.argmax(-1)).double().mean())


def kl_of_each(log_p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    r"""For each sample :math:`\mathrm{KL}(q \Vert p) = \sum_c q_c \log(q_c / p_c)` in nats: (N,).

    Of log-probabilities (N, C), so that those of a teacher are taken once for many students.

    >>> kl_of_each(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log())
    tensor([0.3681])
    """
    return kl_div(log_p, log_q, reduction="none", log_target=True).sum(-1)


def kl_to_teacher(
    student_logits: torch.Tensor, teacher_logits: torch.Tensor, temperature: float = 1.0
) -> float:
    r"""Mean of :math:`\mathrm{KL}(\text{teacher} \Vert \text{student})` at a temperature, in nats.

    Unlike the loss ``soft_targets`` it carries no factor T²: it is a distance to be read, not a
    gradient to be scaled.

    >>> teacher, student = torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, 0.0]])
    >>> round(kl_to_teacher(student, teacher), 3), round(kl_to_teacher(student, teacher, 4.0), 3)
    (0.328, 0.03)
    """
    check_same_shape(student_logits, teacher_logits)
    log_p, log_q = (log_softmax(z.double() / temperature, -1) for z in (student_logits, teacher_logits))
    return float(kl_of_each(log_p, log_q).mean())


def negative_log_likelihood(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean negative log-likelihood of the labels, in nats.

    >>> round(negative_log_likelihood(torch.zeros(3, 10), torch.tensor([0, 1, 2])), 3)
    2.303
    """
    _check(logits, labels)
    return float(cross_entropy(logits.double(), labels))


def calibration_error(logits: torch.Tensor, labels: torch.Tensor, bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, from 0 (best) to 1.

    The samples are sorted into equal-width bins of their largest probability; the error is the mean
    distance of a bin's accuracy from its mean confidence, weighted by its size (Guo et al. 2017,
    section 2, equation 3).

    >>> round(calibration_error(torch.tensor([[9.0, 0.0], [9.0, 0.0]]), torch.tensor([0, 1])), 3)
    0.5
    """
    _check(logits, labels)
    confidence, answer = logits.double().softmax(-1).max(-1)
    return calibration_gap(calibration_bins(confidence.cpu(), (answer == labels).cpu(), bins))


def calibration_bins(confidence: ArrayLike, right: ArrayLike, bins: int = 15) -> np.ndarray:
    """The table of a reliability diagram: each bin's mean confidence, accuracy and samples, (bins, 3).

    Parameters
    ----------
    confidence : (N,) the largest probability of each sample, from 0 to 1
    right : (N,) whether the answer was right

    >>> calibration_bins([0.6, 0.8, 0.9], [False, True, True], bins=2).round(2)
    array([[0.  , 0.  , 0.  ],
           [0.77, 0.67, 3.  ]])
    """
    confidence = np.asarray(confidence, float)
    index = np.clip(np.ceil(confidence * bins).astype(int), 1, bins) - 1
    sums = [np.bincount(index, weights, bins) for weights in (confidence, np.asarray(right, float), None)]
    return np.stack([*(column / np.maximum(sums[2], 1) for column in sums[:2]), sums[2]], 1)


def calibration_gap(table: np.ndarray) -> float:
    """The calibration error that a table of :func:`calibration_bins` stands for.

    >>> calibration_gap(calibration_bins([1.0, 1.0], [True, False]))
    0.5
    """
    confidence, right, count = table.T
    return float((np.abs(confidence - right) * count).sum() / max(count.sum(), 1))


def _check(logits, labels):
    check_labels(logits, labels)
    if (labels < 0).any():
        raise ValueError("these samples are not all labelled; measure on validation or test samples")
