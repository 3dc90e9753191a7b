"""The landscape explorer: the paired gain for each temperature and weight, and the seeds behind a cell."""

import threading
from functools import partial

import numpy as np
import pandas as pd
import traitlets

from kdviz.datasets import digits
from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import items, number
from kdviz.measure import paired
from kdviz.schemes._sweep import SOFT_WEIGHTS, TEMPERATURES, mixture, small_student, sweep

LABELS = (20, 50, 100, 200, 500, 1200)


class Landscape(Explorer):
    """A map of gains that fills in while its students train. Made by :func:`landscape`."""

    temperatures = traitlets.List(traitlets.Float()).tag(sync=True)
    soft_weights = traitlets.List(traitlets.Float()).tag(sync=True)
    label_stops = traitlets.List(traitlets.Int()).tag(sync=True)
    labels = traitlets.Int().tag(sync=True)
    label_noise = traitlets.Float().tag(sync=True)
    # What the map shows: of which settings, how many of how many seeds, and for each cell, weights from
    # low to high and temperatures within them, its interval and the gain of each seed.
    shown = traitlets.Dict().tag(sync=True)
    cells = traitlets.List().tag(sync=True)
    curves = traitlets.Dict().tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    running = traitlets.Bool(False).tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    omit = traitlets.Int(None, allow_none=True).tag(sync=True)
    live = traitlets.Bool(True).tag(sync=True)
    # The page counts them up; a number that changes is a command.
    train_commands = traitlets.Int(0).tag(sync=True)
    stop_commands = traitlets.Int(0).tag(sync=True)

    def __init__(self, plan, **state):
        super().__init__(**state)
        self._plan, self._sweep, self._thread = plan, None, None
        # Held by the thread that trains while it draws, and by a stop: neither overwrites the other.
        self._turn = threading.RLock()
        self.observe(lambda change: self.train(), "train_commands")
        self.observe(lambda change: self.stop(), "stop_commands")

    def train(self):
        """Train the students of the present settings in the background, from the first seed on."""
        self.stop()
        settings = {"labels": self.labels, "label_noise": self.label_noise}
        self._tell("Training begins: first the teachers of a few seeds.", running=True)
        try:
            # Made here and not in the background, so that a stop at once finds it.
            self._sweep = self._plan(**settings)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the reader must see it
            self._tell(_described(problem))
            return
        self._thread = threading.Thread(target=self._train, args=(self._sweep, settings), daemon=True)
        self._thread.start()

    def stop(self):
        """Stop training; the map keeps the seeds that are finished."""
        with self._turn:
            if not self.running:
                return
            self._sweep.stop()
            self._sweep = None
            self._tell(f"Stopped. The map shows {self._seeds} seeds.")

    def wait(self, seconds=None):
        """Wait until the training in the background has ended."""
        if self._thread is not None:
            self._thread.join(seconds)

    def show(self, table, labels, label_noise, total):
        """Draw the table of a sweep as far as it has come."""
        cells, curves = _cells(table, self.temperatures, self.soft_weights)
        seeds = max((len(cell["gains"]) for cell in cells if cell), default=0)
        # Sent as one message: the page never draws new cells beside old curves.
        with self.hold_sync():
            self.cells, self.curves = cells, curves
            self.shown = {"labels": labels, "label_noise": label_noise, "seeds": seeds, "total": total}

    def static_state(self):
        return {**super().static_state(), "live": False, "running": False, "message": ""}

    def _train(self, mine, settings):
        try:
            for table in mine:
                with self._turn:
                    # After a stop the next training may already run.
                    if self._sweep is not mine:
                        return
                    if "accuracy" not in table:
                        raise ValueError(f"no student could be trained: {mine.problems.problem.iloc[0]}")
                    self.show(table, total=mine.total // (len(self.cells) + 1), **settings)
                    self.message = f"{self._seeds} of {self.shown['total']} seeds."
            ending = f"Done: {self._seeds} seeds.{_failures(mine)}"
        except Exception as problem:  # noqa: BLE001 - whatever it is, the reader must see it
            ending = _described(problem)
        with self._turn:
            if self._sweep is mine:
                self._tell(ending)

    def _tell(self, message, running=False):
        # Together, so that the button and the words beside it change at once.
        with self.hold_sync():
            self.message, self.running = message, running

    @property
    def _seeds(self):
        return self.shown.get("seeds", 0)

    def __repr__(self):
        return f"Landscape({len(self.cells)} cells, {self._seeds} seeds)"


def landscape(
    table=None,
    *,
    labels=50,
    label_noise=0.0,
    omit=None,
    width=16,
    steps=600,
    seeds=30,
    temperatures=TEMPERATURES,
    soft_weights=SOFT_WEIGHTS,
    store=None,
):
    """A map of the paired gain over hard labels: temperature across, ``soft_weight`` up.

    Choose the number of labels and the label noise, press *Train*: the map shows five seeds after a few
    seconds and sharpens up to ``seeds``. A cell is hatched where its 95 % interval holds zero, or where
    fewer than five seeds give none. Choose a cell to see its seeds and its learning curves. Nothing trains
    before the button is pressed.

    Parameters
    ----------
    table : DataFrame, optional
        The table of a sweep over ``temperature`` and ``soft_weight`` with a point of weight 0, the
        baseline, to be shown at once; ``labels`` and ``label_noise`` then say where it comes from, and
        the axes are the table's. With ``curves=True`` in the sweep, its learning curves are shown.
    labels : one of 20, 50, 100, 200, 500, 1200
    label_noise : 0 to 0.6
    omit : a digit that the students never see
    width, steps, seeds : the students' hidden units, their training steps, and how many seeds
    """
    if labels not in LABELS:
        raise ValueError(f"labels must be one of {', '.join(map(str, LABELS))}; got {labels!r}")
    if not 0 <= label_noise <= 0.6:
        raise ValueError(f"label_noise must be from 0 to 0.6; got {label_noise!r}")
    if omit is not None and omit not in range(10):
        raise ValueError(f"omit must be a digit from 0 to 9, or None for no omission; got {omit!r}")
    if table is not None:
        _check_table(table)
        known = table[table.soft_weight > 0]
        temperatures, soft_weights = sorted(known.temperature.unique()), sorted(known.soft_weight.unique())
    else:
        temperatures = _numbers("temperatures", temperatures)
        soft_weights = _numbers("soft_weights", soft_weights)
    points = [{"temperature": t, "soft_weight": w} for w in soft_weights for t in temperatures]

    def plan(labels, label_noise):
        few = {"labels": labels, "transfer": "labelled"} if labels < LABELS[-1] else {}
        return sweep(
            [{"temperature": 1.0, "soft_weight": 0.0}, *points],
            mixture,
            data=partial(digits, label_noise=label_noise, omit=omit, **few),
            student=partial(small_student, width=width),
            seeds=seeds,
            steps=steps,
            curves=True,
            store=store,
        )

    explorer = Landscape(
        plan,
        temperatures=[float(t) for t in temperatures],
        soft_weights=[float(w) for w in soft_weights],
        label_stops=list(LABELS),
        labels=labels,
        label_noise=label_noise,
        omit=omit,
        cells=[None] * len(points),
        chosen=_nearest(points, 4.0, 0.9),
    )
    if table is not None:
        explorer.show(table, labels, label_noise, table.seed.nunique())
    return explorer


def _numbers(name, values):
    values = [number(f"one of {name}", value) for value in items(name, values)]
    if not values:
        raise ValueError(f"{name} must hold at least one number; it is empty")
    return values


def _check_table(table):
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"table must be the DataFrame of a sweep, its .table; got {type(table).__name__}")
    needed = ("seed", "temperature", "soft_weight", "accuracy")
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"the table has no column {missing[0]!r}; its columns are: {', '.join(table)}")
    weights = table.dropna(subset="accuracy").soft_weight
    if not (weights == 0).any() or not (weights > 0).any():
        raise ValueError(
            "the table needs students with soft_weight above 0 and their baseline with soft_weight 0; "
            f"it has {sorted(map(float, weights.unique()))}: sweep over both"
        )


def _described(problem):
    return f"{type(problem).__name__}: {problem}"


def _failures(finished):
    """The students that are missing from the map, and why, as the end of a message."""
    problems = finished.problems.problem
    if problems.empty:
        return ""
    return f" {len(problems)} students could not be trained: {problems.iloc[0]}"


def _nearest(points, temperature, soft_weight):
    def distance(point):
        # A temperature that no student can be trained at is still a cell.
        ratio = max(point["temperature"], 1e-9) / temperature
        return abs(np.log(ratio)) + abs(point["soft_weight"] - soft_weight)

    return min(range(len(points)), key=lambda index: distance(points[index]))


def _cells(table, temperatures, soft_weights):
    """Each cell's interval and gains, and the mean learning curves of the cells and of the baseline."""
    # A student that could not be trained has a problem and no accuracy.
    table = table.dropna(subset="accuracy")
    accuracy = table.pivot(index="seed", columns=["soft_weight", "temperature"], values="accuracy")
    baselines = accuracy[0.0]
    baseline = baselines[baselines.columns[0]]
    points = [(w, t) for w in soft_weights for t in temperatures]
    cells = [_cell(accuracy[point] - baseline) if point in accuracy else None for point in points]
    if "curve" not in table:
        return cells, {}
    curves = table.groupby(["soft_weight", "temperature"]).curve.agg(_mean_curve)
    some = table.curve.iloc[0]
    return cells, {
        "steps": [step for step, _ in some],
        "baseline": curves[0.0].iloc[0],
        "cells": [curves.get(point) for point in points],
    }


def _cell(gains):
    gains = gains.dropna()
    if gains.empty:
        return None
    cell = {"gains": [round(gain, 2) for gain in gains], "mean": round(float(gains.mean()), 3)}
    if len(gains) >= 5:
        found = paired(gains, np.zeros(len(gains)))
        cell.update(low=round(found.low, 3), high=round(found.high, 3), above=found.above, sure=found.sure)
    return cell


def _mean_curve(curves):
    return [round(float(value), 2) for value in np.mean([[v for _, v in curve] for curve in curves], axis=0)]
