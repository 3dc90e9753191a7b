"""Which samples to take where every class is to be seen."""

import numpy as np
from numpy.typing import ArrayLike


def rank_in_class(labels: ArrayLike, order: ArrayLike | None = None) -> np.ndarray:
    """For each sample how many of its class come before it: (N,), from 0.

    They come as they stand, or in ``order``, the rows from first to last.

    >>> rank_in_class([3, 5, 3, 3])
    array([0, 0, 1, 2])
    """
    labels = np.asarray(labels)
    order = np.arange(len(labels)) if order is None else np.asarray(order)
    by_class = order[np.argsort(labels[order], kind="stable")]
    starts = np.searchsorted(labels[by_class], labels[by_class])
    rank = np.empty(len(labels), int)
    rank[by_class] = np.arange(len(labels)) - starts
    return rank


def stratified_rows(labels: ArrayLike, count: int, order: ArrayLike | None = None) -> np.ndarray:
    """``count`` rows, as many of each class as there are to be had, sorted by class: (count,).

    The first of every class is taken, then the second, and so on; which come first is as in
    :func:`rank_in_class`.

    >>> stratified_rows([1, 1, 1, 0, 2], 4)
    array([3, 0, 1, 4])
    """
    labels, rank = np.asarray(labels), rank_in_class(labels, order)
    chosen = np.lexsort((labels, rank))[:count]
    return chosen[np.lexsort((rank[chosen], labels[chosen]))]
