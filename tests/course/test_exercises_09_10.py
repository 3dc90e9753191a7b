"""The exercises of notebooks 09 and 10: each diagnosis is found, and only it."""

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise
from kdviz.course.exercises import self_distillation as own
from kdviz.course.exercises import who_teaches_whom as whom
from kdviz.measure import distillation_score
from kdviz.models import exits, mlp

ALL = [exercise(one.name) for page in (own, whom) for one in page.EXERCISES]
NAMES = [one.name for one in ALL]
MISTAKES = [
    (name, mistake)
    for name, mistakes in {
        "9.1": own.KEPT_MISTAKES,
        "9.2": own.AVERAGE_MISTAKES,
        "9.3": own.COST_MISTAKES,
        "10.1": whom.GAP_MISTAKES,
        "10.2": whom.TIE_MISTAKES,
        "10.3": whom.SAVING_MISTAKES,
    }.items()
    for mistake in mistakes
]
ARGUMENTS = {
    "9.1": ("eigenvalue", "ridge", "generation"),
    "9.2": ("before", "now", "step", "decay"),
    "9.3": ("confidences", "costs", "threshold"),
    "10.1": ("distilled", "baseline", "teacher"),
    "10.2": ("size", "accuracy", "other_size", "other_accuracy"),
    "10.3": ("inputs", "outputs", "kernel"),
}


def solve(name):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(exercise(name).source, scope)
    return scope[exercise(name).answer]


def test_the_exercises_are_registered_in_order():
    assert NAMES == ["9.1", "9.2", "9.3", "10.1", "10.2", "10.3"]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_and_the_stub_does_not(name):
    feedback = exercise(name).check(solve(name))
    assert feedback.passed, feedback.message
    stub = exercise(name).check(lambda *arguments: None)
    assert not stub.passed and "`return`" in stub.message


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n} {m.name}" for n, m in MISTAKES])
def test_mistakes_are_told_by_name(name, mistake):
    def answer(*arguments):
        return mistake.function(**dict(zip(ARGUMENTS[name], arguments, strict=True)))

    assert exercise(name).check(answer) == Feedback(False, mistake.message)


def test_the_mean_cost_is_that_of_a_network_that_leaves_early():
    inputs = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = exits(mlp(64, 9, 9, 10), ["activation1"], inputs)
    _, used = network.until_sure(inputs, 0.12)
    with torch.no_grad():
        said = torch.stack([network.alone(head)(inputs) for head in network.heads])
    costs = torch.tensor([1.0, 3.0])
    assert 0 < float(used.double().mean()) < 1
    found = solve("9.3")(said.softmax(-1).amax(-1), costs, 0.12)
    assert float(found) == pytest.approx(float(costs[used].mean()))


def test_two_students_tie_where_their_scores_are_equal():
    weight = solve("10.2")(0.05, 0.96, 0.2, 0.99)
    first, other = (distillation_score(s, 1.0, a, 1.0, weight) for s, a in ((0.05, 0.96), (0.2, 0.99)))
    assert 0 < weight < 1 and first == pytest.approx(other)
