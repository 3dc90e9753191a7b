"""Adapters: how features of unequal shapes are made comparable, as pure functions of their weights.

A loss that learns an adapter gives its first weights by ``initial`` and gets them back as ``learned``.
"""

import torch
from torch import Generator, Tensor
from torch.nn import functional

MAP_ADAPTERS = ("convolution", "convolution_batch_norm", "convolution_batch_norm_relu")
ADAPTERS = ("linear", *MAP_ADAPTERS)


def linear(features: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""A linear map of each sample's features: :math:`y = W x + b`.

    Parameters
    ----------
    features : (N, D)
    weight : (E, D)
    bias : (E,), or None

    Returns (N, E).

    >>> linear(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[11.]])
    """
    mapped = features @ weight.mT
    return mapped if bias is None else mapped + bias


def convolution(maps: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A convolution of odd size k with stride 1, padded with zeros so that height and width stay the same.

    With k = 1 it is the same linear map of the channels at every position.

    Parameters
    ----------
    maps : (N, C, H, W)
    weight : (E, C, k, k)
    bias : (E,), or None

    Returns (N, E, H, W). Errors: ValueError for an even size.

    >>> convolution(torch.ones(1, 1, 3, 3), torch.ones(1, 1, 3, 3))[0, 0]
    tensor([[4., 6., 4.],
            [6., 9., 6.],
            [4., 6., 4.]])
    """
    size = weight.shape[-1]
    if size % 2 == 0:
        raise ValueError(f"the size of a convolution must be odd; the weight has shape {tuple(weight.shape)}")
    if size > 1:
        return functional.conv2d(maps, weight, bias, padding=size // 2)
    # As a product of matrices it is faster for many students at once.
    mapped = (weight[:, :, 0, 0] @ maps.flatten(2)).unflatten(2, maps.shape[2:])
    return mapped if bias is None else mapped + bias[:, None, None]


def batch_norm(maps: Tensor, gain: Tensor, bias: Tensor, epsilon: float = 1e-5) -> Tensor:
    """Batch normalisation with the statistics of this batch, as a network in training does it.

    Adapters only work while a student trains, so no running averages are kept. A channel that is the
    same everywhere becomes its bias.

    Parameters
    ----------
    maps : (N, C, H, W)
    gain, bias : (C,)

    >>> batch_norm(torch.tensor([[[[0.0, 2.0]]]]), torch.ones(1), torch.zeros(1)).round(decimals=3)
    tensor([[[[-1.,  1.]]]])
    """
    centred = maps - maps.mean((0, 2, 3), keepdim=True)
    variance = centred.square().mean((0, 2, 3), keepdim=True)
    normalised = centred * (variance + epsilon).rsqrt()
    return normalised * gain[:, None, None] + bias[:, None, None]


def pool(maps: Tensor, height: int, width: int) -> Tensor:
    """The means over ``height`` × ``width`` fields of each map, (N, C, height, width)."""
    if maps.shape[2:] == (height, width):
        return maps
    return functional.adaptive_avg_pool2d(maps, (height, width))


def pool_to_smaller(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Both maps at the smaller of their heights and the smaller of their widths, by averaging."""
    height, width = map(min, student.shape[2:], teacher.shape[2:])
    return pool(student, height, width), pool(teacher, height, width)


def resize(maps: Tensor, height: int, width: int) -> Tensor:
    """Maps with each entry repeated or left out, so that they have the height and width asked for."""
    if maps.shape[2:] == (height, width):
        return maps
    return functional.interpolate(maps, (height, width), mode="nearest")


def adapt(adapter: str | None, features: Tensor, learned: dict[str, Tensor]) -> Tensor:
    """Features through an adapter, by its name, with the weights of :func:`initial_adapter`.

    ``"linear"`` maps embeddings; ``"convolution"`` maps, with size 1. Published code often goes on with
    batch normalisation, ``"convolution_batch_norm"`` (then without a bias), and a ReLU,
    ``"convolution_batch_norm_relu"``. None leaves the features as they are.
    """
    if adapter is None:
        return features
    if adapter == "linear":
        return linear(features, learned["weight"], learned["bias"])
    if adapter == "convolution":
        return convolution(features, learned["weight"], learned["bias"])
    maps = batch_norm(convolution(features, learned["weight"]), learned["gain"], learned["bias"])
    return maps.relu() if adapter == "convolution_batch_norm_relu" else maps


def initial_adapter(
    adapter: str | None, student: Tensor, teacher: Tensor, generator: Generator
) -> dict[str, Tensor]:
    """The first weights of an adapter that brings features like the student's to the teacher's channels."""
    if adapter is None:
        return {}
    start = initial_linear if adapter == "linear" else initial_convolution
    weights = start(student.shape[1], teacher.shape[1], generator, like=student)
    return weights if adapter in ("linear", "convolution") else _with_batch_norm(weights)


def initial_linear(inputs: int, outputs: int, generator: Generator, like: Tensor) -> dict[str, Tensor]:
    """The weights of a linear map as torch starts them: even between plus and minus 1 / sqrt(inputs)."""
    weight = even((outputs, inputs), inputs, generator, like)
    return {"weight": weight, "bias": even((outputs,), inputs, generator, like)}


def initial_convolution(
    inputs: int, outputs: int, generator: Generator, like: Tensor, size: int = 1
) -> dict[str, Tensor]:
    """The weights of a convolution as torch starts them: even between plus and minus 1 / sqrt(inputs k²)."""
    entries = inputs * size**2
    weight = even((outputs, inputs, size, size), entries, generator, like)
    return {"weight": weight, "bias": even((outputs,), entries, generator, like)}


def initial_normalised(
    inputs: int, outputs: int, generator: Generator, like: Tensor, size: int = 1
) -> dict[str, Tensor]:
    """The weights of a convolution that batch normalisation follows: its gain is 1, its bias 0."""
    return _with_batch_norm(initial_convolution(inputs, outputs, generator, like, size))


def _with_batch_norm(convolution):
    bias = convolution["bias"]
    return {**convolution, "gain": torch.ones_like(bias), "bias": torch.zeros_like(bias)}


def named(name: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under a name, so that a loss can learn several adapters; :func:`under` finds them again."""
    return {f"{name}_{key}": value for key, value in weights.items()}


def under(name: str, learned: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights that :func:`named` put under a name."""
    return {
        key.removeprefix(f"{name}_"): value for key, value in learned.items() if key.startswith(f"{name}_")
    }


def even(shape: tuple[int, ...], inputs: float, generator: Generator, like: Tensor) -> Tensor:
    """Numbers drawn evenly between plus and minus 1 / sqrt(inputs)."""
    # Drawn on the CPU in one precision, so that every device and every precision starts alike.
    drawn = torch.rand(shape, generator=generator, dtype=torch.float64)
    return ((2 * drawn - 1) / inputs**0.5).to(like)
