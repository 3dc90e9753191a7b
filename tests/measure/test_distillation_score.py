"""The worked values are Walawalkar et al. 2020 as Alkhulaifi et al. score them: ResNet44 on CIFAR-100."""

import numpy as np
import pandas as pd
import pytest

from kdviz.measure import best_by_weight, distillation_score, distillation_scores, score_lines

SIZES = np.array([0.6284, 0.3536, 0.1525, 0.0374])
ACCURACIES = np.array([69.12, 67.04, 62.87, 43.11])
TEACHER = 71.76


def test_the_papers_worked_values():
    scores = distillation_score(SIZES, 1.0, ACCURACIES, TEACHER)
    assert scores.round(3).tolist() == [0.333, 0.21, 0.138, 0.218]


def test_the_weight_says_which_student_is_best():
    for weight, best in ((0.05, 0), (0.2, 1), (0.5, 2), (0.8, 3)):
        assert distillation_score(SIZES, 1, ACCURACIES, TEACHER, weight).argmin() == best
    found = best_by_weight(SIZES, ACCURACIES, 1, TEACHER)
    assert [place for *_, place in found] == [0, 1, 2, 3]
    assert [round(start, 3) for start, *_ in found] == [0, 0.095, 0.224, 0.705]
    assert found[-1][1] == 1


@pytest.mark.parametrize("seed", range(8))
def test_best_by_weight_is_what_a_fine_grid_of_weights_finds(seed):
    random = np.random.default_rng(seed)
    sizes, accuracies = random.uniform(0.01, 1.2, 7), random.uniform(0.2, 1, 7)
    found = best_by_weight(sizes, accuracies, 1, 0.9)
    assert found[0][0] == 0 and found[-1][1] == 1
    assert all(one[1] == two[0] and one[2] != two[2] for one, two in zip(found, found[1:], strict=False))
    for weight in np.linspace(0.0005, 0.9995, 500):
        place = next(place for start, end, place in found if start <= weight <= end)
        scores = distillation_score(sizes, 1, accuracies, 0.9, weight)
        assert scores[place] == pytest.approx(scores.min(), abs=1e-9)


def test_students_that_are_alike_have_one_winner():
    assert best_by_weight([0.5, 0.5], [0.8, 0.8], 1, 0.9) == [(0.0, 1.0, 0)]


def test_ends_of_the_scale():
    assert distillation_score(0.5, 1, 0.9, 0.9, 0) == 0
    assert distillation_score(1, 1, 0.9, 0.9, 0.3) == pytest.approx(0.3)
    assert distillation_score(1e-9, 1, 0, 0.9, 0.3) == pytest.approx(0.7)
    assert distillation_score(3, 1, 0.9, 0.9, 0.5) > 1
    assert distillation_score(0.1, 1, 1.0, 0.8, 0.5) < 0 < distillation_score(0.9, 1, 1.0, 0.8, 0.5)


def test_a_constant_guesser_scores_better_than_the_teacher():
    """The known trap of the score, worked by hand: ten classes, teacher 0.97."""
    lines = score_lines(0.97, 10)
    assert lines["teacher"] == 0.5
    assert lines["guesser"] == pytest.approx(0.448, abs=5e-4)
    weights = np.linspace(0, 1, 5)
    np.testing.assert_allclose(score_lines(0.97, 10, weights)["guesser"], (1 - weights) * (1 - 1 / 9.7))


def test_the_table_tells_what_the_score_hides():
    students = pd.DataFrame(
        {
            "name": ["guesser", "useful", "useless"],
            "size": [1, 100, 800],
            "accuracy": [0.1, 0.92, 0.9],
            "baseline_accuracy": [0.1, 0.90, 0.95],
        }
    )
    table = distillation_scores(
        students, teacher_size=1000, teacher_accuracy=0.95, minimum_accuracy=0.85
    ).set_index("name")
    assert table["enough"].tolist() == [False, True, True]
    assert table["beats_teacher"].tolist() == [True, True, True]
    assert table["gain"].tolist() == pytest.approx([0, 0.02, -0.05])
    assert table["gap_recovered"].tolist()[:2] == pytest.approx([0, 0.4])
    assert np.isnan(table.loc["useless", "gap_recovered"])
    assert table["retained"].tolist() == pytest.approx([0.1 / 0.95, 0.92 / 0.95, 0.9 / 0.95])
    assert table.loc["useful", "score"] == pytest.approx(0.5 * 0.1 + 0.5 * (1 - 0.92 / 0.95))
    assert list(students) == ["name", "size", "accuracy", "baseline_accuracy"]


def test_a_score_without_baseline_or_minimum_accuracy_is_not_given():
    students = pd.DataFrame({"size": [1], "accuracy": [0.5]})
    with pytest.raises(ValueError, match="lacks baseline_accuracy"):
        distillation_scores(students, teacher_size=2, teacher_accuracy=0.9, minimum_accuracy=0.4)
    with pytest.raises(TypeError, match="minimum_accuracy"):
        distillation_scores(students, teacher_size=2, teacher_accuracy=0.9)


@pytest.mark.parametrize(
    "values, says",
    [
        ((0, 1, 0.5, 0.9), "sizes"),
        ((1, -1, 0.5, 0.9), "sizes"),
        ((1, 1, 0.5, 0), "accuracy"),
        ((1, 1, -0.5, 0.9), "0 or more"),
        ((1, 1, 0.5, 0.9, 1.5), "size_weight.*1.5"),
        ((1, 1, float("nan"), 0.9), "0 or more"),
    ],
)
def test_impossible_values_are_refused(values, says):
    with pytest.raises(ValueError, match=says):
        distillation_score(*values)
