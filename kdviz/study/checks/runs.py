"""Is the gain larger than what seeds do?"""

import numpy as np

from kdviz.measure.statistics import paired
from kdviz.study.findings import Passed, finding
from kdviz.study.setup import CannotCheck


def gain_within_noise(setup):
    if setup.runs is None:
        raise CannotCheck("runs={'distilled': [...], 'baseline': [...]}, one value a seed in the same order")
    distilled, baseline = _values(setup.runs)
    count = len(distilled)
    if np.array_equal(distilled, baseline):
        yield finding("runs_identical", f"{count} of {count} values are equal")
        return
    if count < 5:
        differences = ", ".join(f"{value:+.4g}" for value in distilled - baseline)
        yield finding("few_seeds", f"{count} seeds; differences {differences}")
        return
    found = paired(distilled, baseline)
    evidence = (
        f"mean difference {found.mean:+.4g}, 95 % interval {found.low:+.4g} to {found.high:+.4g}, "
        f"{found.above} of {found.count} seeds above 0"
    )
    if found.sure and found.mean > 0:
        yield Passed("gain_within_noise", evidence)
    else:
        yield finding("distillation_harms" if found.sure else "gain_within_noise", evidence)


def _values(runs):
    try:
        distilled, baseline = (np.asarray(runs[name], float) for name in ("distilled", "baseline"))
    except (KeyError, TypeError, ValueError) as problem:
        raise ValueError(
            "runs must be {'distilled': [...], 'baseline': [...]} with one number for each seed; got "
            f"{runs!r}"
        ) from problem
    if distilled.ndim != 1 or distilled.shape != baseline.shape or not len(distilled):
        raise ValueError(
            "runs must hold one value for each seed in both lists, in the same order; got shapes "
            f"{distilled.shape} and {baseline.shape}"
        )
    if not np.isfinite([distilled, baseline]).all():
        raise ValueError("runs must hold finite numbers; a run that diverged has no accuracy to compare")
    return distilled, baseline


CHECKS = (gain_within_noise,)
