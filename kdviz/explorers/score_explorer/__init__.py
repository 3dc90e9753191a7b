"""The score explorer: students by size and accuracy in one number, beside what that number does not say."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import number
from kdviz.losses.checks import check_share
from kdviz.measure import paired

MEASURES = ("parameters", "bytes", "MACs", "latency")


class ScoreExplorer(Explorer):
    """The distillation score of several students, under any weight of size. Made by :func:`score`."""

    # A name, an accuracy, that of the baseline, the gain's interval [low, high], and its sizes by measure.
    students = traitlets.List().tag(sync=True)
    teacher = traitlets.Dict().tag(sync=True)
    classes = traitlets.Int().tag(sync=True)
    measures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    measure = traitlets.Unicode().tag(sync=True)
    size_weight = traitlets.Float(0.5).tag(sync=True)
    minimum = traitlets.Int().tag(sync=True)

    @traitlets.validate("size_weight")
    def _check_weight(self, proposal):
        check_share("size_weight", proposal.value)
        return proposal.value

    @traitlets.validate("minimum")
    def _check_minimum(self, proposal):
        if not 0 <= proposal.value <= 100:
            raise ValueError(f"minimum is an accuracy in percent, from 0 to 100; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("measure")
    def _check_measure(self, proposal):
        if self.measures and proposal.value not in self.measures:
            raise ValueError(f"measure must be one of {self.measures}; got {proposal.value!r}")
        return proposal.value

    def __repr__(self):
        return f"ScoreExplorer({len(self.students)} students, size_weight {self.size_weight:g})"


def score(students, teacher, *, minimum=90, size_weight=0.5, classes=10):
    """Compare students by their distillation score; drag the weight of size and the least accuracy.

    Parameters
    ----------
    students : DataFrame with one row for each student and seed
        Columns ``student`` (its name), ``seed``, ``accuracy`` and ``baseline_accuracy`` in percent, the
        latter of the same student trained without the teacher, and one or more sizes: ``parameters``,
        ``bytes``, ``MACs``, ``latency``.
    teacher : dict
        ``accuracy`` in percent and the same sizes.
    minimum : int
        The least accuracy in percent that the task needs, to begin with.
    size_weight : float
        Alpha, to begin with.
    classes : int
        For the line of a constant guesser.

    Returns
    -------
    ScoreExplorer
    """
    if not isinstance(students, pd.DataFrame) or not isinstance(teacher, Mapping | pd.Series):
        raise TypeError(
            "students must be a table (pandas.DataFrame) and teacher a dictionary; got "
            f"{type(students).__name__} and {type(teacher).__name__}"
        )
    needed = ("student", "seed", "accuracy", "baseline_accuracy")
    missing = [name for name in needed if name not in students]
    measures = [name for name in MEASURES if name in students]
    if missing or not measures:
        raise ValueError(
            f"the students' table needs the columns {', '.join(needed)} and one or more of "
            f"{', '.join(MEASURES)}; it has {', '.join(map(str, students))}"
        )
    texts = [name for name in needed[1:] if not pd.api.types.is_numeric_dtype(students[name])]
    if texts:
        raise TypeError(f"the students' columns {', '.join(texts)} must hold numbers")
    if students[[*needed, *measures]].isna().any(axis=None):
        raise ValueError("the students' table has gaps (NaN); leave out the students that were not trained")
    known = {name: teacher.get(name, 0) for name in ("accuracy", *measures)}
    lacking = [name for name, value in known.items() if not number(f"the teacher's {name}", value) > 0]
    if lacking:
        raise ValueError(f"the teacher needs {', '.join(lacking)} above 0; got {teacher!r}")
    shown = [_student(name, rows, measures) for name, rows in students.groupby("student", sort=False)]
    return ScoreExplorer(
        students=sorted(shown, key=lambda one: one[measures[0]]),
        teacher={name: float(teacher[name]) for name in ("accuracy", *measures)},
        classes=classes,
        measures=measures,
        measure=measures[0],
        size_weight=size_weight,
        minimum=minimum,
    )


def _student(name, rows, measures):
    gain = paired(rows.accuracy, rows.baseline_accuracy)
    return {
        "name": str(name),
        "accuracy": round(float(rows.accuracy.mean()), 3),
        "baseline": round(float(rows.baseline_accuracy.mean()), 3),
        "gain": [round(value, 3) for value in (gain.low, gain.high)],
        "seeds": gain.count,
        **{measure: float(f"{np.median(rows[measure]):.5g}") for measure in measures},
    }
