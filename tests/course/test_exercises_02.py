"""The exercises of notebook 02: each diagnosis is found, and only it."""

import numpy as np
import pytest
import torch

from kdviz.course.exercises import Feedback, exercise
from kdviz.course.exercises import temperature_and_weight as page
from kdviz.measure import paired, seeds_needed

ALL = [exercise(one.name) for one in page.EXERCISES]
NAMES = [one.name for one in ALL]


def solve(one):
    """What the solution's text defines, run as a learner would run it."""
    scope = {}
    exec(one.source, scope)
    return scope[one.answer]


def named(table):
    return {"argvalues": table, "ids": [one.name for one in table]}


def not_yet(message):
    return Feedback(False, message)


def test_the_exercises_of_this_page_are_registered():
    assert NAMES == ["2.1", "2.2", "2.3", "2.4"]


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_solution_passes_its_own_check(one):
    feedback = one.check(solve(one))
    assert feedback.passed, feedback.message


@pytest.mark.parametrize("one", ALL, ids=NAMES)
def test_the_stub_of_the_notebook_is_not_yet_right(one):
    stub = {} if one.answer == "flaws" else lambda first, second: None
    assert not one.check(stub).passed


@pytest.mark.parametrize("mistake", **named(page.WIDTH_MISTAKES))
def test_width_mistakes(mistake):
    assert exercise("2.1").check(mistake.function) == not_yet(mistake.message)


@pytest.mark.parametrize("slip", **named(page.WIDTH_SLIPS))
def test_width_slips(slip):
    right = solve(exercise("2.1"))
    assert exercise("2.1").check(lambda a, b: slip.factor() * right(a, b)) == not_yet(slip.message)


@pytest.mark.parametrize("mistake", **named(page.COUNT_MISTAKES))
def test_count_mistakes(mistake):
    answer = lambda d, h: mistake.function(differences=d, half_width=h)  # noqa: E731
    assert exercise("2.2").check(answer) == not_yet(mistake.message)


@pytest.mark.parametrize("mistake", **named(page.CHOICE_MISTAKES))
def test_choice_mistakes(mistake):
    assert exercise("2.3").check(mistake.function) == not_yet(mistake.message)


def test_the_solutions_agree_with_the_library_on_other_numbers():
    random = np.random.default_rng(9)
    treated, baseline = random.normal(size=(2, 12))
    interval = paired(treated, baseline)
    width = solve(exercise("2.1"))(treated, baseline)
    assert width == pytest.approx((interval.high - interval.low) / 2)
    assert solve(exercise("2.2"))(treated - baseline, 0.3) == seeds_needed(treated - baseline, 0.3)


def test_an_honest_choice_never_reports_more_than_the_best_on_test():
    random = torch.Generator().manual_seed(0)
    validation, test = torch.rand(2, 200, 9, generator=random)
    reported = solve(exercise("2.3"))(validation, test)
    assert reported == pytest.approx(0.5, abs=0.1), "what is chosen without knowledge is average"
    assert test.max(1).values.mean() > 0.85


@pytest.mark.parametrize(
    ("answer", "count"),
    [(lambda a, b: a - b, 8), (lambda a, b: [1.0, 2.0], 2), (lambda a, b: (), 0)],
    ids=["array", "list", "nothing"],
)
def test_more_than_one_number_is_noticed(answer, count):
    assert f"should return one number; it returned {count}." in exercise("2.1").check(answer).message


@pytest.mark.parametrize("name", ["2.1", "2.2", "2.3"])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda a, b: None, "`return`"),
        (lambda a, b: float("nan"), "nan"),
        (lambda a, b: "0.9", "it returned a str"),
        (lambda a: 0, "TypeError"),
        (3.0, "Hand in the function itself"),
        (lambda a, b: 1e-3, "too small"),
    ],
    ids=["nothing", "nan", "text", "parameters", "called", "value"],
)
def test_other_wrong_answers_are_explained(name, answer, words):
    feedback = exercise(name).check(answer)
    assert not feedback.passed and words in feedback.message


@pytest.mark.parametrize("report", page.REPORTS)
@pytest.mark.parametrize("flaw", page.FLAWS)
def test_a_wrong_flaw_is_met_with_a_question_that_does_not_tell_it(report, flaw):
    feedback = exercise("2.4").check(page.REPORTS | {report: flaw})
    if flaw == page.REPORTS[report]:
        assert feedback.passed
    else:
        assert feedback == not_yet(f"4 of 5. Report {report}: {page._WHY[report]}")
        assert page.REPORTS[report] not in page._WHY[report]


def test_each_flaw_belongs_to_one_report():
    assert sorted(page.REPORTS.values()) == sorted(page.FLAWS)


def test_other_answers_about_reports():
    check = exercise("2.4").check
    assert "one flaw for each report" in check({"A": "none"}).message
    assert (
        "'luck' is not on the list: one seed, chosen on test" in check(page.REPORTS | {"D": "luck"}).message
    )
    assert "not on the list" in check(page.REPORTS | {"D": ["one seed"]}).message
    assert check(dict.fromkeys(page.REPORTS, "none")).message.startswith("1 of 5. Report A")
