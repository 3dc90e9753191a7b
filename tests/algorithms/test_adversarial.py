"""Discriminators and what they teach against their definitions: who moves, and who does not."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import kdviz as kd
from kdviz.algorithms.adversarial import (
    AdversarialLoss,
    adversarial_distillation,
    adversarial_peers,
    discriminator,
    distilled_gan,
    gan,
)
from kdviz.datasets import digits
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models import mlp
from kdviz.schemes import distill_stack
from kdviz.tracing import Trace, answer
from kdviz.training.stacked import StackedModel


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def begun(loss, student, teacher):
    """A discriminator as it begins, ready to learn."""
    torch.manual_seed(0)
    learned = loss.initial(Trace(student), Trace(teacher))
    return {name: part.requires_grad_() for name, part in learned.items()}


# --- a discriminator as a loss


@pytest.mark.parametrize("form", ["log", "squares"])
def test_the_value_is_the_sum_of_what_both_learn(form):
    loss, z, t = AdversarialLoss(width=5, form=form), drawn(7, 4), drawn(6, 4, seed=1)
    learned = begun(loss, z, t)
    dz, dt = discriminator(learned, z), discriminator(learned, t)
    if form == "log":
        expected = softplus(-dt).mean() + softplus(dz).mean() + softplus(-dz).mean()
    else:
        expected = (1 - dt).square().mean() + dz.square().mean() + (1 - dz).square().mean()
    torch.testing.assert_close(loss(Trace(z), Trace(t), learned=learned), expected)


@pytest.mark.parametrize("form", ["log", "squares"])
def test_each_gets_the_gradient_of_its_own_part_only(form):
    loss, z, t = AdversarialLoss(width=5, form=form), drawn(7, 4).requires_grad_(), drawn(7, 4, seed=1)
    t.requires_grad_()
    learned = begun(loss, z, t)
    loss(Trace(z), Trace(t), learned=learned).backward()
    assert t.grad is None
    dz, dt = discriminator(learned, z), discriminator(learned, t)
    if form == "log":
        fools, tells = softplus(-dz).mean(), softplus(-dt).mean() + softplus(dz).mean()
    else:
        fools, tells = (1 - dz).square().mean(), (1 - dt).square().mean() + dz.square().mean()
    torch.testing.assert_close(z.grad, torch.autograd.grad(fools, z, retain_graph=True)[0])
    own = torch.autograd.grad(tells, list(learned.values()))
    for part, gradient in zip(learned.values(), own, strict=True):
        torch.testing.assert_close(part.grad, gradient)


def test_a_discriminator_that_knows_nothing_costs_three_times_log_two():
    loss, z, t = AdversarialLoss(width=5), drawn(7, 4), drawn(7, 4, seed=1)
    nothing = {name: torch.zeros_like(part) for name, part in begun(loss, z, t).items()}
    assert float(loss(Trace(z), Trace(t), learned=nothing)) == pytest.approx(3 * math.log(2))


def test_it_sees_the_crowd_and_not_the_pairs():
    loss, z, t = AdversarialLoss(width=5), drawn(7, 4), drawn(7, 4, seed=1)
    learned, order = begun(loss, z, t), torch.randperm(7)
    values = [loss(Trace(z), Trace(theirs), learned=learned) for theirs in (t, t[order])]
    torch.testing.assert_close(*values)
    soft = [SoftTargets(4.0)(z, theirs) for theirs in (t, t[order])]
    assert abs(float(soft[0] - soft[1])) > 1e-3


@pytest.mark.parametrize("wrong", [{"form": "hinge"}, {"width": 0}, {"width": 2.5}])
def test_settings_that_it_does_not_know_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        AdversarialLoss(**wrong)


def test_in_a_stack_each_fools_a_discriminator_of_its_own():
    data = [digits(50, seed=seed) for seed in (0, 0)]
    said = answer(mlp(64, 8, 10, seed=9), data[0].transfer.inputs).logits
    starts, loss = [mlp(64, 8, 10, seed=seed) for seed in (5, 6)], AdversarialLoss(width=4)
    stack = distill_stack([said, said], StackedModel(starts), data, loss, steps=10).finish()
    for row, start in enumerate(starts):
        alone = kd.distill(said, start, data[row], loss, steps=10).finish()
        torch.testing.assert_close(
            stack.student.student(row, 0).hidden1.weight, alone.student.hidden1.weight, atol=2e-4, rtol=0
        )
        ours = stack.learned["adversarial"]["weight0"][row, 0]
        torch.testing.assert_close(ours, alone.learned["adversarial"]["weight0"], atol=2e-4, rtol=0)


def test_a_run_with_a_discriminator_is_saved_and_goes_on(tmp_path):
    data, teacher = digits(50), mlp(64, 8, 10, seed=9)

    def run():
        return adversarial_distillation(teacher, mlp(64, 8, 10, seed=7), data, CrossEntropy(), steps=20)

    left = run()
    next(left)
    left.save(tmp_path)
    ended = kd.load_run(tmp_path, run()).finish()
    assert torch.equal(ended.student.hidden1.weight, run().finish().student.hidden1.weight)
    assert list(ended.records[-1].losses) == ["cross_entropy", "adversarial"]


# --- peers


def test_without_weight_adversarial_peers_are_mutual_learning():
    data, peers = digits(50), [mlp(64, 8, 10, seed=seed) for seed in (1, 2)]
    ours = adversarial_peers(peers, data, "hidden1", weight=0.0, steps=5).finish().student
    plain = kd.schemes.mutual(peers, data, steps=5).finish().student
    assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), plain.parameters(), strict=True))
    moved = adversarial_peers(peers, data, "hidden1", steps=5).finish().student
    assert not any(torch.equal(a[1].weight, b[1].weight) for a, b in zip(moved, plain, strict=True))


def test_each_peer_has_a_discriminator_that_takes_the_others_features_for_the_real_ones():
    data, peers = digits(50), [mlp(64, 8, 10, seed=seed) for seed in (1, 2)]
    # Adam's steps do not shrink with the weight: the discriminators learn, and the peers hardly hide.
    run = adversarial_peers(peers, data, "hidden1", weight=1e-3, steps=100).finish()
    learned = run.learned["adversarial"]
    assert learned["weight0"].shape[:2] == (2, 1)
    seen = [answer(peer, data.test.inputs, ["hidden1"]).features["hidden1"] for peer in run.student]
    for k in range(2):
        own = {name: part[k, 0].detach() for name, part in learned.items()}
        says = [float(discriminator(own, features).mean()) for features in seen]
        assert says[1 - k] > says[k]


# --- generators


def points(count):
    """Two dots, at (2, 0) and (2, 1)."""
    return torch.stack([torch.full((count,), 2.0), torch.randint(2, (count,)).float()], -1)


def test_a_generator_comes_to_where_the_points_are_and_nothing_else_moves():
    torch.manual_seed(0)
    start = nn.Linear(2, 2)
    kept = start.weight.clone()

    def adam(parameters):
        return torch.optim.Adam(parameters, lr=1e-2, betas=(0.5, 0.9))

    made = gan(start, points, steps=300, optimizer=adam).finish().student
    centre = answer(made, torch.randn(500, 2)).logits.mean(0)
    before = answer(start, torch.randn(500, 2)).logits.mean(0)
    goal = torch.tensor([2.0, 0.5])
    assert (centre - goal).norm() < 0.6 * (before - goal).norm() and torch.equal(start.weight, kept)


def test_a_distilled_generator_makes_of_each_noise_what_its_teacher_makes():
    torch.manual_seed(0)
    teacher, student = nn.Linear(2, 3), nn.Linear(2, 3)
    run = distilled_gan(teacher, student, steps=300, learning_rate=3e-2).finish()
    noise = torch.randn(50, 2)
    torch.testing.assert_close(run.student(noise), teacher(noise), atol=0.02, rtol=0)
    assert list(run.records[-1].losses) == ["logit_matching"] and teacher.weight.grad is None


def test_a_generators_run_that_was_left_goes_on_as_if_it_had_not_been(tmp_path):
    def run():
        return distilled_gan(mlp(2, 4, 2, seed=0)[1:], mlp(2, 4, 2, seed=1)[1:], steps=20)

    left = run()
    next(left)
    torch.rand(3)
    left.save(tmp_path)
    whole, later = run().finish().student, kd.load_run(tmp_path, run()).finish().student
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), later.parameters(), strict=True))


def test_what_is_no_source_of_points_is_refused():
    with pytest.raises(TypeError, match="draw must be a function"):
        gan(nn.Linear(2, 2), torch.zeros(5, 2))
    with pytest.raises(ValueError, match="noise must be"):
        gan(nn.Linear(2, 2), points, noise=0)
    with pytest.raises(TypeError, match="the teacher"):
        distilled_gan(points, nn.Linear(2, 2))
