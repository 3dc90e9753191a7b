"""Captum's methods against direct formulas, and the attributions' similarity against workings by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

import kdviz as kd
from kdviz import explain
from kdviz.seeding import seeded


def linear(features, classes=3, seed=0):
    with seeded(seed):
        return nn.Linear(features, classes).double()


def table(count=6, features=5, seed=1):
    return torch.randn(count, features, generator=torch.Generator().manual_seed(seed)).double()


TARGETS = torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize("baseline", [0, 0.7, torch.linspace(-1, 1, 5)])
def test_on_a_linear_model_each_feature_gets_its_share(method, baseline):
    model, inputs = linear(5), table()
    found = explain.attribute(model, inputs, TARGETS, method, baseline=baseline)
    direct = model.weight[TARGETS] * (inputs - baseline)
    torch.testing.assert_close(found, direct.detach(), rtol=0, atol=1e-6)


def test_on_linear_pixels_occlusion_spreads_what_a_window_hides():
    model = nn.Sequential(nn.Flatten(), linear(2 * 4 * 4)).double()
    inputs = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    found = explain.attribute(model, inputs, TARGETS, "occlusion", window=1)
    weights = model[1].weight[TARGETS].unflatten(1, (2, 4, 4))
    torch.testing.assert_close(found, (weights * inputs).sum(1).detach(), rtol=0, atol=1e-6)
    # One window over all of the image: the whole difference from the baseline at each place.
    found = explain.attribute(model, inputs, TARGETS, "occlusion", window=4)
    whole = (weights * inputs).sum((1, 2, 3), keepdim=True)[:, 0].expand(6, 4, 4)
    torch.testing.assert_close(found, whole.detach(), rtol=0, atol=1e-6)


def test_grad_cam_is_the_direct_formula_on_linear_maps():
    with seeded(0):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
        ).double()
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    found = explain.attribute(model, inputs, TARGETS, "grad_cam")
    alphas = model[3].weight[TARGETS] / 64
    direct = torch.einsum("nk,nkhw->nhw", alphas, model[0](inputs)).relu()
    torch.testing.assert_close(found, direct.detach(), rtol=0, atol=1e-6)


def smooth(frozen):
    with seeded(3):
        model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 3)).double()
    return model.requires_grad_(not frozen)


@pytest.mark.parametrize(
    "model, largest",
    [
        (smooth(False), 1e-6),
        (smooth(True), 1e-6),
        (kd.models.convnet(6, 8, classes=3, seed=3).double(), 2e-2),
    ],
    ids=["smooth", "frozen", "ReLU, whose gradient jumps"],
)
def test_integrated_gradients_are_complete(model, largest):
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        expected = (model(inputs) - model(torch.zeros_like(inputs)))[torch.arange(6), TARGETS]
    rough, fine = (
        explain.attribute(model, inputs, TARGETS, steps=steps).sum((1, 2)) - expected for steps in (3, 64)
    )
    assert float(fine.abs().max()) < largest * float(expected.abs().max())
    assert float(fine.norm()) < float(rough.norm())


def test_conductance_of_linear_layers_is_the_direct_formula():
    with seeded(1):
        model = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)).double()
    inputs, baseline = table(), torch.linspace(-1, 1, 5).double()
    found = explain.conductance(model, inputs, TARGETS, "0", baseline=baseline)
    direct = model[1].weight[TARGETS] * (model[0](inputs) - model[0](baseline))
    torch.testing.assert_close(found, direct.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("layer", ["0", "1", "2"])
def test_conductance_is_complete_at_every_layer(layer):
    model = smooth(False)
    inputs = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        expected = (model(inputs) - model(torch.zeros_like(inputs)))[torch.arange(6), TARGETS]
    rough, fine = (explain.conductance(model.train(), inputs, TARGETS, layer, steps=n) for n in (8, 128))
    assert fine.shape == (6, 6 * 36 if layer == "2" else 6)
    rough, fine = (float((values.sum(1) - expected).norm() / expected.norm()) for values in (rough, fine))
    # Behind the tanh all is linear; before it the error falls with the number of steps.
    assert fine < 1e-6 if layer in "12" else fine < min(1e-2, rough / 10)
    assert model.training and all(weights.grad is None for weights in model.parameters())


def test_units_for_half_are_counted():
    assert explain.units_for_half([[4, -1, 0, 0], [1, 1, -1, 1]]).tolist() == [1, 2]
    assert np.isnan(explain.units_for_half(torch.zeros(1, 3))).all()


def test_conductance_refuses_in_words():
    with pytest.raises(ValueError, match="unknown layer"):
        explain.conductance(linear(5), table(), TARGETS, "nowhere")
    with pytest.raises(ValueError, match="tokens have none"):
        explain.conductance(Tokens(), torch.zeros(6, 5, dtype=torch.long), TARGETS, "head")


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, tokens):
        return {"logits": self.head(self.embed(tokens).mean(1))}


def test_tokens_get_their_share_at_the_embedding():
    with seeded(0):
        model = Tokens().double()
    tokens = torch.randint(7, (6, 5), generator=torch.Generator().manual_seed(0))
    direct = ((model.embed(tokens) - model.embed.weight[0]) @ model.head.weight.T)[
        torch.arange(6), :, TARGETS
    ] / 5
    for method in ("integrated_gradients", "occlusion"):
        found = explain.attribute(model, tokens, TARGETS, method)
        torch.testing.assert_close(found.double(), direct.detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("method", explain.METHODS)
def test_a_model_is_left_as_it_was(method):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3))
    model.train()
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = torch.randn(6, 1, 8, 8)
    explain.attribute(model, inputs, TARGETS, method)
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True]
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(weights.grad is None for weights in model.parameters())
    assert inputs.grad is None and not inputs.requires_grad
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"method": "saliency"}, "method must be one of"),
        ({"targets": torch.tensor([0])}, "one class for each"),
        ({"targets": torch.full((6,), 3)}, "labels must be from 0 to 2"),
        ({"method": "grad_cam"}, "needs a layer with feature maps"),
        ({"method": "grad_cam", "layer": "nowhere"}, "unknown layer"),
        ({"baseline": torch.zeros(4)}, "shape of one input"),
        ({"steps": 1}, "steps must be"),
    ],
)
def test_bad_input_is_refused_in_words(changes, words):
    given = {"model": linear(5), "inputs": table(), "targets": TARGETS, **changes}
    with pytest.raises(ValueError, match=words):
        explain.attribute(**given)


def test_rank_correlation_is_that_of_scipy_and_top_overlap_is_counted():
    random = np.random.default_rng(0)
    ours, theirs = random.normal(size=(2, 7, 4, 4)).round(1)
    expected = [spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(ours, theirs, strict=True)]
    np.testing.assert_allclose(explain.rank_correlation(ours, theirs), expected, atol=1e-12)
    assert np.isnan(explain.rank_correlation(np.ones((1, 4)), np.arange(4.0)[None])).all()
    assert explain.top_overlap([[4, 3, 2, 1]], [[1, 4, 3, 2]], 2).tolist() == [0.5]
    assert explain.top_overlap(torch.arange(4)[None], torch.arange(4)[None], 3).tolist() == [1.0]
    # What is 0 or below speaks for nothing, and does not count as shared.
    assert explain.top_overlap([[0, 5, 0, 0]], [[0, 5, 1, -1]], 3).tolist() == [0.5]
    assert np.isnan(explain.top_overlap([[0, -1]], [[0, -2]], 1)).all()


def test_overlap_of_unrelated_attributions_is_chance():
    random = np.random.default_rng(0)
    ours, theirs = random.normal(size=(2, 4000, 20))
    assert explain.top_overlap(ours, theirs, 4).mean() == pytest.approx(0.2, abs=0.01)
    assert explain.rank_correlation(ours, theirs).mean() == pytest.approx(0, abs=0.02)


def test_a_copy_of_the_teacher_looks_like_it_and_label_only_students_tell_what_that_is_worth():
    inputs = table(count=40)
    teacher, baselines = linear(5), [linear(5, seed=1), linear(5, seed=2)]
    found = explain.compare_attributions(teacher, teacher, inputs, baselines=baselines, top=2)
    assert found.table.loc["teacher, student", "rank_correlation"] == pytest.approx(1)
    assert found.table.loc["teacher, student", "top_overlap"] == 1
    assert found.table.loc["chance", "top_overlap"] == 0.4
    between = found.table.loc["label-only 1, label-only 2"]
    expected = explain.rank_correlation(found.maps["label-only 1"], found.maps["label-only 2"]).mean()
    assert between["rank_correlation"] == pytest.approx(expected) and between["low"] < expected
    assert "more like the teacher" in found.sentence
    turned = explain.compare_attributions(teacher, baselines[0], inputs, baselines=[teacher])
    assert "less like the teacher" in turned.sentence
    same = explain.compare_attributions(teacher, baselines[0], inputs, baselines=[baselines[0]])
    assert "neither more nor less" in same.sentence
    assert "Without" in explain.compare_attributions(teacher, teacher, inputs).sentence
    torch.testing.assert_close(found.targets, teacher(inputs).argmax(1))


def test_baselines_keep_the_names_that_they_were_given():
    inputs, others = table(count=8), {"40 labels": linear(5, seed=1), "other seed": linear(5, seed=2)}
    named = explain.compare_attributions(linear(5), linear(5, seed=3), inputs, baselines=others)
    assert list(named.maps) == ["teacher", "student", *others]
    assert "40 labels, other seed" in named.table.index and "than 40 labels does" in named.sentence
    numbered = explain.compare_attributions(
        linear(5), linear(5, seed=3), inputs, baselines=list(others.values())
    )
    np.testing.assert_array_equal(numbered.table, named.table)
    with pytest.raises(ValueError, match="must not be called"):
        explain.compare_attributions(linear(5), linear(5), inputs, baselines={"student": linear(5)})


def test_too_few_inputs_are_refused():
    with pytest.raises(ValueError, match="fewer than 5"):
        explain.compare_attributions(linear(5), linear(5), table(count=4))


def test_the_picture_is_on_one_diverging_scale_and_each_map_on_its_own():
    maps = {"teacher": np.eye(3) * 4, "student": -np.eye(3)}
    picture = kd.figures.attribution_maps(np.eye(3), maps)
    _, theirs, ours = (np.array(trace.z) for trace in picture.data)
    assert theirs.max() == 1 and ours.min() == -1
    axis = picture.layout.coloraxis
    assert (axis.cmin, axis.cmax) == (-1, 1) and len({color for _, color in axis.colorscale}) == 3
    with pytest.raises(ValueError, match="shape"):
        kd.figures.attribution_maps(np.eye(3), {"teacher": np.eye(2)})
