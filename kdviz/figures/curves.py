"""Curves: something against temperature, a run against its steps, and one number against another."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import figure, looks, scale


def temperature_curves(
    temperatures: ArrayLike, curves: Mapping[str, ArrayLike], *, axis: str, title: str = "", log: bool = False
) -> go.Figure:
    """One curve for each name, against temperature on a logarithmic axis.

    Parameters
    ----------
    temperatures : array (n,)
    curves : dict of str to array (n,)
    axis : what the curves show, with its unit
    log : a logarithmic vertical axis too

    >>> drawn = temperature_curves([1, 4, 16], {"teacher": [0.1, 1.2, 2.2]}, axis="entropy (bits)")
    >>> drawn.layout.xaxis.ticktext
    ('1', '4', '16')
    """
    ticks = [value for value in (0.5, 1, 2, 4, 8, 16, 32, 64, 100) if value in temperatures]
    return _curves(
        {name: (temperatures, values) for name, values in curves.items()},
        title=title,
        xaxis={
            "title": "temperature T",
            "type": "log",
            "tickvals": ticks,
            "ticktext": [f"{value:g}" for value in ticks],
        },
        yaxis={"title": axis, **scale(log)},
    )


def learning_curves(
    records: Mapping[str, Sequence], *, measure: str = "accuracy", title: str = ""
) -> go.Figure:
    """A measure of one or more runs against training steps.

    Parameters
    ----------
    records : dict of str to list of Record
        For example ``{"student": run.records, "hard labels": baseline.records}``.
    measure : a name that every record measured; a fraction, shown in percent
    """
    points = {
        name: ([record.step for record in rows], [100 * record.measures[measure] for record in rows])
        for name, rows in records.items()
    }
    return _curves(
        points,
        title=title,
        xaxis={"title": "training step"},
        yaxis={"title": f"{measure} on validation images (%)"},
    )


def lines(
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    x_axis: str,
    y_axis: str,
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> go.Figure:
    """One curve for each name, against anything else.

    ``x`` has shape (n,), each of the ``curves`` too; the axes are named with their units.

    >>> drawn = lines([1, 2, 3], {"student": [0.1, 0.4, 0.9]}, x_axis="step", y_axis="accuracy")
    >>> drawn.data[0].y.tolist()
    [0.1, 0.4, 0.9]
    """
    return _curves(
        {name: (list(x), list(values)) for name, values in curves.items()},
        title=title,
        xaxis={"title": x_axis, **scale(log_x)},
        yaxis={"title": y_axis, **scale(log_y)},
    )


def _curves(points, **layout):
    style = looks(points)
    drawn = figure(
        *(
            go.Scatter(
                name=name,
                x=np.asarray(x, float),
                y=np.asarray(y, float),
                mode="lines+markers",
                line=style[name].line,
                marker=style[name].marker,
            )
            for name, (x, y) in points.items()
        ),
        **layout,
    )
    drawn.update_layout(margin={"r": 30 + 8 * max(map(len, points))})
    for name, (x, y) in points.items():
        _label(drawn, name, x[-1], y[-1], style[name].color)
    return drawn


def _label(drawn, name, x, y, color):
    """The curve's name at its end. On a logarithmic axis plotly wants an annotation's exponent."""

    def position(axis, value):
        return np.log10(value) if axis.type == "log" else value

    drawn.add_annotation(
        x=position(drawn.layout.xaxis, x),
        y=position(drawn.layout.yaxis, y),
        text=name,
        font={"color": color},
        showarrow=False,
        xanchor="left",
        xshift=10,
    )
