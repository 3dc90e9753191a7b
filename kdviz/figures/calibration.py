"""Calibration as a picture: how often answers of a given confidence are right."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import GRID, LEGEND, figure, looks


def reliability(
    tables: Mapping[str, ArrayLike], *, title: str = "", baseline: str | None = None
) -> go.Figure:
    """Accuracy against confidence; on the diagonal a network is as sure as it should be.

    Parameters
    ----------
    tables : dict of str to array (bins, 3)
        As :func:`kdviz.measure.calibration_bins` gives them: mean confidence, accuracy, number of samples.
        Empty bins are left out; the area of a marker grows with the samples in its bin.
    baseline : the name that gets the look of hard labels

    >>> drawn = reliability({"student": [[0.55, 0.5, 10], [0.0, 0.0, 0], [0.9, 0.7, 30]]})
    >>> drawn.data[1].y.tolist()
    [0.5, 0.7]
    """
    style = looks(tables, baseline)
    curves = []
    for name, table in tables.items():
        table = np.asarray(table, float)
        confidence, right, counts = table[table[:, 2] > 0].T
        curves.append(
            go.Scatter(
                name=name,
                x=confidence.round(4),
                y=right.round(4),
                mode="lines+markers",
                line=style[name].line,
                marker={**style[name].marker, "size": 5 + 15 * np.sqrt(counts / counts.sum())},
                customdata=counts,
                hovertemplate="%{customdata} samples<br>confidence %{x:.2f}<br>right %{y:.2f}",
            )
        )
    diagonal = go.Scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GRID}, hoverinfo="skip", showlegend=False
    )
    whole = {"range": [-0.02, 1.02]}
    return figure(
        diagonal,
        *curves,
        title=title,
        height=440,
        showlegend=True,
        legend=LEGEND,
        xaxis={"title": "mean confidence (share)", **whole},
        yaxis={"title": "right answers (share)", **whole},
    )
