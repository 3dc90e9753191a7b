"""Neuron selectivity: every kernel against its double sum over channels."""

import math

import numpy as np
import pytest
import torch

from kdviz.losses.feature import neuron_selectivity


def by_hand(kernel, spreads=None):
    """The double sums. ``spreads`` are the Gaussian's, which the gradient takes as constants."""

    def loss(ours, theirs):
        total = 0.0
        for number, (x, y) in enumerate(zip(ours, theirs, strict=True)):
            x, y = normalised(x), normalised(y)
            spread = None if spreads is None else spreads[number]
            total += mean(kernel, x, x, spread) + mean(kernel, y, y, spread) - 2 * mean(kernel, x, y, spread)
        return total / len(ours)

    return loss


def normalised(sample):
    rows = sample.reshape(len(sample), -1)
    return [row / math.sqrt(sum(v * v for v in row)) for row in rows]


def mean(kernel, x, y, spread):
    return sum(kernel(a, b, spread) for a in x for b in y) / (len(x) * len(y))


KERNELS = {
    "polynomial": lambda a, b, _: float(a @ b) ** 2,
    "linear": lambda a, b, _: float(a @ b),
    "gaussian": lambda a, b, spread: math.exp(-float((a - b) @ (a - b)) / (2 * spread)),
}


# More channels than places, and more places than channels: the polynomial has a way for each.
@pytest.mark.parametrize("shapes", [((2, 5, 1, 2), (2, 4, 1, 2)), ((2, 2, 2, 3), (2, 3, 2, 3))], ids=str)
@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_equal_their_double_sums(kernel, shapes, random, agrees):
    student, teacher = random(*shapes[0], seed=1), random(*shapes[1], seed=2)
    spreads = [
        mean(lambda a, b, _: float((a - b) @ (a - b)), normalised(x), normalised(y), None)
        for x, y in zip(student.numpy(), teacher.numpy(), strict=True)
    ]
    agrees(
        lambda ours: neuron_selectivity(ours, teacher, kernel),
        lambda ours: by_hand(KERNELS[kernel], spreads)(ours, teacher.numpy()),
        student,
    )


def test_both_ways_of_the_polynomial_are_one(random):
    # The same channels given twice over change nothing, but cross over to the way by places.
    student, teacher = random(2, 3, 2, 2, seed=1), random(2, 4, 2, 2, seed=2)
    by_channels = neuron_selectivity(student, teacher)
    by_places = neuron_selectivity(student.repeat(1, 2, 1, 1), teacher.repeat(1, 2, 1, 1))
    torch.testing.assert_close(by_channels, by_places)


def test_linear_compares_the_mean_patterns(random):
    student, teacher = random(3, 4, 2, 2, seed=1), random(3, 2, 2, 2, seed=2)
    means = [torch.nn.functional.normalize(maps.flatten(2), dim=2).mean(1) for maps in (student, teacher)]
    expected = (means[0] - means[1]).square().sum(1).mean()
    torch.testing.assert_close(neuron_selectivity(student, teacher, "linear"), expected)


def test_the_sign_of_a_channel_counts_for_all_but_the_polynomial(random):
    student, teacher = random(2, 3, 2, 2, seed=1), random(2, 3, 2, 2, seed=2)
    turned = student * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    values = {k: [float(neuron_selectivity(s, teacher, k)) for s in (student, turned)] for k in KERNELS}
    assert values["polynomial"][0] == pytest.approx(values["polynomial"][1])
    assert values["linear"][0] != pytest.approx(values["linear"][1])
    assert values["gaussian"][0] != pytest.approx(values["gaussian"][1])


@pytest.mark.parametrize("kernel", KERNELS)
def test_dead_channels_have_finite_values_and_gradients(kernel, random):
    student, teacher = random(2, 3, 2, 2, seed=1), random(2, 3, 2, 2, seed=2)
    student[:, 1] = 0
    teacher[0] = 0
    student.requires_grad_()
    value = neuron_selectivity(student, teacher, kernel)
    value.backward()
    assert torch.isfinite(value) and np.isfinite(student.grad.numpy()).all()
    assert student.grad.abs().max() < 10


def test_no_tensor_of_all_pairs_and_places_is_kept(random):
    # Published code keeps N × C × C × HW numbers; 512 channels would make that 8 billion bytes.
    student = random(2, 512, 8, 8, seed=1).float().requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
        neuron_selectivity(student, random(2, 512, 8, 8, seed=2).float())
    assert max(kept) <= student.numel()


def test_an_unknown_kernel_names_the_kernels(random):
    with pytest.raises(ValueError, match="kernel must be one of 'polynomial', 'linear', 'gaussian'"):
        neuron_selectivity(random(2, 2, 2, 2), random(2, 2, 2, 2), "cosine")
