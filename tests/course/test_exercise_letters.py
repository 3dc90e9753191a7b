"""Exercises whose answer is a choice for each letter."""

import itertools

import pytest
from exercise_answers import not_yet

from kdviz.course.exercises import exercise, exercises
from kdviz.course.exercises.diagnosis import LetterGrader

GRADERS = {name: one.grade for name, one in exercises().items() if isinstance(one.grade, LetterGrader)}


@pytest.mark.parametrize("name", GRADERS)
def test_a_wrong_choice_is_met_with_a_question_that_does_not_tell_it(name):
    grader = GRADERS[name]
    for letter, choice in itertools.product(grader.right, grader.choices):
        feedback = exercise(name).check(grader.right | {letter: choice})
        if choice == grader.right[letter]:
            assert feedback.passed
        else:
            place, question = (
                f"{len(grader.right) - 1} of {len(grader.right)}. {grader._each.capitalize()} {letter}",
                grader.questions[letter],
            )
            assert feedback == not_yet(f"{place}: {question}")
            assert grader.right[letter] not in question


@pytest.mark.parametrize("name", GRADERS)
def test_two_choices_exchanged_are_both_wrong(name):
    right = GRADERS[name].right
    for first, second in itertools.combinations(right, 2):
        if right[first] != right[second]:
            feedback = exercise(name).check(right | {first: right[second], second: right[first]})
            assert feedback.message.startswith(f"{len(right) - 2} of {len(right)}.")


@pytest.mark.parametrize("name", GRADERS)
def test_the_question_shows_every_letter_and_every_choice(name):
    grader, question = GRADERS[name], " ".join(exercise(name).question.split())
    assert all(f"**{letter}**" in question for letter in grader.right)
    assert all(f'`"{choice}"`' in question for choice in grader.choices)
    assert (
        set(grader.right.values()) <= set(grader.choices)
        and list(grader.right) == list("ABCDE")[: len(grader.right)]
    )


@pytest.mark.parametrize("name", GRADERS)
def test_an_answer_of_another_kind_is_told_what_to_hand_in(name):
    grader, check = GRADERS[name], exercise(name).check
    assert f"one {grader._one} for each {grader._each}" in check({"A": grader.choices[0]}).message
    for nonsense in ("luck", ["luck"], None):
        assert "is not on the list: " in check(grader.right | {"D": nonsense}).message
    same = check(dict.fromkeys(grader.right, grader.choices[0]))
    count = list(grader.right.values()).count(grader.choices[0])
    assert same.message.startswith(f"{count} of {len(grader.right)}.")
