import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from kdviz.models import Ensemble, convnet, cost, mlp, patch_network


def test_mlp_has_named_layers():
    names = [name for name, _ in mlp(64, 32, 16, 10).named_children()]
    assert names == ["flatten", "hidden1", "activation1", "hidden2", "activation2", "logits"]


@pytest.mark.parametrize("build", [lambda s: mlp(64, 16, 10, seed=s), lambda s: convnet(4, 8, seed=s)])
def test_the_seed_gives_the_weights_and_leaves_torch_alone(build):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, again, other = build(1).state_dict(), build(1).state_dict(), build(2).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_both_read_images():
    images = torch.zeros(3, 1, 8, 8)
    assert mlp(64, 16, 10)(images).shape == (3, 10)
    assert convnet(4, 8, classes=7)(images).shape == (3, 7)


def test_mlp_cost_worked_by_hand():
    found = cost(mlp(64, 16, 10), torch.zeros(5, 1, 8, 8))
    assert found.parameters == 64 * 16 + 16 + 16 * 10 + 10
    assert found.bytes == 4 * found.parameters
    assert found.macs == 64 * 16 + 16 * 10


def test_convnet_cost_worked_by_hand():
    found = cost(convnet(4, 8), torch.zeros(5, 1, 8, 8))
    assert found.parameters == (9 * 4 + 4) + (9 * 4 * 8 + 8) + (8 * 10 + 10)
    assert found.macs == 64 * 9 * 4 + 16 * 9 * 4 * 8 + 8 * 10
    assert "MACs an input" in str(found)


@pytest.mark.parametrize("build, widths", [(mlp, (64,)), (mlp, (64, 0, 10)), (convnet, (8, -1))])
def test_impossible_widths_are_refused(build, widths):
    with pytest.raises(ValueError, match="for example"):
        build(*widths)


def test_networks_built_in_many_threads_are_those_built_in_one():
    def weights(seed):
        return torch.cat([weight.flatten() for weight in mlp(64, 32, 10, seed=seed).parameters()])

    with ThreadPoolExecutor(8) as pool:
        built = list(pool.map(weights, list(range(20)) * 10))
    assert all(torch.equal(one, weights(seed)) for one, seed in zip(built, list(range(20)) * 10, strict=True))


def test_patches_answer_alike_wherever_a_place_stands():
    images = torch.randn(6, 1, 8, 20)
    network = patch_network(20, 10, 5)
    moved = images[:, :, torch.randperm(8)]
    torch.testing.assert_close(network(moved), network(images))
    units = network.units(images)[..., 0].relu() ** 3
    torch.testing.assert_close(network(images), network.logits(units.mean(-1)))


def test_patches_of_bad_sizes_say_what_is_expected():
    with pytest.raises(ValueError, match="positive whole numbers"):
        patch_network(20, 0, 5)


def test_an_ensemble_answers_by_the_published_rules():
    networks = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    inputs = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    logits = torch.stack([network(3 * inputs) for network in networks])
    for temperature in (1.0, 4.0):
        softened = (Ensemble(networks, temperature=temperature)(3 * inputs) / temperature).softmax(-1)
        torch.testing.assert_close(softened, (logits / temperature).softmax(-1).mean(0))
    torch.testing.assert_close(Ensemble(networks, "logits")(3 * inputs), logits.mean(0))
    # What the default gives when it is softened later is neither rule.
    later = (Ensemble(networks)(3 * inputs) / 4).softmax(-1)
    assert (later - (logits / 4).softmax(-1).mean(0)).abs().max() > 1e-3
    assert (later - (logits.mean(0) / 4).softmax(-1)).abs().max() > 1e-3


@pytest.mark.parametrize(
    "settings, says", [({"mean_of": "answers"}, "mean_of"), ({"temperature": 0}, "temperature")]
)
def test_an_ensemble_of_bad_settings_says_what_is_expected(settings, says):
    with pytest.raises(ValueError, match=says):
        Ensemble([mlp(64, 8, 10)], **settings)


def test_a_compiled_model_costs_what_it_was_compiled_from():
    model, images = mlp(64, 16, 10), torch.zeros(1, 1, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cost(torch.compile(model, backend="eager"), images) == cost(model, images)
