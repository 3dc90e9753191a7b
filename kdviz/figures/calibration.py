"""Calibration as a picture: how often answers of a given confidence are right."""

import numpy as np
import plotly.graph_objects as go

from kdviz.figures.template import GRID, LEGEND, figure, looks


def reliability(tables, *, title="", baseline=None):
    """The share of right answers against confidence; on the diagonal a network is as sure as it should be.

    Parameters
    ----------
    tables : dict of str to array (bins, 3)
        For each network and bin: mean confidence, share right, number of samples. Empty bins are left out;
        the area of a marker grows with the samples in its bin.
    baseline : the name that gets the look of hard labels
    """
    style = looks(tables, baseline)
    curves = []
    for name, table in tables.items():
        confidence, right, counts = np.asarray(table, float)[np.asarray(table, float)[:, 2] > 0].T
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
    share = {"range": [-0.02, 1.02]}
    return figure(
        diagonal,
        *curves,
        title=title,
        height=440,
        showlegend=True,
        legend=LEGEND,
        xaxis={"title": {"text": "mean confidence (share)"}, **share},
        yaxis={"title": {"text": "right answers (share)"}, **share},
    )
