"""The exercises of notebooks 07 and 08: each diagnosis is found, and only it."""

import numpy as np
import pytest
import torch

from kdviz.course.exercises import Feedback, exercise, offline, online
from kdviz.knowledge.response import permute_dark_knowledge
from kdviz.models import mlp
from kdviz.schemes import mutual

ALL = [exercise(one.name) for page in (offline, online) for one in page.EXERCISES]
NAMES = [one.name for one in ALL]
TABLES = {
    "7.1": (offline._lost_calls, offline.LOST_MISTAKES, ()),
    "7.2": (offline._reheat_calls, offline.REHEAT_MISTAKES, ()),
    "7.3": (offline._lie_calls, offline.LIE_MISTAKES, ()),
    "8.1": (online._class_calls, online.CLASS_MISTAKES, online.CLASS_SLIPS),
    "8.2": (online._stop_calls, online.STOP_MISTAKES, ()),
    "8.3": (online._agreement_calls, online.AGREEMENT_MISTAKES, ()),
}
MISTAKES = [(name, mistake) for name, (_, mistakes, _) in TABLES.items() for mistake in mistakes]
SLIPS = [(name, slip) for name, (_, _, slips) in TABLES.items() for slip in slips]


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def by_position(function, name):
    """A function that takes keywords, called as a learner's is: by position."""
    names = list(TABLES[name][0]()[0])
    return lambda *values: function(**dict(zip(names, values, strict=True)))


def not_yet(message):
    return Feedback(False, message)


def test_the_exercises_of_these_pages_are_registered():
    assert NAMES == ["7.1", "7.2", "7.3", "8.1", "8.2", "8.3"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_stub_of_the_notebook_is_not_yet_right(one):
    assert "`return`" in one.check(lambda *values: None).message


@pytest.mark.parametrize(("name", "mistake"), MISTAKES, ids=[f"{n} {m.name}" for n, m in MISTAKES])
def test_mistakes(name, mistake):
    assert exercise(name).check(by_position(mistake.function, name)) == not_yet(mistake.message)


@pytest.mark.parametrize(("name", "slip"), SLIPS, ids=[f"{n} {s.name}" for n, s in SLIPS])
def test_slips(name, slip):
    right, factor = solve(exercise(name)), by_position(slip.factor, name)
    assert exercise(name).check(lambda *values: factor(*values) * right(*values)) == not_yet(slip.message)


@pytest.mark.parametrize("name", TABLES)
def test_a_value_that_nobody_can_explain_is_still_told(name):
    feedback = exercise(name).check(lambda *values: 0.123)
    assert not feedback.passed and "The value is not right" in feedback.message


def test_the_loss_of_a_peer_is_that_of_mutual_learning(digits):
    """Recorded by kdviz at the first step, and worked out by the solution on the same batch."""
    peers = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    run = mutual(peers, digits, steps=1, batch_size=len(digits.transfer)).finish()
    with torch.no_grad():
        logits = torch.stack([peer(digits.transfer.inputs) for peer in peers])
    found = [float(solve(exercise("8.1"))(logits, digits.transfer.labels, own)) for own in range(3)]
    np.testing.assert_allclose(run.records[0].total.flatten(), found, rtol=1e-5)


@pytest.fixture
def digits():
    from kdviz.datasets import digits

    return digits(labels=40, transfer="labelled")


def test_the_least_agreement_is_reached_and_never_passed_below():
    """All ways for two networks to be right or wrong on ten images, wrong in different ways."""
    for right, also in ((9, 8), (3, 4), (10, 10)):
        first, second = np.arange(10) < right, np.arange(10) >= 10 - also
        expected = solve(exercise("8.3"))(right / 10, also / 10)
        assert (first & second).mean() == pytest.approx(expected)
        for shift in range(10):
            assert (np.roll(first, shift) & second).mean() >= expected - 1e-9


def test_reheated_probabilities_are_those_of_the_logits():
    logits = permute_dark_knowledge(offline._logits(5, 10, 1), torch.zeros(5, dtype=torch.long))
    found = solve(exercise("7.2"))(logits.softmax(-1), 8.0)
    assert torch.allclose(found, (logits / 8).softmax(-1).amax(-1).mean())
