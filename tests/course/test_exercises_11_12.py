"""The exercises of notebooks 11 and 12: the solutions against the library, and answers of other kinds."""

import pytest
import torch
from exercise_answers import solve

from kdviz.course.exercises import exercise


def test_two_logits_that_are_not_returned():
    assert "`return`" in exercise("12.2").check(lambda z: print(end="")).message


def test_the_solution_works_on_the_logits_of_a_comparison():
    teacher = torch.eye(3)[[0, 1, 2, 0]]
    student = torch.eye(3)[[0, 1, 1, 0]]
    labels = torch.tensor([0, 1, 2, 1])
    # The teacher is wrong on the last sample only, and so is the student; class 2 is lost.
    assert solve("11.1")(student, teacher, labels) == 1
    assert solve("11.2")(student, teacher, labels) == -1


# Each takes one mend out of the solution of 12.1 and says what the feedback must name.
UNMENDED = {
    "student_in_eval_mode": ("student.train()", "student.eval()"),
    "teacher_not_frozen": ("with torch.no_grad():", "if True:"),
    "temperature_squared": ("4**2 * ", ""),
    "gradients_accumulate": ("    optimizer.zero_grad()\n", ""),
    "student_stands_still": ("    optimizer.step()\n", ""),
    "reduction": ('"batchmean"', '"mean"'),
    "log_forgotten": ("log_softmax(z / 4, 1), q", "softmax(z / 4, 1), q"),
    "NameError": ("z = student(inputs)", "pass"),
    "asks the student 2 times": ("cross_entropy(z, labels)", "cross_entropy(student(inputs), labels)"),
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
        (lambda z: torch.stack([(1 - z.sigmoid()).log(), z.sigmoid().log()], 1), "z = 200"),
        (lambda z: torch.stack([z - z, z / 0], 1), "finite"),
    ],
)
def test_two_logits_of_a_wrong_kind(answer, words):
    feedback = exercise("12.2").check(answer)
    assert not feedback.passed and words in feedback.message
