"""Cutting, factorising and quantising against their definitions, and the methods against their phases."""

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.algorithms.quantised import (
    apprentice,
    factorised,
    pruned,
    qkd,
    quantised_distillation,
    stored_bytes,
)
from kdviz.datasets import digits
from kdviz.models import convnet, mlp, quantised


def weights_of(network):
    """The weight matrices as they are used."""
    return [layer.weight for layer in network.modules() if isinstance(layer, (nn.Linear, nn.Conv2d))]


def test_what_is_cut_are_the_smallest_of_all_layers_together():
    network = mlp(6, 5, 3, seed=1)
    before = torch.cat([weight.flatten() for weight in weights_of(network)]).abs()
    after = torch.cat([weight.flatten() for weight in weights_of(pruned(network, 0.4))]).abs()
    gone = round(0.4 * len(before))
    assert int((after == 0).sum()) == gone
    assert before[after == 0].max() < before[after > 0].min()
    assert torch.equal(after[after > 0], before[after > 0])
    assert all((weight != 0).all() for weight in weights_of(network)), "the network itself was cut"


@pytest.mark.parametrize(
    "build",
    [
        lambda n: pruned(n, 0.7),
        lambda n: quantised(pruned(n, 0.7), 3),
        lambda n: pruned(quantised(n, 3), 0.7),
    ],
)
def test_what_is_cut_stays_cut_while_the_rest_learns(build):
    data, start = digits(50), build(mlp(64, 8, 10))
    trained = kd.train(start, data, steps=20).finish().student
    held = [{name: value for name, value in one.named_parameters()} for one in (start, trained)]
    for name, value in held[0].items():
        cut = value == 0
        if value.ndim > 1:
            assert cut.any() and (held[1][name][cut] == 0).all()
            # A pixel that is white in all images moves no weight.
            assert (held[1][name][~cut] != value[~cut]).float().mean() > 0.6


def test_what_is_rounded_to_zero_goes_on_learning_and_what_is_cut_does_not():
    layer = nn.Sequential(nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([[0.01, 0.3, -1.0, 0.1]]))
    both = pruned(quantised(layer, 2), 0.25)
    assert both[0].weight.tolist() == [[0, 0, -1, 0]]
    both[0](torch.ones(1, 4)).sum().backward()
    assert both[0].parametrizations.weight.original.grad.tolist() == [[0, 1, 1, 1]]


def test_no_product_of_that_rank_is_nearer():
    network = mlp(12, 10, 4, seed=2)
    thin = factorised(network, 3).hidden1
    product, own = (thin[1].weight @ thin[0].weight).double(), network.hidden1.weight.double()
    left = torch.linalg.svdvals(own)[3:].square().sum()  # Eckart and Young
    assert float((own - product).detach().square().sum()) == pytest.approx(float(left.detach()), rel=1e-4)
    inputs = torch.randn(3, 12)
    assert torch.allclose(thin(inputs), inputs @ product.T.float() + network.hidden1.bias, atol=1e-5)


def test_kernels_are_cut_too_and_more_rank_is_nearer():
    network, images = convnet(3, 40, seed=0), torch.randn(2, 1, 8, 8)
    # The second kernel, 40 outputs by 27 others, has rank 27 at most; 16 leave something out.
    exact, nearest = factorised(network, 15), factorised(network, 5)
    far = [float((one(images) - network(images)).detach().abs().max()) for one in (exact, nearest)]
    assert 0 < far[0] < far[1]


def test_bytes_by_hand():
    network = mlp(64, 32, 10)
    weights, biases = 64 * 32 + 32 * 10, 32 + 10
    assert stored_bytes(network) == 4 * (weights + biases)
    assert stored_bytes(quantised(network, 3)) == -(-(3 * weights + 32 * biases) // 8)
    left = weights - round(0.8 * weights)
    assert stored_bytes(pruned(network, 0.8)) == -(-(32 * left + weights + 32 * biases) // 8)
    assert stored_bytes(quantised(pruned(network, 0.8), 3)) == -(-(3 * left + weights + 32 * biases) // 8)


def test_nothing_to_cut_and_too_much_are_refused():
    with pytest.raises(ValueError, match="share must be from 0 to below 1; got 1"):
        pruned(mlp(4, 2), 1)
    with pytest.raises(ValueError, match="nothing to cut: ReLU has no Linear"):
        pruned(nn.ReLU(), 0.5)


OBJECTIVE = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(4.0)


@pytest.fixture(scope="module")
def pair():
    data = digits(100)
    return data, kd.teacher(data), mlp(64, 8, 10)


def levels(network):
    return [weight.unique().numel() for weight in weights_of(network)]


def test_quantised_distillation_is_distillation_into_few_bits(pair):
    data, teacher, student = pair
    run = quantised_distillation(teacher, student, data, OBJECTIVE, bits=2, steps=30).finish()
    same = kd.distill(teacher, quantised(student, 2), data, OBJECTIVE, steps=30).finish()
    assert max(levels(run.student)) <= 3
    for ours, theirs in zip(run.student.parameters(), same.student.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_apprentice_first_learns_alone_with_all_bits(pair):
    data, teacher, student = pair
    stages = apprentice(teacher, student, data, OBJECTIVE, bits=2, steps=30).finish()
    first, second = stages.runs
    alone = kd.train(student, data, steps=30).finish().student
    assert min(levels(first.student)) > 50 and max(levels(second.student)) <= 3
    assert not first.objective.needs_teacher and second.objective.needs_teacher
    for ours, theirs in zip(first.student.parameters(), alone.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_qkd_studies_alone_then_together_then_is_tutored(pair):
    data, teacher, student = pair
    before = [weight.clone() for weight in teacher.parameters()]
    stages = qkd(teacher, student, data, OBJECTIVE, bits=2, steps=30).finish()
    alone, together, tutored = stages.runs
    assert not alone.objective.needs_teacher and tutored.objective.needs_teacher
    assert all(max(levels(one)) <= 3 for one in (alone.student, together.student[1], tutored.student))
    moved, own = together.student[0], list(teacher.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(moved.parameters(), own, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, own, strict=True)), (
        "the reader's teacher was changed"
    )
    # The tutor is the teacher that studied along.
    told = tutored.lesson.answers.logits
    with torch.no_grad():
        assert torch.allclose(told, moved.eval()(data.transfer.inputs), atol=1e-5)
