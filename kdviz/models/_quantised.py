"""A quantised copy of a network: its weights can only take a few values, while it goes on learning."""

import copy

import torch
from torch import nn
from torch.nn.utils import parametrize


def quantised(network: nn.Module, bits: int) -> nn.Module:
    """A copy of a network whose weights are rounded to ``bits`` bits whenever it is used.

    Each weight matrix or kernel W is rounded to the multiples of max|W| / (2^(bits-1) - 1), evenly around 0;
    biases stay as they are. What is learned is W itself: its gradient is that of the rounded weights
    (straight through), so that small steps add up until a weight moves to the next value. Source: Polino et
    al. 2018, *Model compression via distillation and quantization*, section 3 (their quantised distillation).
    The arithmetic stays in floats: :func:`kdviz.models.cost` counts the bits, no time is saved here.
    """
    if not isinstance(bits, int) or not 2 <= bits <= 16:
        raise ValueError(f"bits must be a whole number from 2 to 16; got {bits!r}")
    twin = copy.deepcopy(network)
    layers = [layer for layer in twin.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]
    if not layers:
        raise ValueError(f"nothing to quantise: {type(network).__name__} has no Linear and no Conv2d")
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", Rounded(bits))
    return twin


class Rounded(nn.Module):
    """Weights rounded to ``bits`` bits, with the gradient passed straight through."""

    def __init__(self, bits):
        super().__init__()
        self.bits = bits

    def forward(self, weight):
        with torch.no_grad():
            step = weight.abs().max().clamp(min=1e-12) / (2 ** (self.bits - 1) - 1)
            error = (weight / step).round() * step - weight
        return weight + error

    def extra_repr(self):
        return f"bits={self.bits}"
