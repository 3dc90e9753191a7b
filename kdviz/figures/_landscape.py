"""The landscape: the paired gain over the hard-label baseline, for each temperature and each weight."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdviz.figures.template import figure, labelled_cells
from kdviz.measure import paired

# The colour says who is ahead: the baseline's grey, or the student's orange. Light enough for ink on top.
_WHO_IS_AHEAD = [[0.0, "#9E9E9E"], [0.5, "#FFFFFF"], [1.0, "#F08A4B"]]


def landscape(
    table: pd.DataFrame, *, value: str = "accuracy", largest: float | None = None, title: str = ""
) -> go.Figure:
    """A heat map of the mean paired gain; cells whose 95 % interval holds zero are marked *null*.

    Parameters
    ----------
    table : DataFrame of a sweep, with the columns ``seed``, ``temperature``, ``soft_weight`` and ``value``
        The rows with ``soft_weight`` 0 are the baseline: at least one for each seed.
    value : the column that is compared, in percent
    largest : the gain at which the colour is full; default the largest in the table, gain or loss
    """
    found = _gains(table, value)
    temperatures = sorted({temperature for temperature, _ in found})
    weights = sorted({weight for _, weight in found})
    cells = [[found.get((temperature, weight)) for temperature in temperatures] for weight in weights]
    means = np.array([[np.nan if cell is None else cell.mean for cell in row] for row in cells])
    largest = largest or float(np.nanmax(np.abs(means))) or 1.0
    heat = labelled_cells(
        x=[f"{temperature:g}" for temperature in temperatures],
        y=[f"{weight:g}" for weight in weights],
        z=means,
        text=[["" if cell is None else _label(cell) for cell in row] for row in cells],
        hovertext=[["no student" if cell is None else str(cell) for cell in row] for row in cells],
        hovertemplate="T = %{x}, soft_weight %{y}<br>%{hovertext}<extra></extra>",
        colorscale=_WHO_IS_AHEAD,
        zmin=-largest,
        zmax=largest,
        colorbar={"title": {"text": "gain<br>(points)"}, "thickness": 14},
    )
    return figure(
        heat,
        title=title,
        height=130 + 44 * len(weights),
        xaxis={"title": "temperature T", "type": "category", "showgrid": False},
        yaxis={"title": "soft_weight", "type": "category", "showgrid": False},
    )


def _gains(table, value):
    """For each cell the paired difference to the baseline, over the seeds that have both."""
    missing = [name for name in ("seed", "temperature", "soft_weight", value) if name not in table]
    if missing:
        raise ValueError(f"the table has no column {missing[0]!r}; its columns are: {', '.join(table)}")
    known = table.dropna(subset=value)
    baseline = known[known.soft_weight == 0].groupby("seed")[value].first()
    if baseline.empty:
        raise ValueError(
            "the table has no baseline to compare with: add the point "
            '{"temperature": 1.0, "soft_weight": 0.0} to the grid'
        )
    differences = {
        cell: (rows.set_index("seed")[value] - baseline).dropna()
        for cell, rows in known[known.soft_weight > 0].groupby(["temperature", "soft_weight"])
    }
    found = {cell: paired(d, np.zeros(len(d))) for cell, d in differences.items() if len(d) >= 5}
    if not found:
        raise ValueError("no cell has the five seeds that an interval needs; let the sweep go on")
    return found


def _label(cell):
    gain = f"{cell.mean:+z.1f}"
    return gain if cell.sure else f"{gain}<br><b>null</b>"
