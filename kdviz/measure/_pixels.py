"""What is right in maps of pixels, class by class."""

import numpy as np
from numpy.typing import ArrayLike


def class_iou(answers: ArrayLike, labels: ArrayLike, classes: int) -> np.ndarray:
    r"""Intersection over union of each class, from 0 to 1 (best); their mean is :func:`mean_iou`.

    .. math:: \mathrm{IoU}_c = \frac{|\hat y = c \wedge y = c|}{|\hat y = c \vee y = c|}

    over all positions with a label; -1 is none. NaN for a class that is neither answered nor labelled.
    Shapes: answers and labels alike, of any number of axes; the result (classes,). Equal to scikit-learn's
    ``jaccard_score(average=None)``. Errors: ValueError for unequal shapes or answers out of range.

    >>> class_iou([[0, 0], [1, 1]], [[0, 1], [1, 1]], 3)
    array([0.5       , 0.66666667,        nan])
    """
    answers, labels = np.asarray(answers), np.asarray(labels)
    if answers.shape != labels.shape:
        raise ValueError(f"there must be a label for each answer; got {labels.shape} for {answers.shape}")
    known = labels >= 0
    answers, labels = answers[known], labels[known]
    for name, values in (("answers", answers), ("labels", labels)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(
                f"{name} must be classes from 0 to {classes - 1}; got values from {values.min()} to "
                f"{values.max()}"
            )
    both = np.bincount(labels[answers == labels], minlength=classes)
    either = np.bincount(labels, minlength=classes) + np.bincount(answers, minlength=classes) - both
    return np.divide(both, either, out=np.full(classes, np.nan), where=either > 0)
