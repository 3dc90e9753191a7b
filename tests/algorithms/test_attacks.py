"""Attacks against models whose worst case is known in closed form, and what they must not touch."""

import pytest
import torch
from torch import nn

from kdviz.algorithms.attacks import GOALS, fgsm, gradient, margin, masked, pgd
from kdviz.models import mlp


def linear(classes=2, inputs=6, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(inputs, classes).double()


def samples(count=40, inputs=6, classes=2, seed=1):
    draws = torch.Generator().manual_seed(seed)
    x = torch.randn(count, inputs, dtype=torch.float64, generator=draws)
    return x, torch.randint(classes, (count,), generator=draws)


def test_the_margin_is_the_right_logit_minus_the_largest_other():
    logits = torch.tensor([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
    assert margin(logits, torch.tensor([0, 1, 2])).tolist() == [1.0, -2.0, 0.0]


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_of_two_classes_and_a_linear_model_it_takes_epsilon_times_the_sum_of_the_weights(attack, goal):
    model, (x, y) = linear(), samples()
    moved = attack(model, x, y, 0.3, goal=goal)
    away = 0.3 * (model.weight[0] - model.weight[1]).abs().sum()
    torch.testing.assert_close(margin(model(moved), y), margin(model(x), y) - away)


@pytest.mark.parametrize("goal", GOALS)
def test_one_step_goes_epsilon_along_the_sign_of_the_gradient(goal):
    model, (x, y) = linear(4), samples(classes=4)
    p, one = model(x).softmax(-1), nn.functional.one_hot(y, 4)
    if goal == "cross_entropy":
        along = (p - one) @ model.weight
    else:
        next_best = model(x).masked_fill(one.bool(), -torch.inf).argmax(-1)
        along = model.weight[next_best] - model.weight[y]
    torch.testing.assert_close(gradient(model, x, y, goal), along)
    torch.testing.assert_close(fgsm(model, x, y, 0.2, goal=goal), x + 0.2 * along.sign())


def test_hardly_a_random_point_within_epsilon_is_worse_than_what_many_steps_find():
    model, (x, y) = mlp(6, 8, 3, seed=0).double(), samples(classes=3)
    found = margin(model(pgd(model, x, y, 0.5, steps=40, goal="margin")), y)
    near = x + 0.5 * (2 * torch.rand(500, *x.shape, dtype=torch.float64) - 1)
    worst = margin(model(near.flatten(0, 1)), y.repeat(500)).view(500, -1).amin(0)
    # Not all: a network that is not linear has hills of its own.
    assert (found <= worst + 1e-9).double().mean() > 0.8 and found.mean() < worst.mean()


def test_it_stays_within_epsilon_and_the_bounds_from_any_start():
    model, (x, y) = mlp(6, 8, 3, seed=0).double(), samples(classes=3)
    x = x.clamp(-1, 1)
    for random in (False, True):
        moved = pgd(model, x, y, 0.4, steps=7, step=0.3, bounds=(-1, 1), random=random)
        assert (moved - x).abs().max() <= 0.4 + 1e-12 and moved.abs().max() <= 1
        assert not torch.equal(moved, x) and not moved.requires_grad
    assert torch.equal(pgd(model, x, y, 0.0), x)


def test_nothing_of_the_model_or_the_inputs_changes():
    model, (x, y) = nn.Sequential(nn.Linear(6, 3), nn.Dropout(0.5)).double(), samples(classes=3)
    model.train()
    before, kept = x.clone(), [weights.clone() for weights in model.parameters()]
    first, again = (pgd(model, x, y, 0.1) for _ in range(2))
    assert torch.equal(first, again)  # in eval mode: dropout draws nothing
    assert model.training and torch.equal(x, before)
    assert all(weights.grad is None for weights in model.parameters())
    assert all(torch.equal(old, new) for old, new in zip(kept, model.parameters(), strict=True))


def test_large_logits_leave_no_gradient_of_the_cross_entropy_and_all_of_the_margin():
    model = linear(3).float()
    x, _ = samples(classes=3)
    x = x.float()
    y = model(x).argmax(-1)
    loud = nn.Linear(6, 3)
    loud.load_state_dict({name: 1e4 * part for name, part in model.state_dict().items()})
    sure = margin(model(x), y) > 0.02  # 200 after the scaling: exp(-200) is 0 in single precision
    assert not masked(model, x, y).any() and masked(loud, x, y)[sure].all() and sure.sum() > 20
    assert torch.equal(fgsm(loud, x, y, 0.5)[sure], x[sure])
    same = fgsm(loud, x, y, 0.5, goal="margin"), fgsm(model, x, y, 0.5, goal="margin")
    torch.testing.assert_close(*same)


def test_under_no_grad_it_still_climbs():
    model, (x, y) = linear(), samples()
    with torch.no_grad():
        assert not torch.equal(fgsm(model, x, y, 0.1), x)


@pytest.mark.parametrize(
    ("change", "problem", "said"),
    [
        ({"epsilon": -0.1}, ValueError, "epsilon must be a finite number from 0 up"),
        ({"epsilon": "much"}, TypeError, "epsilon"),
        ({"steps": 0}, ValueError, "steps must be a whole number from 1 up"),
        ({"goal": "loss"}, ValueError, "goal must be one of 'cross_entropy', 'margin'"),
        ({"labels": torch.full((40,), -1)}, ValueError, "the right class of each input"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, ValueError, r"labels of shape \(40,\)"),
        ({"labels": torch.zeros(40)}, ValueError, "torch.float32"),
        ({"inputs": torch.ones(40, 6, dtype=torch.long)}, TypeError, "a tensor of fractions"),
        ({"bounds": (1, -1)}, ValueError, "bounds must be"),
    ],
)
def test_bad_input_is_refused(change, problem, said):
    x, y = samples()
    asked = {"model": linear(), "inputs": x, "labels": y, "epsilon": 0.1} | change
    with pytest.raises(problem, match=said):
        pgd(**asked)
