import pytest

from kdviz.explorers import Guess, guess, prediction


def test_a_choice_is_made_and_committed():
    question = guess("Which?", ["left", "right"])
    assert question.choice is None and not question.committed
    question.set_state({"choice": "right"})
    question.set_state({"committed": True})
    assert (question.choice, question.committed) == ("right", True)
    assert repr(question) == "Guess('Which?', you said 'right')"


def test_what_is_not_offered_cannot_be_chosen():
    question = guess("Which?", ["left", "right"])
    with pytest.raises(ValueError, match="choice must be one of"):
        question.choice = "up"
    assert question.choice is None


def test_nothing_chosen_nothing_to_commit():
    question = guess("Which?", ["left", "right"])
    with pytest.raises(ValueError, match="set choice first"):
        question.committed = True
    assert not question.committed


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("", ["a", "b"]), ValueError, "question must be a text"),
        (("Which?", "ab"), TypeError, "list of texts"),
        (("Which?", ["a"]), ValueError, "two or more different"),
        (("Which?", ["a", "a"]), ValueError, "two or more different"),
        (("Which?", ["a", 3]), TypeError, "every choice"),
        (("Which?", ["a", "b"], "c"), ValueError, "answer must be one of the choices"),
        (("Which?", ["a", "b"], "a", 3), TypeError, "because must be a text"),
    ],
)
def test_bad_input_is_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        guess(*arguments)


def test_the_name_that_notebooks_use_is_the_same_function():
    assert prediction is guess


def test_once_committed_the_answer_is_told():
    question = guess("Which?", ["left", "right"], answer="left", because="It was so.")
    assert question.outcome is None
    question.choice, question.committed = "right", True
    assert question.outcome is False
    assert repr(question) == "Guess('Which?', you said 'right', and it is 'left')"
    again = guess("Which?", ["left", "right"], answer="left")
    again.choice, again.committed = "left", True
    assert again.outcome is True and repr(again) == "Guess('Which?', you said 'left', right)"
    assert Guess.asked["Which?"] is again
