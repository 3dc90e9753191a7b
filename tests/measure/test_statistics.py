import numpy as np
import pytest
from scipy import stats

from kdviz.measure import bootstrap, paired, seeds_needed, unpaired


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


def test_unpaired_sees_the_spread_of_the_seeds_and_paired_does_not():
    seed_effect = np.random.default_rng(0).normal(0, 5, 30)
    noise = np.random.default_rng(1).normal(0, 0.1, 30)
    with_pairs, without = (compare(seed_effect + 1 + noise, seed_effect) for compare in (paired, unpaired))
    assert with_pairs.mean == without.mean
    assert with_pairs.sure and not without.sure


def test_unpaired_is_welch():
    treated, baseline = [1.0, 2, 3, 4, 5], [0.0, 0, 1, 1, 0]
    variance = np.var(treated, ddof=1) / 5, np.var(baseline, ddof=1) / 5
    freedom = sum(variance) ** 2 / sum(part**2 / 4 for part in variance)
    half = stats.t.ppf(0.975, freedom) * sum(variance) ** 0.5
    found = unpaired(treated, baseline)
    assert (found.low, found.high) == pytest.approx((2.6 - half, 2.6 + half))


def test_the_bootstrap_agrees_with_the_t_interval_on_normal_differences():
    differences = np.random.default_rng(0).normal(1, 2, 200)
    one, other = (compare(differences, np.zeros(200)) for compare in (paired, bootstrap))
    assert other.low == pytest.approx(one.low, abs=0.05)
    assert other.high == pytest.approx(one.high, abs=0.05)
    assert other == bootstrap(differences, np.zeros(200))
    flat = bootstrap([2.0] * 5, [1.0] * 5)
    assert (flat.low, flat.high) == (1, 1)


def test_as_many_seeds_as_needed_are_enough_and_one_less_is_not():
    differences = np.random.default_rng(0).normal(0.5, 2, 30)
    count = seeds_needed(differences, 0.4)

    def half_width(seeds):
        return stats.t.ppf(0.975, seeds - 1) * np.std(differences, ddof=1) / seeds**0.5

    assert half_width(count) <= 0.4 < half_width(count - 1)
    assert seeds_needed(differences, 0.2) > 3 * count
    with pytest.raises(ValueError, match="half_width"):
        seeds_needed(differences, 0)
