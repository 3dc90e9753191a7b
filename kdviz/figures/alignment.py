"""The alignment of two networks: how alike each layer of one is to each layer of the other."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import INK, figure, labelled_cells

# Similarity belongs to neither teacher nor student, so its colour is its own, light enough for ink on top.
SIMILARITY = [[0.0, "#FFFFFF"], [1.0, "#2DA983"]]


def cka_map(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    row_network: str = "teacher",
    column_network: str = "student",
    title: str = "",
) -> go.Figure:
    """A heat map of the CKA of layers; the most alike row of each column has a frame.

    Parameters
    ----------
    values : array (rows, columns), as :func:`kdviz.measure.cka_map` gives it
        A cell with NaN shows a dash.
    rows, columns : names of the layers, from input to output
    row_network, column_network : what the networks are called

    >>> drawn = cka_map([[0.9, 0.25], [0.1, np.nan]], ["hidden", "logits"], ["hidden", "logits"])
    >>> [list(row) for row in drawn.data[0].text]
    [['0.90', '0.25'], ['0.10', '–']]
    """
    values = np.asarray(values, float)
    rows, columns = list(rows), list(columns)
    if values.shape != (len(rows), len(columns)) or not values.size:
        raise ValueError(
            f"values must have shape ({len(rows)}, {len(columns)}), a row for each of {rows} and a column "
            f"for each of {columns}; got {values.shape}"
        )
    heat = labelled_cells(
        x=columns,
        y=rows,
        z=values,
        text=[[_label(value) for value in row] for row in values],
        hovertemplate=f"{row_network} %{{y}}<br>{column_network} %{{x}}<br>CKA %{{text}}<extra></extra>",
        colorscale=SIMILARITY,
        zmin=0,
        zmax=1,
        colorbar={"title": {"text": "CKA"}, "thickness": 14, "tickvals": [0, 0.5, 1]},
    )
    axis = {"type": "category", "showgrid": False}
    return figure(
        heat,
        title=title,
        height=130 + 44 * max(3, len(rows)),
        xaxis={"title": f"layer of the {column_network} (framed: the {row_network}’s most alike)", **axis},
        yaxis={"title": f"layer of the {row_network}", **axis},
        shapes=_frames(values),
    )


def _label(value):
    return "–" if np.isnan(value) else f"{value:z.2f}"


def _frames(values):
    line = {"color": INK, "width": 2}
    return [
        {"type": "rect", "x0": c - 0.48, "x1": c + 0.48, "y0": r - 0.46, "y1": r + 0.46, "line": line}
        for c, column in enumerate(values.T)
        if not np.isnan(column).all()
        for r in [int(np.nanargmax(column))]
    ]
