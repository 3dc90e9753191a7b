"""The exercises of notebook 06: a zoo of tests, wrong ones and right ones in other clothes."""

import pytest
import torch
from exercise_answers import solve

from kdviz.course.exercises import exercise

GRADERS = {name: exercise(name).grade for name in ("6.2", "6.3", "6.4")}


def moved(cloud):
    return 2 * cloud @ torch.linalg.qr(torch.randn(4, 4, dtype=cloud.dtype)).Q + 5


def two(rows=6, **settings):
    return torch.randn(rows, 4, **settings), torch.randn(rows, 4, **settings)


def gradients(loss, student, teacher):
    return torch.autograd.grad(loss(student, teacher), [student, teacher], allow_unused=True)


# --- tests that are wrong, and what must be said


def nothing_asserted(loss):
    loss(*two(requires_grad=True))


def always(loss):
    raise AssertionError("I never agree")


def answered(loss):
    return bool(loss(*two(requires_grad=True)) == 0)


def broken(loss):
    torch.randn(3).backward()


def sum_of_the_gradient(loss):
    student, _ = gradients(loss, *two(requires_grad=True))
    assert student.abs().sum() > 0


def every_logit(loss):
    student, teacher = gradients(loss, *two(requires_grad=True))
    assert (student.abs() > 0).all() and (teacher is None or not teacher.any())


def loud_enough(loss):
    student, teacher = gradients(loss, *two(requires_grad=True))
    assert (student.abs().amax(1) > 1e-4).all() and (teacher is None or not teacher.any())


def nearly_nothing_of_the_teacher(loss):
    student, teacher = gradients(loss, *two(requires_grad=True))
    assert (student.abs().amax(1) > 0).all() and (teacher is None or teacher.abs().max() < 1e-3)


def teacher_without_gradient(loss):
    student, _ = two(requires_grad=True)
    loss(student, torch.randn(6, 4)).backward()
    assert (student.grad.abs().amax(1) > 0).all()


def never_none(loss):
    _, teacher = gradients(loss, *two(requires_grad=True))
    assert teacher is None


def equal_to_the_last_digit(loss):
    student, teacher = two(64)
    assert loss(torch.cat([student, student]), torch.cat([teacher, teacher])) == loss(student, teacher)


def twice_as_much(loss):
    student, teacher = two()
    assert torch.isclose(loss(student.repeat(2, 1), teacher.repeat(2, 1)), 2 * loss(student, teacher))


def within_five_percent(loss):
    student, teacher = two(50)
    assert torch.isclose(loss(student.repeat(2, 1), teacher.repeat(2, 1)), loss(student, teacher), rtol=0.05)


def small_batch_only(loss):
    student, teacher = two()
    assert torch.isclose(loss(student.repeat(2, 1), teacher.repeat(2, 1)), loss(student, teacher), rtol=1e-4)


def zero_for_the_teachers_copy(loss):
    _, teacher = two(dtype=torch.float64)
    assert abs(loss(moved(teacher), teacher)) < 1e-9


def something_for_another_shape(loss):
    student, teacher = two(dtype=torch.float64)
    assert abs(loss(moved(teacher), teacher)) < 1e-9 and loss(student, teacher) > 1e-3


def no_move_matters(loss):
    student, teacher = two(dtype=torch.float64)
    assert torch.isclose(loss(moved(student), teacher), loss(student, teacher))
    assert loss(student, teacher) > 1e-3


def exactly_zero(loss):
    _, teacher = two()
    assert loss(moved(teacher), teacher) == 0


def doubled_only(loss):
    student, teacher = two(dtype=torch.float64)
    assert loss(2 * teacher, teacher) < 1e-9
    assert torch.isclose(loss(2 * student, teacher), loss(student, teacher)) and loss(student, teacher) > 1e-3


ANYWHERE = {
    nothing_asserted: "",
    always: "refuses a right loss",
    answered: "nobody looks at what a test returns",
    broken: "It stopped with `RuntimeError: element 0",
    5: "Hand in the test itself",
}
WRONG = {
    "6.2": {
        sum_of_the_gradient: "only the first two images are attached",
        every_logit: "leaves one logit of each image alone",
        loud_enough: "A small weight is no cut wire",
        nearly_nothing_of_the_teacher: "a gradient of one millionth reaches the teacher",
        teacher_without_gradient: "can only show that if it `requires_grad`",
        never_none: "The teacher's gradient is there and is 0",
    },
    "6.3": {
        equal_to_the_last_digit: "differ in their last digits",
        twice_as_much: "refuses a right loss",
        within_five_percent: "it divides by N − 1",
        small_batch_only: "it is right for up to 64 images",
    },
    "6.4": {
        zero_for_the_teachers_copy: "it is 0 for every student",
        something_for_another_shape: "Move a student that is no copy",
        no_move_matters: "What should the teacher's own cloud cost?",
        exactly_zero: "RKD's loss on distances",
        doubled_only: "Did you move a cloud as a whole?",
    },
}


@pytest.mark.parametrize("name", GRADERS)
@pytest.mark.parametrize(("test", "words"), ANYWHERE.items())
def test_what_is_no_test_is_told_so(name, test, words):
    feedback = exercise(name).check(test)
    assert not feedback.passed and feedback.begun and words in feedback.message


@pytest.mark.parametrize(
    ("name", "test", "words"), [(name, *pair) for name, zoo in WRONG.items() for pair in zoo.items()]
)
def test_a_wrong_test_is_refused_and_told_why(name, test, words):
    feedback = exercise(name).check(test)
    assert not feedback.passed and words in feedback.message


def test_a_test_that_holds_for_some_random_numbers_only_is_refused():
    def sometimes(loss):
        if torch.rand(()) < 0.5:
            solve("6.2")(loss)

    assert not exercise("6.2").check(sometimes).passed


# --- right tests in other clothes


def image_by_image(loss):
    student, teacher = two(5, requires_grad=True)
    loss(student, teacher).backward()
    for row in student.grad:
        assert row.abs().max() > 0
    if teacher.grad is not None:
        assert teacher.grad.abs().max() == 0


def by_autograd(loss):
    student, teacher = gradients(loss, *two(12, requires_grad=True, dtype=torch.float64))
    if student is None or (student == 0).all(1).any() or (teacher is not None and teacher.any()):
        raise ValueError("a wire is cut, or one too many is there")


def many_sizes(loss):
    for size in (1, 2, 33, 100):
        student, teacher = two(size, dtype=torch.float64)
        value = float(loss(student.repeat(2, 1), teacher.repeat(2, 1)))
        assert value == pytest.approx(float(loss(student, teacher)), rel=1e-5)


def each_image_twice_in_a_row(loss):
    for size in (4, 70):
        student, teacher = two(size)
        doubled = loss(student.repeat_interleave(2, 0), teacher.repeat_interleave(2, 0))
        assert abs(doubled - loss(student, teacher)) < 1e-3 * abs(doubled)


def all_moves_at_once(loss):
    student, teacher = two(8, dtype=torch.float64)
    assert loss(moved(teacher), teacher) < 1e-9
    before, after = loss(student, teacher), loss(moved(student), teacher)
    assert before > 1e-4 and abs(before / after - 1) < 1e-4


def moves_of_both(loss):
    student, teacher = two(9, dtype=torch.float64)
    assert torch.isclose(loss(moved(student), moved(teacher)), loss(student, teacher), rtol=1e-4)
    assert 0 <= loss(teacher, moved(teacher)) < 1e-9 < loss(student, teacher)


RIGHT = {
    "6.2": [image_by_image, by_autograd],
    "6.3": [many_sizes, each_image_twice_in_a_row],
    "6.4": [all_moves_at_once, moves_of_both],
}


@pytest.mark.parametrize(("name", "test"), [(name, test) for name, tests in RIGHT.items() for test in tests])
def test_a_right_test_in_other_clothes_passes(name, test):
    feedback = exercise(name).check(test)
    assert feedback.passed, feedback.message


# --- the losses that the graders keep


@pytest.mark.parametrize("name", GRADERS)
def test_the_question_counts_the_losses(name):
    grader, question = GRADERS[name], " ".join(exercise(name).question.split())
    words = "five six seven".split()
    right, wrong = (words[len(found) - 5] for found in (grader.right, grader.wrong))
    assert f"{right} right losses" in question and f"{wrong} wrong ones" in question


@pytest.mark.parametrize("name", GRADERS)
def test_each_wrong_loss_is_caught_by_what_the_solution_asks_and_said_why(name):
    for function in (*GRADERS[name].right, *GRADERS[name].wrong):
        assert len(function.__doc__.split()) > 2
    for function in GRADERS[name].wrong:
        with pytest.raises((AssertionError, RuntimeError)):
            solve(name)(function)


def test_a_softmax_over_the_images_would_pass_as_the_praise_says():
    def over_the_images(student, teacher):
        log_p, log_q = student.log_softmax(0), teacher.log_softmax(0)
        return (log_q.exp() * (log_q - log_p)).sum(0).mean()

    solve("6.3")(over_the_images)
    assert "a softmax taken over the images would pass" in exercise("6.3").praise
