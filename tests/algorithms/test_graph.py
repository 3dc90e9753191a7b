"""Graph distillation against its formula: who listens to whom, which way the edges move, what is refused."""

from dataclasses import replace

import pytest
import torch

import kdviz as kd
from kdviz.algorithms.graph import graph_distillation
from kdviz.datasets import digits
from kdviz.models import Reads, mlp
from kdviz.tracing import answer

NETWORKS = [mlp(64, 8, 10, seed=seed) for seed in range(3)]


def test_the_loss_of_each_is_its_labels_and_the_weighted_imitation_of_the_others():
    prior = torch.tensor([[0, 0.25, 0.75], [1, 0, 0], [0.5, 0.5, 0]])
    run = graph_distillation(NETWORKS, digits(50), prior=prior, steps=1, batch_size=1200, trust=0.4)
    edges = 0.4 * prior + 0.6 * (1 - torch.eye(3)) / 2
    assert torch.allclose(run.lesson.edges(), edges)
    samples = run.lesson.samples
    said = [answer(one, samples.inputs).logits.double() for one in NETWORKS]
    known = samples.labels >= 0
    expected = 0.0
    for k, own in enumerate(said):
        expected += float(torch.nn.functional.cross_entropy(own[known], samples.labels[known]))
        for j, other in enumerate(said):
            pull = (other.softmax(-1) * (other.log_softmax(-1) - own.log_softmax(-1))).sum(-1).mean()
            expected += float(edges[k, j] * pull)
    record = next(run)
    assert float(sum(record.total)) == pytest.approx(expected, rel=1e-4)


def test_the_edges_move_to_the_one_who_is_easiest_to_imitate():
    near, far = mlp(64, 8, 10, seed=0), mlp(64, 8, 10, seed=5)
    with torch.no_grad():
        near.logits.bias.add_(0.01)
        far.logits.weight.mul_(20)
    run = graph_distillation([NETWORKS[0], near, far], digits(50), steps=5, trust=0.0).finish()
    edges = run.lesson.edges()
    assert edges[0, 1] > 0.5 > edges[0, 2] and edges[1, 0] > 0.5 > edges[1, 2]
    assert torch.allclose(edges.diagonal(), torch.zeros(3))


def test_edges_that_are_trusted_stay_and_the_given_networks_stay():
    prior = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, 1.0, 0.0]])
    before = [one.hidden1.weight.clone() for one in NETWORKS]
    run = graph_distillation(NETWORKS, digits(50), prior=prior, trust=1.0, steps=4).finish()
    assert torch.equal(run.lesson.edges(), prior)
    assert all(torch.equal(one.hidden1.weight, old) for one, old in zip(NETWORKS, before, strict=True))
    assert not torch.equal(run.student[0].hidden1.weight, before[0])


def test_two_alike_are_mutual_learning():
    pair, data = NETWORKS[:2], digits(50)
    ours = graph_distillation(pair, data, steps=5, trust=0.5).finish().student
    theirs = kd.schemes.mutual(pair, data, steps=5).finish().student
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_networks_read_different_modalities_of_the_same_sample():
    def both(samples):
        inputs = {"image": samples.inputs, "rows": samples.inputs.sum(-1).flatten(1)}
        return replace(samples, inputs=inputs)

    data = digits(50)
    data = replace(data, transfer=both(data.transfer), validation=both(data.validation))
    networks = [Reads(mlp(64, 8, 10), "image"), Reads(mlp(8, 8, 10), "rows")]
    assert graph_distillation(networks, data, steps=3).finish().step == 3


def test_a_run_that_was_left_goes_on_as_if_it_had_not_been():
    def run():
        return graph_distillation(NETWORKS, digits(50), steps=20)

    left = run()
    next(left)
    torch.rand(3)
    assert torch.equal(left.finish().lesson.edges(), run().finish().lesson.edges())


@pytest.mark.parametrize(
    "prior",
    [torch.eye(3), torch.ones(2, 2), torch.tensor([[0, 2.0, -1], [1, 0, 0], [1, 0, 0]]), torch.ones(3, 3)],
)
def test_a_prior_that_is_no_graph_is_refused(prior):
    with pytest.raises(ValueError, match="a prior for 3 networks"):
        graph_distillation(NETWORKS, digits(50), prior=prior)
    with pytest.raises(ValueError, match="trust"):
        graph_distillation(NETWORKS, digits(50), trust=1.5)
