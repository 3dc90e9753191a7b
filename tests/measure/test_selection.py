import numpy as np
import pytest

from kdviz.measure import calibration_bins, calibration_gap, rank_in_class, stratified_rows

random = np.random.default_rng(0)
LABELS = random.integers(0, 4, 50)


def test_the_rank_in_a_class_is_counted():
    for order in (np.arange(50), random.permutation(50)):
        position = np.argsort(order)
        expected = [
            sum(LABELS[m] == LABELS[n] and position[m] < position[n] for m in range(50)) for n in range(50)
        ]
        assert rank_in_class(LABELS, order).tolist() == expected


@pytest.mark.parametrize("count", [3, 9, 50, 80])
def test_rows_are_taken_class_by_class(count):
    rows = stratified_rows(LABELS, count)
    assert len(set(rows.tolist())) == min(count, 50)
    assert (np.diff(LABELS[rows]) >= 0).all()
    taken = np.bincount(LABELS[rows], minlength=4)
    for label in range(4):
        own = np.flatnonzero(LABELS == label)
        assert rows[LABELS[rows] == label].tolist() == own[: taken[label]].tolist()
        # A class has fewer than another only where it has no more.
        assert taken[label] >= taken.max() - 1 or taken[label] == len(own)


def test_another_order_says_which_come_first():
    order = random.permutation(50)
    rows = stratified_rows(LABELS, 4, order)
    for row in rows:
        assert row == next(n for n in order if LABELS[n] == LABELS[row])


def test_bins_hold_every_sample_once():
    confidence, right = random.uniform(0.3, 1, 500), random.integers(0, 2, 500).astype(bool)
    table = calibration_bins(confidence, right, 7)
    assert table[:, 2].sum() == 500
    np.testing.assert_allclose(table[:, 0] @ table[:, 2], confidence.sum())
    np.testing.assert_allclose(table[:, 1] @ table[:, 2], right.sum())
    inside = (confidence > 4 / 7) & (confidence <= 5 / 7)
    np.testing.assert_allclose(table[4], [confidence[inside].mean(), right[inside].mean(), inside.sum()])
    gap = sum(n * abs(p - hits) for p, hits, n in table) / 500
    assert calibration_gap(table) == pytest.approx(gap)
