"""Net2Net: a larger network that gives the same answers, and goes on learning."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.algorithms.growing import deeper, wider
from kdviz.datasets import digits
from kdviz.models import convnet, mlp


def flattened():
    """A convolution whose map is flattened: each channel is sixteen columns of the next layer."""
    torch.manual_seed(0)
    layers = {"maps": nn.Conv2d(1, 3, 3, padding=1), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2)}
    return nn.Sequential(OrderedDict(layers, flatten=nn.Flatten(), logits=nn.Linear(48, 10)))


IMAGES = torch.randn(7, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
PLACES = [(mlp(64, 6, 5, 10), "hidden1"), (mlp(64, 6, 5, 10), "hidden2"), (convnet(3, 4), "convolution1")]
PLACES += [(convnet(3, 4), "convolution2"), (flattened(), "maps")]


@pytest.mark.parametrize(("network", "layer"), PLACES, ids=[layer for _, layer in PLACES])
@pytest.mark.parametrize("seed", range(3))
def test_a_wider_network_gives_the_same_answers_to_rounding(network, layer, seed):
    network = network.double()
    large = wider(network, layer, 17, seed=seed)
    assert len(large.get_submodule(layer).weight) == 17
    torch.testing.assert_close(large(IMAGES), network(IMAGES), rtol=0, atol=1e-12)
    # The layers say of themselves what they are.
    again = [eval(f"nn.{part}") for part in large if isinstance(part, (nn.Linear, nn.Conv2d))]
    own = [part for part in large if isinstance(part, (nn.Linear, nn.Conv2d))]
    assert [part.weight.shape for part in again] == [part.weight.shape for part in own]


def test_old_units_stay_and_new_ones_are_copies_that_share_what_goes_on():
    small = mlp(64, 4, 10)
    large = wider(small, "hidden1", 9)
    assert torch.equal(large.hidden1.weight[:4], small.hidden1.weight)
    source = [(small.hidden1.weight == row).all(1).nonzero().item() for row in large.hidden1.weight]
    for unit in range(4):
        columns = [column for column, own in enumerate(source) if own == unit]
        for column in columns:
            expected = small.logits.weight[:, unit] / len(columns)
            torch.testing.assert_close(large.logits.weight[:, column], expected)


def test_noise_moves_the_copies_and_nothing_that_was_there():
    small = mlp(64, 4, 10)
    plain, noisy = (wider(small, "hidden1", 9, noise=noise) for noise in (0.0, 0.5))
    assert torch.equal(noisy.hidden1.weight[:4], small.hidden1.weight)
    moved = noisy.hidden1.weight[4:] - plain.hidden1.weight[4:]
    assert float(moved.detach().std()) == pytest.approx(
        0.5 * float(small.hidden1.weight.detach().std()), rel=0.15
    )


@pytest.mark.parametrize(
    ("network", "after"), [(mlp(64, 6, 5, 10), "activation2"), (convnet(3, 4), "activation1")]
)
def test_a_deeper_network_gives_exactly_the_same_answers(network, after):
    network = network.double()
    large = deeper(network, after)
    assert len(large) == len(network) + 2 and torch.equal(large(IMAGES), network(IMAGES))
    assert torch.equal(deeper(large, f"activation_deeper_{after}")(IMAGES), network(IMAGES))


def test_what_has_grown_learns_in_all_its_weights():
    data, small = digits(50), mlp(64, 8, 10)
    large = deeper(wider(small, "hidden1", 20), "activation1")
    assert all(part.requires_grad for part in large.parameters())
    trained = kd.train(large, data, steps=20).finish().student
    for before, after in zip(large.parameters(), trained.parameters(), strict=True):
        assert not torch.equal(before, after)
    assert torch.equal(small.hidden1.weight, mlp(64, 8, 10).hidden1.weight), "the network itself was changed"


def test_copies_stay_equal_while_they_learn_unless_noise_parts_them():
    large = wider(mlp(64, 1, 10), "hidden1", 2)
    assert torch.equal(*large.hidden1.weight)
    trained = kd.train(large, digits(50), steps=20).finish().student
    assert torch.allclose(*trained.hidden1.weight, atol=1e-6)
    noisy = kd.train(wider(mlp(64, 1, 10), "hidden1", 2, noise=0.1), digits(50), steps=20).finish().student
    assert not torch.allclose(*noisy.hidden1.weight, atol=1e-3)


def normed():
    return nn.Sequential(OrderedDict(a=nn.Linear(4, 3), norm=nn.BatchNorm1d(3), b=nn.Linear(3, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wider(mlp(64, 8, 10), "hidden1", 7), "units must be a whole number from 8 up"),
        (lambda: wider(mlp(64, 8, 10), "hidden9", 9), "a layer 'hidden9' is needed"),
        (lambda: wider(mlp(64, 8, 10), "logits", 11), "NoneType comes behind it"),
        (lambda: wider(mlp(64, 8, 10), "activation1", 11), "'activation1' is a ReLU"),
        (lambda: wider(normed(), "a", 5), "BatchNorm1d comes behind it"),
        (lambda: wider(nn.Linear(4, 2), "weight", 5), "an nn.Sequential"),
        (lambda: wider(mlp(64, 8, 10), "hidden1", 9, noise=-1), "noise must be"),
        (lambda: deeper(mlp(64, 8, 10), "hidden1"), "behind a ReLU"),
        (lambda: deeper(nn.Sequential(nn.ReLU(), nn.Linear(2, 2)), "0"), "with a layer before it"),
    ],
)
def test_what_cannot_grow_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
