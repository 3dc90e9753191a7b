"""Experiments over seeds: every seed a dot, every arm a mean with its 95 % interval."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import BASELINE, INK, STUDENT
from kdviz.measure import paired


def paired_dots(
    table: pd.DataFrame,
    baseline: str,
    arms: Sequence[str],
    *,
    value: str = "accuracy",
    by: str | None = None,
    controls: Sequence[str] = (),
    title: str = "",
) -> go.Figure:
    """Paired differences to a baseline: one row for each arm, one small dot for each seed.

    Arms with a teacher are drawn in the student's colour, and controls in grey with open squares. Seeds with
    the same difference stand above one another. The large mark is the mean with its 95 % interval. On the
    right stand the mean, the number of seeds that got better, and *null* where the interval holds zero.

    Parameters
    ----------
    table : DataFrame with the columns ``seed``, ``arm``, ``value`` (and ``by``)
        At least five seeds.
    baseline : the arm to compare with
    arms : the arms to show
    value : the column that is compared, in percent
    by : a column; one panel is drawn for each of its values
    controls : the arms that are controls
    """
    panels = {"": table} if by is None else dict(list(table.groupby(by, sort=False)))
    drawn = make_subplots(
        rows=len(panels),
        shared_xaxes=True,
        vertical_spacing=0.28 / len(panels) if by else 0,
        subplot_titles=[f"{key} {by}" for key in panels] if by else None,
    )
    for row, panel in enumerate(panels.values(), start=1):
        _panel(drawn, row, panel, baseline, arms, value, controls)
    drawn.update_xaxes(title_text=f"{value} minus that of {baseline} (percentage points)", row=len(panels))
    height = 150 + len(panels) * (50 + 48 * len(arms))
    return _finished(drawn, arms, title=title, height=height, margin={"r": 250})


def seed_dots(
    table: pd.DataFrame,
    arms: Sequence[str],
    *,
    value: str = "accuracy",
    axis: str = "accuracy (%)",
    title: str = "",
) -> go.Figure:
    """The distribution over seeds: one row for each arm, one dot for each seed, and a line at the median.

    A mean says little where some seeds fail. On the right stand the lowest, the median and the highest.

    Parameters
    ----------
    table : DataFrame with the columns ``seed``, ``arm`` and ``value``
    arms : the arms to show; the first is the baseline

    >>> table = pd.DataFrame({"seed": [0, 1, 2], "arm": "hint", "accuracy": [90.0, 91.0, 95.0]})
    >>> seed_dots(table, ["hint"]).layout.annotations[0].text
    '90 … <b>91</b> … 95'
    """
    drawn = go.Figure()
    for row, arm in enumerate(arms):
        found = table[table.arm == arm].sort_values("seed")
        if found.empty:
            raise ValueError(f"the table has no arm {arm!r}; its arms are: {', '.join(table.arm.unique())}")
        look, values = BASELINE if row == 0 else STUDENT, found[value].to_numpy()
        # Dots of one height would hide each other.
        heights = row + 0.5 * ((np.arange(len(values)) * 0.618) % 1 - 0.5)
        marker = {"color": look.color, "symbol": look.symbol, "size": 7, "opacity": 0.5}
        drawn.add_trace(_dots(arm, values, heights, found.seed, marker, ".1f"))
        median = float(np.median(values))
        line = {"line": {"color": INK, "width": 2}}
        drawn.add_shape(type="line", x0=median, x1=median, y0=row - 0.4, y1=row + 0.4, **line)
        _note(drawn, row, f"{values.min():.0f} … <b>{median:.0f}</b> … {values.max():.0f}")
    drawn.update_xaxes(title_text=axis)
    return _finished(drawn, arms, title=title, height=140 + 45 * len(arms), margin={"r": 130})


def _panel(drawn, panel_row, panel, baseline, arms, value, controls):
    wide = panel.pivot(index="seed", columns="arm", values=value)
    missing = [arm for arm in (baseline, *arms) if arm not in wide]
    if missing:
        raise ValueError(f"the table has no arm {missing[0]!r}; its arms are: {', '.join(wide)}")
    gains = wide[list(arms)].sub(wide[baseline], axis=0)
    found = {arm: paired(wide[arm], wide[baseline]) for arm in arms}
    # One trace for all arms of a look: a page of such figures is saved in half the room.
    for of_controls, look in ((False, STUDENT), (True, BASELINE)):
        rows = [row for row, arm in enumerate(arms) if (arm in controls) == of_controls]
        if rows:
            own = [list(arms)[row] for row in rows]
            traces = [_every_seed(gains[own], rows, look), _means([found[arm] for arm in own], rows, look)]
            drawn.add_traces(traces, rows=panel_row, cols=1)
    for row, one in enumerate(found.values()):
        half, verdict = (one.high - one.low) / 2, "" if one.sure else ", <b>null</b>"
        text = f"{one.mean:+.1f} ± {half:.1f}, {one.above} of {one.count} better{verdict}"
        _note(drawn, row, text, yref="y" if panel_row == 1 else f"y{panel_row}")
    drawn.add_vline(x=0, line={"color": INK, "width": 1}, layer="above", row=panel_row, col=1)


def _every_seed(gains, rows, look):
    heights = [row + _stacked(gains[arm].to_numpy()) for row, arm in zip(rows, gains, strict=True)]
    seeds = np.tile(gains.index, len(rows))
    marker = {"color": look.color, "size": 6, "opacity": 0.35}
    return _dots("each seed", gains.to_numpy().T.ravel(), np.concatenate(heights), seeds, marker, "+.1f")


def _means(found, rows, look):
    return go.Scatter(
        name="means",
        x=[one.mean for one in found],
        y=rows,
        mode="markers",
        marker={
            "color": look.color,
            "size": 12,
            "symbol": f"{look.symbol}-open" if look is BASELINE else look.symbol,
            "line": {"width": 2},
        },
        error_x={
            "array": [one.high - one.mean for one in found],
            "color": look.color,
            "thickness": 2.5,
            "width": 7,
        },
        customdata=[str(one) for one in found],
        hovertemplate="%{customdata}<extra></extra>",
    )


def _stacked(values):
    """Heights at which equal values stand above one another, around 0 and within half a row."""
    _, which, counts = np.unique(values.round(6), return_inverse=True, return_counts=True)
    heights, met = np.empty(len(values)), np.zeros(len(counts), int)
    for i, group in enumerate(which):
        step = min(0.1, 0.8 / counts[group])
        heights[i] = step * (met[group] - (counts[group] - 1) / 2)
        met[group] += 1
    return heights


def _dots(name, x, y, seeds, marker, format):
    return go.Scatter(
        name=name,
        # In single precision a saved page holds half as much.
        x=np.asarray(x, np.float32),
        y=np.asarray(y, np.float32),
        mode="markers",
        marker=marker,
        customdata=np.asarray(seeds, np.min_scalar_type(max(seeds))),
        hovertemplate=f"seed %{{customdata}}: %{{x:{format}}}<extra></extra>",
    )


def _note(drawn, row, text, **axis):
    """A text to the right of a row."""
    drawn.add_annotation(xref="paper", x=1.01, y=row, text=text, showarrow=False, xanchor="left", **axis)


def _finished(drawn, arms, **layout):
    rows = {"tickvals": list(range(len(arms))), "ticktext": list(arms), "range": [len(arms) - 0.5, -0.5]}
    drawn.update_yaxes(**rows, showgrid=False)
    return drawn.update_layout(template="kdviz", **layout)
