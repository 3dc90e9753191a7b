"""From small to large: a larger network that begins as the function which a smaller one has learned."""

import copy
from collections import OrderedDict

import torch
from torch import nn

from kdviz.losses.checks import check_from_zero, check_whole

# What may stand between a widened layer and the next one: each unit goes through it on its own.
BY_UNIT = (
    nn.ReLU,
    nn.GELU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Identity,
    nn.Dropout,
    nn.Flatten,
    nn.AdaptiveAvgPool2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
)
WEIGHTED = (nn.Linear, nn.Conv2d)


def wider(
    network: nn.Sequential, layer: str, units: int, *, noise: float = 0.0, seed: int = 0
) -> nn.Sequential:
    """Net2WiderNet: a copy with more units in one layer, which gives the same answers.

    A new unit is a copy of one that is there, drawn by ``seed``. What the next layer takes from a unit is
    divided by how many of it there are now. Source: Chen et al. 2016, *Net2Net: Accelerating Learning via
    Knowledge Transfer*, algorithm 1.

    >>> import kdviz as kd
    >>> small, images = kd.models.mlp(64, 8, 10), torch.randn(5, 64)
    >>> large = wider(small, "hidden1", 20)
    >>> large.hidden1, torch.allclose(large(images), small(images), atol=1e-5)
    (Linear(in_features=64, out_features=20, bias=True), True)

    Parameters
    ----------
    layer : the name of a Linear or Conv2d, which is not the last
    units : int
        How many units or channels it is to have, no fewer than it has.
    noise : float
        Added to what a copy takes in, in standard deviations of the layer's weights. Without any, copies get
        equal gradients and stay equal: the network is larger and can do no more. The paper adds a little
        where training draws nothing, such as dropout, that would tell them apart.
    """
    twin = copy.deepcopy(network)
    grown, after = _and_the_next(twin, layer)
    check_whole("units", units, len(grown.weight))
    check_from_zero("noise", noise)
    draws, old = torch.Generator().manual_seed(seed), len(grown.weight)
    source = torch.cat([torch.arange(old), torch.randint(old, (units - old,), generator=draws)])
    copies = torch.bincount(source, minlength=old)[source]
    with torch.no_grad():
        weight = grown.weight[source]
        weight[old:] += noise * grown.weight.std() * torch.randn(weight[old:].shape, generator=draws)
        # A channel that was flattened is several columns, side by side.
        many = after.weight.shape[1] // old
        columns = (source[:, None] * many + torch.arange(many)).flatten()
        shares = copies.repeat_interleave(many).view(1, -1, *[1] * (after.weight.ndim - 2))
        _take(after, after.weight[:, columns] / shares, after.bias)
        _take(grown, weight, None if grown.bias is None else grown.bias[source])
    return twin


def deeper(network: nn.Sequential, after: str) -> nn.Sequential:
    """Net2DeeperNet: a copy with one more layer behind a ReLU, which gives the same answers.

    The layer begins as the identity, and a ReLU behind it leaves alone what a ReLU has left. Source: Chen et
    al. 2016, *Net2Net*, algorithm 2.

    >>> import kdviz as kd
    >>> small, images = kd.models.mlp(64, 8, 10), torch.randn(5, 64)
    >>> large = deeper(small, "activation1")
    >>> torch.equal(large(images), small(images)), list(dict(large.named_children()))[2:5]
    (True, ['activation1', 'deeper_activation1', 'activation_deeper_activation1'])

    Parameters
    ----------
    after : the name of a ReLU with a Linear or a Conv2d before it
    """
    names = _names(network, after)
    before = [network.get_submodule(name) for name in names[: names.index(after)]]
    last = next((one for one in reversed(before) if isinstance(one, WEIGHTED)), None)
    if not isinstance(network.get_submodule(after), nn.ReLU) or last is None:
        raise ValueError(f"a network can grow deeper behind a ReLU with a layer before it; got {after!r}")
    units = len(last.weight)
    if isinstance(last, nn.Linear):
        new = nn.Linear(units, units).to(last.weight)
        nn.init.eye_(new.weight)
    else:
        new = nn.Conv2d(units, units, 3, padding=1).to(last.weight)
        nn.init.dirac_(new.weight)
    nn.init.zeros_(new.bias)
    layers = OrderedDict()
    for name, part in copy.deepcopy(network).named_children():
        layers[name] = part
        if name == after:
            layers[f"deeper_{name}"], layers[f"activation_deeper_{name}"] = new, nn.ReLU()
    return nn.Sequential(layers).train(network.training)


def _names(network, name):
    names = list(dict(network.named_children())) if isinstance(network, nn.Sequential) else []
    if name not in names:
        raise ValueError(f"an nn.Sequential with a layer {name!r} is needed; this one has {names}")
    return names


def _and_the_next(network, layer):
    """A layer and the next one with weights; between them each unit must stay by itself."""
    names = _names(network, layer)
    grown, *behind = (network.get_submodule(name) for name in names[names.index(layer) :])
    after = next((one for one in behind if not isinstance(one, BY_UNIT)), None)
    plain = all(isinstance(one, WEIGHTED) and getattr(one, "groups", 1) == 1 for one in (grown, after))
    if not plain:
        raise ValueError(
            f"only a Linear or Conv2d can be widened whose units go one by one into another; {layer!r} is a "
            f"{type(grown).__name__}, and {type(after).__name__} comes behind it"
        )
    return grown, after


def _take(layer, weight, bias):
    layer.weight = nn.Parameter(weight.contiguous(), layer.weight.requires_grad)
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone(), layer.bias.requires_grad)
    outputs, inputs = weight.shape[:2]
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = outputs, inputs
    else:
        layer.out_channels, layer.in_channels = outputs, inputs
