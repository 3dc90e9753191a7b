"""The published explorer: what papers report, and how far it can be ranked."""

import pandas as pd
import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import Index
from kdviz.losses.checks import check_share

VIEWS = ("reported gains", "one recipe", "two rankings", "score")
ALL = "all"
NEEDED = ("method", "knowledge", "scheme", "dataset", "teacher", "student", "baseline_accuracy", "accuracy")
OPTIONAL = ("teacher_accuracy", "share", "printed_gain")


class Published(Explorer):
    """Reported accuracies from four sides. Made by :func:`published`."""

    points = traitlets.List().tag(sync=True)
    # A name, where it was read, the pairs of networks, and by method accuracy minus plain KD on each.
    benchmarks = traitlets.List().tag(sync=True)
    view = traitlets.Enum(VIEWS, VIEWS[0]).tag(sync=True)
    dataset = traitlets.Unicode(ALL).tag(sync=True)
    knowledge = traitlets.Unicode(ALL).tag(sync=True)
    scheme = traitlets.Unicode(ALL).tag(sync=True)
    size = traitlets.Enum((ALL, "stated", "not stated"), ALL).tag(sync=True)
    point = Index("points")
    method = traitlets.Unicode().tag(sync=True)
    left = Index("benchmarks")
    right = Index("benchmarks")
    size_weight = traitlets.Float(0.5).tag(sync=True)

    @traitlets.validate("size_weight")
    def _check_weight(self, proposal):
        check_share("size_weight", proposal.value)
        return proposal.value

    def __repr__(self):
        return f"Published({len(self.points)} reported rows, {len(self.benchmarks)} benchmarks)"


def published(rows, benchmarks, *, view=VIEWS[0], method=None):
    """Reported accuracies: filter them, compare losses under one recipe, and two recipes with each other.

    Parameters
    ----------
    rows : DataFrame
        One row for each reported student, with the columns ``method``, ``knowledge``, ``scheme``,
        ``dataset``, ``teacher``, ``student``, ``baseline_accuracy``, ``accuracy`` (in percent) and
        ``source``; and, NaN where it is not stated, ``teacher_accuracy``, ``share`` (the student's
        parameters by the teacher's) and ``printed_gain``.
    benchmarks : dict of DataFrame by name, two or more
        With the columns ``method``, ``pair``, ``source`` and ``over_kd``: accuracy minus that of plain KD on
        the same pair, in points.
    view : "reported gains", "one recipe", "two rankings" or "score"
    method : str, default the first of the first benchmark
        The method that is set off.

    Returns
    -------
    Published
    """
    _check(rows, "rows", (*NEEDED, "source"))
    if not isinstance(benchmarks, dict) or len(benchmarks) < 2:
        raise ValueError(f"two benchmarks or more are compared; got {benchmarks!r}")
    for name, table in benchmarks.items():
        _check(table, f"benchmark {name!r}", ("method", "pair", "source", "over_kd"))
    columns = [*NEEDED, *(name for name in OPTIONAL if name in rows), "source"]
    made = [_benchmark(name, table) for name, table in benchmarks.items()]
    known = {name for one in made for name in one["methods"]}
    method = method or next(iter(made[0]["methods"]))
    if not isinstance(method, str) or method not in known:
        raise ValueError(f"method must be one of {', '.join(sorted(known))}; got {method!r}")
    return Published(
        points=[_without_nan(row) for row in rows[columns].to_dict("records")],
        benchmarks=made,
        view=view,
        method=method,
        right=1,
    )


def _check(table, what, needed):
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{what} must be a table (pandas.DataFrame); got {type(table).__name__}")
    if table.empty:
        raise ValueError(f"{what} have no rows to show")
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"{what} lack the columns {', '.join(missing)}; they have {', '.join(table)}")


def _benchmark(name, table):
    wide = table.pivot(index="method", columns="pair", values="over_kd")
    methods = {method: [_number(value) for value in row] for method, *row in wide.itertuples()}
    return {
        "name": name,
        "source": str(table.source.iloc[0]),
        "pairs": list(wide.columns),
        "methods": methods,
    }


def _number(value):
    return None if value != value else round(float(value), 2)


def _without_nan(row):
    return {key: None if value != value else value for key, value in row.items()}
