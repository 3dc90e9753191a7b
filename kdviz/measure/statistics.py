"""Statistics over seeds: a difference, how sure we are of it, and how many seeds agree."""

from dataclasses import dataclass

import numpy as np
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
        return (
            f"{self.mean:+.1f} ± {half:.1f} ({self.above} of {self.count} seeds above 0{verdict})"
        )


def paired(treated, baseline):
    """The mean paired difference ``treated - baseline`` with its 95 % t interval.

    Both hold one value for each seed, in the same order: the same split, the same initial weights and
    the same batches, so that what the seed does to both cancels. At least five seeds.
    """
    treated, baseline = np.asarray(treated, float), np.asarray(baseline, float)
    if treated.shape != baseline.shape or treated.ndim != 1:
        raise ValueError(
            "paired differences need one value for each seed in both lists; "
            f"got shapes {treated.shape} and {baseline.shape}"
        )
    if len(treated) < 5:
        raise ValueError(f"fewer than 5 seeds say too little to report; got {len(treated)}")
    difference = treated - baseline
    half = stats.t.ppf(0.975, len(difference) - 1) * stats.sem(difference)
    mean = float(difference.mean())
    return Interval(mean, mean - half, mean + half, len(difference), int((difference > 0).sum()))
