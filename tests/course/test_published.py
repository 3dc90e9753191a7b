"""Reported numbers: the files are those that were collected, and the tables say what they hold."""

import filecmp
import os
from pathlib import Path

import pandas as pd
import pytest

from kdviz.course import published
from kdviz.course.paths import course_folder
from kdviz.measure import distillation_score

FOLDER = course_folder() / "data" / "published"
COLLECTED = ("survey-results", "extra_benchmarks", "repository-results", "alkhulaifi_reductions")


@pytest.mark.parametrize("name", COLLECTED)
def test_a_file_equals_the_one_that_was_collected(name):
    root = FOLDER.parents[1]
    shared = (root / "shared" / "data", root.parent / "shared" / "data")
    places = [Path(os.environ.get("KDVIZ_DATA", "nowhere")), *shared]
    found = [place / f"{name}.csv" for place in places if (place / f"{name}.csv").exists()]
    if not found:
        pytest.skip(f"{name}.csv is neither in KDVIZ_DATA nor in shared/data")
    assert filecmp.cmp(FOLDER / f"{name}.csv", found[0], shallow=False)


@pytest.mark.parametrize("name", [*COLLECTED, "printed_gains"])
def test_every_row_says_where_it_was_read(name):
    rows = pd.read_csv(FOLDER / f"{name}.csv")
    source = rows.source if "source" in rows else rows.source_repo + rows.source_file
    assert len(rows) and source.str.len().min() >= 10


def test_the_survey_has_its_two_tables_and_three_misprints():
    rows = published.survey()
    assert rows.dataset.value_counts().to_dict() == {"CIFAR-100": 44, "CIFAR-10": 29}
    assert set(rows.knowledge.str.split(r"\+").explode()) == {"response", "feature", "relation"}
    wrong = rows[(rows.printed_gain - rows.gain).abs() > 0.005].set_index("method")
    assert (wrong.printed_gain - wrong.gain).round(2).to_dict() == {
        "ONE (Zhu and Gong 2018)": -0.10,
        "Rocket-KD (Zhou et al. 2018)": -0.63,
        "DML (Zhang et al. 2018b)": 6.00,
    }


def test_a_benchmark_is_measured_against_its_own_plain_kd():
    rows = published.benchmark("RepDistiller").set_index(["method", "pair"])
    pair = "wrn-40-2 → wrn-16-2"
    assert rows.over_kd["CRD", pair] == pytest.approx(75.48 - 74.92)
    assert (rows.over_kd["KD"] == 0).all() and rows.over_kd.notna().all()
    assert set(published.benchmark("Zoo").method) >= {"KD", "FitNet", "CRD"}
    with pytest.raises(ValueError, match="no benchmark is called 'CRD'; there are RepDistiller, SSKD, Zoo"):
        published.benchmark("CRD")


def test_sizes_are_shares_of_the_teachers_parameters():
    row = published.sized().iloc[0]
    assert row["share"] == pytest.approx(703284 / 2255156) and row.gain == pytest.approx(74.92 - 73.26)


def test_the_reductions_give_the_scores_computed_from_them():
    rows = published.reductions().dropna(subset=["DS_alpha_0.5_computed_here"])
    for weight in (0.2, 0.5, 0.8):
        own = distillation_score(
            100 - rows.size_reduction_pct,
            100,
            100 - rows.accuracy_reduction_vs_teacher_pct_relative,
            100,
            weight,
        )
        assert own == pytest.approx(rows[f"DS_alpha_{weight}_computed_here"].to_numpy(), abs=6e-5)
