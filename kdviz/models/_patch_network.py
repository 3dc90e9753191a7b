"""A network that looks at each patch of an image by itself, and learns few features because it is greedy."""

from collections import OrderedDict

from torch import nn

from kdviz.seeding import seeded


class RectifiedPower(nn.Module):
    """max(0, x) to a power: a unit that already answers to a feature learns it faster than the others."""

    def __init__(self, power: int):
        super().__init__()
        self.power = power

    def forward(self, inputs):
        return inputs.relu() ** self.power

    def extra_repr(self):
        return f"power={self.power}"


def patch_network(pixels: int, units: int, classes: int, *, power: int = 3, seed: int = 0) -> nn.Sequential:
    """A network for images whose rows are patches: the same units look at every patch.

    The units' answers, rectified and raised to a power, are averaged over the patches. With a power of 3
    the first feature of a class that a unit finds grows fast, and soon little is left to learn from the
    second: the greed of Allen-Zhu and Li 2023, *Towards Understanding Ensemble, Knowledge Distillation and
    Self-Distillation in Deep Learning*, section 3, whose smoothed ReLU is a power at its foot. Layers are
    ``units``, ``activation``, ``average``, ``flatten``, ``logits``.

    >>> import torch
    >>> patch_network(20, 10, 5)(torch.zeros(3, 1, 8, 20)).shape
    torch.Size([3, 5])

    Parameters
    ----------
    pixels : int
        How many pixels a patch has.
    units, classes : int
    power : int
        1 is the usual ReLU.
    """
    if not all(isinstance(count, int) and count > 0 for count in (pixels, units, classes, power)):
        raise ValueError(
            "a patch network needs positive whole numbers, for example patch_network(20, 10, 5); "
            f"got {(pixels, units, classes)} with power {power!r}"
        )
    layers = OrderedDict()
    with seeded(seed):
        layers["units"] = nn.Conv2d(1, units, (1, pixels))
        layers["activation"] = RectifiedPower(power)
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["logits"] = nn.Linear(units, classes)
    return nn.Sequential(layers)


# As it was called once.
patches = patch_network
