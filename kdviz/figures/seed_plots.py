"""Experiments over seeds: every seed a dot, every arm a mean with its 95 % interval."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import BASELINE, INK, STUDENT
from kdviz.measure import paired


def paired_dots(table, baseline, arms, *, value="accuracy", by=None, title=""):
    """Paired differences to a baseline: one row for each arm, one small dot for each seed.

    The first arm is the one in question and is drawn in the student's colour; the others are controls,
    in grey with open squares. The large mark is the mean with its 95 % interval. On the right stand
    the mean, the number of seeds that got better, and *null* where the interval holds zero.

    Parameters
    ----------
    table : DataFrame with the columns ``seed``, ``arm``, ``value`` (and ``by``)
    baseline : the arm to compare with
    arms : the arms to show
    value : the column that is compared, in percent
    by : a column; one panel is drawn for each of its values
    """
    panels = {"": table} if by is None else dict(list(table.groupby(by)))
    drawn = make_subplots(
        rows=len(panels),
        shared_xaxes=True,
        vertical_spacing=0.28 / len(panels) if by else 0,
        subplot_titles=[f"{key} {by}" for key in panels] if by else None,
    )
    for row, panel in enumerate(panels.values(), start=1):
        _panel(drawn, row, panel, baseline, arms, value)
    drawn.update_xaxes(title_text=f"{value} minus that of {baseline} (percentage points)", row=len(panels))
    drawn.update_yaxes(
        tickvals=list(range(len(arms))), ticktext=list(arms), range=[len(arms) - 0.5, -0.5], showgrid=False
    )
    drawn.update_layout(
        template="kdviz",
        title=title,
        height=150 + len(panels) * (50 + 40 * len(arms)),
        margin={"r": 250},
    )
    return drawn


def seed_dots(table, arms, *, value="accuracy", axis="accuracy (%)", title=""):
    """The distribution over seeds: one row for each arm, one dot for each seed, and a line at the median.

    A mean says little where some seeds fail. On the right stand the lowest, the median and the highest.

    Parameters
    ----------
    table : DataFrame with the columns ``seed``, ``arm`` and ``value``
    arms : the arms to show; the first is the baseline
    """
    drawn = go.Figure()
    for place, arm in enumerate(arms):
        rows = table[table.arm == arm].sort_values("seed")
        if rows.empty:
            raise ValueError(f"the table has no arm {arm!r}; its arms are: {', '.join(table.arm.unique())}")
        look, values = BASELINE if place == 0 else STUDENT, rows[value].to_numpy()
        # Dots of one height would hide each other.
        heights = place + 0.5 * ((np.arange(len(values)) * 0.618) % 1 - 0.5)
        drawn.add_scatter(
            name=arm,
            x=values,
            y=heights,
            mode="markers",
            marker={"color": look.color, "symbol": look.symbol, "size": 7, "opacity": 0.5},
            customdata=rows.seed.to_numpy(np.int32),
            hovertemplate=f"seed %{{customdata}}: %{{x:.1f}}<extra>{arm}</extra>",
        )
        middle = float(np.median(values))
        drawn.add_shape(
            type="line", x0=middle, x1=middle, y0=place - 0.4, y1=place + 0.4, line={"color": INK, "width": 2}
        )
        drawn.add_annotation(
            xref="paper",
            x=1.01,
            y=place,
            text=f"{values.min():.0f} … <b>{middle:.0f}</b> … {values.max():.0f}",
            showarrow=False,
            xanchor="left",
        )
    drawn.update_xaxes(title_text=axis)
    drawn.update_yaxes(
        tickvals=list(range(len(arms))), ticktext=list(arms), range=[len(arms) - 0.5, -0.5], showgrid=False
    )
    drawn.update_layout(template="kdviz", title=title, height=140 + 45 * len(arms), margin={"r": 130})
    return drawn


def _panel(drawn, row, panel, baseline, arms, value):
    wide = panel.pivot(index="seed", columns="arm", values=value)
    missing = [arm for arm in (baseline, *arms) if arm not in wide]
    if missing:
        raise ValueError(f"the table has no arm {missing[0]!r}; its arms are: {', '.join(wide)}")
    for place, arm in enumerate(arms):
        look = STUDENT if place == 0 else BASELINE
        symbol = look.symbol if place == 0 else f"{look.symbol}-open"
        found = paired(wide[arm], wide[baseline])
        seeds = go.Scatter(
            name=arm,
            x=(wide[arm] - wide[baseline]).to_numpy(),
            y=np.full(len(wide), place, np.int8),
            mode="markers",
            marker={"color": look.color, "size": 6, "opacity": 0.35},
            customdata=wide.index.to_numpy(np.int32),
            hovertemplate=f"seed %{{customdata}}: %{{x:+.1f}}<extra>{arm}</extra>",
        )
        mean = go.Scatter(
            name=f"{arm}, mean",
            x=[found.mean],
            y=[place],
            mode="markers",
            marker={"color": look.color, "size": 12, "symbol": symbol, "line": {"width": 2}},
            error_x={
                "array": [found.high - found.mean],
                "arrayminus": [found.mean - found.low],
                "color": look.color,
                "thickness": 2.5,
                "width": 7,
            },
            hovertemplate=f"{found}<extra>{arm}</extra>",
        )
        drawn.add_traces([seeds, mean], rows=row, cols=1)
        _verdict(drawn, row, place, found)
    drawn.add_vline(x=0, line={"color": INK, "width": 1}, layer="above", row=row, col=1)


def _verdict(drawn, row, place, found):
    half = (found.high - found.low) / 2
    verdict = "" if found.sure else ", <b>null</b>"
    drawn.add_annotation(
        xref="paper",
        x=1.01,
        yref="y" if row == 1 else f"y{row}",
        y=place,
        text=f"{found.mean:+.1f} ± {half:.1f}, {found.above} of {found.count} better{verdict}",
        showarrow=False,
        xanchor="left",
    )
