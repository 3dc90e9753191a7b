"""Variational information: both forms against the Gaussian's density, and a variance that learns."""

import math

import pytest
import torch

from kdviz.losses.feature import VariationalInformation, variational_information
from kdviz.tracing import Trace


def by_hand(form, teacher):
    def loss(predicted, raw):
        total = 0.0
        for n in range(predicted.shape[0]):
            for c in range(predicted.shape[1]):
                variance = math.log(1 + math.exp(raw[c])) + 1e-5
                for mean, target in zip(predicted[n, c].flat, teacher[n, c].flat, strict=True):
                    density = math.exp(-((target - mean) ** 2) / (2 * variance))
                    density /= math.sqrt(2 * math.pi * variance)
                    total -= math.log(density) + 0.5 * math.log(2 * math.pi)
        return total / (len(predicted) if form == "paper" else predicted.size)

    return loss


@pytest.mark.parametrize("form", ["paper", "repdistiller"])
@pytest.mark.parametrize("places", [(), (1, 2)])
def test_forms_equal_their_formulas(form, places, random, agrees):
    predicted, teacher = random(2, 3, *places, seed=1), random(2, 3, *places, seed=2)
    agrees(
        lambda mean, raw: variational_information(mean, teacher, raw, form),
        by_hand(form, teacher.reshape(2, 3, -1).numpy()),
        predicted,
        random(3, seed=3),
    )


def traces(random, shape=(8, 3, 2, 2), channels=4):
    student = Trace(random(8, 10), {"block": random(*shape, seed=1)})
    teacher = Trace(random(8, 10), {"block": random(8, channels, *shape[2:], seed=2)})
    return student, teacher


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 2, 2)])
def test_the_variance_learns_the_mean_squared_error(shape, random):
    student, teacher = traces(random, shape)
    scale = torch.tensor([0.1, 0.5, 1.0, 2.0]).double()
    teacher.features["block"] *= scale[(..., *[None] * (len(shape) - 2))]
    loss = VariationalInformation("block")
    learned = loss.initial(student, teacher)
    variance = torch.nn.functional.softplus(learned["raw_variance"]) + 1e-5
    torch.testing.assert_close(variance, torch.full_like(variance, 5.0))
    learned = {name: part.requires_grad_() for name, part in learned.items()}
    optimiser = torch.optim.Adam(learned.values(), lr=0.05)
    for _ in range(300):
        optimiser.zero_grad()
        loss(student, teacher, None, learned).backward()
        optimiser.step()
    variance = torch.nn.functional.softplus(learned["raw_variance"]).detach()
    assert variance[0] < 0.1 and (variance[3] > variance[0])


def test_for_given_predictions_the_best_variance_is_the_mean_squared_error(random):
    predicted, teacher = random(50, 1, seed=1), random(50, 1, seed=2)
    error = (predicted - teacher).square().mean()
    raw = torch.log(torch.expm1(error - 1e-5)).reshape(1).requires_grad_()
    (slope,) = torch.autograd.grad(variational_information(predicted, teacher, raw), raw)
    assert abs(slope.item()) < 1e-12


def test_one_variance_a_channel(random):
    with pytest.raises(ValueError, match=r"there are 2 for features of shape \(4, 3\)"):
        variational_information(random(4, 3), random(4, 3), random(2))


def test_unequal_maps_name_the_pooling_and_it_helps(random):
    student, teacher = traces(random)
    student.features["block"] = random(8, 3, 4, 4)
    loss = VariationalInformation("block")
    learned = loss.initial(student, teacher)
    with pytest.raises(ValueError, match="pool=True"):
        loss(student, teacher, None, learned)
    pooled = VariationalInformation("block", pool=True)
    assert torch.isfinite(pooled(student, teacher, None, learned))


@pytest.mark.parametrize("variance", [0.0, -1.0, math.nan])
def test_impossible_variances_are_refused(variance):
    with pytest.raises(ValueError, match="variance must be a finite number above 0"):
        VariationalInformation("block", variance=variance)
