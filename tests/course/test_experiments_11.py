"""The experiments of notebook 11."""

import pytest
import torch

from kdviz.course.experiments import n11_see_what_was_transferred as experiments
from kdviz.datasets import digits


def test_a_rare_digit_is_rare_for_teacher_and_student():
    data = digits(seed=3)
    few = experiments.rare(data, digit=3, keep=10, images=1080)
    for part in (few.train, few.labelled, few.transfer):
        assert len(part) == 1080 and int((part.labels == 3).sum()) == 10
    assert few.test is data.test


def test_rows_hold_every_arm_of_every_seed():
    cast = experiments.cast(range(2))
    rows = experiments.answers(cast)
    assert [(row["seed"], row["arm"]) for row in rows] == [(s, name) for s in (0, 1) for name in cast[0][1]]
    own = {row["arm"]: row for row in rows[:8]}
    assert own["teacher"]["agreement"] == own["poor teacher"]["agreement_with_poor"] == 100
    for name, table in experiments.reliability(cast, ("teacher", "student")).items():
        confidence, right, count = table.T
        assert count.sum() == 2 * 397
        both = [row for row in rows if row["arm"] == name]
        assert 100 * (right * count).sum() / count.sum() == pytest.approx(
            sum(row["accuracy"] for row in both) / 2
        )
        assert 100 * (confidence * count).sum() / count.sum() == pytest.approx(
            sum(row["confidence"] for row in both) / 2
        )
    found = experiments.attributions(cast, images=20)
    assert {row["arm"] for row in found} == {*experiments.PAIRS, "student, other images"}
    assert all(-100 <= row["rank_correlation"] <= 100 for row in found)


def test_the_others_of_a_seed_see_the_same_data_and_the_baselines_differ():
    ((_, models),) = experiments.cast([5])
    first, other = models["50 labels"], models["50 labels, other seed"]
    assert not any(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    assert not any(module.training for model in models.values() for module in model.modules())
