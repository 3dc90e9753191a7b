"""The exercises of notebooks 09 and 10: the solutions against the library, and answers of other kinds."""

import pytest
import torch
from exercise_answers import not_yet, solve

from kdviz.course.exercises import exercise
from kdviz.course.exercises import n10_who_teaches_whom as page
from kdviz.measure import accuracy, distillation_score, score_lines
from kdviz.models import Ensemble, exits, mlp


def test_the_mean_cost_is_that_of_a_network_that_leaves_early():
    inputs = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    network = exits(mlp(64, 9, 9, 10), ["activation1"], inputs)
    _, used = network.until_sure(inputs, 0.12)
    with torch.no_grad():
        said = torch.stack([network.alone(head)(inputs) for head in network.heads])
    costs = torch.tensor([1.0, 3.0])
    assert 0 < float(used.double().mean()) < 1
    found = solve("9.3")(said.softmax(-1).amax(-1), costs, 0.12)
    assert float(found) == pytest.approx(float(costs[used].mean()))


def test_two_students_tie_where_their_scores_are_equal():
    weight = solve("10.2")(0.05, 0.96, 0.2, 0.99)
    first, other = (distillation_score(s, 1.0, a, 1.0, weight) for s, a in ((0.05, 0.96), (0.2, 0.99)))
    assert 0 < weight < 1 and first == pytest.approx(other)


def test_the_gain_of_an_ensemble_is_that_of_kdviz():
    networks = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    inputs = torch.randn(90, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(90) % 10
    with torch.no_grad():
        members = torch.stack([network(inputs) for network in networks])
        together = accuracy(Ensemble(networks)(inputs), labels)
    alone = sum(accuracy(member, labels) for member in members) / 3
    assert float(solve("9.4")(members, labels)) == pytest.approx(together - alone)
    assert float(solve("9.4")(members[:1].repeat(4, 1, 1), labels)) == pytest.approx(0)


# --- 10.4

RIGHT = page.RIGHT_SCORES | {"because": "B"}


def test_the_two_scores_are_the_librarys_and_lie_on_both_sides_of_a_guesser():
    assert page.RIGHT_SCORES["parameters"] == pytest.approx(distillation_score(1, 1, 0.98, 1, 0.5))
    assert page.RIGHT_SCORES["bytes"] == pytest.approx(distillation_score(2, 32, 0.98, 1, 0.5))
    guesser = score_lines(0.979, classes=10)["guesser"]
    assert page.RIGHT_SCORES["bytes"] < guesser < page.RIGHT_SCORES["parameters"]


@pytest.mark.parametrize("unit", page.WRONG_SCORES)
def test_a_wrong_score_is_told_which_part_is_wrong(unit):
    for wrong, message in page.WRONG_SCORES[unit].items():
        assert exercise("10.4").check(RIGHT | {unit: wrong}) == not_yet(f"In {unit}: {message}")


def test_other_answers_about_scores():
    check = exercise("10.4").check
    assert check(RIGHT | {"bytes": 0.041, "because": " b"}).passed
    assert check(RIGHT | {"bytes": torch.tensor(0.04125)}).passed
    for reason, question in page.REASONS.items():
        assert check(RIGHT | {"because": reason}) == not_yet(
            f"Both scores are right. {reason} is not why they differ: {question}"
        )
    assert "from A to D; got 'E'" in check(RIGHT | {"because": "E"}).message
    assert "too large" in check(RIGHT | {"parameters": 0.7}).message
    assert "too small" in check(RIGHT | {"bytes": -1}).message
    assert "hand in a number; got '0.5'" in check(RIGHT | {"bytes": "0.5"}).message
    assert "Hand in a dictionary" in check({"parameters": 0.51}).message
