"""Do teacher and student look at the same places, more than students that never saw the teacher?"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import torch
from scipy import stats

from kdviz.explain._attribute import attribute
from kdviz.explain.similarity import rank_correlation, top_overlap
from kdviz.tracing import call, device_of, evaluating, logits_of, size_of, to_device

CHANCE = "chance"
OTHER_INPUTS = "teacher, and student on other inputs"


@dataclass(frozen=True)
class AttributionComparison:
    """Attributions of several networks for the same inputs and classes, and how similar they are.

    ``maps`` holds an array (N, ...) by name, the teacher's and the student's first. ``table`` has a row for
    each pair of networks, and two rows to compare them with: the teacher with the student's attributions of
    other inputs, and chance.
    """

    maps: dict
    targets: torch.Tensor
    method: str
    top: int
    table: pd.DataFrame

    def __str__(self):
        words = textwrap.fill(self.sentence, 96, subsequent_indent="  ")
        return f"{words}\n\n{self.table.round(3).to_string()}"

    __repr__ = __str__

    @property
    def sentence(self):
        """What the numbers say, in words: beside every baseline."""
        teacher, student, *others = self.maps.items()
        if not others:
            return "Without a label-only baseline, no similarity can be called large or small."
        told = []
        for name, maps in others:
            gain = rank_correlation(teacher[1], student[1]) - rank_correlation(teacher[1], maps)
            mean, low, high = interval(gain)
            verdict = "more" if low > 0 else "less" if high < 0 else "neither more nor less"
            numbers = f"{mean:+.3f}, 95 % interval over inputs {low:+.3f} to {high:+.3f}".replace("-", "−")
            words = "does: difference of the rank correlations"
            told.append(f"{verdict} like the teacher than {name} {words} {numbers}")
        return (
            f"The student ranks the places {'; '.join(told)}. Other seeds of the students may say otherwise."
        )


def compare_attributions(
    teacher: torch.nn.Module,
    student: torch.nn.Module,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    targets: torch.Tensor | None = None,
    *,
    baselines: Sequence[torch.nn.Module] | Mapping[str, torch.nn.Module] = (),
    method: str = "integrated_gradients",
    top: int | None = None,
    logits: int | str | Callable | None = None,
    **settings,
) -> AttributionComparison:
    """Ask teacher, student and label-only students what an answer rests on, and compare.

    Parameters
    ----------
    teacher, student : torch.nn.Module
    inputs : tensor (N, ...), as :func:`kdviz.explain.attribute` takes them
    targets : (N,) the class asked about, the same for all; by default the teacher's answer
    baselines : students trained on labels alone, or a dictionary of them by name; best two of different seeds
        How alike *they* are says what "alike" is worth without a teacher.
    method, settings : as in :func:`kdviz.explain.attribute`
    top : int, default a tenth of the positions
        How many positions count for ``top_overlap``.
    logits : as in :func:`kdviz.explain.attribute`

    Returns
    -------
    AttributionComparison
    """
    models = {"teacher": teacher, "student": student, **_named(baselines)}
    if len(models) < 2 + len(baselines):
        raise ValueError("a baseline must not be called 'teacher' or 'student'")
    count = size_of(inputs)
    if count < 5:
        raise ValueError(f"fewer than 5 inputs say too little to compare; got {count}")
    if targets is None:
        with evaluating(teacher), torch.no_grad():
            targets = logits_of(call(teacher, to_device(inputs, device_of(teacher))), logits).argmax(-1).cpu()
    maps = {
        name: attribute(model, inputs, targets, method, logits=logits, **settings).cpu().numpy()
        for name, model in models.items()
    }
    positions = maps["teacher"][0].size
    top = max(1, positions // 10) if top is None else top
    return AttributionComparison(maps, targets, method, top, _table(maps, top, positions))


def _named(baselines):
    if isinstance(baselines, Mapping):
        return baselines
    return {f"label-only {number}": model for number, model in enumerate(baselines, 1)}


def _table(maps, top, positions):
    rows = {f"{a}, {b}": _row(maps[a], maps[b], top) for a, b in combinations(maps, 2)}
    rows[OTHER_INPUTS] = _row(maps["teacher"], np.roll(maps["student"], 1, 0), top)
    rows[CHANCE] = {"rank_correlation": 0.0, "top_overlap": top / positions}
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


def interval(values: np.ndarray) -> tuple[float, float, float]:
    """The mean over inputs and its 95 % t interval (mean, low, high); inputs with NaN are left out.

    >>> [round(number, 2) for number in interval(np.array([0.0, 1.0, 2.0, np.nan]))]
    [1.0, -1.48, 3.48]
    """
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return (np.nan,) * 3
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    return float(values.mean()), float(values.mean() - half), float(values.mean() + half)
