"""The exercises of notebooks 11 and 12: each diagnosis is found, and only it."""

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise, see_what_was_transferred

ALL = [exercise(one.name) for one in see_what_was_transferred.EXERCISES]
NAMES = [one.name for one in ALL]
MISTAKES = {
    "11.1": see_what_was_transferred.SHARED_MISTAKES,
    "11.2": see_what_was_transferred.WORST_MISTAKES,
}
PAIRS = [(name, mistake) for name, mistakes in MISTAKES.items() for mistake in mistakes]


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def test_the_exercises_of_these_pages_are_registered():
    assert NAMES == ["11.1", "11.2"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("name", MISTAKES)
def test_the_stub_of_the_notebook_is_not_yet_right(name):
    assert not exercise(name).check(lambda student, teacher, labels: None).passed


@pytest.mark.parametrize(("name", "mistake"), PAIRS, ids=[f"{name} {one.name}" for name, one in PAIRS])
def test_mistakes(name, mistake):
    assert exercise(name).check(mistake.function) == Feedback(False, mistake.message)


def test_the_solution_works_on_the_logits_of_a_comparison():
    teacher = torch.eye(3)[[0, 1, 2, 0]]
    student = torch.eye(3)[[0, 1, 1, 0]]
    labels = torch.tensor([0, 1, 2, 1])
    # The teacher is wrong on the last sample only, and so is the student; class 2 is lost.
    assert solve(exercise("11.1"))(student, teacher, labels) == 1
    assert solve(exercise("11.2"))(student, teacher, labels) == -1
