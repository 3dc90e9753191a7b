"""What models say about images, and which images are worth showing."""

from contextlib import contextmanager

import numpy as np
import torch

from kdviz.tracing import trace


@contextmanager
def evaluating(model):
    """A model in eval mode; afterwards every layer is in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def logits_of(model, inputs):
    """What a model says about some inputs, as an array in double precision."""
    with evaluating(model), torch.no_grad():
        return trace(model, inputs).logits.double().cpu().numpy()


def probabilities(logits):
    return torch.from_numpy(logits).softmax(1).numpy()


def without_truth(values, labels):
    """Values with that of the true class out of the running."""
    values = values.copy()
    values[np.arange(len(values)), labels] = -np.inf
    return values


def most_to_show(logits, labels, count):
    """The rows to offer: ranked within their class by the best wrong answer, taken class by class."""
    wrong = without_truth(probabilities(logits), labels).max(1)
    order = np.argsort(-wrong, kind="stable")
    rank = np.empty(len(order), dtype=int)
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        rank[of_class] = np.arange(len(of_class))
    chosen = np.lexsort((labels, rank))[:count]
    return chosen[np.lexsort((rank[chosen], labels[chosen]))]


def even_rows(labels, count):
    """The first rows of each class, taken class by class until there are so many, sorted by class."""
    rank = np.empty(len(labels), dtype=int)
    for label in np.unique(labels):
        of_class = np.flatnonzero(labels == label)
        rank[of_class] = np.arange(len(of_class))
    chosen = np.lexsort((labels, rank))[:count]
    return chosen[np.lexsort((rank[chosen], labels[chosen]))]
