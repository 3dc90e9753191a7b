"""Sums with what leads to them, and key-value pairs: they are right, and each control is what it says."""

import pytest
import torch

from kdviz.datasets import cards, pairs, sums
from kdviz.datasets._pairs import asked_place, read_pairs
from kdviz.datasets._sums import WORKINGS
from kdviz.models import encoder, transformer


def read(data, texts):
    """Of each text its digits, and what follows the equals sign."""
    asked, said = zip(*(line.split(" = ") for line in data.read(texts)), strict=True)
    return [[*map(int, line.split())] for line in asked], [line.split() for line in said]


@pytest.mark.parametrize("working", WORKINGS)
@pytest.mark.parametrize("digits", [3, 4, 6])
def test_the_answer_is_the_last_digit_of_the_sum(working, digits):
    data = sums(200, digits=digits, working=working, test=100, seed=3)
    for texts in (data.texts, data.test):
        asked, _ = read(data, texts)
        assert data.answers(texts).tolist() == [sum(line) % 10 for line in asked]


def test_each_working_has_what_it_says():
    for working in WORKINGS:
        data = sums(300, working=working, seed=1)
        asked, said = read(data, data.texts)
        running = [[str(sum(line[:n]) % 10) for n in (2, 3, 4)] for line in asked]
        expected = {
            "none": [line[2:] for line in running],
            "running sums": running,
            "dots": [["…", "…", line[2]] for line in running],
            "another's sums": [[*running[n - 1][:2], line[2]] for n, line in enumerate(running)],
            "after": [[line[2], *line[:2]] for line in running],
            "other order": [[line[1], line[0], line[2]] for line in running],
        }
        assert said == expected[working]


def test_all_workings_ask_the_same_and_learn_as_many_words():
    every = [sums(100, working=working, seed=5) for working in WORKINGS]
    for data in every:
        assert (data.texts.tokens[:, :5] == every[0].texts.tokens[:, :5]).all()
        assert (data.test.tokens[:, :5] == every[0].test.tokens[:, :5]).all()
    assert {int(data.texts.learned.sum()) for data in every[1:]} == {400}


def test_no_sum_is_drawn_twice_and_none_of_the_test_is_learned():
    data = sums(9_500, test=500, seed=2)
    both = torch.cat([data.texts.tokens, data.test.tokens])[:, :4]
    assert len(both.unique(dim=0)) == 10_000


def test_another_text_is_no_answer():
    data = sums(10, seed=0)
    silent = data.texts.prompts
    said = type(silent)(torch.nn.functional.pad(silent.tokens, (0, 4)), silent.start, silent.end)
    assert (data.answers(said) == -1).all()


def test_a_model_of_its_tokens_reads_it():
    data = sums(3)
    network = transformer(data.tokens, len(data.words), length=8)
    assert network(data.texts.tokens[:, :-1]).shape == (3, 8, 12)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"working": "aloud"}, "running sums"),
        ({"digits": 7}, "6 or fewer"),
        ({"digits": 2, "texts": 90, "test": 20}, "fewer than"),
        ({"texts": 0}, "texts must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_sums_are_refused(given, says):
    with pytest.raises(ValueError, match=says):
        sums(**given)


def test_the_class_is_the_value_of_the_key_that_is_asked_for():
    data = pairs(labels=200, seed=4)
    for part in (data.train, data.transfer, data.validation, data.test):
        places = asked_place(part.inputs).tolist()
        for line, label, place in zip(read_pairs(part.inputs), part.labels.tolist(), places, strict=True):
            *given, question = line.split()
            assert dict(given)[question[0]] == data.classes[label] and given[place][0] == question[0]
            assert len({pair[0] for pair in given}) == 4


def test_the_student_gets_the_first_of_the_teachers_sequences():
    data = pairs(labels=100, seed=1)
    assert len(data.train) == 9600 and torch.equal(data.transfer.inputs, data.train.inputs[:100])
    again = pairs(labels=50, seed=1)
    assert torch.equal(again.transfer.inputs, data.transfer.inputs[:50])
    assert not torch.equal(pairs(labels=50, seed=2).test.inputs, data.test.inputs)
    with pytest.raises(ValueError, match="labels must be"):
        pairs(labels=0)


def test_guessing_is_as_right_as_its_description_says():
    data = pairs(seed=0)
    values = data.train.inputs[:, :4] % 6
    of_a_pair = (values == data.train.labels[:, None]).double().mean()
    assert abs(of_a_pair - 0.375) < 0.01


def test_an_encoder_answers_at_the_question_and_sees_every_token():
    network = encoder(56, 6, length=5, seed=1)
    tokens = pairs(labels=1).test.inputs[:1]
    before = network(tokens)
    assert before.shape == (1, 6)
    for place in range(5):
        other = tokens.clone()
        other[0, place] = (other[0, place] + 1) % 56
        assert not torch.equal(network(other), before)
    with pytest.raises(ValueError, match="divide"):
        encoder(56, 6, width=10, heads=4)


def test_both_are_in_the_list_of_data_sets():
    assert {"Sums", "Pairs"} <= {card.name for card in cards()}
