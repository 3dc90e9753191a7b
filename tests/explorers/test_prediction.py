import pytest

from kdviz.explorers import prediction


def test_a_choice_is_made_and_committed():
    guess = prediction("Which?", ["left", "right"])
    assert guess.choice is None and not guess.committed
    guess.set_state({"choice": "right"})
    guess.set_state({"committed": True})
    assert (guess.choice, guess.committed) == ("right", True)
    assert repr(guess) == "Prediction('Which?', you said 'right')"


def test_what_is_not_offered_cannot_be_chosen():
    guess = prediction("Which?", ["left", "right"])
    with pytest.raises(ValueError, match="choice must be one of"):
        guess.choice = "up"
    assert guess.choice is None


def test_nothing_chosen_nothing_to_commit():
    guess = prediction("Which?", ["left", "right"])
    with pytest.raises(ValueError, match="set choice first"):
        guess.committed = True
    assert not guess.committed


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("", ["a", "b"]), ValueError, "question must be a text"),
        (("Which?", "ab"), TypeError, "list of texts"),
        (("Which?", ["a"]), ValueError, "two or more different"),
        (("Which?", ["a", "a"]), ValueError, "two or more different"),
        (("Which?", ["a", 3]), TypeError, "every choice"),
        (("Which?", ["a", "b"], 3), TypeError, "reveal must be a text"),
    ],
)
def test_bad_input_is_explained(arguments, error, message):
    with pytest.raises(error, match=message):
        prediction(*arguments)
