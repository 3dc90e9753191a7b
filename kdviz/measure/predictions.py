"""Measures of one model's logits, or of two models' logits on the same samples.

All take logits of shape (N, C) and return a Python float. Shares run from 0 to 1.
"""

import torch
from torch.nn.functional import cross_entropy, log_softmax

from kdviz.losses.checks import check_labels, check_same_shape


def accuracy(logits, labels):
    """Share of the samples whose largest logit is the label's."""
    _check(logits, labels)
    return float((logits.argmax(-1) == labels).double().mean())


def recall(logits, labels, label):
    """Share of the samples of one class that are recognised."""
    _check(logits, labels)
    own = labels == label
    if not own.any():
        raise ValueError(f"no sample has the label {label}, so its recall is not defined")
    return float((logits.argmax(-1) == label)[own].double().mean())


def agreement(logits, other):
    """Share of the samples on which two models give the same answer, right or wrong."""
    check_same_shape(logits, other)
    return float((logits.argmax(-1) == other.argmax(-1)).double().mean())


def kl_to_teacher(student_logits, teacher_logits, temperature=1.0):
    """Mean KL divergence KL(teacher ‖ student) of the probabilities at a temperature, in nats.

    Unlike the loss ``soft_targets`` it carries no factor T²: it is a distance to be read, not a
    gradient to be scaled.
    """
    check_same_shape(student_logits, teacher_logits)
    log_p = log_softmax(student_logits.double() / temperature, -1)
    log_q = log_softmax(teacher_logits.double() / temperature, -1)
    return float((log_q.exp() * (log_q - log_p)).sum(-1).mean())


def negative_log_likelihood(logits, labels):
    """Mean negative log-likelihood of the labels, in nats."""
    _check(logits, labels)
    return float(cross_entropy(logits.double(), labels))


def calibration_error(logits, labels, bins=15):
    """Expected calibration error: how far confidence is from accuracy, from 0 (best) to 1.

    The samples are sorted into equal-width bins of their largest probability; the error is the mean
    distance of a bin's accuracy from its mean confidence, weighted by its size (Guo et al. 2017,
    section 2, equation 3).
    """
    _check(logits, labels)
    confidence, answer = logits.double().softmax(-1).max(-1)
    right = (answer == labels).double()
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    gaps = torch.zeros(bins, dtype=torch.float64).index_add_(0, place.cpu(), (right - confidence).cpu())
    return float(gaps.abs().sum() / len(labels))


def _check(logits, labels):
    check_labels(logits, labels)
    if (labels < 0).any():
        raise ValueError("these samples are not all labelled; measure on validation or test samples")
