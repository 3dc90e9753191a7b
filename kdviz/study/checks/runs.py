"""Is the gain larger than what seeds do?"""

import numpy as np

from kdviz.measure.statistics import paired
from kdviz.study.findings import Finding, Passed
from kdviz.study.setup import CannotCheck


def gain_within_noise(setup):
    if setup.runs is None:
        raise CannotCheck("runs={'distilled': [...], 'baseline': [...]}, one value a seed in the same order")
    distilled, baseline = _values(setup.runs)
    if np.array_equal(distilled, baseline):
        yield Finding(
            "runs_identical",
            "Distilled and label-only students are the same, seed by seed.",
            f"{len(distilled)} of {len(distilled)} values are equal",
            "The soft term does nothing, or both lists come from the same runs. Hand in step= to see which.",
        )
        return
    if len(distilled) < 5:
        yield Finding(
            "few_seeds",
            "Too few seeds to tell a gain from chance.",
            f"{len(distilled)} seeds; differences {_listed(distilled - baseline)}",
            "Train both with the same five seeds or more, from the same initial weights.",
        )
        return
    found = paired(distilled, baseline)
    evidence = (
        f"mean difference {found.mean:+.4g}, 95 % interval {found.low:+.4g} to {found.high:+.4g}, "
        f"{found.above} of {found.count} seeds above 0"
    )
    if found.sure and found.mean > 0:
        yield Passed("gain_within_noise", evidence)
    elif found.sure:
        yield Finding(
            "distillation_harms",
            "The distilled students are worse than those trained on labels alone.",
            evidence,
            "Compare other weights and temperatures on validation samples; a label-only student may be best.",
        )
    else:
        yield Finding(
            "gain_within_noise",
            "The gain is not larger than what seeds alone do.",
            evidence,
            "Call it null, or train more seeds: kdviz.measure.seeds_needed says how many.",
        )


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


def _listed(values):
    return ", ".join(f"{value:+.4g}" for value in values)


CHECKS = (gain_within_noise,)
