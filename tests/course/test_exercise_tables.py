"""Every exercise whose answer is a function of one number: each diagnosis is found, and only it."""

import pytest
import torch
from exercise_answers import mistakes, not_yet, solve

from kdviz.course.exercises import exercise, exercises
from kdviz.course.exercises.diagnosis import NumberGrader

GRADERS = {name: one.grade for name, one in exercises().items() if isinstance(one.grade, NumberGrader)}
SLIPS = [
    pytest.param(name, slip, id=f"{name} {slip.message[:40]}")
    for name, grader in GRADERS.items()
    for slip in grader.slips
]


@pytest.mark.parametrize(("name", "mistake"), mistakes(*exercises()))
def test_mistakes(name, mistake):
    assert exercise(name).check(mistake.function) == not_yet(mistake.message)


@pytest.mark.parametrize(("name", "slip"), SLIPS)
def test_slips(name, slip):
    right = solve(name)
    answer = lambda *values: slip.factor(*values) * right(*values)  # noqa: E731
    assert exercise(name).check(answer) == not_yet(slip.message)


def test_these_are_all_diagnoses_there_are():
    """So that none is lost where a grader is written anew."""
    assert len(mistakes(*exercises())) >= 194 and len(SLIPS) >= 32
    with_one = {name for name in exercises() if mistakes(name)}
    # The answers to the others are chosen, or their grader looks at the answer itself.
    chosen = {"0.3", "1.5", "2.4", "3.4", "5.2", "6.1", "7.4", "8.4", "10.4", "13.2"}
    looked_at = {"0.2", "1.4", "4.4", "5.4", "6.2", "6.3", "6.4", "12.1", "12.3"}
    assert set(exercises()) - with_one == chosen | looked_at


@pytest.mark.parametrize("name", GRADERS)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *values: print(end=""), "`return`"),
        (lambda *values: float("nan"), "nan"),
        (lambda *values: "0.9", "it returned a str"),
        (lambda: 0, "TypeError"),
        (3.0, "Hand in the function itself"),
        (lambda *values: 1e-3, "gave 0.001, which is too small"),
        (lambda *values: 0.123, "The value is not right"),
        (lambda *values: torch.zeros(3), "should return one number; it returned"),
    ],
    ids=["nothing", "nan", "text", "parameters", "called", "small", "value", "three"],
)
def test_other_wrong_answers_are_explained(name, answer, words):
    # Where the right value is below 0, a small number is too large.
    right = solve(name)(*GRADERS[name].calls[0].values())
    words = words.replace("small", "large") if right < 0 else words
    feedback = exercise(name).check(answer)
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize("name", ["3.1", "3.2", "3.3"])
def test_more_than_one_number_is_shown_by_its_shape(name):
    message = exercise(name).check(lambda *values: torch.zeros(3)).message
    assert "a tensor of shape (3,)" in message


@pytest.mark.parametrize(
    "name", [name for name in GRADERS if torch.is_tensor(next(iter(GRADERS[name].calls[0].values())))]
)
def test_an_answer_may_change_what_it_is_given(name):
    """It gets copies: neither the truth nor the next call sees what it did."""

    def right_and_untidy(*values):
        result = 1 * solve(name)(*values)
        # What a gradient is still to be worked out from must stay.
        if not getattr(result, "requires_grad", False):
            for value in values:
                if isinstance(value, torch.Tensor):
                    value.zero_()
        return result

    assert exercise(name).check(right_and_untidy).passed
    assert exercise(name).check(solve(name)).passed
