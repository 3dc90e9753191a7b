"""A convolutional network of cheaper operations: depth-wise separable convolutions."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn

from kdviz.seeding import seeded


def separable_convnet(
    *channels: int, classes: int = 10, image_channels: int = 1, seed: int = 0
) -> nn.Sequential:
    """The network of :func:`convnet`, with each convolution after the first in two cheaper steps.

    A 3 × 3 convolution of each channel by itself (``depthwise2``) and a 1 × 1 convolution that mixes the
    channels (``pointwise2``): for I inputs and O outputs 9 I + I O weights instead of 9 I O (Howard et al.
    2017, *MobileNets*, section 3.1). Here without their batch normalisation and without a ReLU in between.
    """
    channels = channels or (8, 16)
    if not all(isinstance(count, int) and count > 0 for count in channels):
        raise ValueError(
            "a separable convnet needs positive whole channel counts, for example separable_convnet(8, 16); "
            f"got {channels}"
        )
    layers = OrderedDict()
    with seeded(seed):
        layers["convolution1"] = nn.Conv2d(image_channels, channels[0], 3, padding=1)
        layers["activation1"] = nn.ReLU()
        for number, (inputs, outputs) in enumerate(pairwise(channels), start=2):
            layers[f"depthwise{number}"] = nn.Conv2d(inputs, inputs, 3, stride=2, padding=1, groups=inputs)
            layers[f"pointwise{number}"] = nn.Conv2d(inputs, outputs, 1)
            layers[f"activation{number}"] = nn.ReLU()
        layers["average"] = nn.AdaptiveAvgPool2d(1)
        layers["flatten"] = nn.Flatten()
        layers["logits"] = nn.Linear(channels[-1], classes)
    return nn.Sequential(layers)
