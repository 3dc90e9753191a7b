"""Every exercise whose answer is a function of one number: each diagnosis is found, and only it."""

import pytest
import torch
from exercise_answers import not_yet, solve

from kdviz.course.exercises import (
    exercise,
    features,
    offline,
    online,
    relations,
    responses,
    see_what_was_transferred,
    self_distillation,
    temperature_and_weight,
    who_teaches_whom,
)

# What the check calls the answer with, the mistakes it knows and the factors that may join them.
TABLES = {
    "2.1": (
        temperature_and_weight._width_calls(),
        temperature_and_weight.WIDTH_MISTAKES,
        temperature_and_weight.WIDTH_SLIPS,
    ),
    "2.2": (temperature_and_weight._count_calls(), temperature_and_weight.COUNT_MISTAKES, ()),
    "2.3": (temperature_and_weight._choice_calls(), temperature_and_weight.CHOICE_MISTAKES, ()),
    "3.1": (responses._direction_calls(), responses.DIRECTION_MISTAKES, responses.DIRECTION_SLIPS),
    "3.2": (responses._share_calls(), responses.SHARE_MISTAKES, ()),
    "3.3": (responses._correlation_calls(), responses.CORRELATION_MISTAKES, responses.CORRELATION_SLIPS),
    "4.1": (features._attention_calls(), features.ATTENTION_MISTAKES, features.ATTENTION_SLIPS),
    "4.2": (features._regressor_calls(), features.REGRESSOR_MISTAKES, features.REGRESSOR_SLIPS),
    "5.1": (relations._angle_calls(), relations.ANGLE_MISTAKES, relations.ANGLE_SLIPS),
    "7.1": (offline._lost_calls(), offline.LOST_MISTAKES, ()),
    "7.2": (offline._reheat_calls(), offline.REHEAT_MISTAKES, ()),
    "7.3": (offline._lie_calls(), offline.LIE_MISTAKES, ()),
    "8.1": (online._class_calls(), online.CLASS_MISTAKES, online.CLASS_SLIPS),
    "8.2": (online._stop_calls(), online.STOP_MISTAKES, ()),
    "8.3": (online._agreement_calls(), online.AGREEMENT_MISTAKES, ()),
    "9.1": (self_distillation._kept_calls(), self_distillation.KEPT_MISTAKES, ()),
    "9.2": (self_distillation._average_calls(), self_distillation.AVERAGE_MISTAKES, ()),
    "9.3": (self_distillation._cost_calls(), self_distillation.COST_MISTAKES, ()),
    "10.1": (who_teaches_whom._gap_calls(), who_teaches_whom.GAP_MISTAKES, ()),
    "10.2": (who_teaches_whom._tie_calls(), who_teaches_whom.TIE_MISTAKES, ()),
    "10.3": (who_teaches_whom._saving_calls(), who_teaches_whom.SAVING_MISTAKES, ()),
    "11.1": (list(see_what_was_transferred._tries()), see_what_was_transferred.SHARED_MISTAKES, ()),
    "11.2": (list(see_what_was_transferred._tries()), see_what_was_transferred.WORST_MISTAKES, ()),
}


def rows(place):
    """The rows of all tables at a place, each with the name of its exercise."""
    pairs = [(name, row) for name, table in TABLES.items() for row in table[place]]
    return {"argvalues": pairs, "ids": [f"{name} {row.name}" for name, row in pairs]}


def by_position(function, name):
    """A function that takes keywords, called as a learner's is: by position."""
    names = list(TABLES[name][0][0])
    return lambda *values: function(**dict(zip(names, values, strict=True)))


@pytest.mark.parametrize(("name", "mistake"), **rows(1))
def test_mistakes(name, mistake):
    assert exercise(name).check(by_position(mistake.function, name)) == not_yet(mistake.message)


@pytest.mark.parametrize(("name", "slip"), **rows(2))
def test_slips(name, slip):
    right, factor = solve(name), by_position(slip.factor, name)
    assert exercise(name).check(lambda *values: factor(*values) * right(*values)) == not_yet(slip.message)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda *values: None, "`return`"),
        (lambda *values: float("nan"), "nan"),
        (lambda *values: "0.9", "it returned a str"),
        (lambda: 0, "TypeError"),
        (3.0, "Hand in the function itself"),
        (lambda *values: 1e-3, "gave 0.001, which is too small"),
        (lambda *values: 0.123, "The value is not right"),
    ],
    ids=["nothing", "nan", "text", "parameters", "called", "small", "value"],
)
def test_other_wrong_answers_are_explained(name, answer, words):
    # What a student lost is below 0, so a small number is too large.
    words = words.replace("small", "large") if name == "11.2" else words
    feedback = exercise(name).check(answer)
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize("name", ["3.1", "3.2", "3.3"])
def test_more_than_one_number_is_shown_by_its_shape(name):
    message = exercise(name).check(lambda *values: torch.zeros(3)).message
    assert "a tensor of shape (3,)" in message
