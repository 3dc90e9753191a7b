"""The layers of a stack: each works for all students at once, forwards and backwards.

Activations have shape (S, K, ..., B): S seeds, K settings, the features of a sample, and the B samples
last, so that arithmetic runs along memory however few units or classes there are. What all students
of a seed share, as they do their inputs, has K = 1.

A layer is made once for a stack, from the weights and the places where their gradients go: tensors
with leading axes (S, K) that keep their memory while they change. The gradients are written out, since
automatic differentiation would cost as much again as the arithmetic of such small networks.
"""

import torch
from torch import nn

from kdviz.models._patch_network import RectifiedPower


class Linear:
    """torch's Linear for all students: one matrix product a seed where they share their inputs."""

    in_place = False

    def __init__(self, module, weights, gradients):
        self.each = _Product(weights[0].flatten(0, 1), gradients[0].flatten(0, 1))
        self.shared = _Product(weights[0].flatten(1, 2), gradients[0].flatten(1, 2))
        self.shape = weights[0].shape[:3]
        self.bias, self.bias_gradient = [*weights[1:], None][0], [*gradients[1:], None][0]

    def forward(self, inputs):
        product, inputs = self._how(inputs)
        return product.forward(inputs, self.bias).view(*self.shape, -1)

    def backward(self, gradient, inputs, result, first):
        product, inputs = self._how(inputs)
        product.pull(gradient, inputs)
        if self.bias is not None:
            torch.sum(gradient, -1, out=self.bias_gradient)
        if not first:
            return self.each.back(gradient).view(*self.shape[:2], -1, gradient.shape[-1])

    def _how(self, inputs):
        if inputs.shape[1] == 1:
            return self.shared, inputs[:, 0]
        return self.each, inputs.flatten(0, 1)


class _Product:
    """A batch of matrices, times inputs (batch, i, B); and the same backwards."""

    def __init__(self, weight, gradient):
        self.weight, self.gradient = weight, gradient

    def forward(self, inputs, bias):
        if bias is None:
            return torch.bmm(self.weight, inputs)
        return torch.baddbmm(bias.view(*self.weight.shape[:2], 1), self.weight, inputs)

    def pull(self, gradient, inputs):
        gradient = gradient.reshape(*self.weight.shape[:2], -1)
        torch.bmm(gradient, inputs.transpose(1, 2), out=self.gradient)

    def back(self, gradient):
        return torch.bmm(self.weight.transpose(1, 2), gradient.reshape(*self.weight.shape[:2], -1))


class Convolution:
    """torch's Conv2d for all students: the patches side by side, then the matrix product of Linear."""

    in_place = False

    def __init__(self, module, weights, gradients):
        def as_matrix(tensors):
            return [tensors[0].flatten(3), *tensors[1:]]

        self.linear = Linear(module, as_matrix(weights), as_matrix(gradients))
        self.size, self.stride, self.padding = module.kernel_size, module.stride, module.padding

    def forward(self, inputs):
        patches = self._patches(inputs)
        self.kept = patches.flatten(5).flatten(2, 4)
        result = self.linear.forward(self.kept)
        return result.view(*result.shape[:3], *patches.shape[5:])

    def backward(self, gradient, inputs, result, first):
        spread = self.linear.backward(gradient.flatten(3), self.kept, None, first)
        if not first:
            shape = (*spread.shape[:2], inputs.shape[2], *self.size, *gradient.shape[3:])
            return self._gather(spread.view(shape), inputs.shape)

    def _patches(self, inputs):
        """What lies under each weight of the kernel: (S, K, channels, down, right, height, width, B)."""
        (high, wide), (down, right) = self.size, self.padding
        padded = nn.functional.pad(inputs, (0, 0, right, right, down, down))
        views = padded.unfold(3, high, self.stride[0]).unfold(4, wide, self.stride[1])
        return views.permute(0, 1, 2, 6, 7, 3, 4, 5).contiguous()

    def _gather(self, patches, shape):
        """The sum of all patches that a position lies in: the way back from ``_patches``."""
        (down, right), (height, width) = self.padding, shape[3:5]
        total = patches.new_zeros(*patches.shape[:3], height + 2 * down, width + 2 * right, shape[-1])
        views = total.unfold(3, self.size[0], self.stride[0]).unfold(4, self.size[1], self.stride[1])
        for i in range(self.size[0]):
            for j in range(self.size[1]):
                views[..., i, j].add_(patches[:, :, :, i, j])
        return total[:, :, :, down : down + height, right : right + width]


class Rectifier:
    """torch's ReLU."""

    in_place = True

    def __init__(self, module, weights, gradients):
        pass

    def forward(self, inputs):
        return inputs.relu()

    def forward_in_place(self, inputs):
        return inputs.relu_()

    def backward(self, gradient, inputs, result, first):
        return torch.ops.aten.threshold_backward(gradient, result, 0)


class Power:
    """Our RectifiedPower."""

    in_place = False

    def __init__(self, module, weights, gradients):
        self.power = module.power

    def forward(self, inputs):
        return inputs.relu() ** self.power

    def backward(self, gradient, inputs, result, first):
        steep = self.power * inputs.relu() ** (self.power - 1)
        return gradient * torch.where(inputs > 0, steep, 0)


class Average:
    """torch's AdaptiveAvgPool2d to a single position."""

    in_place = False

    def __init__(self, module, weights, gradients):
        pass

    def forward(self, inputs):
        return inputs.mean((3, 4), keepdim=True)

    def backward(self, gradient, inputs, result, first):
        height, width = inputs.shape[3:5]
        return (gradient / (height * width)).expand(inputs.shape)


class Flatten:
    """torch's Flatten: the features of a sample in one axis."""

    in_place = False

    def __init__(self, module, weights, gradients):
        pass

    def forward(self, inputs):
        return inputs.flatten(2, -2)

    def backward(self, gradient, inputs, result, first):
        return gradient.view(*gradient.shape[:2], *inputs.shape[2:])


def kind_of(module):
    """The class of the stacked layer that computes what this module does, or None if there is none."""
    plain = {nn.Linear: Linear, nn.ReLU: Rectifier, RectifiedPower: Power}
    if type(module) in plain:
        return plain[type(module)]
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
        return Flatten
    if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1)):
        return Average
    if type(module) is nn.Conv2d and _is_plain(module):
        return Convolution
    return None


def _is_plain(convolution):
    return (
        convolution.groups == 1
        and convolution.dilation == (1, 1)
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
    )
