"""The exercises of notebooks 07 and 08: the solutions against the library, and answers of other kinds."""

import numpy as np
import pytest
import torch
from exercise_answers import solve

from kdviz.course.exercises.draws import logits
from kdviz.losses.response import permute_dark_knowledge
from kdviz.models import mlp
from kdviz.schemes import mutual


def test_the_loss_of_a_peer_is_that_of_mutual_learning(digits):
    """Recorded by kdviz at the first step, and worked out by the solution on the same batch."""
    peers = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    run = mutual(peers, digits, steps=1, batch_size=len(digits.transfer)).finish()
    with torch.no_grad():
        logits = torch.stack([peer(digits.transfer.inputs) for peer in peers])
    found = [float(solve("8.1")(logits, digits.transfer.labels, own)) for own in range(3)]
    np.testing.assert_allclose(run.records[0].total.flatten(), found, rtol=1e-5)


@pytest.fixture
def digits():
    from kdviz.datasets import digits

    return digits(labels=40, transfer="labelled")


def test_the_least_agreement_is_reached_and_never_passed_below():
    """All ways for two networks to be right or wrong on ten images, wrong in different ways."""
    for right, also in ((9, 8), (3, 4), (10, 10)):
        first, second = np.arange(10) < right, np.arange(10) >= 10 - also
        expected = solve("8.3")(right / 10, also / 10)
        assert (first & second).mean() == pytest.approx(expected)
        for shift in range(10):
            assert (np.roll(first, shift) & second).mean() >= expected - 1e-9


def test_reheated_probabilities_are_those_of_the_logits():
    dark = permute_dark_knowledge(logits(5, 10, seed=1), torch.zeros(5, dtype=torch.long))
    found = solve("7.2")(dark.softmax(-1), 8.0)
    assert torch.allclose(found, (dark / 8).softmax(-1).amax(-1).mean())
