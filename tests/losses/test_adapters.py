"""Adapters against torch's own layers; a stack's against each student's."""

import doctest

import pytest
import torch
from torch.func import vmap
from torch.nn import functional

from kdviz.losses import adapters
from kdviz.losses.vectors import seeded, unit


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_linear_map_is_torchs():
    features, weight, bias = random(5, 3), random(4, 3, seed=1), random(4, seed=2)
    expected = functional.linear(features, weight, bias)
    torch.testing.assert_close(adapters.linear(features, weight, bias), expected)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_convolution_is_torchs_alone_and_in_a_stack(size):
    maps, weight, bias = random(2, 3, 4, 5, 6, 6), random(2, 3, 7, 5, size, size, seed=1), random(2, 3, 7)
    together = vmap(vmap(adapters.convolution))(maps, weight, bias)
    for seed in range(2):
        for setting in range(3):
            own = maps[seed, setting], weight[seed, setting], bias[seed, setting]
            expected = functional.conv2d(*own, padding=size // 2)
            torch.testing.assert_close(together[seed, setting], expected)
            torch.testing.assert_close(adapters.convolution(*own), expected)
    shared = vmap(vmap(adapters.convolution, (None, 0)), (None, 0))(maps[0, 0], weight)
    torch.testing.assert_close(shared[1, 2], functional.conv2d(maps[0, 0], weight[1, 2], padding=size // 2))


def test_an_even_convolution_is_refused():
    with pytest.raises(ValueError, match=r"odd.*\(4, 3, 2, 2\)"):
        adapters.convolution(random(5, 3, 6, 6), random(4, 3, 2, 2))


def test_batch_normalisation_is_torchs():
    maps, gain, bias = random(5, 3, 4, 4), random(3, seed=1), random(3, seed=2)
    expected = functional.batch_norm(maps, None, None, gain, bias, training=True)
    torch.testing.assert_close(adapters.batch_norm(maps, gain, bias), expected)


def test_pooling_and_resizing_are_torchs_alone_and_in_a_stack():
    stack = random(2, 3, 4, 5, 6, 6)
    maps = stack.flatten(0, 2)
    pooled = functional.adaptive_avg_pool2d(maps, (2, 3))
    torch.testing.assert_close(adapters.pool(maps, 2, 3), pooled)
    together = vmap(vmap(lambda own: adapters.pool(own, 2, 3)))(stack)
    torch.testing.assert_close(together, pooled.view(2, 3, 4, 5, 2, 3))
    resized = functional.interpolate(maps, (12, 3))
    torch.testing.assert_close(adapters.resize(maps, 12, 3), resized)
    together = vmap(vmap(lambda own: adapters.resize(own, 12, 3)))(stack)
    torch.testing.assert_close(together, resized.view(2, 3, 4, 5, 12, 3))
    assert adapters.pool(maps, 6, 6) is maps and adapters.resize(maps, 6, 6) is maps
    a, b = adapters.pool_to_smaller(random(2, 3, 4, 8), random(2, 3, 6, 4))
    assert a.shape[-2:] == b.shape[-2:] == (4, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_start_as_torchs_do_and_alike_in_every_precision(dtype):
    like = torch.zeros(1, dtype=dtype)
    start = adapters.initial_convolution(8, 16, seeded(3), like, size=3)
    bound = (8 * 9) ** -0.5
    assert start["weight"].dtype == dtype and start["weight"].shape == (16, 8, 3, 3)
    assert 0.95 * bound < start["weight"].abs().max() <= bound
    again = adapters.initial_convolution(8, 16, seeded(3), torch.zeros(1).double(), size=3)
    torch.testing.assert_close(start["weight"].double(), again["weight"], rtol=1e-6, atol=1e-7)
    assert adapters.initial_linear(8, 4, seeded(3), like)["bias"].shape == (4,)


def test_a_vector_of_zeros_stays_one_and_passes_no_gradient_on():
    vectors = torch.tensor([[0.0, 0.0], [3.0, 4.0]], requires_grad=True)
    found = unit(vectors)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0], [0.6, 0.8]]))
    found.sum().backward()
    assert torch.isfinite(vectors.grad).all() and not vectors.grad[0].any()


def test_its_examples_run():
    assert doctest.testmod(adapters).failed == 0
