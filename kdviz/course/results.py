"""Long results: tables that take too long for a cell, computed once by ``make results``.

Each table is a CSV file in ``data/results`` beside a JSON file that says when it was computed, with
which settings and seeds, and by which code. A notebook loads the table, says its age, and computes
a sample of its rows again.
"""

import itertools
import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pandas as pd

from kdviz.course import architecture_experiments as architectures
from kdviz.course import experiments, knowledge_experiments, scheme_experiments, self_experiments
from kdviz.course.paths import course_folder
from kdviz.course.sources import code_hash

SEEDS = tuple(range(30))


@dataclass(frozen=True)
class Result:
    """How one table is computed: an experiment, the settings it is run with, and the seeds.

    ``tolerance`` is how many percentage points a row may differ when it is computed again.
    """

    name: str
    experiment: callable
    grid: dict
    seeds: tuple = SEEDS
    tolerance: float = 2.0

    @property
    def settings(self):
        return [dict(zip(self.grid, point, strict=True)) for point in itertools.product(*self.grid.values())]

    def rows(self, seeds):
        """Compute the rows of these seeds, here and now."""
        made = [row for setting in self.settings for row in self.experiment(seeds, **setting)]
        return pd.DataFrame(made)


RESULTS = {
    result.name: result
    for result in (
        Result("landscape", experiments.landscape, {"regime": ("omitted digit", "all labels")}),
        Result("longer_training", experiments.longer_training, {"steps": (600, 1800, 3600)}),
        # Networks that learn wrong labels by heart magnify rounding: 1.5 points were seen on one machine.
        Result("label_noise", experiments.label_noise, {"steps": (600, 1500)}, tolerance=5.0),
        # Shuffled teachers magnify rounding too: 1 point was seen on one machine.
        Result(
            "response_losses",
            experiments.response_losses,
            {"regime": ("50 labels", "50 labels, shuffled", "all labels")},
            tolerance=4.0,
        ),
        Result("other_orders", experiments.other_orders, {"copies": (64,)}),
        Result("knowledge", knowledge_experiments.knowledge, {"labels": (50, 100, 1000)}, tolerance=5.0),
        Result("shuffled_pairs", knowledge_experiments.shuffled_pairs, {"labels": (50,)}, tolerance=5.0),
        Result("relations_only", knowledge_experiments.relations_only, {"steps": (600,)}, tolerance=5.0),
        Result("deep_and_thin", knowledge_experiments.deep_and_thin, {"first": (500,)}, tolerance=5.0),
        Result("attention", knowledge_experiments.attention, {"labels": (100,)}, tolerance=5.0),
        Result(
            "cached_answers", scheme_experiments.cached_answers, {"regime": ("50 images", "1,200 images")}
        ),
        Result("teacher_age", scheme_experiments.teacher_age, {}, tolerance=5.0),
        Result("assistant_chains", scheme_experiments.assistant_chains, {}, tolerance=4.0),
        Result(
            "mutual_learning",
            scheme_experiments.mutual_learning,
            {"regime": tuple(scheme_experiments.REGIMES)},
            tolerance=5.0,
        ),
        Result(
            "online_schemes", scheme_experiments.online_schemes, {"regime": ("100 labels",)}, tolerance=5.0
        ),
        # Networks that learn wrong labels by heart magnify rounding.
        Result("generations", self_experiments.generations, {"noise": (0.0, 0.4)}, tolerance=6.0),
        Result("two_views", self_experiments.two_views, {"units": ("learned", "fixed")}, tolerance=10.0),
        Result("early_exits", self_experiments.early_exits, {"steps": (600,)}),
        Result("averages", self_experiments.averages, {"labels": (50,)}, tolerance=5.0),
        Result("sizes", architectures.sizes, {"regime": ("all labels", "50 labels")}, tolerance=4.0),
        Result("capacity_gap", architectures.capacity_gap, {"steps": (600, 3000)}, tolerance=5.0),
        Result("chains", architectures.chains, {"steps": (600, 3000)}, tolerance=5.0),
        Result("noisy_teachers", architectures.noisy_teachers, {"noise": (0.4,)}, tolerance=6.0),
        # Parameters, bytes and MACs are in the table too: another network chosen is another size.
        Result("kinds", architectures.kinds, {"labels": (50,)}, tolerance=6.0),
        Result("several_teachers", architectures.several_teachers, {"labels": (50,)}, tolerance=5.0),
        Result("faithful", architectures.faithful, {"steps": (600,)}, tolerance=4.0),
    )
}


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
        result = RESULTS[self.name]
        return self.made["code"] == code_hash(result.experiment) and self.is_as_declared

    @property
    def is_as_declared(self):
        """Whether it was made with the settings and the seeds of its declaration."""
        result = RESULTS[self.name]
        settings = {key: list(values) for key, values in result.grid.items()}
        return self.made["settings"] == settings and self.made["seeds"] == list(result.seeds)

    def check(self, seeds=(0,)):
        """Compute the rows of some seeds again; raise if a number is not the stored one.

        Trainings on another processor may round differently and turn single answers, so a share
        may differ by ``made["tolerance"]`` percentage points.
        """
        fresh = RESULTS[self.name].rows(seeds)
        stored = self.rows[self.rows.seed.isin(seeds)].reset_index(drop=True)
        distance = _distance(fresh, stored)
        if distance > self.made["tolerance"]:
            raise ValueError(
                f"the stored table {self.name!r} does not agree with the code: rows of seeds {seeds} "
                f"differ by up to {distance:.2f} percentage points. Run 'make results'"
            )
        return f"{len(fresh)} rows computed again: the largest difference is {distance:.2f} points."


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
    _known(name)
    folder = course_folder() / "data" / "results"
    made = json.loads((folder / f"{name}.json").read_text())
    return Table(name, pd.read_csv(folder / f"{name}.csv"), made)


def _known(name):
    if name not in RESULTS:
        raise ValueError(f"unknown result {name!r}; the results are: {', '.join(RESULTS)}")
    return RESULTS[name]


def _outdated():
    """The results without a table, or whose code has changed since."""
    folder = course_folder() / "data" / "results"
    return [
        result
        for name, result in RESULTS.items()
        if not (folder / f"{name}.csv").exists() or not load(name).is_current
    ]


def main(names=(), verify=False):
    """Compute the tables named, or all whose code has changed, and write them to ``data/results``.

    With ``verify`` a table whose rows of one seed come out as stored, within its tolerance, is only marked
    as made by today's code. Returns the names of those that did not.
    """
    different = []
    for result in [_known(name) for name in names] or _outdated():
        if not verify:
            _compute(result)
        elif not _confirm(result):
            different.append(result.name)
    return different


def _compute(result):
    import torch

    start = time.perf_counter()
    rows = result.rows(result.seeds)
    print(f"{result.name}: {len(rows)} rows in {time.perf_counter() - start:.0f} s", flush=True)
    folder = course_folder() / "data" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    rows.round(4).to_csv(folder / f"{result.name}.csv", index=False)
    _write_made(
        result.name,
        {
            "date": datetime.now(UTC).date().isoformat(),
            "code": code_hash(result.experiment),
            "settings": {key: list(values) for key, values in result.grid.items()},
            "seeds": list(result.seeds),
            "torch": torch.__version__.split("+")[0],
            "tolerance": result.tolerance,
        },
    )


def _confirm(result):
    """Mark a table as made by today's code if its first seed comes out as it is stored."""
    try:
        table = load(result.name)
        if not table.is_as_declared:
            raise ValueError("it was made with other settings or seeds")
        said = table.check(seeds=result.seeds[:1])
    except (FileNotFoundError, ValueError) as problem:
        print(f"{result.name}: NOT confirmed: {problem}", flush=True)
        return False
    print(f"{result.name}: {said}", flush=True)
    _write_made(result.name, {**table.made, "code": code_hash(result.experiment)})
    return True


def _write_made(name, made):
    (course_folder() / "data" / "results" / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
