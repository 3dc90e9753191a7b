"""Federated learning against its algorithms: what is averaged, who learns from what, and what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.algorithms.federated import (
    bytes_of_answers,
    bytes_of_weights,
    federated_averaging,
    federated_distillation,
    mean_of_weights,
)
from kdviz.datasets import digits
from kdviz.models import mlp


def clients():
    """Two with 30 and with 70 labels, and the public images that are nobody's."""
    data = digits()
    return [
        replace(data, labelled=data.train[rows], transfer=data.train[1000:])
        for rows in (slice(0, 30), slice(30, 100))
    ]


def test_a_round_of_fedavg_is_the_weighted_mean_of_what_each_learned_alone():
    start, own = mlp(64, 8, 10), clients()
    stages = federated_averaging(start, own, 2, steps=3)
    next(stages), stages.runs[0].finish()
    first = [network.hidden1.weight.clone() for network in stages.runs[0].student]
    assert not torch.equal(*first)
    stages.go_on()
    begun = stages.runs[1].student
    mean = (30 * first[0] + 70 * first[1]) / 100
    assert all(torch.allclose(network.hidden1.weight, mean, atol=1e-6) for network in begun)
    assert stages.finish().step == 6 and torch.equal(start.hidden1.weight, mlp(64, 8, 10).hidden1.weight)


def test_each_client_learns_as_it_would_alone_from_its_own_labels_only():
    start, own = mlp(64, 8, 10), clients()
    together = federated_averaging(start, own, 1, steps=5, batch_size=30).finish().student
    # Thirty labels are one batch, in whatever order.
    alone = kd.train(start, own[0], steps=5, batch_size=30).finish().student
    assert torch.allclose(together[0].hidden1.weight, alone.hidden1.weight, atol=1e-5)


def test_fedmd_digests_the_mean_answer_and_networks_may_differ():
    starts, own = [mlp(64, 8, 10), mlp(64, 12, 6, 10, seed=1)], clients()
    stages = federated_distillation(starts, own, own[0], 1, steps=4)
    stages.runs[0].finish()
    stages.go_on()
    public = own[0].transfer
    said = torch.stack([kd.tracing.answer(one, public.inputs).logits for one in stages.runs[0].student])
    lesson = stages.runs[1].lesson
    group, taught, _ = lesson(stages.runs[1].student, 0)
    assert group.logits.shape[:2] == (2, 1)
    assert torch.allclose(lesson.consensus, said.mean(0), atol=1e-6)
    assert len(taught.logits) == 64 and not taught.logits.requires_grad
    assert stages.finish().step == 12 and [len(list(one)) for one in starts] == [4, 6]


def test_no_label_of_a_public_image_is_used():
    starts, own = [mlp(64, 8, 10), mlp(64, 12, 10, seed=1)], clients()

    def ended(labels):
        public = replace(own[0], transfer=own[0].transfer.with_labels(labels))
        stages = federated_distillation(starts, own, public, 1, steps=3).finish()
        return stages.student[0].hidden1.weight

    labels = own[0].transfer.labels
    assert torch.equal(ended(labels), ended(0 * labels))


def test_networks_of_unlike_shape_have_no_mean():
    with pytest.raises(ValueError, match="one architecture"):
        mean_of_weights([mlp(64, 8, 10), mlp(64, 9, 10)])
    with pytest.raises(ValueError, match="counts must be"):
        mean_of_weights([mlp(64, 8, 10), mlp(64, 8, 10)], [1])


def test_what_travels_is_counted():
    assert bytes_of_weights(nn.Linear(3, 2), rounds=5) == 2 * 5 * 4 * 8
    assert bytes_of_answers(images=200, classes=10, rounds=3) == 2 * 3 * 200 * 10 * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda own: federated_averaging(mlp(64, 8, 10), own[:1], 2), "two or more"),
        (lambda own: federated_distillation([mlp(64, 8, 10)], own, own[0], 1), "got 1 networks"),
        (lambda own: federated_distillation([mlp(64, 8, 10)] * 2, own, own[0], 0), "rounds must be"),
    ],
)
def test_a_federation_of_the_wrong_size_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(clients())
