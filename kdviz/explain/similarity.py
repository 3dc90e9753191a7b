"""How alike two networks' attributions of the same inputs are: one number for each input.

All take arrays or tensors of shape (N, ...), whose places are compared input by input.
"""

import numpy as np
import torch
from scipy.stats import rankdata


def rank_correlation(attributions, other):
    """Spearman's correlation over the places of each input: (N,), from -1 to 1, 0 by chance.

    Not a number for an input on which one of the two is the same everywhere.
    """
    ours, theirs = _rows(attributions, other)
    ours, theirs = (rankdata(part, axis=1) for part in (ours, theirs))
    ours, theirs = (part - part.mean(1, keepdims=True) for part in (ours, theirs))
    size = np.sqrt((ours**2).sum(1) * (theirs**2).sum(1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ours * theirs).sum(1) / np.where(size > 0, size, np.nan)


def top_overlap(attributions, other, count):
    """The share that both have of their ``count`` strongest places: (N,), from 0 to 1.

    By chance it is ``count`` / places. Strong are places that speak for the class; where one has fewer than
    ``count`` of them, the share is of those that the other has. Not a number where none has any.
    """
    ours, theirs = (top_places(part, count) for part in _rows(attributions, other))
    most = np.maximum(ours.sum(1), theirs.sum(1))
    return (ours & theirs).sum(1) / np.where(most > 0, most, np.nan)


def top_places(attributions, count):
    """Which at most ``count`` places of each input speak most for the class: True there, in the same shape.

    Of places that tie, the earlier ones count; those at 0 or below speak for nothing.
    """
    rows = _flat(attributions)
    places = rows.shape[1]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= places:
        raise ValueError(f"count must be a whole number from 1 to {places}, the places; got {count!r}")
    found = np.zeros(rows.shape, bool)
    strongest = np.argsort(-rows, axis=1, kind="stable")[:, :count]
    np.put_along_axis(found, strongest, True, axis=1)
    return (found & (rows > 0)).reshape(np.shape(attributions))


def _rows(attributions, other):
    ours, theirs = (_flat(part) for part in (attributions, other))
    if ours.shape != theirs.shape:
        raise ValueError(
            f"both must be attributions of the same inputs, place for place; got {ours.shape} and "
            f"{theirs.shape}"
        )
    return ours, theirs


def _flat(values):
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
    values = np.asarray(values, float)
    if values.ndim < 2 or not np.isfinite(values).all():
        raise ValueError(
            f"attributions must be finite, of shape (inputs, places ...); got shape {values.shape}"
        )
    return values.reshape(len(values), -1)
