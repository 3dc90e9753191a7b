"""The published explorer: its numbers against pandas and scipy, and its use."""

import pandas as pd
import pytest
from controls import move_every_control
from scipy.stats import spearmanr

from kdviz import explorers
from kdviz.course import published
from kdviz.measure import distillation_score


@pytest.fixture(scope="module")
def tables():
    return pd.concat([published.survey(), published.sized()], ignore_index=True)


@pytest.fixture(scope="module")
def benchmarks():
    return {name: published.benchmark(name) for name in published.BENCHMARKS}


def test_what_is_not_stated_is_null_and_what_is_missing_is_named(tables, benchmarks):
    view = explorers.published(tables, benchmarks)
    assert view.points[0]["share"] is None and view.points[-1]["share"] < 1
    assert "Table 5" in view.points[0]["source"]
    assert view.benchmarks[0]["methods"]["KD"] == [0.0] * 13
    assert view.benchmarks[0]["methods"]["FSP"].count(None) == 7
    with pytest.raises(ValueError, match="rows lack the columns scheme"):
        explorers.published(tables.drop(columns="scheme"), benchmarks)
    with pytest.raises(ValueError, match="two benchmarks or more"):
        explorers.published(tables, {"SSKD": benchmarks["SSKD"]})
    with pytest.raises(ValueError, match="method must be one of .*CRD"):
        explorers.published(tables, benchmarks, method="no such loss")
    with pytest.raises(ValueError, match="size_weight"):
        view.size_weight = 2.0


@pytest.mark.browser
@pytest.mark.parametrize("right", [1, 2])
def test_two_rankings_have_scipys_correlation(page, tables, benchmarks, right):
    view = explorers.published(tables, benchmarks, view="two rankings", method="AT")
    view.right = right
    one, other = (
        table[table.method != "KD"].groupby("method").over_kd.mean()
        for table in (benchmarks["RepDistiller"], list(benchmarks.values())[right])
    )
    shared = one.index.intersection(other.index)
    rho = f"{spearmanr(one[shared], other[shared]).statistic:.2f}".replace("-", "−")
    said = page(view).locator(".read-out").inner_text()
    assert f"{len(shared)} losses are in both" in said and f": {rho} (1:" in said
    assert f"rank {one[shared].rank(ascending=False)['AT']:g}" in said


@pytest.mark.browser
def test_one_recipe_is_told_as_pandas_counts_it(page, tables, benchmarks):
    said = page(explorers.published(tables, benchmarks, view="one recipe", method="CRD")).locator(".read-out")
    assert "+1.08 points against plain KD on average, above it on 13 of 13 pairs" in said.inner_text()
    assert "1 of 12 losses are above plain KD" in said.inner_text()


@pytest.mark.browser
def test_the_lowest_score_is_kdviz_own(page, tables, benchmarks):
    view = explorers.published(tables, benchmarks, view="score")
    view.size_weight = 0.2
    rows = tables.dropna(subset=["share", "teacher_accuracy"])
    own = distillation_score(rows["share"], 1, rows.accuracy, rows.teacher_accuracy, 0.2)
    said = page(view).locator(".read-out").inner_text()
    assert f"the lowest score is {own.min():.3f}: {rows.method.iloc[own.argmin()]}" in said


@pytest.mark.browser
def test_pointing_at_a_misprint_says_so(page, tables, benchmarks):
    view = explorers.published(tables, benchmarks)
    view.point = int(tables.index[(tables.printed_gain - tables.gain).abs() > 0.005][-1])
    said = page(view).locator(".read-out").inner_text()
    assert "Misprint: the table prints a gain of 8.11." in said and "Table 6" in said


@pytest.mark.browser
def test_a_row_is_chosen_by_pointing_at_it(page, tables, benchmarks):
    view = page(explorers.published(tables, benchmarks))
    circle = view.locator("circle").nth(4)
    circle.hover(force=True)
    view.wait_for_function(
        "document.querySelector('.read-out').innerText.includes('SP (Tung and Mori 2019)')"
    )


@pytest.mark.browser
def test_filters_leave_what_pandas_leaves(page, tables, benchmarks):
    view = explorers.published(tables, benchmarks)
    view.dataset, view.scheme, view.size = "CIFAR-100", "self", "not stated"
    rows = tables[(tables.dataset == "CIFAR-100") & (tables.scheme == "self") & tables["share"].isna()]
    shown = page(view)
    assert shown.locator("circle").count() == len(rows) == 6
    view.knowledge = "relation"
    assert "No row has all of that." in page(view).locator(".read-out").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("name, controls", [("one recipe", 4), ("score", 3), ("two rankings", 5)])
def test_every_control_moves_by_keyboard(page, tables, benchmarks, name, controls):
    shown = explorers.published(tables, benchmarks, view=name)
    view = page(shown)
    # The first control changes the view, and with it which controls follow.
    view.locator(".chooser").evaluate("(group) => group.remove()")
    assert len(move_every_control(view, view.locator(".kdviz-published"))) == controls - 1


@pytest.mark.browser
def test_nothing_spills_on_a_phone(page, tables, benchmarks):
    for name in ("reported gains", "one recipe", "two rankings", "score"):
        view = page(explorers.published(tables, benchmarks, view=name), width=390, height=700)
        assert view.evaluate("document.documentElement.scrollWidth") <= 390
