from collections import UserDict
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import kdviz
from kdviz import tracing
from kdviz.models import convnet, mlp
from kdviz.tracing import answer, call, rows_of, trace

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


def test_gives_logits_and_features_by_path():
    model = convnet(4, 8)
    seen = trace(model, IMAGES, ["activation1", "average"])
    torch.testing.assert_close(seen.logits, model(IMAGES))
    assert {path: tuple(f.shape) for path, f in seen.features.items()} == {
        "activation1": (4, 4, 8, 8),
        "average": (4, 8, 1, 1),
    }
    assert hooks(model) == 0


def test_reaches_into_nested_modules():
    model = nn.Sequential(mlp(64, 16, 10), nn.Linear(10, 3))
    assert trace(model, IMAGES, ["0.hidden1"]).features["0.hidden1"].shape == (4, 16)


def test_rows_are_taken_from_logits_and_features_alike():
    seen = trace(mlp(64, 16, 10), IMAGES, ["hidden1"])
    some = seen[torch.tensor([2, 0])]
    assert torch.equal(some.logits, seen.logits[[2, 0]])
    assert torch.equal(some.features["hidden1"], seen.features["hidden1"][[2, 0]])
    assert len(some) == 2


@pytest.mark.parametrize(
    "wrap",
    [lambda z: (z, "more"), lambda z: {"logits": z}, lambda z: SimpleNamespace(logits=z)],
    ids=["tuple", "dictionary", "object"],
)
def test_understands_what_models_return(wrap):
    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mlp(64, 16, 10)

        def forward(self, inputs):
            return wrap(self.inner(inputs))

    model = Wrapped()
    torch.testing.assert_close(trace(model, IMAGES).logits, model.inner(IMAGES))


def test_an_output_without_logits_is_explained():
    class Wordy(nn.Module):
        def forward(self, inputs):
            return "seven"

    with pytest.raises(TypeError, match="no logits found"):
        trace(Wordy(), IMAGES)


def test_an_unknown_layer_lists_those_there_are_and_leaves_no_hook():
    model = mlp(64, 16, 10)
    with pytest.raises(ValueError, match="'hidden7'.*flatten, hidden1, activation1, logits"):
        trace(model, IMAGES, ["hidden1", "hidden7"])
    assert hooks(model) == 0


def test_hooks_are_removed_when_the_model_fails():
    model = mlp(64, 16, 10)
    with pytest.raises(RuntimeError):
        trace(model, torch.randn(2, 3), ["hidden1"])
    assert hooks(model) == 0


def test_a_model_on_another_device_is_explained():
    with pytest.raises(ValueError, match="model is on meta.*inputs are on cpu"):
        trace(mlp(64, 16, 10).to("meta"), IMAGES)


def test_a_layer_that_did_not_run_is_named():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Flatten(), nn.Identity()

        def forward(self, inputs):
            return self.used(inputs)

    with pytest.raises(ValueError, match="'idle'.*did not run"):
        trace(Idle(), IMAGES, ["idle"])


def test_a_layer_that_returns_no_tensor_is_named():
    class Pair(nn.Module):
        def forward(self, inputs):
            return inputs, inputs

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, inputs):
            return self.pair(inputs)[0].flatten(1)

    with pytest.raises(TypeError, match="'pair' returns tuple"):
        trace(Model(), IMAGES, ["pair"])


def test_an_unknown_name_lists_what_the_package_offers():
    with pytest.raises(AttributeError, match="SoftTargets"):
        kdviz.SoftTarget  # noqa: B018


class InPlace(nn.Module):
    """Changes its input, and the output of its first layer, in place."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.second = nn.Linear(8, 3)

    def forward(self, inputs):
        return self.second(self.first(inputs.mul_(2)).relu_())


def test_a_model_that_works_in_place_changes_nothing_of_the_readers():
    inputs = torch.randn(4, 8)
    before = inputs.clone()
    call(InPlace(), inputs)
    assert torch.equal(inputs, before)


def test_a_feature_is_what_the_layer_gave_also_before_an_in_place_relu():
    model, inputs = InPlace(), torch.randn(4, 8)
    seen = trace(model, inputs, ["first"])
    torch.testing.assert_close(seen.features["first"], model.first(2 * inputs))
    seen.features["first"].sum().backward()
    torch.testing.assert_close(model.first.bias.grad, torch.full((8,), 4.0))


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 3)

    def forward(self, left, right, scale=1.0):
        return self.linear(left + right) * scale


@pytest.mark.parametrize(
    "pack",
    [
        lambda a, b: (a, b),
        lambda a, b: {"right": b, "left": a},
        lambda a, b: UserDict(left=a, right=b, scale=1.0),
    ],
    ids=["tuple", "dictionary", "mapping"],
)
def test_takes_several_inputs_in_order_or_by_name(pack):
    model, a, b = TwoInputs(), torch.randn(5, 8), torch.randn(5, 8)
    expected = model(a, b)
    assert torch.equal(trace(model, pack(a, b), ["linear"]).logits, expected)
    assert torch.equal(answer(model, pack(a, b)).logits, expected)
    assert torch.equal(call(model, rows_of(pack(a, b), slice(1, 3))), model(a[1:3], b[1:3]))


def test_an_answer_takes_passes_of_bounded_memory(monkeypatch):
    model, sizes = mlp(64, 16, 10), []
    model.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    whole = answer(model, IMAGES, ["hidden1"])
    monkeypatch.setattr(tracing, "_NUMBERS_A_PASS", 3 * 64)
    parts = answer(model, IMAGES, ["hidden1"])
    assert parts[torch.tensor([3, 1])].rows.tolist() == [3, 1]
    assert sizes == [4, 3, 1] and not parts.logits.requires_grad
    torch.testing.assert_close(parts.logits, whole.logits)
    torch.testing.assert_close(parts.features["hidden1"], whole.features["hidden1"])


def test_tokens_count_as_vectors():
    model, sizes = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(2048, 3)), []
    model.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    assert answer(model, torch.zeros(5, 512, dtype=torch.long)).logits.shape == (5, 3)
    assert sizes == [2, 2, 1]


class Draws(nn.Module):
    """A network that draws in eval mode too, has a layer in each mode, and may fail."""

    def __init__(self, fails=False):
        super().__init__()
        self.norm, self.drop, self.fails = nn.BatchNorm1d(3).eval(), nn.Dropout(), fails

    def forward(self, inputs):
        assert not self.drop.training
        if self.fails:
            raise RuntimeError("no answer")
        return self.norm(inputs + torch.rand(()))


@pytest.mark.parametrize("fails", [False, True])
def test_an_answer_puts_everything_back(fails):
    model, state = Draws(fails), torch.get_rng_state()
    for _ in range(2):
        with pytest.raises(RuntimeError) if fails else nullcontext():
            answer(model, torch.zeros(4, 3), ["norm"])
    assert model.training and not model.norm.training and model.drop.training
    assert torch.equal(torch.get_rng_state(), state) and hooks(model) == 0


def test_inputs_without_a_tensor_are_refused():
    with pytest.raises(ValueError, match="no tensor with samples"):
        answer(TwoInputs(), {"left": 3.0, "right": 4.0})
