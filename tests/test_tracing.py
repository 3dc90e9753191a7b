from types import SimpleNamespace

import pytest
import torch
from torch import nn

import kdviz
from kdviz.models import convnet, mlp
from kdviz.tracing import trace

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
