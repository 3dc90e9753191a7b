import pytest
import torch
from torch import nn

from kdviz import trace
from kdviz.models import (
    Ensemble,
    Frozen,
    Residual,
    convnet,
    cost,
    exits,
    fused_branches,
    gated_branches,
    grouped_branches,
    mlp,
    separable_convnet,
)

IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
BRANCHED = (gated_branches, fused_branches, grouped_branches)


def test_a_network_with_exits_answers_as_the_network_did():
    for plain, after in (
        (mlp(64, 8, 6, 10), ["hidden1"]),
        (convnet(4, 6, 8), ["activation1", "activation2"]),
    ):
        model = exits(plain, after, IMAGES)
        assert torch.equal(model(IMAGES), plain(IMAGES))
        assert model.heads == tuple(f"exit{place}" for place in range(1, len(after) + 2))


def test_embeddings_of_all_exits_can_be_compared():
    model = exits(convnet(4, 6, 8), ["activation1", "activation2"], IMAGES)
    seen = trace(model, IMAGES, [f"{head}.embedding" for head in model.heads]).features
    assert {feature.shape for feature in seen.values()} == {(5, 8)}


def test_an_earlier_exit_costs_less():
    model = exits(mlp(64, 16, 16, 16, 10), ["activation1", "activation2"], IMAGES)
    costs = [cost(model.subnetwork(head), IMAGES).macs for head in model.heads]
    assert costs[0] == 64 * 16 + 16 * 16 + 16 * 10
    assert costs[2] == 64 * 16 + 2 * 16 * 16 + 16 * 10


@pytest.mark.parametrize("build", BRANCHED)
def test_branches_share_the_trunk_and_nothing_else(build):
    model = build(convnet(4, 6), "activation1", 3, IMAGES)
    branches = [model.get_submodule(f"branch{place}") for place in (1, 2, 3)]
    starts = [nn.utils.parameters_to_vector(branch.parameters()) for branch in branches]
    assert not torch.equal(starts[0], starts[1]) and not torch.equal(starts[1], starts[2])
    assert cost(model.subnetwork("branch2"), IMAGES) == cost(convnet(4, 6), IMAGES)
    assert model(IMAGES).shape == (5, 10)


@pytest.mark.parametrize("build", BRANCHED)
def test_the_seed_gives_the_branches_and_leaves_torch_alone(build):
    def weights(seed):
        model = build(mlp(64, 8, 6, 10), "activation1", 2, IMAGES, seed=seed)
        return nn.utils.parameters_to_vector(model.parameters())

    before = torch.get_rng_state()
    assert torch.equal(weights(0), weights(0)) and not torch.equal(weights(0), weights(1))
    assert torch.equal(torch.get_rng_state(), before)


def test_building_heads_leaves_the_network_as_it_was():
    plain = nn.Sequential()
    for name, layer in mlp(64, 8, 6, 10).named_children():
        plain.add_module(name, layer)
        if name == "hidden1":
            plain.add_module("norm1", nn.BatchNorm1d(8))
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    for model in (exits(plain, ["activation1"], IMAGES), gated_branches(plain, "activation1", 2, IMAGES)):
        assert model.training
        norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm1d)]
        assert not any(part.num_batches_tracked for part in norms)
        assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


def test_attention_of_grouped_branches_is_a_mixture_of_each_samples_own():
    model = grouped_branches(mlp(64, 8, 16, 10), "activation1", 4, IMAGES)
    weights = model.attention(torch.randn(3, 5, 16))
    assert weights.shape == (5, 3, 3)
    torch.testing.assert_close(weights.sum(-1), torch.ones(5, 3))


@pytest.mark.parametrize(
    "network, after, says",
    [
        (mlp(64, 8, 10), ["hidden7"], "got \\['hidden7'\\]"),
        (mlp(64, 8, 10), ["logits"], "before the logits"),
        (mlp(64, 8, 10), [], "name layers"),
        (mlp(64, 8, 10), ["activation1", "hidden1"], "in order"),
        (nn.Sequential(nn.Linear(2, 2)), ["0"], "ends in 'logits'"),
    ],
)
def test_heads_that_cannot_be_put_there_are_refused(network, after, says):
    with pytest.raises(ValueError, match=says):
        exits(network, after, IMAGES)


def test_one_branch_and_unknown_heads_are_refused():
    with pytest.raises(ValueError, match="two or more; got 1"):
        gated_branches(mlp(64, 8, 10), "activation1", 1, IMAGES)
    with pytest.raises(ValueError, match="branch1, branch2; got 'ensemble'"):
        gated_branches(mlp(64, 8, 10), "hidden1", 2, IMAGES).subnetwork("ensemble")
    with pytest.raises(ValueError, match="no head 'exit9'"):
        exits(mlp(64, 8, 10), ["hidden1"], IMAGES).subnetwork("exit9")


def test_a_separable_convolution_costs_what_the_formula_says():
    plain, cheap = cost(convnet(8, 16), IMAGES), cost(separable_convnet(8, 16), IMAGES)
    assert plain.parameters - cheap.parameters == (9 * 8 * 16 + 16) - (9 * 8 + 8 + 8 * 16 + 16)
    assert plain.macs - cheap.macs == 16 * (9 * 8 * 16 - 9 * 8 - 8 * 16)
    with pytest.raises(ValueError, match="for example"):
        separable_convnet(8, -1)


def test_a_frozen_part_stays_in_eval_mode_without_a_gradient():
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    frozen = Frozen(network).train()
    before = frozen.network[1].running_mean.clone()
    frozen(torch.randn(8, 3) + 5)
    assert frozen.training and not frozen.network.training
    assert torch.equal(frozen.network[1].running_mean, before)
    assert not any(weight.requires_grad for weight in frozen.parameters())
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_residual_is_the_sum_and_only_the_assistant_learns():
    student, assistant = mlp(64, 4, 10), mlp(64, 8, 10, seed=1)
    model = Residual(student, assistant)
    assert torch.equal(model(IMAGES), student(IMAGES) + assistant(IMAGES))
    learns = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert learns and all(name.startswith("assistant.") for name in learns)


def test_an_ensemble_answers_with_the_mean_probability():
    networks = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    expected = sum(network(IMAGES).softmax(-1) for network in networks) / 3
    torch.testing.assert_close(Ensemble(networks)(IMAGES).softmax(-1), expected)
    torch.testing.assert_close(Ensemble(networks)(IMAGES).exp(), expected)
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])


def test_a_sample_leaves_at_the_first_exit_that_is_sure():
    model = exits(mlp(64, 16, 16, 16, 10), ["activation1", "activation2"], IMAGES).eval()
    images = 8 * torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    logits, taken = model.early_exit(images, 0.2)
    assert set(taken.tolist()) == {0, 1, 2}
    each = torch.stack([model.subnetwork(head)(images) for head in model.heads])
    for sample in range(200):
        sure = (each[:, sample].softmax(-1).amax(-1) >= 0.2).tolist()
        expected = sure.index(True) if True in sure[:2] else 2
        assert taken[sample] == expected
        torch.testing.assert_close(logits[sample], each[expected, sample])
    assert (model.early_exit(images, 0.0)[1] == 0).all()
    assert (model.early_exit(images, 1.1)[1] == 2).all()
