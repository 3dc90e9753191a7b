"""Long results: tables that take too long for a cell, computed once by ``make results``.

An experiment declares itself a result by the decorator :func:`result`. Its table is a CSV file in
``data/results`` beside a JSON file that says when it was computed, with which settings and seeds, and by
which code. A notebook loads the table, says its age, and computes a sample of its rows again.
"""

import importlib
import itertools
import json
import pkgutil
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pandas as pd

from kdviz.course import experiments
from kdviz.course.code_hash import code_hash
from kdviz.course.pages import pages
from kdviz.course.paths import course_folder
from kdviz.course.source_view import show_source
from kdviz.files import write_whole
from kdviz.training.describe import versions
from kdviz.training.store import Store, checksum_of

SEEDS = tuple(range(30))
_DECLARED = {}
# What is known of a stored table's making.
_SAID = {"date", "code", "settings", "seeds", "torch", "tolerance"}


@dataclass(frozen=True)
class Result:
    """How one table is computed: an experiment, the settings it is run with, and the seeds.

    ``tolerance`` is how many percentage points a row may differ when it is computed again.
    """

    experiment: callable
    grid: dict
    seeds: tuple = SEEDS
    tolerance: float = 2.0

    @property
    def name(self):
        return self.experiment.__name__

    @property
    def page(self):
        """The notebook that it belongs to, such as ``03_responses``: its file begins with that name."""
        file = self.experiment.__module__.rpartition(".n")[2]
        return next((page.name for page in pages() if file.startswith(page.name)), file)

    @property
    def declaration(self):
        """What must be as it was when the table was made, besides the code."""
        settings = {key: list(values) for key, values in self.grid.items()}
        return {"settings": settings, "seeds": list(self.seeds)}

    def rows(self, seeds, points=None):
        """Compute the rows of these seeds, here and now, at the first ``points`` of the grid or at all."""
        grid = itertools.islice(itertools.product(*self.grid.values()), points)
        settings = [dict(zip(self.grid, point, strict=True)) for point in grid]
        return pd.DataFrame([row for setting in settings for row in self.experiment(seeds, **setting)])

    def rows_again(self, seeds, points=None):
        """The same rows, which the reader's store keeps for as long as the code stays what it is."""
        settings = {
            **self.declaration,
            "table": self.name,
            "code": code_hash(self.experiment),
            "versions": versions(),
            "rows of": [list(seeds), points],
        }
        rows = Store().fetch_rows(settings, lambda: self.rows(seeds, points).to_dict("records"))
        return pd.DataFrame(rows)


def result(grid, *, tolerance=2.0, seeds=SEEDS):
    """Declare an experiment to be a stored table of its name, computed at every point of a grid.

    >>> @result({"labels": (50, 100)}, tolerance=5.0)
    ... def few(seeds, labels): ...

    ``kdviz results few`` computes it.
    """

    def declare(experiment):
        declared = Result(experiment, grid, seeds, tolerance)
        known = _DECLARED.get(declared.name, declared).experiment.__module__
        if known != experiment.__module__:
            raise ValueError(f"two experiments are called {declared.name!r}: the other one is in {known}")
        _DECLARED[declared.name] = declared
        return experiment

    return declare


def every():
    """All results by name, in the order of the pages."""
    for module in sorted(one.name for one in pkgutil.iter_modules(experiments.__path__)):
        importlib.import_module(f"{experiments.__name__}.{module}")
    return dict(sorted(_DECLARED.items(), key=lambda item: item[1].experiment.__module__))


def find(name):
    """A result by name."""
    known = every()
    if name not in known:
        raise ValueError(f"unknown result {name!r}; the results are: {', '.join(known)}")
    return known[name]


@dataclass(frozen=True)
class Table:
    """A stored table with what is known of its making."""

    name: str
    rows: pd.DataFrame
    made: dict

    @property
    def age(self):
        """A sentence that says how old the table is and whether the code has changed since."""
        days = (datetime.now(UTC).date() - date.fromisoformat(self.made["date"])).days
        age = "today" if days == 0 else "a day ago" if days == 1 else f"{days} days ago"
        code = "by the code you have" if self.is_current else "by an earlier code"
        return (
            f"{len(self.rows)} rows over {len(self.made['seeds'])} seeds, computed {age} "
            f"({self.made['date']}) {code} with torch {self.made['torch']}."
        )

    @property
    def is_current(self):
        """Whether the code it rests on does what it did, with the settings and seeds that it did it with."""
        return self.made["code"] == code_hash(find(self.name).experiment) and self.is_as_declared

    @property
    def is_as_declared(self):
        """Whether it was made with the settings and the seeds of its declaration."""
        declared = find(self.name).declaration
        return declared == {name: self.made[name] for name in declared}

    def check(self, seeds=(0,), points=1):
        """Compute some rows again on this machine; raise if a number is not the stored one.

        They are those of these seeds at the first ``points`` of the table's grid, or at all: ``None``.
        Trainings on another processor may round differently and turn single answers, so a fraction
        may differ by ``made["tolerance"]`` percentage points.
        """
        fresh = find(self.name).rows_again(seeds, points)
        stored = self.rows[self.rows.seed.isin(seeds)].reset_index(drop=True)
        if points is not None:
            stored = stored.head(len(fresh))
        distance = _distance(fresh, stored)
        if distance > self.made["tolerance"]:
            raise ValueError(
                f"the stored table {self.name!r} does not agree with the code: rows of seeds {seeds} "
                f"differ by up to {distance:.2f} percentage points. Run 'make results'"
            )
        mean = (fresh.accuracy - stored.accuracy).mean() if "accuracy" in fresh else 0.0
        return (
            f"{len(fresh)} rows computed again here: the largest difference is {distance:.2f} points, the mean "
            f"accuracy's {mean:+.2f}.\n(Processors round differently; {self.made['tolerance']:g} is allowed.)"
        )

    def show_source(self):
        """Show the experiment's code in a box that unfolds."""
        show_source(find(self.name).experiment)


def _distance(fresh, stored):
    """The largest difference of two tables' numbers; infinite where they differ in anything else."""
    measured = fresh.select_dtypes("number").columns
    other = fresh.columns.drop(measured)
    if fresh.shape != stored.shape or set(fresh) != set(stored):
        return float("inf")
    if not fresh[other].fillna("").equals(stored[other].fillna("").astype(fresh[other].dtypes)):
        return float("inf")
    if not fresh[measured].isna().equals(stored[measured].isna()):
        return float("inf")
    return float((fresh[measured] - stored[measured]).abs().max().max())


def load(name):
    """A stored table by name."""
    find(name)
    try:
        made = json.loads(_file(name, "json").read_text(encoding="utf-8"))
        recorded = made.pop("checksum", None)
        # Older tables have none; a damaged name of it is one name too many.
        if set(made) != _SAID or recorded not in (None, _checksum(name, made)):
            raise ValueError("their checksum is not the one recorded")
        return Table(name, pd.read_csv(_file(name, "csv")), made)
    except FileNotFoundError:
        raise
    except (ValueError, AttributeError, TypeError) as problem:
        raise ValueError(
            f"the stored table {name!r} is damaged ({_file(name, 'json')} or the CSV beside it: {problem}). "
            f"Run 'kdviz results {name}', or take the file from the repository again"
        ) from problem


def main(names=(), verify=False):
    """Compute the tables named, or all whose code has changed, and write them to ``data/results``.

    With ``verify`` a table whose rows of one seed come out as stored, within its tolerance, is only marked
    as made by today's code. Returns the names of those that did not.
    """
    different = []
    for result in [find(name) for name in names] or _outdated():
        if not verify:
            _compute(result)
        elif not _confirm(result):
            different.append(result.name)
    return different


def _outdated():
    """The results without a table, or whose code has changed since."""
    return [
        result
        for name, result in every().items()
        if not _file(name, "csv").exists() or not load(name).is_current
    ]


def _compute(result):
    import torch

    start = time.perf_counter()
    rows = result.rows(result.seeds)
    print(f"{result.name}: {len(rows)} rows in {time.perf_counter() - start:.0f} s", flush=True)
    write_whole(_file(result.name, "csv"), rows.round(4).to_csv(index=False, lineterminator="\n").encode())
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "code": code_hash(result.experiment),
        **result.declaration,
        "torch": torch.__version__.split("+")[0],
        "tolerance": result.tolerance,
    }
    _write_made(result.name, made)


def _confirm(result):
    """Mark a table as made by today's code if its first seed comes out as it is stored."""
    try:
        table = load(result.name)
        if not table.is_as_declared:
            raise ValueError("it was made with other settings or seeds")
        said = table.check(seeds=result.seeds[:1], points=None)
    except (FileNotFoundError, ValueError) as problem:
        print(f"{result.name}: NOT confirmed: {problem}", flush=True)
        return False
    print(f"{result.name}: {said}", flush=True)
    _write_made(result.name, {**table.made, "code": code_hash(result.experiment)})
    return True


def _write_made(name, made):
    described = {**made, "checksum": _checksum(name, made)}
    write_whole(_file(name, "json"), (json.dumps(described, indent=1) + "\n").encode())


def _checksum(name, made):
    """Of the rows and of what is said of them, whatever git makes of the ends of lines."""
    return checksum_of({"made": made, "rows": _file(name, "csv").read_text(encoding="utf-8")})


def _file(name, ending):
    return course_folder() / "data" / "results" / f"{name}.{ending}"
