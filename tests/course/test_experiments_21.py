"""The arms and controls of page 21 are what they are called."""

import pytest
import torch
from torch import nn

from kdviz.course.experiments import n21_learn_on_and_forget as experiments
from kdviz.datasets import digits
from kdviz.datasets.dataset import Samples
from kdviz.models import mlp


class Says(nn.Module):
    """A network that has its inputs as logits."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        return self.scale * inputs


def test_the_own_head_answers_among_its_own_and_all_among_all():
    said = torch.zeros(3, 10)
    said[0, [2, 7]] = torch.tensor([1.0, 2.0])  # an old digit, drowned by a new one
    said[1, [3, 6]] = torch.tensor([2.0, 1.0])  # an old digit that is not the one it should be
    said[2, [1, 9]] = torch.tensor([1.0, 2.0])
    samples = Samples(said, torch.tensor([2, 4, 9]), torch.arange(3))
    own, every = (experiments.asked(Says(), samples, heads) for heads in experiments.HEADS)
    assert own == {"old_accuracy": 50, "new_accuracy": 100, "accuracy": pytest.approx(200 / 3)}
    assert every == {"old_accuracy": 0, "new_accuracy": 100, "accuracy": pytest.approx(100 / 3)}


@pytest.fixture(scope="module")
def seeds():
    data = [digits(seed=seed) for seed in range(2)]
    before = experiments.yesterdays(data, steps=20)
    return data, before, experiments.tasks(data, experiments.NEW)


def test_the_shuffled_teacher_says_the_same_of_other_images(seeds):
    _, before, today = seeds
    answers = experiments.answers(before, today)
    for said, right in zip(experiments.exchanged(answers, today), answers, strict=True):
        assert not torch.equal(said, right)
        assert torch.equal(said.sort(0).values, right.sort(0).values)


def test_only_the_head_of_today_learns_and_yesterday_is_left_alone(seeds):
    _, before, today = seeds
    held = before[0].hidden1.weight.clone()
    learned = experiments.only_the_head(before, today, steps=5)[0]
    assert torch.equal(learned.hidden1.weight, held) and torch.equal(before[0].hidden1.weight, held)
    assert torch.equal(learned.logits.weight[:5], before[0].logits.weight[:5])
    assert not torch.equal(learned.logits.weight[5:], before[0].logits.weight[5:])
    assert all(weights.requires_grad for weights in before[0].parameters())


def test_the_padded_network_holds_the_small_one_and_answers_otherwise(seeds):
    data, _, _ = seeds
    small, large = mlp(64, 4, 10, seed=3), mlp(64, experiments.LARGE, 10, seed=4)
    padded = experiments.padded(small, large)
    assert torch.equal(padded.hidden1.weight[:4], small.hidden1.weight)
    assert torch.equal(padded.hidden1.weight[4:], large.hidden1.weight[4:])
    assert torch.equal(padded.logits.weight[:, :4], small.logits.weight)
    inputs = data[0].test.inputs
    assert (padded(inputs) - small(inputs)).detach().abs().max() > 0.1
    assert torch.equal(large.hidden1.weight, mlp(64, experiments.LARGE, 10, seed=4).hidden1.weight)


def test_what_is_drawn_begins_with_yesterdays_network(seeds):
    found = experiments.while_it_learns([1, 3], 3.0, seeds=range(2))
    assert {heads: points.shape for heads, points in found.items()} == {"own": (3, 2, 2), "all": (3, 2, 2)}
    data = [digits(seed=seed) for seed in range(2)]
    told = experiments.asked(experiments.yesterdays(data)[1], data[1].test, "own")
    assert found["own"][0, 1].tolist() == pytest.approx(
        [told["old_accuracy"] / 100, told["new_accuracy"] / 100]
    )
