"""Matrices with a row for each image, side by side, their rows in the order of the classes."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import INK


def class_sheets(matrices, labels, *, title="", value="", square=True):
    """One heat map for each matrix, all on one scale, with the images sorted by class.

    Parameters
    ----------
    matrices : dict of str to array (N, N), or (N, M) with ``square=False``
    labels : array (N,)
        The class of each row; lines stand between classes.
    value : what the colours show, with its unit
    square : the columns are the same images as the rows, and sorted too
    """
    labels = np.asarray(labels)
    order = np.argsort(labels, kind="stable")
    sheets = {name: np.asarray(matrix, np.float32)[order] for name, matrix in matrices.items()}
    for name, sheet in sheets.items():
        if square and sheet.shape != (len(labels), len(labels)):
            raise ValueError(
                f"the matrix {name!r} has shape {sheet.shape}; with {len(labels)} labels it must be "
                f"{len(labels)} × {len(labels)}, or say square=False"
            )
    if square:
        sheets = {name: sheet[:, order] for name, sheet in sheets.items()}
    low = min(float(sheet.min()) for sheet in sheets.values())
    high = max(float(sheet.max()) for sheet in sheets.values())
    classes, starts = np.unique(labels[order], return_index=True)
    middles = (starts + np.append(starts[1:], len(labels)) - 1) / 2
    drawn = make_subplots(cols=len(sheets), subplot_titles=list(sheets), horizontal_spacing=0.05)
    for column, sheet in enumerate(sheets.values(), start=1):
        shades = go.Heatmap(
            z=sheet.round(3),
            zmin=low,
            zmax=high,
            colorscale="Blues",
            showscale=column == len(sheets),
            colorbar={"title": {"text": value, "side": "right"}, "thickness": 12},
            hovertemplate="%{z}<extra></extra>",
        )
        drawn.add_trace(shades, row=1, col=column)
        for start in starts[1:]:
            drawn.add_hline(y=start - 0.5, line={"color": INK, "width": 0.5}, row=1, col=column)
            if square:
                drawn.add_vline(x=start - 0.5, line={"color": INK, "width": 0.5}, row=1, col=column)
    names = {"tickvals": middles, "ticktext": [str(name) for name in classes], "showgrid": False}
    drawn.update_yaxes(**names, autorange="reversed", ticks="")
    drawn.update_yaxes(title_text="images, by class", col=1)
    if square:
        drawn.update_xaxes(**names, ticks="", title_text="images, by class")
    else:
        drawn.update_xaxes(showticklabels=False, ticks="", title_text="units")
    drawn.update_layout(template="kdviz", title=title, height=60 + 900 // len(sheets))
    return drawn
