"""Maps of gains: over the hard-label baseline by temperature and weight, or by any other two things."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdviz.figures.template import figure, labelled_cells, side_by_side
from kdviz.measure import Interval, paired

# The colour says who is ahead: the baseline's grey, or the student's orange. Light enough for ink on top.
_WHO_IS_AHEAD = [[0.0, "#9E9E9E"], [0.5, "#FFFFFF"], [1.0, "#F08A4B"]]
_COLOUR_BAR = {"title": {"text": "gain<br>(points)"}, "thickness": 14}


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
    heat = _gain_cells(found, temperatures, weights, "{:g}", "T = %{x}, soft_weight %{y}")
    heat.zmax = largest or heat.zmax
    heat.update(colorscale=_WHO_IS_AHEAD, zmin=-heat.zmax, colorbar=_COLOUR_BAR)
    return figure(
        heat,
        title=title,
        height=130 + 44 * len(weights),
        xaxis={"title": "temperature T", "type": "category", "showgrid": False},
        yaxis={"title": "soft_weight", "type": "category", "showgrid": False},
    )


def gain_maps(
    panels: Mapping[str, Mapping[tuple, Interval]], *, rows: str, columns: str, title: str = ""
) -> go.Figure:
    """Heat maps of gains side by side on one scale; a cell whose 95 % interval holds zero says *null*.

    Parameters
    ----------
    panels : for each panel the gains, in points, by (row, column)
        As :func:`kdviz.measure.paired` gives them.
    rows, columns : what the two are

    >>> gain = paired([3, 4, 5, 4, 4], [1, 1, 1, 1, 1])
    >>> drawn = gain_maps({"teacher": {(1, 2): gain}}, rows="student's layer", columns="teacher's layer")
    >>> [list(row) for row in drawn.data[0].text]
    [['+3.0']]
    """
    if not panels or not all(panels.values()):
        raise ValueError("gain_maps needs at least one panel, and a gain in each; got none")
    heats = {
        name: _gain_cells(
            {(column, row): gain for (row, column), gain in found.items()},
            sorted({column for _, column in found}),
            sorted({row for row, _ in found}),
            "{}",
            f"{rows} %{{y}}, {columns} %{{x}}",
        ).update(coloraxis="coloraxis")
        for name, found in panels.items()
    }
    drawn = side_by_side(heats, horizontal_spacing=0.06)
    largest = max(heat.zmax for heat in heats.values())
    drawn.update_xaxes(type="category", showgrid=False, title_text=columns)
    drawn.update_yaxes(type="category", showgrid=False).update_yaxes(title_text=rows, col=1)
    shared = {"colorscale": _WHO_IS_AHEAD, "cmin": -largest, "cmax": largest, "colorbar": _COLOUR_BAR}
    height = 150 + 48 * max(len(heat.y) for heat in heats.values())
    return drawn.update_layout(title=title, height=height, coloraxis=shared)


def _gain_cells(found, columns, rows, named, place):
    """A heat map of the gains by (column, row), with its largest in size as ``zmax``."""
    cells = [[found.get((column, row)) for column in columns] for row in rows]
    means = np.array([[np.nan if cell is None else cell.mean for cell in row] for row in cells])
    return labelled_cells(
        x=[named.format(column) for column in columns],
        y=[named.format(row) for row in rows],
        z=means,
        text=[["" if cell is None else _label(cell) for cell in row] for row in cells],
        hovertext=[["no student" if cell is None else str(cell) for cell in row] for row in cells],
        hovertemplate=f"{place}<br>%{{hovertext}}<extra></extra>",
        zmax=float(np.nanmax(np.abs(means))) or 1.0,
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
