import numpy as np
import pytest
import torch

from kdviz import CrossEntropy, SoftTargets, train
from kdviz.datasets import digits
from kdviz.knowledge.feature import Hint
from kdviz.knowledge.response import LogitMatching
from kdviz.models import mlp
from kdviz.schemes.online import mutual


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")


def peers(count, width=8):
    return [mlp(64, width, 10, seed=seed) for seed in range(count)]


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def gradients(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def test_mutual_learning_at_weight_zero_is_two_independent_runs_bit_for_bit(data):
    both = mutual(peers(2), data, 1.0 * CrossEntropy() + 0.0 * SoftTargets(1), steps=60).finish()
    for place, start in enumerate(peers(2)):
        alone = train(start, data, steps=60).finish()
        assert torch.equal(weights(both.student[place]), weights(alone.student))
        assert both.records[-1].measures[f"accuracy_{place}"] == alone.records[-1].measures["accuracy"]


def test_mutual_learning_moves_each_peer_by_the_gradient_of_the_papers_loss(data):
    """Equation 8 written out for three peers, for one step on all the data."""
    start = peers(3)
    run = mutual(start, data, steps=1, batch_size=50).finish()
    logits = [peer(data.transfer.inputs) for peer in start]
    total = 0
    for k, own in enumerate(logits):
        total = total + torch.nn.functional.cross_entropy(own, data.transfer.labels)
        for other in logits[:k] + logits[k + 1 :]:
            p = other.softmax(-1).detach()
            total = total + (p * (p.log() - own.log_softmax(-1))).sum(-1).mean() / 2
    total.backward()
    for peer, expected in zip(run.student, start, strict=True):
        torch.testing.assert_close(gradients(peer), gradients(expected))
    assert run.records[-1].total.sum() == pytest.approx(float(total.detach()), rel=1e-5)


def test_peers_come_to_agree_more_than_they_would_alone(data):
    together = mutual(peers(3), data, steps=100).finish().records[-1]
    apart = mutual(peers(3), data, CrossEntropy(), steps=100).finish().records[-1]
    assert together.measures["agreement"] > apart.measures["agreement"]


def test_each_peer_has_a_record_of_its_own(data):
    record = next(mutual(peers(3), data, steps=4, record_every=2))
    assert record.total.shape == record.losses["soft_targets"].shape == (3,)
    assert len(np.unique(record.losses["cross_entropy"])) == 3


def test_peers_of_unequal_width_learn_from_logits_but_not_from_layers(data):
    unequal = [mlp(64, 8, 10), mlp(64, 4, 10)]
    mutual(unequal, data, steps=2).finish()
    with pytest.raises(ValueError, match="hidden1 of one shape.*8.*read"):
        mutual(unequal, data, CrossEntropy() + Hint("hidden1"), steps=2).finish()


def test_what_a_loss_learns_is_each_peers_own(data):
    objective = CrossEntropy() + Hint("hidden1", adapter="linear")
    run = mutual(peers(3), data, objective, steps=3).finish()
    regressors = run.learned["hint"]["weight"]
    assert regressors.shape == (3, 1, 8, 8)
    assert not torch.equal(regressors[0], regressors[1])


def test_a_term_without_a_teacher_and_one_with_several_are_weighted_alike(data):
    """The mean over teachers must not count the labels once for each teacher."""
    one = next(mutual(peers(2), data, CrossEntropy() + 0.0 * LogitMatching(), steps=1))
    three = next(mutual(peers(4), data, CrossEntropy() + 0.0 * LogitMatching(), steps=1))
    np.testing.assert_allclose(one.total, three.total[:2], rtol=1e-6)


def test_peers_that_could_not_differ_are_refused(data):
    with pytest.raises(ValueError, match="same weights.*seed"):
        mutual([mlp(64, 8, 10), mlp(64, 8, 10)], data)
    with pytest.raises(ValueError, match="two or more; got 1"):
        mutual(peers(1), data)
