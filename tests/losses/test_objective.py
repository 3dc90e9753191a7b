import pytest
import torch

from kdviz.losses import CrossEntropy, LogitMatching, Objective, SoftTargets
from kdviz.losses.objective import as_objective
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
    assert objective.latex().startswith(r"\mathcal{L} = 0.1\; \mathrm{CE}")
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


def test_only_losses_add_up():
    with pytest.raises(TypeError, match="only losses can be added"):
        CrossEntropy() + 1
    with pytest.raises(TypeError, match="weighted sum of losses"):
        as_objective("KD")


def test_says_whether_it_needs_a_teacher(objective):
    assert objective.needs_teacher
    assert not as_objective(CrossEntropy()).needs_teacher
    assert isinstance(as_objective(CrossEntropy()), Objective)
