"""The experiments that notebook 01 runs on the spot."""

import pandas as pd
import pytest

from kdviz.course.experiments import n01_soft_targets as experiments


def test_the_arms_asked_for_are_paired_rows_of_each_seed():
    arms = ("hard labels", "soft targets", "permuted dark knowledge")
    table = pd.DataFrame(experiments.few_labels((0, 1), labels=50, arms=arms))
    wide = table.pivot(index="seed", columns="arm", values="accuracy")
    assert set(wide) == set(arms) and wide.shape == (2, 3)
    assert (wide["soft targets"] > wide["permuted dark knowledge"]).all()


def test_with_all_labels_a_teacher_with_the_same_labels_is_the_teacher():
    arms = ("soft targets", "teacher with the same labels")
    table = pd.DataFrame(experiments.few_labels((0,), labels=1200, arms=arms))
    assert table.accuracy.nunique() == 1


def test_who_never_saw_a_digit_never_says_it_until_corrected():
    table = pd.DataFrame(experiments.omitted_digit((0,), temperatures=(4,), steps=300))
    hard, soft = table[table.temperature.isna()].iloc[0], table[table.temperature == 4].iloc[0]
    assert hard.arm == "hard labels" and soft.arm == "soft targets"
    assert hard.recall == 0 and soft.recall_after > hard.recall_after > 0
    assert hard.accuracy == pytest.approx(90, abs=5)
