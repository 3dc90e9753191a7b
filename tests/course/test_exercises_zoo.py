"""A zoo of wrong answers, and of right ones in other clothes, tried on every exercise with one number."""

import itertools

import numpy as np
import pytest
import torch
from exercise_answers import solve

from kdviz.course.exercises import exercise, exercises
from kdviz.course.exercises.diagnosis import NumberGrader

GRADERS = {name: one.grade for name, one in exercises().items() if isinstance(one.grade, NumberGrader)}
# Losses that a student could be trained with.
LOSSES = [name for name, grader in GRADERS.items() if grader.gradient_for]
WITH_TENSORS = [
    name for name, grader in GRADERS.items() if any(map(torch.is_tensor, grader.calls[0].values()))
]


def changed(values, change):
    """The values, with the change made to each tensor of real numbers."""
    return [change(v) if torch.is_tensor(v) and v.is_floating_point() else v for v in values]


# --- wrong answers: each takes a right one


def detached(right):
    return lambda *values: right(*values).detach()


def item(right):
    return lambda *values: right(*values).item()


def student_detached(right):
    return lambda *values: right(*changed(values, torch.Tensor.detach)) + 0 * values[0].sum()


def half_detached(right):
    return lambda *values: (right(*values) + right(*values).detach()) / 2


def cleared(right):
    """Sets its input to 1 in place, so that nothing of it is left when the truth is worked out."""

    def answer(*values):
        changed(values, lambda tensor: tensor.detach().fill_(1.0))
        return right(*values)

    return answer


def doubled_in_place(right):
    """Doubles its input before it looks at it, by accident twice."""

    def answer(*values):
        changed(values, lambda tensor: tensor.detach().mul_(2).add_(torch.arange(tensor.shape[-1])))
        return right(*values)

    return answer


def first_row(right):
    return lambda *values: right(*(value[:1] if torch.is_tensor(value) else value for value in values))


def last_row_missing(right):
    return lambda *values: right(*(value[:-1] if torch.is_tensor(value) else value for value in values))


def constant(number):
    return lambda right: lambda *values: number


def of_the_call_before(right):
    kept = [torch.zeros(())]

    def answer(*values):
        kept.append(right(*values))
        return kept[-2]

    return answer


def of_the_first_call(right):
    kept = []

    def answer(*values):
        kept.append(right(*values))
        return kept[0]

    return answer


def summed(right):
    return lambda *values: len(values[0]) * right(*values)


def negative(right):
    return lambda *values: -right(*values)


def one_minus(right):
    return lambda *values: 1 - right(*values)


def exchanged(right):
    return lambda first, second, *rest: right(second, first, *rest)


def half_precision(right):
    """Computed on numbers that were rounded to half precision, and rounded again in the end."""

    def answer(*values):
        result = right(*changed(values, lambda tensor: tensor.half().to(tensor.dtype)))
        return torch.as_tensor(result).half()

    return answer


def squared(right):
    return lambda *values: right(*values) ** 2


def noisy(right):
    return lambda *values: (
        right(*values) * (1 + 0.01 * torch.rand((), generator=torch.Generator().manual_seed(0)))
    )


ANYWHERE = {
    "zero": constant(0.0),
    "one": constant(1),
    "half": constant(torch.tensor(0.5)),
    "of the call before": of_the_call_before,
    "of the first call": of_the_first_call,
    "negative": negative,
    "one minus": one_minus,
    "squared": squared,
    "noisy": noisy,
}
WITH_ROWS = {
    "cleared": cleared,
    "doubled in place": doubled_in_place,
    "first row": first_row,
    "last row missing": last_row_missing,
    "summed": summed,
    "half precision": half_precision,
}
OF_LOSSES = {
    "detached": detached,
    "item": item,
    "student detached": student_detached,
    "half detached": half_detached,
}
# A linear regressor explains as much of scaled and shifted features, and the nearest stays the nearest.
RIGHT_AFTER_ALL = {("4.2", "doubled in place"), ("5.3", "doubled in place")}
WRONG = [
    pytest.param(name, make, id=f"{name} {called}")
    for names, zoo in ((GRADERS, ANYWHERE), (WITH_TENSORS, WITH_ROWS), (LOSSES, OF_LOSSES))
    for name, (called, make) in itertools.product(names, zoo.items())
    if (name, called) not in RIGHT_AFTER_ALL
]


@pytest.mark.parametrize(("name", "make"), WRONG)
def test_a_wrong_answer_is_refused(name, make):
    feedback = exercise(name).check(make(solve(name)))
    assert not feedback.passed and feedback.message


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("make", OF_LOSSES.values(), ids=OF_LOSSES)
def test_a_lost_gradient_is_named(name, make):
    assert exercise(name).check(make(solve(name))).message.startswith("The value is right, but")


@pytest.mark.parametrize(
    ("make", "names", "words"),
    [
        (half_precision, ["1.1", "3.1", "7.2", "8.1"], "only the first two or three digits are right"),
        (first_row, ["0.1", "1.1", "3.1", "4.1", "7.1"], "right for the first sample only"),
        (of_the_call_before, ["2.1", "7.2", "9.1", "10.1"], "right value of the try before"),
        (constant(0.123), ["1.1", "5.1", "10.3"], "It does not depend on what it is given."),
        (summed, ["1.1", "3.1"], "sum over the samples"),
        (negative, ["1.1", "3.1", "11.2"], "sign"),
        (negative, ["2.1"], "A width is not negative."),
        (exchanged, ["1.1"], "The KL divergence is the wrong way round"),
        (exchanged, ["4.2"], "You predict the student from the teacher."),
    ],
)
def test_the_mistake_is_named(make, names, words):
    for name in names:
        assert words in exercise(name).check(make(solve(name))).message, name


# --- right answers in other clothes


def in_place(right):
    """Works on what it was given, as a function that needs no input later may."""

    def answer(*values):
        for value in values:
            if torch.is_tensor(value) and value.is_floating_point():
                value.mul_(4).div_(4)
        return right(*values)

    return answer


def sample_by_sample(right):
    """A loop over the samples, and the mean of what it gathers."""

    def answer(*values):
        rows = range(len(values[0]))
        each = [right(*(v[i : i + 1] if torch.is_tensor(v) else v for v in values)) for i in rows]
        return sum(each) / len(each)

    return answer


def with_other_names(right):
    return lambda a, b=None, c=None, d=None, e=None: right(*(v for v in (a, b, c, d, e) if v is not None))


def one_element(right):
    return lambda *values: torch.as_tensor(right(*values)).reshape(1, 1)


def in_single_precision(right):
    return lambda *values: right(*changed(values, torch.Tensor.float))


def numpy_number(right):
    return lambda *values: np.float64(float(right(*values)))


MEANS_OVER_SAMPLES = ["0.1", "1.1", "1.3", "3.1", "3.2", "3.3", "3.5", "4.1", "7.1", "7.2", "11.4"]
RIGHT = [
    pytest.param(name, make, id=f"{name} {make.__name__}")
    for make, names in (
        (in_place, WITH_TENSORS),
        (sample_by_sample, MEANS_OVER_SAMPLES),
        (with_other_names, GRADERS),
        (one_element, GRADERS),
        (in_single_precision, WITH_TENSORS),
        (numpy_number, [name for name in GRADERS if name not in LOSSES]),
    )
    for name in names
]


@pytest.mark.parametrize(("name", "make"), RIGHT)
def test_a_right_answer_passes(name, make):
    feedback = exercise(name).check(make(solve(name)))
    assert feedback.passed, feedback.message


def test_the_zoo_is_large():
    """How many answers are tried; none of them may be lost by a change of the lists above."""
    assert len(WRONG) >= 456 and len(RIGHT) >= 145
