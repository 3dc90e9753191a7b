"""Measures for answers that are not one class a sample: texts, maps of pixels, several labels, and numbers.

Fractions run from 0 to 1. Unlabelled is -1 for classes and NaN for numbers, and is left out; NaN where
nothing is left.
"""

import numpy as np
from numpy.typing import ArrayLike


def perplexity(nll: ArrayLike) -> float:
    r"""The perplexity of a language model, :math:`\exp(\overline{-\log p})`, from 1 (best) up.

    ``nll`` are the negative log-likelihoods of the true tokens in nats, NaN where there is none.

    >>> round(perplexity(np.log([2.0, 8.0])), 2)
    4.0
    """
    nll = np.asarray(nll, float)
    known = nll[~np.isnan(nll)]
    return float(np.exp(known.mean())) if len(known) else np.nan


def mean_iou(answers: ArrayLike, labels: ArrayLike, classes: int) -> float:
    """The mean over the classes of intersection over union, from 0 to 1 (best).

    Of the positions that are answered with a class or labelled with it, the fraction that is both. A class
    that is neither anywhere counts for nothing.

    >>> round(mean_iou([0, 0, 1, 1], [0, 1, 1, 1], 2), 3)
    0.583
    """
    answers, labels = np.asarray(answers), np.asarray(labels)
    known = labels >= 0
    answers, labels = answers[known], labels[known]
    both = np.bincount(labels[answers == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(answers, minlength=classes) - both
    with np.errstate(invalid="ignore"):
        found = (both / either)[either > 0]
    return float(found.mean()) if len(found) else np.nan


def average_precision(scores: ArrayLike, labels: ArrayLike, columns: ArrayLike | None = None) -> float:
    r"""The area under precision against recall, :math:`\sum_n (R_n - R_{n-1}) P_n`, from 0 to 1 (best).

    With ``columns``, which say of which label each score is, the mean over the labels that are somewhere
    true and somewhere not. Equal to scikit-learn's ``average_precision_score``.

    >>> round(average_precision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]), 3)
    0.833
    """
    scores, labels = np.asarray(scores, float), np.asarray(labels)
    columns = np.zeros(len(labels), int) if columns is None else np.asarray(columns)
    found = [_of_one_label(scores[own], labels[own]) for own in (columns == n for n in np.unique(columns))]
    found = [one for one in found if one is not None]
    return float(np.mean(found)) if found else np.nan


def _of_one_label(scores, labels):
    known = labels >= 0
    scores, labels = scores[known], labels[known] == 1
    if not labels.any() or labels.all():
        return None
    order = np.argsort(-scores, kind="stable")
    scores, labels = scores[order], labels[order]
    # Samples of one score come in together.
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    hits = labels.cumsum()[last]
    precision, recall = hits / (last + 1), hits / hits[-1]
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def root_mean_square(differences: ArrayLike) -> float:
    """The root of the mean square, in the unit of the numbers; NaN entries are left out.

    >>> root_mean_square([3.0, -4.0, np.nan])
    3.5355339059327378
    """
    values = np.asarray(differences, float)
    values = values[~np.isnan(values)]
    return float(np.sqrt((values**2).mean())) if len(values) else np.nan


def explained(values: ArrayLike, labels: ArrayLike, columns: ArrayLike) -> float:
    r"""The fraction of variance explained, :math:`R^2`, up to 1 (best); 0 is always answering the mean.

    The mean over the columns of a model with several outputs.

    >>> round(explained([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], [0, 0, 0]), 3)
    0.786
    """
    return _over_columns(_explained, values, labels, columns)


def correlation(values: ArrayLike, others: ArrayLike, columns: ArrayLike) -> float:
    """Pearson's correlation, from -1 to 1; the mean over the columns of a model with several outputs.

    >>> round(correlation([1.0, 2.0, 3.0], [2.0, 4.0, 6.5], [0, 0, 0]), 3)
    0.998
    """
    return _over_columns(_correlation, values, others, columns)


def _over_columns(measure, values, others, columns):
    values, others, columns = (np.asarray(part, float) for part in (values, others, columns))
    known = ~np.isnan(values) & ~np.isnan(others)
    found = [
        measure(values[own], others[own])
        for own in (known & (columns == column) for column in np.unique(columns))
        if own.sum() > 1
    ]
    return float(np.mean(found)) if found else np.nan


def _explained(values, labels):
    spread = ((labels - labels.mean()) ** 2).sum()
    return 1 - ((values - labels) ** 2).sum() / spread if spread > 0 else np.nan


def _correlation(values, others):
    ours, theirs = values - values.mean(), others - others.mean()
    size = np.sqrt((ours**2).sum() * (theirs**2).sum())
    return (ours * theirs).sum() / size if size > 0 else np.nan
