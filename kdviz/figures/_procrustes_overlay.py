"""Two networks' embeddings of the same samples in one plane, each sample joined with itself."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import LEGEND, STUDENT, TEACHER, figure


def procrustes_overlay(
    teacher: ArrayLike, student: ArrayLike, labels: Sequence[str], *, title: str = ""
) -> go.Figure:
    """Each sample as the teacher has it, as the student has it, and a line between the two.

    Parameters
    ----------
    teacher, student : arrays (n, 2), row for row the same samples, as :func:`kdviz.measure.procrustes` lays
        them over each other
    labels : n short texts, shown where a point is pointed at

    >>> drawn = procrustes_overlay([[0, 0], [1, 1]], [[0, 0.1], [1, 0.8]], ["cat", "dog"])
    >>> drawn.data[0].y.tolist()
    [0.0, 0.1, nan, 1.0, 0.8, nan]
    """
    teacher, student = np.asarray(teacher, float).round(4), np.asarray(student, float).round(4)
    if teacher.shape != student.shape or teacher.ndim != 2 or teacher.shape[1] != 2:
        raise ValueError(
            f"teacher and student must both have shape (n, 2); got {teacher.shape} and {student.shape}"
        )
    # NaN ends a line.
    x, y = np.stack([teacher, student, np.full_like(teacher, np.nan)], 1).reshape(-1, 2).T
    line = {"color": "#BBBBBB", "width": 1}
    pairs = go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)
    points = [
        go.Scatter(
            name=name,
            x=points[:, 0],
            y=points[:, 1],
            mode="markers",
            marker={**look.marker, "size": 6},
            text=[str(label) for label in labels],
            hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
        )
        for name, points, look in (("teacher", teacher, TEACHER), ("student", student, STUDENT))
    ]
    axes = {"showticklabels": False, "ticks": ""}
    return figure(
        pairs,
        *points,
        title=title,
        height=480,
        showlegend=True,
        legend=LEGEND,
        xaxis={"title": "first principal direction", **axes},
        yaxis={"title": "second principal direction", "scaleanchor": "x", **axes},
    )
