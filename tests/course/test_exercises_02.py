"""The exercises of notebook 02: the solutions against the library, and answers of other kinds."""

import numpy as np
import pytest
import torch
from exercise_answers import not_yet, solve
from scipy import stats

from kdviz.course.exercises import exercise
from kdviz.measure import paired, seeds_needed

REPORTS = exercise("2.4").grade


def test_the_solutions_agree_with_the_library_on_other_numbers():
    random = np.random.default_rng(9)
    treated, baseline = random.normal(size=(2, 12))
    interval = paired(treated, baseline)
    width = solve("2.1")(treated, baseline)
    assert width == pytest.approx((interval.high - interval.low) / 2)
    assert solve("2.2")(treated - baseline, 0.3) == seeds_needed(treated - baseline, 0.3)


def test_an_honest_choice_never_reports_more_than_the_best_on_test():
    random = torch.Generator().manual_seed(0)
    validation, test = torch.rand(2, 200, 9, generator=random)
    reported = solve("2.3")(validation, test)
    assert reported == pytest.approx(0.5, abs=0.1), "what is chosen without knowledge is average"
    assert test.max(1).values.mean() > 0.85


@pytest.mark.parametrize(
    ("answer", "count"),
    [(lambda a, b: a - b, 8), (lambda a, b: [1.0, 2.0], 2), (lambda a, b: (), 0)],
    ids=["array", "list", "nothing"],
)
def test_more_than_one_number_is_noticed(answer, count):
    assert f"should return one number; it returned {count}." in exercise("2.1").check(answer).message


@pytest.mark.parametrize("report", REPORTS.right)
@pytest.mark.parametrize("flaw", REPORTS.choices)
def test_a_wrong_flaw_is_met_with_a_question_that_does_not_tell_it(report, flaw):
    feedback = exercise("2.4").check(REPORTS.right | {report: flaw})
    if flaw == REPORTS.right[report]:
        assert feedback.passed
    else:
        assert feedback == not_yet(f"4 of 5. Report {report}: {REPORTS.questions[report]}")
        assert REPORTS.right[report] not in REPORTS.questions[report]


def test_each_flaw_belongs_to_one_report():
    assert sorted(REPORTS.right.values()) == sorted(REPORTS.choices)


def test_other_answers_about_reports():
    check = exercise("2.4").check
    assert "one flaw for each report" in check({"A": "none"}).message
    assert (
        "'luck' is not on the list: one seed, chosen on test" in check(REPORTS.right | {"D": "luck"}).message
    )
    assert "not on the list" in check(REPORTS.right | {"D": ["one seed"]}).message
    assert check(dict.fromkeys(REPORTS.right, "none")).message.startswith("1 of 5. Report A")


def test_an_interval_of_a_library_is_not_an_answer():
    def of_kdviz(treated, baseline):
        interval = paired(treated, baseline)
        return (interval.high - interval.low) / 2

    def of_scipy(treated, baseline):
        interval = stats.ttest_rel(treated, baseline).confidence_interval(0.95)
        return (interval.high - interval.low) / 2

    def of_the_distribution(treated, baseline):
        differences = treated - baseline
        low, high = stats.t.interval(0.95, len(differences) - 1, scale=stats.sem(differences))
        return (high - low) / 2

    for answer in (of_kdviz, of_scipy, of_the_distribution):
        assert "a library made the interval" in exercise("2.1").check(answer).message
