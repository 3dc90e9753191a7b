import copy

import numpy as np
import pytest
import torch
from networks import weights
from torch.nn.functional import cross_entropy

from kdviz import CrossEntropy, SoftTargets, train
from kdviz.datasets import digits
from kdviz.datasets.augmentations import noisy
from kdviz.losses.feature import Hint
from kdviz.losses.response import LogitMatching
from kdviz.models import cost, exits, fused_branches, gated_branches, grouped_branches, mlp
from kdviz.schemes import (
    codistillation,
    collaborative,
    diverse_peers,
    ensemble_logits,
    feature_fusion,
    general_weights,
    mutual,
    native_ensemble,
)
from kdviz.tracing import answer


def peers(count, width=8):
    return [mlp(64, width, 10, seed=seed) for seed in range(count)]


def gradients(model):
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


def divergence(teacher, student, temperature=1):
    """T² KL(teacher ‖ student) at a temperature, written out; the teacher's gradient is not blocked."""
    q, p = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
    return temperature**2 * (q * (q.log() - p.log())).sum(-1).mean()


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
        total = total + cross_entropy(own, data.transfer.labels)
        for other in logits[:k] + logits[k + 1 :]:
            total = total + divergence(other.detach(), own) / 2
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


def test_codistillation_is_taught_by_copies_as_old_as_the_last_exchange(data):
    """The recorded divergence of every step, with the copies of steps 0, 3 and 6 kept by hand."""
    run = codistillation(peers(2), data, exchange=3, batch_size=50, steps=8, record_every=1)
    images = data.transfer.inputs
    for step in range(8):
        live = [peer(images) for peer in run.student]
        if step % 3 == 0:
            stale = copy.deepcopy(run.student)
        expected = [divergence(stale[1 - k](images), live[k]).item() for k in range(2)]
        np.testing.assert_allclose(next(run).losses["soft_targets"], expected, atol=1e-6)
    assert max(expected) > 1e-3


def test_before_the_burn_in_is_over_peers_of_a_codistillation_learn_alone(data):
    objective = CrossEntropy() + SoftTargets(1)
    run = codistillation(peers(2), data, objective, burn_in=10, steps=20, record_every=10)
    first, second = list(run)
    np.testing.assert_allclose(first.losses["soft_targets"], 0, atol=1e-6)
    assert (second.losses["soft_targets"] > 1e-4).all()


def test_peers_of_a_codistillation_draw_batches_of_their_own(data):
    run = codistillation(peers(3), data, 1.0 * CrossEntropy(), steps=20).finish()
    for place, start in enumerate(peers(3)):
        alone = train(start, data, steps=20, seed=data.seed + place).finish()
        assert torch.equal(weights(run.student[place]), weights(alone.student))


def test_ensembles_of_collaborative_learning_worked_by_hand():
    logits = torch.tensor([[[2.0, 1.0, 0.0]], [[1.0, 3.0, -1.0]]])
    labels = torch.tensor([0])
    assert ensemble_logits(logits, labels, "minimum").tolist() == [[0.0, -1.0, -2.0]]
    assert ensemble_logits(logits, labels, "naive").tolist() == [[2.0, 1.0, 0.0]]
    assert ensemble_logits(logits, torch.tensor([1]), "naive").tolist() == [[1.0, 3.0, -1.0]]
    mixed = ensemble_logits(logits, labels, "general", torch.tensor([0.25, 0.75]))
    assert mixed.tolist() == [[1.25, 2.5, -0.75]]


def test_the_linear_ensemble_is_the_best_mixture_there_is():
    random = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(2, 40, 5, generator=random), torch.arange(40) % 5
    logits[0] += torch.nn.functional.one_hot(labels, 5)
    found = cross_entropy(ensemble_logits(logits, labels, "linear"), labels)
    shares = torch.linspace(0, 1, 1001)
    losses = [cross_entropy(share * logits[0] + (1 - share) * logits[1], labels) for share in shares]
    assert 0 < int(torch.stack(losses).argmin()) < 1000
    assert float(found) == pytest.approx(float(min(losses)), abs=1e-5)


def test_the_general_ensemble_has_the_smallest_squared_error_of_all_mixtures(data):
    random = torch.Generator().manual_seed(0)
    labels = data.validation.labels
    truth = torch.nn.functional.one_hot(labels, 10).float()
    logits = [2 * truth + torch.randn(truth.shape, generator=random) * scale for scale in (1, 2, 3)]
    weights = general_weights(logits, data)

    def error(mixture):
        said = sum(w * own.softmax(-1) for w, own in zip(mixture, logits, strict=True))
        return float((said - truth).square().sum(-1).mean())

    assert float(weights.sum()) == pytest.approx(1)
    for step in torch.tensor([[1.0, -1, 0], [0, 1, -1], [-1, 0, 1]]):
        assert error(weights) < min(error(weights + 0.05 * step), error(weights - 0.05 * step))


@pytest.mark.parametrize("form", ["minimum", "naive", "linear", "general"])
def test_collaborative_peers_are_taught_by_their_ensemble(form, data):
    """Without distortion the recorded divergence is that from the ensemble of the live peers."""
    run = collaborative(
        peers(3), data, ensemble=form, augment=noisy(0), batch_size=50, steps=1, learning_rate=1e-9
    )
    images, labels = data.transfer.inputs, data.transfer.labels
    logits = torch.stack([peer(images) for peer in peers(3)]).detach()
    weights = general_weights([answer(peer, data.validation.inputs).logits for peer in peers(3)], data)
    taught = ensemble_logits(logits, labels, form, weights)
    expected = [divergence(taught, own, 2).item() for own in logits]
    np.testing.assert_allclose(next(run).losses["soft_targets"], expected, rtol=1e-4)


def test_collaborative_peers_see_distortions_of_their_own(data):
    seen = []

    def distort(inputs, generator):
        seen.append(torch.rand(1, generator=generator).item())
        return inputs

    collaborative(peers(3), data, augment=distort, steps=2).finish()
    assert len(set(seen)) == len(seen) == 6


def test_collaborative_learning_needs_labels(data):
    with pytest.raises(ValueError, match="transfer='labelled'"):
        collaborative(peers(2), digits(labels=50, transfer="all"))
    with pytest.raises(ValueError, match="'minimum'.*got 'mean'"):
        collaborative(peers(2), data, ensemble="mean")


@pytest.fixture(scope="module")
def plain():
    return mlp(64, 8, 6, 10)


def branches_of(model, inputs):
    """Embeddings and logits of each branch, each taken through the layers one after another."""
    shared = model.trunk(inputs)
    named = [model.get_submodule(name) for name in model.branches]
    embeddings = [branch.embedding(shared) for branch in named]
    return embeddings, [branch.logits(seen) for branch, seen in zip(named, embeddings, strict=True)]


def check_one_step(run, start, total):
    """The run's first step on all the data moved it along the gradient of this total."""
    run.finish()
    total.backward()
    torch.testing.assert_close(gradients(run.student), gradients(start), rtol=1e-4, atol=1e-6)
    assert run.records[-1].total.sum() == pytest.approx(float(total.detach()), rel=1e-4)


def test_a_native_ensemble_is_the_papers_loss(data, plain):
    start = gated_branches(plain, "activation1", 3, data.transfer.inputs[:2])
    run = native_ensemble(start, data, batch_size=50, steps=1)
    inputs, labels = data.transfer.inputs, data.transfer.labels
    _, logits = branches_of(start.train(), inputs)
    ensemble = start(inputs)
    gate = start.gate(start.trunk(inputs))
    torch.testing.assert_close(ensemble, sum(gate[:, k : k + 1] * own for k, own in enumerate(logits)))
    total = cross_entropy(ensemble, labels)
    for own in logits:
        total = total + cross_entropy(own, labels) + divergence(ensemble.detach(), own, 3)
    check_one_step(run, start, total)


def test_feature_fusion_is_the_papers_loss(data, plain):
    start = fused_branches(plain, "activation1", 3, data.transfer.inputs[:2])
    run = feature_fusion(start, data, batch_size=50, steps=1)
    inputs, labels = data.transfer.inputs, data.transfer.labels
    embeddings, logits = branches_of(start, inputs)
    fused = start.fusion(torch.cat(embeddings, -1))
    total = cross_entropy(fused, labels) + divergence(sum(logits).detach() / 3, fused, 3)
    for own in logits:
        total = total + cross_entropy(own, labels) + divergence(fused.detach(), own, 3)
    check_one_step(run, start, total)


def test_diverse_peers_are_the_papers_loss_and_their_attention_learns(data, plain):
    start = grouped_branches(plain, "activation1", 4, data.transfer.inputs[:2])
    run = diverse_peers(start, data, batch_size=50, steps=1)
    inputs, labels = data.transfer.inputs, data.transfer.labels
    embeddings, logits = branches_of(start, inputs)
    said = torch.stack(logits).detach()
    total = cross_entropy(logits[3], labels) + divergence(said[:3].mean(0), logits[3], 3)
    for a in range(3):
        alike = [(start.query(embeddings[a]) * start.key(embeddings[b])).sum(-1) for b in range(3)]
        alpha = torch.stack(alike).softmax(0)
        target = sum(alpha[b].unsqueeze(-1) * said[b] for b in range(3))
        total = total + cross_entropy(logits[a], labels) + divergence(target, logits[a], 3)
    check_one_step(run, start, total)
    assert start.query.weight.grad.abs().sum() > 0


def test_a_branch_alone_is_the_branch_and_costs_no_more_than_the_plain_network(data, plain):
    inputs = data.test.inputs
    start = gated_branches(plain, "activation1", 3, inputs[:2])
    run = native_ensemble(start, data, steps=5).finish()
    alone = run.student.subnetwork("branch2")
    _, logits = branches_of(run.student, inputs)
    assert torch.equal(alone(inputs), logits[1])
    assert cost(alone, inputs) == cost(plain, inputs)
    assert alone[0][1].weight.data_ptr() == run.student.trunk[1].weight.data_ptr()


def test_schemes_with_branches_say_what_network_they_need(data, plain):
    for scheme, maker in ((native_ensemble, "gated"), (feature_fusion, "fused"), (diverse_peers, "grouped")):
        with pytest.raises(TypeError, match=f"{maker}_branches.*got Sequential"):
            scheme(plain, data)
        with pytest.raises(TypeError, match="got Exits"):
            scheme(exits(plain, ["activation1"], data.transfer.inputs[:2]), data)
