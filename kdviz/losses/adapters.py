"""Adapters: how features of unequal shapes are made comparable, as pure functions of their weights.

A loss that learns an adapter gives its initial weights by ``initial`` and gets them back as ``learned``,
with the stack's leading axes in front; every function here takes them so. (...) are those axes; the
features and the weights need not both have them.
"""

import torch
from torch.nn import functional


def linear(features, weight, bias=None):
    r"""A linear map of the last axis: :math:`y = W x + b` for each sample.

    Parameters
    ----------
    features : (..., N, D)
    weight : (..., E, D)
    bias : (..., E), or None

    Returns (..., N, E).
    """
    mapped = features @ weight.mT
    return mapped if bias is None else mapped + bias.unsqueeze(-2)


def convolution(maps, weight, bias=None):
    """A convolution of odd size k with stride 1, padded with zeros so that the places stay the same.

    With k = 1 it is the same linear map of the channels at every place.

    Parameters
    ----------
    maps : (..., N, C, H, W)
    weight : (..., E, C, k, k)
    bias : (..., E), or None

    Returns (..., N, E, H, W).
    """
    size = weight.shape[-1]
    if size % 2 == 0:
        raise ValueError(f"the size of a convolution must be odd; the weight has shape {tuple(weight.shape)}")
    if maps.ndim == weight.ndim == 4:
        mapped = functional.conv2d(maps, weight, padding=size // 2)
    elif size == 1:
        mapped = weight[..., 0, 0].unsqueeze(-3) @ maps.flatten(-2)
        mapped = mapped.unflatten(-1, maps.shape[-2:])
    else:
        mapped = _stacked_convolution(maps, weight)
    return mapped if bias is None else mapped + bias[..., None, :, None, None]


def _stacked_convolution(maps, weight):
    """Each student's convolution as one group of a convolution of all."""
    stack = torch.broadcast_shapes(maps.shape[:-4], weight.shape[:-4])
    students = stack.numel()
    maps = maps.expand(*stack, *maps.shape[-4:]).reshape(students, *maps.shape[-4:])
    weight = weight.expand(*stack, *weight.shape[-4:]).reshape(-1, *weight.shape[-3:])
    together = maps.transpose(0, 1).flatten(1, 2)
    mapped = functional.conv2d(together, weight, padding=weight.shape[-1] // 2, groups=students)
    mapped = mapped.unflatten(1, (students, -1)).transpose(0, 1)
    return mapped.reshape(*stack, *mapped.shape[1:])


def batch_norm(maps, gain, bias, epsilon=1e-5):
    """Batch normalisation with the statistics of this batch, as a network in training does it.

    Adapters only work while a student trains, so no running averages are kept. A channel that is the
    same everywhere becomes its bias.

    Parameters
    ----------
    maps : (..., N, C, H, W)
    gain, bias : (..., C)
    """
    centred = maps - maps.mean((-4, -2, -1), keepdim=True)
    variance = centred.square().mean((-4, -2, -1), keepdim=True)
    normalised = centred * (variance + epsilon).rsqrt()
    return normalised * gain[..., None, :, None, None] + bias[..., None, :, None, None]


def pool(maps, height, width):
    """The means over ``height`` × ``width`` fields of each map, (..., N, C, height, width)."""
    if maps.shape[-2:] == (height, width):
        return maps
    pooled = functional.adaptive_avg_pool2d(maps.flatten(0, -4), (height, width))
    return pooled.unflatten(0, maps.shape[:-3])


def pool_to_smaller(student, teacher):
    """Both maps at the smaller of their heights and the smaller of their widths, by averaging."""
    height = min(student.shape[-2], teacher.shape[-2])
    width = min(student.shape[-1], teacher.shape[-1])
    return pool(student, height, width), pool(teacher, height, width)


def resize(maps, height, width):
    """Maps with each place repeated or left out, so that they have the height and width asked for."""
    if maps.shape[-2:] == (height, width):
        return maps
    resized = functional.interpolate(maps.flatten(0, -4), (height, width), mode="nearest")
    return resized.unflatten(0, maps.shape[:-3])


def initial_linear(inputs, outputs, generator, like):
    """The weights of a linear map as torch starts them: even between plus and minus 1 / sqrt(inputs)."""
    weight = _even((outputs, inputs), inputs, generator, like)
    return {"weight": weight, "bias": _even((outputs,), inputs, generator, like)}


def initial_convolution(inputs, outputs, generator, like, size=1):
    """The weights of a convolution as torch starts them: even between plus and minus 1 / sqrt(inputs k²)."""
    entries = inputs * size**2
    weight = _even((outputs, inputs, size, size), entries, generator, like)
    return {"weight": weight, "bias": _even((outputs,), entries, generator, like)}


def _even(shape, inputs, generator, like):
    # Drawn on the CPU in one precision, so that every device and every precision starts alike.
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
    return ((2 * drawn - 1) / inputs**0.5).to(like)
