"""A copy of a network with thinner layers that give the same shapes."""

import copy
from collections import OrderedDict

from torch import nn

from kdviz.models.frozen import in_mode_of
from kdviz.seeding import seeded


def low_rank(network: nn.Sequential, rank: int, *, seed: int = 0) -> nn.Sequential:
    """A network whose linear layers and convolutions have a bottleneck of ``rank`` units or channels.

    A layer from I to O becomes one from I to ``rank`` and a linear one (a 1 × 1 convolution) from there to O,
    with initial weights of the seed; the names and the shapes of what the layers give stay. The last layer
    and layers that would not become smaller are copied with their weights. All of it learns.
    """
    if not isinstance(rank, int) or rank < 1:
        raise ValueError(f"rank must be a whole number from 1 up; got {rank!r}")
    layers = OrderedDict((name, copy.deepcopy(layer)) for name, layer in network.named_children())
    with seeded(seed):
        for name, layer in list(layers.items())[:-1]:
            thin = _thin(layer, rank)
            if thin is not None and _size(thin) < _size(layer):
                layers[name] = thin
    return in_mode_of(nn.Sequential(layers), network).requires_grad_()


def _thin(layer, rank):
    if isinstance(layer, nn.Linear):
        return nn.Sequential(nn.Linear(layer.in_features, rank), nn.Linear(rank, layer.out_features))
    if isinstance(layer, nn.Conv2d) and layer.groups == 1:
        first = nn.Conv2d(
            layer.in_channels, rank, layer.kernel_size, stride=layer.stride, padding=layer.padding
        )
        return nn.Sequential(first, nn.Conv2d(rank, layer.out_channels, 1))


def _size(layer):
    return sum(weight.numel() for weight in layer.parameters())
