"""Who is whose neighbour in two networks, in one drawing."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import BASELINE, INK, STUDENT, TEACHER, figure


def neighbour_graph(
    places: ArrayLike, teacher: ArrayLike, student: ArrayLike, labels: Sequence[str], *, title: str = ""
) -> go.Figure:
    """Samples, and between them the edges of both graphs, of the teacher's only and of the student's only.

    Parameters
    ----------
    places : array (n, 2), where each sample is drawn
    teacher, student : symmetric arrays (n, n) of booleans, true where two samples are neighbours
    labels : n short texts, one in each sample's circle

    >>> path = [[False, True], [True, False]]
    >>> drawn = neighbour_graph([[0, 0], [1, 2]], path, path, ["3", "8"])
    >>> [line.name for line in drawn.data], drawn.data[2].y.tolist()
    (['only the teacher: 0', 'only the student: 0', 'both: 1', 'samples'], [0.0, 2.0, nan])
    """
    places = np.asarray(places, np.float32).round(3)
    teacher, student = (np.asarray(edges, bool) for edges in (teacher, student))
    for name, edges in {"teacher": teacher, "student": student}.items():
        if edges.shape != (len(places),) * 2 or (edges != edges.T).any():
            raise ValueError(
                f"{name} must be symmetric, of shape {(len(places),) * 2} like the places; "
                f"got shape {edges.shape}"
            )
    lines = [
        _edges(places, teacher & ~student, "only the teacher", {"color": TEACHER.color, "dash": "dot"}),
        _edges(places, student & ~teacher, "only the student", {"color": BASELINE.color, "dash": "dot"}),
        _edges(places, teacher & student, "both", {"color": STUDENT.color, "width": 2.5}),
    ]
    samples = go.Scatter(
        name="samples",
        x=places[:, 0],
        y=places[:, 1],
        mode="markers+text",
        text=[str(label) for label in labels],
        textfont={"size": 11, "color": INK},
        marker={"size": 18, "color": "white", "line": {"color": INK, "width": 1}},
        hoverinfo="skip",
        showlegend=False,
    )
    unseen = {"showticklabels": False, "ticks": "", "showgrid": False, "showline": False}
    # Below the drawing, where a legend of several rows covers nothing on a phone.
    legend = {"orientation": "h", "x": 0, "y": 0, "yanchor": "top"}
    settings = {"title": title, "height": 430, "showlegend": True, "legend": legend}
    return figure(*lines, samples, xaxis=unseen, yaxis=unseen, **settings)


def _edges(places, edges, name, line):
    """The edges as one line that is broken between them; the legend counts them."""
    first, second = np.nonzero(np.triu(edges))
    gap = np.full((len(first), 2), np.nan)
    x, y = np.stack([places[first], places[second], gap], 1).reshape(-1, 2).T
    line = {"width": 1, **line}
    return go.Scatter(x=x, y=y, mode="lines", name=f"{name}: {len(first)}", line=line, hoverinfo="skip")
