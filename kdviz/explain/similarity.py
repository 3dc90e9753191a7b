"""How similar two networks' attributions of the same inputs are: one number for each input.

All take arrays or tensors of shape (N, ...), whose positions are compared input by input. ValueError for
unequal shapes and for values that are not finite.
"""

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.stats import rankdata


def rank_correlation(attributions: ArrayLike, other: ArrayLike) -> np.ndarray:
    """Spearman's correlation over the positions of each input: (N,), from -1 to 1, 0 by chance.

    NaN for an input on which one of the two is the same everywhere.

    >>> rank_correlation([[1, 2, 3], [1, 2, 3]], [[10, 20, 90], [3, 2, 1]])
    array([ 1., -1.])
    """
    ours, theirs = _rows(attributions, other)
    ours, theirs = (rankdata(part, axis=1) for part in (ours, theirs))
    ours, theirs = (part - part.mean(1, keepdims=True) for part in (ours, theirs))
    size = np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ours * theirs).sum(1) / np.where(size > 0, size, np.nan)


def top_overlap(attributions: ArrayLike, other: ArrayLike, count: int) -> np.ndarray:
    """The fraction of their ``count`` strongest positions that both have in common: (N,), from 0 to 1.

    By chance it is ``count`` / positions. Strong are positions that speak for the class; where one has fewer
    than ``count`` of them, the fraction is of those that the other has. NaN where none has any.

    >>> top_overlap([[4, 3, 2, 1]], [[1, 4, 3, 2]], 2)
    array([0.5])
    """
    ours, theirs = (strongest(part, count) for part in _rows(attributions, other))
    most = np.maximum(ours.sum(1), theirs.sum(1))
    return (ours & theirs).sum(1) / np.where(most > 0, most, np.nan)


def strongest(attributions: ArrayLike, count: int) -> np.ndarray:
    """Which at most ``count`` positions of each input speak most for the class: True there, same shape.

    Of positions that tie, the earlier ones count; those at 0 or below speak for nothing.

    >>> strongest([[0.5, -1.0, 2.0, 0.1]], 2)
    array([[ True, False,  True, False]])
    """
    rows = _flat(attributions)
    positions = rows.shape[1]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= positions:
        raise ValueError(f"count must be a whole number from 1 to {positions}, the positions; got {count!r}")
    found = np.zeros(rows.shape, bool)
    np.put_along_axis(found, np.argsort(-rows, axis=1, kind="stable")[:, :count], True, axis=1)
    return (found & (rows > 0)).reshape(np.shape(attributions))


def _rows(attributions, other):
    ours, theirs = (_flat(part) for part in (attributions, other))
    if ours.shape != theirs.shape:
        raise ValueError(
            f"both must be attributions of the same inputs, position for position; got {ours.shape} and "
            f"{theirs.shape}"
        )
    return ours, theirs


def _flat(values):
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    values = np.asarray(values, float)
    if values.ndim < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"attributions must be finite, of shape (inputs, positions ...); got shape {values.shape}"
        )
    return values.reshape(len(values), -1)
