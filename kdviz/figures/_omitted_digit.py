"""The omitted digit: what a student knows of a class that it never saw."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import BASELINE, LEGEND, STUDENT
from kdviz.measure import paired

_PANELS = {
    "recall": "recall of the omitted digit (%)",
    "accuracy": "accuracy over all digits (%)",
}
_STAGES = {"": ("as trained", BASELINE), "_after": ("after the label-free bias", STUDENT)}


def omitted_digit(table: pd.DataFrame, title: str = "") -> go.Figure:
    """Recall of the omitted digit and overall accuracy, before and after the label-free bias.

    Each mark is the mean over the seeds with its 95 % interval; the hard-label student stands left of
    the temperatures.

    Parameters
    ----------
    table : DataFrame with the columns ``seed``, ``temperature`` (missing for hard labels), ``recall``,
        ``accuracy``, ``recall_after`` and ``accuracy_after``, in percent
    """
    drawn = make_subplots(cols=2, horizontal_spacing=0.12)
    for column, measure in enumerate(_PANELS, start=1):
        for suffix, (stage, look) in _STAGES.items():
            points = _points(table, measure + suffix, stage, look)
            drawn.add_trace(points.update(showlegend=column == 1), row=1, col=column)
        drawn.update_yaxes(title_text=_PANELS[measure], col=column)
    drawn.update_xaxes(title_text="targets", type="category")
    return drawn.update_layout(template="kdviz", title=title, height=420, showlegend=True, legend=LEGEND)


def _points(table, column, stage, look):
    # The mean over the seeds with its interval is the paired difference to nothing.
    found = {
        "hard labels" if temperature == 0 else f"T = {temperature:g}": paired(values, np.zeros(len(values)))
        for temperature, values in table.groupby(table.temperature.fillna(0.0))[column]
    }
    return go.Scatter(
        name=stage,
        x=list(found),
        y=[interval.mean for interval in found.values()],
        error_y={
            "array": [interval.high - interval.mean for interval in found.values()],
            "color": look.color,
        },
        mode="lines+markers",
        line=look.line,
        marker=look.marker,
    )
