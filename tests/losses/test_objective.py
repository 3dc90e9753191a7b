import pytest
import torch

from kdviz.losses import (
    CrossEntropy,
    FlowOfSolution,
    Hint,
    LogitMatching,
    Objective,
    SimilarityPreserving,
    SoftTargets,
)
from kdviz.losses.objective import as_objective
from kdviz.losses.response import soft_targets
from kdviz.tracing import Trace


@pytest.fixture
def objective():
    return 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)


def traces(samples=6, classes=5):
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, samples, classes, generator=generator)
    return Trace(student), Trace(teacher), torch.arange(samples) % classes


def test_is_the_weighted_sum_of_its_terms(objective):
    student, teacher, labels = traces()
    total, values = objective(student, teacher, labels)
    expected = 0.1 * values["cross_entropy"] + 0.9 * values["soft_targets"]
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(values["soft_targets"], SoftTargets(4)(student, teacher, labels))


def test_reads_as_the_formula(objective):
    assert repr(objective) == "0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)"
    assert objective.latex().startswith(r"\mathcal{L} = 0.1 \cdot \mathrm{CE}")
    assert "T=4" in objective.latex()
    assert objective._repr_latex_().startswith("$$")


def test_weights_multiply_through_sums(objective):
    assert (2 * objective).settings()["soft_targets.weight"] == pytest.approx(1.8)
    assert len((objective + LogitMatching()).parts) == 3


def test_settings_are_addressed_by_term(objective):
    assert objective.settings() == {
        "cross_entropy.weight": 0.1,
        "soft_targets.weight": 0.9,
        "soft_targets.temperature": 4,
        "soft_targets.form": "scaled",
    }


def test_replace_gives_another_objective_and_leaves_this_one(objective):
    hotter = objective.replace({"soft_targets.temperature": 8, "cross_entropy.weight": 0.5})
    assert hotter == 0.5 * CrossEntropy() + 0.9 * SoftTargets(temperature=8)
    assert objective == 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)


def test_a_loss_that_occurs_twice_is_numbered():
    twice = SoftTargets(1) + SoftTargets(8)
    assert list(twice.named) == ["soft_targets", "soft_targets_2"]
    assert twice.replace({"soft_targets_2.temperature": 2}) == SoftTargets(1) + SoftTargets(2)


def test_unknown_address_names_those_there_are(objective):
    with pytest.raises(ValueError, match="soft_targets.temperature"):
        objective.replace({"soft_targets.heat": 2})


@pytest.mark.parametrize("weight", [-0.1, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight, objective):
    with pytest.raises(ValueError, match="a weight must be"):
        weight * CrossEntropy()
    with pytest.raises(ValueError, match="a weight must be"):
        objective.replace({"soft_targets.weight": weight})


def test_an_impossible_temperature_is_refused_when_set(objective):
    with pytest.raises(ValueError, match="temperature"):
        objective.replace({"soft_targets.temperature": 0})


def test_losses_are_multiplied_divided_and_summed_as_numbers_are():
    ce, kd = CrossEntropy(), SoftTargets(4)
    assert kd * 0.9 == 0.9 * kd and kd / 16 == 0.0625 * kd
    assert sum([0.1 * ce, kd]) == 0.1 * ce + kd and sum([kd]) == 1.0 * kd
    assert (ce + kd) * 2 == 2.0 * ce + 2.0 * kd
    for wrong in (lambda: kd * kd, lambda: kd + 1, lambda: 1 + kd, lambda: kd * "2"):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(ValueError, match="a weight must be"):
        kd / -2


def test_a_loss_on_logits_takes_two_plain_tensors():
    student, teacher, labels = traces()
    plain = SoftTargets(4)(student.logits, teacher.logits)
    assert plain == SoftTargets(4)(student, teacher, labels) == soft_targets(student.logits, teacher.logits)
    assert CrossEntropy()(student.logits, labels=labels) == CrossEntropy()(student, None, labels)
    total, _ = (0.5 * CrossEntropy() + SoftTargets(4))(student.logits, teacher.logits, labels)
    torch.testing.assert_close(total, 0.5 * CrossEntropy()(student, None, labels) + plain)


def test_a_loss_on_features_takes_those_of_its_layer():
    ours, theirs = torch.randn(2, 6, 3, 4, 4)
    seen = [Trace(torch.zeros(6, 5), {"maps": maps}) for maps in (ours, theirs)]
    assert Hint("maps")(ours, theirs) == Hint("maps")(*seen)
    adapted = Hint("maps", adapter="convolution")
    assert adapted(ours, theirs) == adapted(*seen, None, adapted.initial(*seen))
    assert SimilarityPreserving("maps")(ours, theirs) == SimilarityPreserving("maps")(*seen)


def test_a_loss_on_several_layers_takes_them_by_name():
    ours, theirs = torch.randn(2, 6, 3, 4, 4)
    loss = FlowOfSolution("first", "second")
    given = [{"first": maps, "second": maps.square()} for maps in (ours, theirs)]
    expected = loss(*(Trace(torch.zeros(6, 5), features) for features in given))
    assert loss(*given) == expected
    assert loss(*(list(features.values()) for features in given)) == expected
    with pytest.raises(ValueError, match="compares 2 layers of each network; give a list"):
        loss(ours, theirs)
    with pytest.raises(ValueError, match="keys 'first', 'second'"):
        loss({"first": ours}, given[1])


def test_what_is_missing_is_named():
    student, teacher, labels = traces()
    with pytest.raises(ValueError, match="SoftTargets needs what the teacher gave"):
        SoftTargets(4)(student.logits)
    with pytest.raises(ValueError, match="CrossEntropy needs the labels"):
        CrossEntropy()(student.logits, teacher.logits)


def test_only_losses_add_up():
    with pytest.raises(TypeError, match="only losses can be added"):
        CrossEntropy() + 1
    with pytest.raises(TypeError, match="weighted sum of losses"):
        as_objective("KD")


def test_says_whether_it_needs_a_teacher(objective):
    assert objective.needs_teacher
    assert not as_objective(CrossEntropy()).needs_teacher
    assert isinstance(as_objective(CrossEntropy()), Objective)
