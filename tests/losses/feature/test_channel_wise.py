"""Channel-wise distillation and Pearson correlation: each form against plain numpy."""

import math

import numpy as np
import pytest
import torch

from kdviz.losses.feature import ChannelWise, channel_wise, pearson
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value


def softmax(values):
    powers = [math.exp(v - max(values)) for v in values]
    return [p / sum(powers) for p in powers]


def channel_wise_by_hand(ours, theirs, temperature):
    total, (samples, channels) = 0.0, ours.shape[:2]
    for n in range(samples):
        for c in range(channels):
            p = softmax([v / temperature for v in ours[n, c].flat])
            q = softmax([v / temperature for v in theirs[n, c].flat])
            total += sum(b * math.log(b / a) for a, b in zip(p, q, strict=True))
    return temperature**2 * total / (samples * channels)


def pearson_by_hand(ours, theirs, form):
    channels = ours.shape[1]
    total = 0.0
    for c in range(channels):
        x, y = ours[:, c].ravel(), theirs[:, c].ravel()
        if form == "paper":
            total += 1 - np.corrcoef(x, y)[0, 1]
        else:
            x, y = ((v - v.mean()) / (v.std(ddof=1) + 1e-6) for v in (x, y))
            total += ((x - y) ** 2).mean() / 2
    return total / channels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_channel_wise_equals_the_formula(temperature, random, agrees):
    student, teacher = random(2, 3, 2, 2, seed=1), random(2, 3, 2, 2, seed=2)
    agrees(
        lambda ours: channel_wise(ours, teacher, temperature),
        lambda ours: channel_wise_by_hand(ours, teacher.numpy(), temperature),
        student,
    )


def test_hot_channels_are_compared_by_their_squared_difference(random):
    student, teacher = random(2, 3, 4, 4, seed=1), random(2, 3, 4, 4, seed=2)
    difference = (student - teacher).flatten(2)
    centred = difference - difference.mean(2, keepdim=True)
    limit = centred.square().sum(2).mean() / (2 * 16)
    distances = [abs(channel_wise(student, teacher, t) - limit) for t in (10.0, 100.0, 1000.0)]
    assert distances[0] > distances[1] > distances[2] and distances[2] < 0.01 * limit


def test_students_of_a_stack_may_have_their_own_temperatures(random):
    stack, teacher = random(3, 4, 2, 2, 2, seed=1), random(4, 2, 2, 2, seed=2)
    temperatures = torch.tensor([1.0, 2.0, 8.0])
    alone = [channel_wise(s, teacher, float(t)) for s, t in zip(stack, temperatures, strict=True)]
    traces = Trace(random(3, 4, 10), {"block": stack}), Trace(random(4, 10), {"block": teacher})
    together = each_value(ChannelWise("block", temperature=temperatures), *traces, None)
    torch.testing.assert_close(together, torch.stack(alone))


@pytest.mark.parametrize("temperature", [0, -1.0, math.inf])
def test_impossible_temperatures_are_refused(temperature, random):
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        channel_wise(random(2, 2, 2, 2), random(2, 2, 2, 2), temperature)


@pytest.mark.parametrize("form", ["paper", "mmrazor"])
def test_pearson_equals_the_formula(form, random, agrees):
    student, teacher = random(2, 3, 2, 2, seed=1), random(2, 3, 2, 2, seed=2)
    agrees(
        lambda ours: pearson(ours, teacher, form),
        lambda ours: pearson_by_hand(ours, teacher.numpy(), form),
        student,
    )


def test_opposite_channels_are_the_farthest(random):
    maps = random(3, 2, 2, 2)
    assert pearson(-maps, maps).item() == pytest.approx(2)


@pytest.mark.parametrize("level", [0.0, 0.1, 1e4])
def test_a_constant_channel_has_no_pattern(level, random):
    student = torch.full((2, 2, 3, 3), level)
    teacher = random(2, 2, 3, 3).float()
    student.requires_grad_()
    value = pearson(student, teacher)
    value.backward()
    assert value.item() == pytest.approx(0.5)
    assert torch.equal(student.grad, torch.zeros_like(student))
    assert pearson(student, student.detach()).item() == 0


def test_one_value_a_channel_is_refused(random):
    with pytest.raises(ValueError, match=r"at least two values.*\(1, 3, 1, 1\)"):
        pearson(random(1, 3, 1, 1), random(1, 3, 1, 1))


def test_other_channels_name_the_adapter(random):
    for loss in (channel_wise, pearson):
        with pytest.raises(ValueError, match=r'adapter="convolution".*\(2, 3, 2, 2\).*\(2, 4, 2, 2\)'):
            loss(random(2, 3, 2, 2), random(2, 4, 2, 2))
