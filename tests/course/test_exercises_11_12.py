"""The exercises of notebooks 11 and 12: each diagnosis is found, and only it."""

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise, see_what_was_transferred, your_own_models

ALL = [exercise(one.name) for one in (*see_what_was_transferred.EXERCISES, *your_own_models.EXERCISES)]
NAMES = [one.name for one in ALL]
MISTAKES = {
    "11.1": see_what_was_transferred.SHARED_MISTAKES,
    "11.2": see_what_was_transferred.WORST_MISTAKES,
    "12.2": your_own_models.TWO_MISTAKES,
}
PAIRS = [(name, mistake) for name, mistakes in MISTAKES.items() for mistake in mistakes]


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def test_the_exercises_of_these_pages_are_registered():
    assert NAMES == ["11.1", "11.2", "12.1", "12.2"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


STUBS = {
    "11.1": lambda student, teacher, labels: None,
    "11.2": lambda student, teacher, labels: None,
    "12.2": lambda z: None,
}


@pytest.mark.parametrize("name", STUBS)
def test_the_stub_of_the_notebook_is_not_yet_right(name):
    feedback = exercise(name).check(STUBS[name])
    assert not feedback.passed and "`return`" in feedback.message


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


# Each takes one mend out of the solution of 12.1 and says what the feedback must name.
UNMENDED = {
    "student_in_eval_mode": ("student.train()", "student.eval()"),
    "teacher_not_frozen": ("with torch.no_grad():", "if True:"),
    "temperature_squared": ("4**2 * ", ""),
    "gradients of the first call": ("    optimizer.zero_grad()\n", ""),
    "student_stands_still": ("    optimizer.step()\n", ""),
    "reduction": ('"batchmean"', '"mean"'),
    "log_forgotten": ("log_softmax(z / 4, 1), q", "softmax(z / 4, 1), q"),
    "NameError": ("z = student(inputs)", "pass"),
}


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("words", UNMENDED)
def test_a_fault_left_in_the_step_is_named(words):
    source, (right, wrong) = exercise("12.1").source, UNMENDED[words]
    assert right in source
    scope = {}
    exec(source.replace(right, wrong), scope)
    feedback = exercise("12.1").check(scope["my_step"])
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda z: z, "shape (N, 2)"),
        (lambda z: torch.stack([z - z, z / 2], 1), "does not give sigmoid(z)"),
        (lambda z: torch.stack([1 - z.sigmoid(), z.sigmoid()], 1).clamp(1e-12).log(), "z = 200"),
        (lambda z: torch.stack([z - z, z / 0], 1), "finite"),
    ],
)
def test_two_logits_of_a_wrong_kind(answer, words):
    feedback = exercise("12.2").check(answer)
    assert not feedback.passed and words in feedback.message
