"""Hints: each form against sums in plain numpy, and what the regressor does."""

import pytest
import torch

from kdviz.losses.feature import Hint, hint
from kdviz.tracing import Trace

SCALES = {"paper": 1 / 6, "repdistiller": 1 / 24, "torchdistill": 1, "mmrazor": 1 / 3}


@pytest.mark.parametrize("form", SCALES)
def test_forms_equal_their_formulas(form, random, agrees):
    student, teacher = random(3, 2, 2, 2, seed=1), random(3, 2, 2, 2, seed=2)
    agrees(
        lambda ours: hint(ours, teacher, form),
        lambda ours: (
            SCALES[form] * sum((a - b) ** 2 for a, b in zip(ours.flat, teacher.numpy().flat, strict=True))
        ),
        student,
    )


def test_embeddings_and_maps_of_one_place_are_the_same(random):
    student, teacher = random(4, 3, seed=1), random(4, 3, seed=2)
    maps = hint(student[..., None, None], teacher[..., None, None])
    torch.testing.assert_close(hint(student, teacher), maps)


@pytest.mark.parametrize("shape, adapter", [((4, 3), "linear"), ((4, 3, 2, 2), "convolution")])
def test_the_regressor_starts_alike_and_can_reach_the_teacher(shape, adapter, random):
    loss = Hint("hidden", adapter=adapter)
    student = Trace(random(4, 10), {"hidden": random(*shape, seed=1)})
    mixing = random(5, 3, seed=2)
    goal = torch.einsum("oc,nc...->no...", mixing, student.features["hidden"])
    teacher = Trace(random(4, 10), {"hidden": goal})
    learned = loss.initial(student, teacher)
    again = loss.initial(student, teacher)
    assert all(torch.equal(learned[name], again[name]) for name in learned)
    assert loss(student, teacher, None, learned) > 0.1
    learned = {"weight": mixing.reshape(learned["weight"].shape), "bias": torch.zeros(5).double()}
    assert loss(student, teacher, None, learned) < 1e-20


def test_pooling_brings_the_larger_map_down(random):
    student, teacher = random(4, 3, 4, 4, seed=1), random(4, 3, 2, 2, seed=2)
    traces = [Trace(random(4, 10), {"hidden": maps}) for maps in (student, teacher)]
    means = student.reshape(4, 3, 2, 2, 2, 2).mean((3, 5))
    torch.testing.assert_close(Hint("hidden", pool=True)(*traces, None), hint(means, teacher))


def test_the_wrong_adapter_names_the_right_one(random):
    trace = Trace(random(4, 10), {"hidden": random(4, 3)})
    with pytest.raises(ValueError, match=r"\(4, 3\); use adapter='linear'"):
        Hint("hidden", adapter="convolution").initial(trace, trace)
    with pytest.raises(ValueError, match="adapter must be one of None, 'linear', 'convolution'"):
        Hint("hidden", adapter="conv")


def test_unequal_widths_name_the_adapter(random):
    with pytest.raises(ValueError, match=r'\(4, 3\).*\(4, 5\).*adapter="linear"'):
        hint(random(4, 3), random(4, 5))


def test_layers_default_to_the_same_path():
    assert Hint("hidden1").teacher_layers == Hint("hidden1").student_layers == ("hidden1",)
    assert Hint("hidden1", "hidden3").teacher_layers == ("hidden3",)


def test_unknown_form_names_the_forms(random):
    with pytest.raises(ValueError, match="'paper', 'repdistiller', 'torchdistill', 'mmrazor'"):
        hint(random(2, 3), random(2, 3), "mean")
