"""The exercises of notebook 00: objectives of other kinds, and what is said of each."""

import pytest

from kdviz import CrossEntropy, SoftTargets
from kdviz.course.exercises import exercise


@pytest.mark.parametrize(
    "objective",
    [
        0.25 * CrossEntropy() + 0.75 * SoftTargets(2),
        0.75 * SoftTargets(2.0) + 0.25 * CrossEntropy(),
        0.25 * (CrossEntropy() + 3 * SoftTargets(2)),
        0.5 * (0.5 * CrossEntropy()) + 0.75 * SoftTargets(temperature=2),
    ],
)
def test_the_objective_may_be_written_in_other_ways(objective):
    assert exercise("0.2").check(lambda: objective).passed


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda: 0.75 * CrossEntropy() + 0.25 * SoftTargets(2), "changed places"),
        (lambda: 0.1 * CrossEntropy() + 0.9 * SoftTargets(2), "0.1 for the labels and 0.9 for the teacher"),
        (lambda: 0.25 * CrossEntropy() + 0.75 * SoftTargets(), "The temperature is 4"),
        (lambda: 0.25 * CrossEntropy() + 0.75 * SoftTargets(0.5), "The temperature is 0.5"),
        (lambda: CrossEntropy() + 3 * SoftTargets(2), "Quarters of one are asked"),
        (lambda: 0.75 * SoftTargets(2), "hears no labels"),
        (lambda: CrossEntropy(), "hears no teacher"),
        (lambda: 0.25 * CrossEntropy() + 0.75 * SoftTargets(2) + 0.1 * SoftTargets(4), "3 terms"),
        (lambda: 0.75, "a sum of losses"),
        (lambda: print(end=""), "`return`"),
        (lambda temperature: temperature, "TypeError"),
        (0.25 * CrossEntropy() + 0.75 * SoftTargets(2), "Hand in the function that returns it"),
    ],
)
def test_another_objective_is_told_what_is_wrong(answer, words):
    feedback = exercise("0.2").check(answer)
    assert not feedback.passed and words in feedback.message
