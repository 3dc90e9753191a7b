"""Attention transfer: both forms against plain numpy, and where they differ."""

import math

import numpy as np
import pytest
import torch

from kdviz.losses.feature import AttentionTransfer, attention_map, attention_transfer
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value


def by_hand(form, power=2.0):
    def attention(maps):
        sums = [
            [sum(abs(float(v)) ** power for v in row) for row in sample.reshape(len(sample), -1).T]
            for sample in maps
        ]
        return [[v / math.sqrt(sum(u * u for u in sample)) for v in sample] for sample in sums]

    def loss(ours, theirs):
        distances = [
            sum((a - b) ** 2 for a, b in zip(x, y, strict=True))
            for x, y in zip(attention(ours), attention(theirs), strict=True)
        ]
        if form == "paper":
            return sum(math.sqrt(d) for d in distances) / len(distances)
        return sum(distances) / len(distances) / (ours.shape[2] * ours.shape[3])

    return loss


@pytest.mark.parametrize("power", [2.0, 1.5, 4.0])
@pytest.mark.parametrize("form", ["paper", "authors"])
def test_forms_equal_their_formulas(form, power, random, agrees):
    student, teacher = random(3, 2, 2, 3, seed=1), random(3, 4, 2, 3, seed=2).numpy()
    agrees(
        lambda ours: attention_transfer(ours, torch.from_numpy(teacher), form, power),
        lambda ours: by_hand(form, power)(ours, teacher),
        student,
    )


def test_worked_on_paper():
    # Active at one place each, and these are not the same: two unit vectors at a right angle.
    student = torch.tensor([[[[3.0, 0.0]]]])
    teacher = torch.tensor([[[[0.0, -1.0]], [[0.0, 2.0]]]])
    assert attention_transfer(student, teacher).item() == pytest.approx(math.sqrt(2))
    assert attention_transfer(student, teacher, "authors").item() == pytest.approx(2 / 2)
    torch.testing.assert_close(attention_map(teacher), torch.tensor([[0.0, 1.0]]))


def test_near_its_minimum_only_the_length_keeps_its_slope(random):
    teacher, nudge = random(3, 2, 2, 2, seed=1), random(3, 2, 2, 2, seed=2)
    slopes = {}
    for form in ("paper", "authors"):
        for distance in (1e-3, 1e-5):
            student = (teacher + distance * nudge).requires_grad_()
            (slope,) = torch.autograd.grad(attention_transfer(student, teacher, form), student)
            slopes[form, distance] = slope.norm()
    assert slopes["paper", 1e-5] / slopes["paper", 1e-3] == pytest.approx(1, rel=0.01)
    assert slopes["authors", 1e-5] / slopes["authors", 1e-3] == pytest.approx(0.01, rel=0.01)


def test_students_of_a_stack_may_have_their_own_powers(random):
    stack, teacher = random(3, 4, 2, 2, 2, seed=1), random(4, 2, 2, 2, seed=2)
    powers = torch.tensor([1.0, 2.0, 3.0])
    alone = [attention_transfer(s, teacher, "paper", float(p)) for s, p in zip(stack, powers, strict=True)]
    traces = Trace(random(3, 4, 10), {"block": stack}), Trace(random(4, 10), {"block": teacher})
    together = each_value(AttentionTransfer("block", power=powers), *traces, None)
    torch.testing.assert_close(together, torch.stack(alone))


def test_other_sizes_name_the_pooling_and_it_helps(random):
    student, teacher = random(3, 2, 4, 4, seed=1), random(3, 2, 2, 2, seed=2)
    with pytest.raises(ValueError, match=r"pool=True.*\(3, 2, 4, 4\).*\(3, 2, 2, 2\)"):
        attention_transfer(student, teacher)
    traces = [Trace(random(3, 10), {"block": maps}) for maps in (student, teacher)]
    means = torch.from_numpy(student.numpy().reshape(3, 2, 2, 2, 2, 2).mean((3, 5)))
    pooled = AttentionTransfer("block", pool=True)(*traces, None)
    torch.testing.assert_close(pooled, attention_transfer(means, teacher))


def test_embeddings_are_refused_by_name(random):
    trace = Trace(random(2, 3, 10), {"block": random(2, 3, 4)})
    with pytest.raises(ValueError, match=r"'block' gives \(2, 3, 4\)"):
        AttentionTransfer("block")(trace, trace, None)


@pytest.mark.parametrize("power", [0.5, math.nan, -1.0])
def test_impossible_powers_are_refused(power, random):
    with pytest.raises(ValueError, match="power must be a finite number from 1 up"):
        attention_transfer(random(2, 2, 2, 2), random(2, 2, 2, 2), "paper", power)


def test_a_map_of_zeros_is_at_length_one_from_any_other(random):
    zeros = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    assert attention_transfer(zeros, random(2, 3, 2, 2)).item() == pytest.approx(1)
    assert attention_transfer(zeros, zeros).item() == 0
    assert np.isfinite(attention_map(zeros).numpy()).all()
