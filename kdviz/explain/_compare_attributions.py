"""Do teacher and student look at the same places, more than students that never saw the teacher?"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from scipy import stats

from kdviz.explain.likeness import rank_correlation, top_overlap
from kdviz.explain.methods import attribute
from kdviz.tracing import logits_of

CHANCE = "chance"
OTHER_INPUTS = "teacher, and student on other inputs"


@dataclass(frozen=True)
class SideBySide:
    """Attributions of several networks for the same inputs and classes, and how alike they are.

    ``maps`` holds an array (N, ...) by name, the teacher's and the student's first. ``table`` has a row for
    each pair of networks, and two to hold them against: the teacher with the student's attributions of other
    inputs, and chance.
    """

    maps: dict
    targets: torch.Tensor
    method: str
    top: int
    table: pd.DataFrame

    def __str__(self):
        return f"{self.sentence}\n\n{self.table.round(3).to_string()}"

    __repr__ = __str__

    @property
    def sentence(self):
        """What the numbers say, in words."""
        gain = _gain(self.maps)
        if gain is None:
            return "Without a label-only baseline, no likeness can be called large or small."
        mean, low, high = gain
        other = list(self.maps)[2]
        verdict = "more" if low > 0 else "less" if high < 0 else "neither more nor less"
        return (
            f"The student ranks the places {verdict} like the teacher than {other} does: "
            f"difference of the rank correlations {mean:+.3f}, 95 % interval over inputs {low:+.3f} to "
            f"{high:+.3f}. Other seeds of the students may say otherwise."
        )


def side_by_side(
    teacher,
    student,
    inputs,
    targets=None,
    *,
    baselines=(),
    method="integrated_gradients",
    top=None,
    **settings,
):
    """Ask teacher, student and label-only students what an answer rests on, and compare.

    Parameters
    ----------
    teacher, student : torch.nn.Module
    inputs : tensor (N, ...), as :func:`kdviz.explain.attribute` takes them
    targets : (N,) the class asked about, the same for all; by default the teacher's answer
    baselines : students trained on labels alone, or a dictionary of them by name; best two of different seeds
        How alike *they* are says what "alike" is worth without a teacher.
    method, settings : as in :func:`kdviz.explain.attribute`
    top : int, default a tenth of the places
        How many places count for ``top_overlap``.

    Returns
    -------
    SideBySide
    """
    models = {"teacher": teacher, "student": student, **_named(baselines)}
    if len(models) < 2 + len(baselines):
        raise ValueError("a baseline must not be called 'teacher' or 'student'")
    if len(inputs) < 5:
        raise ValueError(f"fewer than 5 inputs say too little to compare; got {len(inputs)}")
    if targets is None:
        targets = _answers(teacher, inputs)
    maps = {
        name: attribute(model, inputs, targets, method, **settings).cpu().numpy()
        for name, model in models.items()
    }
    places = int(np.prod(maps["teacher"].shape[1:]))
    top = max(1, places // 10) if top is None else top
    return SideBySide(maps, targets, method, top, _table(maps, top, places))


def _named(baselines):
    if isinstance(baselines, Mapping):
        return baselines
    return {f"label-only {place}": model for place, model in enumerate(baselines, 1)}


def _answers(model, inputs):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        held = next(model.parameters(), None)
        with torch.no_grad():
            return logits_of(model(inputs if held is None else inputs.to(held.device))).argmax(-1)
    finally:
        for module, training in modes:
            module.training = training


def _table(maps, top, places):
    rows = {f"{a}, {b}": _row(maps[a], maps[b], top) for a, b in combinations(maps, 2)}
    rows[OTHER_INPUTS] = _row(maps["teacher"], np.roll(maps["student"], 1, 0), top)
    rows[CHANCE] = {"rank_correlation": 0.0, "top_overlap": top / places}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.rename_axis("pair")


def _row(ours, theirs, top):
    ranks, overlap = rank_correlation(ours, theirs), top_overlap(ours, theirs, top)
    mean, low, high = interval(ranks)
    top_mean, top_low, top_high = interval(overlap)
    return {
        "rank_correlation": mean,
        "low": low,
        "high": high,
        "top_overlap": top_mean,
        "top_low": top_low,
        "top_high": top_high,
        "inputs": int(np.isfinite(ranks).sum()),
    }


def _gain(maps):
    """By how much the student is more like the teacher than the first baseline is, input by input."""
    teacher, student, *baselines = maps.values()
    if not baselines:
        return None
    return interval(rank_correlation(teacher, student) - rank_correlation(teacher, baselines[0]))


def interval(values):
    """The mean over inputs and its 95 % t interval; inputs without a number are left out."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (np.nan,) * 3
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)
