"""Two networks' embeddings of the same samples in one plane, each sample joined with itself."""

import numpy as np
import plotly.graph_objects as go

from kdviz.figures.template import LEGEND, STUDENT, TEACHER, figure


def laid_upon(teacher, student, labels, *, title=""):
    """Each sample as the teacher has it, as the student has it, and a line between the two.

    Parameters
    ----------
    teacher, student : arrays (n, 2), row for row the same samples
    labels : n short texts, shown where a point is pointed at
    """
    teacher, student = np.asarray(teacher, float), np.asarray(student, float)
    if teacher.shape != student.shape or teacher.ndim != 2 or teacher.shape[1] != 2:
        raise ValueError(
            f"teacher and student must both have shape (n, 2); got {teacher.shape} and {student.shape}"
        )
    gaps = np.full((len(teacher), 1), np.nan)
    joined = [np.hstack([part[0], part[1], gaps]).ravel() for part in _columns(teacher, student)]
    pairs = go.Scatter(
        x=joined[0].round(4),
        y=joined[1].round(4),
        mode="lines",
        line={"color": "#BBBBBB", "width": 1},
        hoverinfo="skip",
        showlegend=False,
    )
    points = [
        go.Scatter(
            name=name,
            x=places[:, 0].round(4),
            y=places[:, 1].round(4),
            mode="markers",
            marker={**look.marker, "size": 6},
            text=[str(label) for label in labels],
            hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
        )
        for name, places, look in (("teacher", teacher, TEACHER), ("student", student, STUDENT))
    ]
    axes = {"showticklabels": False, "ticks": ""}
    return figure(
        pairs,
        *points,
        title=title,
        height=480,
        showlegend=True,
        legend=LEGEND,
        xaxis={"title": {"text": "first principal direction"}, **axes},
        yaxis={"title": {"text": "second principal direction"}, "scaleanchor": "x", **axes},
    )


def _columns(teacher, student):
    return [(teacher[:, [axis]], student[:, [axis]]) for axis in (0, 1)]
