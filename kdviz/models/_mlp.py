"""The multi-layer perceptron, most of the course's teachers and students."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from kdviz.seeding import seeded


def mlp(*widths: int, seed: int = 0) -> nn.Sequential:
    """A multi-layer perceptron with named layers and ReLU between them.

    ``mlp(64, 256, 10)`` has 64 inputs (images are flattened), one hidden layer of 256 units and
    10 logits. Its layers are ``flatten``, ``hidden1``, ``activation1``, ..., ``logits``; use these
    names with :func:`kdviz.trace`. The same seed gives the same initial weights.
    """
    if len(widths) < 2 or not all(isinstance(width, int) and width > 0 for width in widths):
        raise ValueError(
            "an mlp needs at least two positive whole widths, inputs first and classes last, "
            f"for example mlp(64, 16, 10); got {widths}"
        )
    layers = OrderedDict(flatten=nn.Flatten())
    with seeded(seed):
        for number, (inputs, outputs) in enumerate(pairwise(widths), start=1):
            if number == len(widths) - 1:
                layers["logits"] = nn.Linear(inputs, outputs)
            else:
                layers[f"hidden{number}"] = nn.Linear(inputs, outputs)
                layers[f"activation{number}"] = nn.ReLU()
    return nn.Sequential(layers)
