"""The numbers of claims: a difference over seeds, and the one rule that says what it is."""

from dataclasses import dataclass
from functools import cache

import pandas as pd

from kdviz.course import results
from kdviz.measure import paired
from kdviz.measure.statistics import Interval


@dataclass(frozen=True)
class Gain(Interval):
    """A paired difference with its 95 % interval; where that holds zero the difference is null.

    ``below`` counts the seeds below zero, as ``above`` counts those above.
    """

    below: int = 0

    @property
    def null(self) -> bool:
        return not self.sure

    @property
    def better(self) -> bool:
        return self.low > 0

    @property
    def worse(self) -> bool:
        return self.high < 0

    @property
    def half(self) -> float:
        """Half of the interval: the number after ±."""
        return (self.high - self.low) / 2

    def about(self, mean: float, within: float = 0.5, seeds: int | None = None) -> bool:
        """Whether it is sure and its mean lies near; with ``seeds``, whether so many are above zero."""
        return self.sure and abs(self.mean - mean) <= within and seeds in (None, self.above)


def gain(rows, arm, *, minus, of="accuracy", **where) -> Gain:
    """Arm minus another arm, paired by seed.

    ``rows`` is a table with a column ``seed``, or the name of a stored one. An arm is a value of its column
    "arm", or a dictionary of columns and values; ``where`` holds for both. ``of`` is what is compared.

    >>> print(gain("longer_training", "soft targets", minus="hard labels", steps=3600).null)
    True
    """
    rows = table(rows, **where)
    return difference(*(_by_seed(rows, one, of) for one in (arm, minus)))


def difference(treated, baseline) -> Gain:
    """Of two lists with a value for each seed, in the same order."""
    found = paired(treated, baseline)
    return Gain(**vars(found), below=sum(a < b for a, b in zip(treated, baseline, strict=True)))


def table(rows, best: str | None = None, **where) -> pd.DataFrame:
    """The rows of a table, or of a stored one by name, where the columns have these values.

    A value may be a list of several. ``best`` names a column: of each seed's rows only the one that is best
    in it is kept, such as that with the highest ``validation_accuracy``.
    """
    rows = _stored(rows) if isinstance(rows, str) else rows
    for column, value in where.items():
        rows = rows[rows[column].isin(value if isinstance(value, list) else [value])]
    if rows.empty:
        raise ValueError(f"no row has {where}")
    return rows if best is None else rows.loc[rows.groupby("seed")[best].idxmax()]


def _by_seed(rows, arm, of):
    rows = table(rows, **(arm if isinstance(arm, dict) else {"arm": arm}))
    if rows.seed.duplicated().any():
        varying = [name for name in rows if rows.groupby("seed")[name].nunique().max() > 1]
        raise ValueError(f"{arm!r} has several rows a seed; they differ in {', '.join(varying)}")
    return rows.set_index("seed")[of].sort_index()


@cache
def _stored(name):
    return results.load(name).rows
