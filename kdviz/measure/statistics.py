"""Statistics over seeds: a difference, how sure we are of it, and how many seeds agree."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval.

    ``above`` counts the seeds whose value is above zero. ``sure`` says that the interval leaves zero
    out; where it does not, the difference is called null.
    """

    mean: float
    low: float
    high: float
    count: int
    above: int

    @property
    def sure(self):
        return self.low > 0 or self.high < 0

    def __str__(self):
        half = (self.high - self.low) / 2
        verdict = "" if self.sure else ", null"
        return f"{self.mean:+.1f} ± {half:.1f} ({self.above} of {self.count} seeds above 0{verdict})"


def paired(treated: ArrayLike, baseline: ArrayLike) -> Interval:
    """The mean paired difference ``treated - baseline`` with its 95 % t interval.

    Both hold one value for each seed, in the same order: the same split, the same initial weights and
    the same batches, so that what the seed does to both cancels. ValueError for fewer than five seeds.

    >>> print(paired([83, 84, 85, 86, 87], [81, 83, 84, 83, 86]))
    +1.6 ± 1.1 (5 of 5 seeds above 0)
    """
    difference = _differences(treated, baseline)
    half = stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference)
    return _interval(difference, difference.mean() - half, difference.mean() + half)


def unpaired(treated: ArrayLike, baseline: ArrayLike) -> Interval:
    """The same mean difference with Welch's 95 % t interval, as if the lists came from different seeds.

    Where a seed is good or bad for both alike, it is wider than that of :func:`paired`.

    >>> print(unpaired([83, 84, 85, 86, 87], [81, 83, 84, 83, 86]))
    +1.6 ± 2.5 (5 of 5 seeds above 0, null)
    """
    difference = _differences(treated, baseline)
    interval = stats.ttest_ind(treated, baseline, equal_var=False).confidence_interval(0.95)
    return _interval(difference, interval.low, interval.high)


def bootstrap(treated: ArrayLike, baseline: ArrayLike, draws: int = 9999, seed: int = 0) -> Interval:
    """The mean paired difference with its 95 % bootstrap interval (bias-corrected and accelerated).

    It assumes no normal distribution; with 30 seeds it rarely differs much from :func:`paired`. Where
    all differences are equal there is nothing to draw from, and the interval is that one value.

    >>> print(bootstrap([83, 84, 85, 86, 87], [82, 83, 84, 85, 86]))
    +1.0 ± 0.0 (5 of 5 seeds above 0)
    """
    difference = _differences(treated, baseline)
    if np.ptp(difference) == 0:
        return _interval(difference, difference[0], difference[0])
    random = np.random.default_rng(seed)
    drawn = stats.bootstrap((difference,), np.mean, n_resamples=draws, rng=random)
    return _interval(difference, *drawn.confidence_interval)


def mcnemar(ours: ArrayLike, theirs: ArrayLike) -> tuple[int, int, float]:
    """McNemar's exact test of two models on the same samples: (right only here, right only there, p).

    Both are yes-or-no, one value for each sample. Only samples on which one of the two is right count: p is
    the probability of so uneven a split of them, or one more uneven, were either side as likely.

    >>> mcnemar([1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0, 1])
    (6, 0, 0.03125)
    """
    ours, theirs = np.asarray(ours, bool), np.asarray(theirs, bool)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ValueError(f"both need one value for each sample; got shapes {ours.shape} and {theirs.shape}")
    only, other = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    p = stats.binomtest(only, only + other).pvalue if only + other else 1.0
    return only, other, float(p)


def seeds_needed(differences: ArrayLike, half_width: float) -> int:
    """How many seeds until the 95 % t interval of a mean difference is at most ± ``half_width``.

    ``differences`` are those already seen, one a seed: their spread is taken for the true one. With
    five or ten seeds that spread is itself uncertain, so take the answer for an order of magnitude.

    >>> seeds_needed([2, 1, 1, 3, 1], half_width=0.5)
    15
    """
    spread = np.std(_five_or_more(differences), ddof=1)
    if not half_width > 0:
        raise ValueError(f"half_width must be above 0; got {half_width!r}")
    return next(
        count
        for count in itertools.count(2)
        if stats.t.ppf(0.975, count - 1) * spread <= half_width * np.sqrt(count)
    )


def _differences(treated, baseline):
    treated, baseline = np.asarray(treated, float), np.asarray(baseline, float)
    if treated.shape != baseline.shape or treated.ndim != 1:
        raise ValueError(
            "paired differences need one value for each seed in both lists; "
            f"got shapes {treated.shape} and {baseline.shape}"
        )
    return _five_or_more(treated - baseline)


def _five_or_more(differences):
    if len(differences) < 5:
        raise ValueError(f"fewer than 5 seeds say too little to report; got {len(differences)}")
    return np.asarray(differences, float)


def _interval(difference, low, high):
    mean, above = float(difference.mean()), int((difference > 0).sum())
    return Interval(mean, float(low), float(high), len(difference), above)
