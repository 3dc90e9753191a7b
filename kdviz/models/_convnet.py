"""A small convolutional network, for feature maps that can be looked at."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from kdviz.seeding import seeded


def convnet(*channels: int, classes: int = 10, image_channels: int = 1, seed: int = 0) -> nn.Sequential:
    """A convolutional network: one 3 × 3 convolution with ReLU for each entry of ``channels``.

    ``convnet(8, 16)`` keeps the image size in its first block and halves it in every later one, then
    averages over the positions that are left. Its layers are ``convolution1``, ``activation1``,
    ``convolution2``, ..., ``average``, ``flatten``, ``logits``.
    """
    channels = channels or (8, 16)
    if not all(isinstance(count, int) and count > 0 for count in channels):
        raise ValueError(
            f"a convnet needs positive whole channel counts, for example convnet(8, 16); got {channels}"
        )
    layers = OrderedDict()
    with seeded(seed):
        for number, (inputs, outputs) in enumerate(pairwise((image_channels, *channels)), start=1):
            stride = 1 if number == 1 else 2
            layers[f"convolution{number}"] = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
            layers[f"activation{number}"] = nn.ReLU()
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["logits"] = nn.Linear(channels[-1], classes)
    return nn.Sequential(layers)
