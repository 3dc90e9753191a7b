"""The score explorer: its numbers against kdviz's own score, and its use."""

import pandas as pd
import pytest
from controls import move_every_control

from kdviz import explorers
from kdviz.measure import distillation_score, paired

TEACHER = {"accuracy": 98.0, "parameters": 20_000, "bytes": 80_000}
STUDENTS = {
    # name: parameters, bytes, accuracy, baseline accuracy
    "small": (600, 2_400, 80.0, 78.0),
    "middle": (2_000, 8_000, 93.0, 93.5),
    "2 bits": (20_000, 5_000, 96.0, 90.0),
}


@pytest.fixture
def students():
    return pd.DataFrame(
        {
            "student": name,
            "seed": seed,
            "parameters": parameters,
            "bytes": size,
            "accuracy": accuracy + 0.3 * (seed - 2),
            "baseline_accuracy": baseline + 0.5 * (seed % 3 - 1),
        }
        for name, (parameters, size, accuracy, baseline) in STUDENTS.items()
        for seed in range(5)
    )


def test_holds_means_and_paired_intervals(students):
    view = explorers.score(students, TEACHER)
    assert [one["name"] for one in view.students] == ["small", "middle", "2 bits"]
    middle = students[students.student == "middle"]
    interval = paired(middle.accuracy, middle.baseline_accuracy)
    assert view.students[1]["gain"] == pytest.approx([interval.low, interval.high], abs=1e-3)
    assert view.students[1]["accuracy"] == pytest.approx(93.0)
    assert view.measures == ["parameters", "bytes"]


def test_what_is_missing_is_named(students):
    with pytest.raises(ValueError, match="baseline_accuracy"):
        explorers.score(students.drop(columns="baseline_accuracy"), TEACHER)
    with pytest.raises(ValueError, match="one or more of parameters, bytes, MACs, latency"):
        explorers.score(students.drop(columns=["parameters", "bytes"]), TEACHER)
    with pytest.raises(ValueError, match="the teacher needs bytes above 0"):
        explorers.score(students, {"accuracy": 98.0, "parameters": 20_000})
    with pytest.raises(ValueError, match="fewer than 5 seeds"):
        explorers.score(students[students.seed < 3], TEACHER)


@pytest.mark.parametrize(
    "trait, value, message",
    [
        ("size_weight", 1.5, "size_weight"),
        ("minimum", 120, "from 0 to 100"),
        ("measure", "latency", "measure must be one of"),
    ],
)
def test_states_that_the_page_cannot_show_are_refused(students, trait, value, message):
    view = explorers.score(students, TEACHER)
    with pytest.raises(ValueError, match=message):
        setattr(view, trait, value)


def shown(view):
    """The table below the picture: for each student its score, and which one is best."""
    rows = [row.locator("td").all_inner_texts() for row in view.locator("tr").all()[1:-1]]
    return {row[0].split(",")[0]: float(row[-1].replace("−", "-")) for row in rows}, [
        row[0].split(",")[0] for row in rows if row[0].endswith(", best")
    ]


@pytest.mark.browser
@pytest.mark.parametrize("weight", [0.0, 0.2, 0.5, 0.85, 1.0])
@pytest.mark.parametrize("measure", ["parameters", "bytes"])
def test_the_scores_are_kdviz_own(page, students, weight, measure):
    view = explorers.score(students, TEACHER, minimum=0, size_weight=weight)
    view.measure = measure
    scores, best = shown(page(view))
    place = ["parameters", "bytes"].index(measure)
    for name, numbers in STUDENTS.items():
        own = distillation_score(numbers[place], TEACHER[measure], numbers[2], TEACHER["accuracy"], weight)
        assert scores[name] == pytest.approx(own, abs=6e-4), name
    assert best == [min(scores, key=scores.get)]


@pytest.mark.browser
def test_a_student_below_the_least_accuracy_is_not_best(page, students):
    view = page(explorers.score(students, TEACHER, minimum=95, size_weight=0.5))
    scores, best = shown(view)
    assert best == ["2 bits"] != [min(scores, key=scores.get)]
    assert "of those that reach 95 % it is 2 bits" in view.locator(".read-out").inner_text()
    assert "too little" in view.locator("tr", has_text="small").inner_text()


@pytest.mark.browser
def test_says_so_where_no_student_is_enough_and_where_a_guesser_wins(page, students):
    view = page(explorers.score(students, TEACHER, minimum=99))
    assert "no student reaches 99 %" in view.locator(".read-out").inner_text()
    low = page(explorers.score(students, TEACHER, minimum=50))
    assert "A constant guesser of no size scores 0.449" in low.locator(".read-out").inner_text()


@pytest.mark.browser
def test_a_gain_whose_interval_holds_zero_is_called_null(page, students):
    rows = page(explorers.score(students, TEACHER)).locator("tr")
    assert "null" in rows.filter(has_text="middle").inner_text()
    assert "null" not in rows.filter(has_text="2 bits").inner_text()


@pytest.mark.browser
def test_every_control_moves_by_keyboard(page, students):
    view = page(explorers.score(students, TEACHER))
    assert len(move_every_control(view, view.locator(".kdviz-score"))) == 3
    assert view.locator("[aria-live='polite']").count() == 1


@pytest.mark.browser
def test_with_one_measure_there_is_no_chooser(page, students):
    view = page(explorers.score(students.drop(columns="bytes"), TEACHER))
    assert len(move_every_control(view, view.locator(".kdviz-score"))) == 2
