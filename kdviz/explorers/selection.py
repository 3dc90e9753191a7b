"""Which images are worth showing, and as what."""

import numpy as np
import torch

from kdviz.tracing import answer


def logits_of(model, inputs):
    """A model's logits as an array in double precision; see :func:`kdviz.tracing.answer`."""
    return answer(model, inputs).logits.double().cpu().numpy()


def probabilities(logits):
    return torch.from_numpy(logits).softmax(1).numpy()


def mask_true_class(values, labels):
    """Values with that of the true class out of the running."""
    if values.ndim != 2 or len(values) != len(labels) or values.shape[1] <= labels.max(initial=0):
        raise ValueError(
            f"the models must give a logit for each class of the data, shape ({len(labels)}, classes); the "
            f"labels go up to {labels.max(initial=0)}, and they gave {values.shape}"
        )
    values = values.copy()
    values[np.arange(len(values)), labels] = -np.inf
    return values


def most_informative(logits, labels, count):
    """The rows to offer: ranked within their class by the best wrong answer, taken class by class."""
    wrong = mask_true_class(probabilities(logits), labels).max(1)
    return _class_by_class(labels, np.argsort(-wrong, kind="stable"), count)


def stratified_rows(labels, count):
    """The first rows of each class, taken class by class until there are so many, sorted by class."""
    return _class_by_class(labels, np.arange(len(labels)), count)


def best_start(logits, labels):
    """Among rows, the one with the largest wrong answer although the model is right."""
    wrong = mask_true_class(probabilities(logits), labels).max(1)
    return int(np.where(logits.argmax(1) == labels, wrong, -1).argmax())


def _class_by_class(labels, order, count):
    """The first of each class in this order, then the second of each, until there are so many."""
    rank = np.empty(len(order), dtype=int)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        rank[of_class] = np.arange(len(of_class))
    chosen = np.lexsort((labels, rank))[:count]
    return chosen[np.lexsort((rank[chosen], labels[chosen]))]
