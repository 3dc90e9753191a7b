import numpy as np
import pytest

from kdviz.measure import paired


def test_worked_by_hand():
    # Differences 1..5: mean 3, sd 1.5811, standard error 0.7071, t(4) = 2.7764.
    found = paired([1, 2, 3, 4, 5], [0, 0, 0, 0, 0])
    assert found.mean == pytest.approx(3)
    assert found.high - found.mean == pytest.approx(2.7764 * 0.70711, abs=1e-3)
    assert (found.count, found.above, found.sure) == (5, 5, True)
    assert str(found) == "+3.0 ± 2.0 (5 of 5 seeds above 0)"


def test_what_both_share_cancels():
    seed_effect = np.random.default_rng(0).normal(0, 100, 30)
    found = paired(seed_effect + 1, seed_effect)
    assert found.mean == pytest.approx(1) and found.sure


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0.3, 1, (4000, 6))
    found = [paired(draw, np.zeros(6)) for draw in draws]
    assert np.mean([one.low <= 0.3 <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)


def test_a_null_is_called_null():
    assert "null" in str(paired([-1, 1, -1, 1, 0.5], [0] * 5))


def test_too_few_or_unequal_seeds_are_refused():
    with pytest.raises(ValueError, match="fewer than 5"):
        paired([1, 2], [0, 0])
    with pytest.raises(ValueError, match="one value for each seed"):
        paired([1, 2, 3, 4, 5], [0, 0])
