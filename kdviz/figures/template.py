"""How every figure looks: one template and the fixed looks of teacher, student and baseline.

Importing this module registers the template as ``kdviz``; plotly's own default stays as it was.
"""

from dataclasses import dataclass

import plotly.graph_objects as go
import plotly.io as pio
from plotly.subplots import make_subplots

INK = "#222222"
GRID = "#E5E5E5"


@dataclass(frozen=True)
class Look:
    """Colour, dash, marker and bar pattern of one role: colour is never the only cue."""

    color: str
    dash: str
    symbol: str
    pattern: str

    @property
    def line(self):
        return {"color": self.color, "dash": self.dash, "width": 2}

    @property
    def marker(self):
        return {"color": self.color, "symbol": self.symbol, "size": 8}

    @property
    def bar(self):
        stripes = {"shape": self.pattern, "bgcolor": self.color, "fgcolor": "white", "solidity": 0.15}
        return {"color": self.color, "pattern": stripes, "line": {"color": self.color, "width": 1}}


TEACHER = Look("#0072B2", "solid", "circle", "")
STUDENT = Look("#D55E00", "dash", "diamond", "/")
BASELINE = Look("#5F5F5F", "dot", "square", ".")
# For further curves: more of the Okabe-Ito palette, told apart by people of every colour vision.
OTHERS = (
    Look("#009E73", "dashdot", "triangle-up", "x"),
    Look("#CC79A7", "longdash", "cross", "-"),
    Look("#56B4E9", "longdashdot", "star", "+"),
)
ROLES = {"teacher": TEACHER, "student": STUDENT, "hard labels": BASELINE, "label-only 1": BASELINE}


def looks(names, baseline=None):
    """A look for each name: its role's, or else the next one that is free; ``baseline`` has that role."""
    roles, free = {**ROLES, baseline: BASELINE}, iter(OTHERS)
    try:
        return {name: roles.get(name) or next(free) for name in names}
    except StopIteration as problem:
        raise ValueError(
            f"a figure tells at most {len(OTHERS)} curves apart beside teacher, student and "
            f"hard labels; got {list(names)}. Draw two figures"
        ) from problem


_AXIS = {
    "showline": True,
    "linecolor": INK,
    "gridcolor": GRID,
    "zeroline": False,
    "ticks": "outside",
    "automargin": True,
    "title": {"standoff": 8},
}

pio.templates["kdviz"] = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK},
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "colorway": [look.color for look in (TEACHER, STUDENT, BASELINE, *OTHERS)],
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "margin": {"l": 60, "r": 30, "t": 70, "b": 50},
        "title": {"x": 0, "xref": "paper", "y": 0.97, "yanchor": "top", "font": {"size": 16}},
        "showlegend": False,
        "hovermode": "closest",
    }
)

# Plotly offers to upload a figure to its cloud; the course sends nothing anywhere.
for _renderer in ("plotly_mimetype", "notebook"):
    pio.renderers[_renderer].config.update(showSendToCloud=False, displaylogo=False)


# Purple against, brown for: told apart by people of every colour vision, and white is no effect.
DIVERGING = [[0, "#542788"], [0.5, "#FFFFFF"], [1, "#B35806"]]

LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}


def scale(log):
    """The settings of a linear or a logarithmic axis."""
    return {"type": "log", "dtick": 1, "exponentformat": "power"} if log else {"type": "linear"}


def figure(*traces, **layout):
    """A figure in the course's template."""
    return go.Figure(list(traces), {"template": "kdviz", "height": 380, **layout})


def side_by_side(traces, *, square=False, **spacing):
    """A panel for each trace under its name, rows counted from the top, in the course's template.

    ``square`` gives all cells equal sides.
    """
    drawn = make_subplots(1, len(traces), subplot_titles=list(traces), **spacing)
    drawn.update_layout(template="kdviz")
    for column, trace in enumerate(traces.values(), start=1):
        drawn.add_trace(trace, 1, column)
        if square:
            drawn.update_yaxes(scaleanchor=f"x{'' if column == 1 else column}", col=column)
    if square:
        drawn.update_xaxes(constrain="domain")
        drawn.update_yaxes(constrain="domain")
    return drawn.update_yaxes(autorange="reversed")


def labelled_cells(x, y, z, text, **look):
    """A heat map whose cells are told apart by gaps and carry a text each."""
    font = {"size": 13, "color": INK}
    gaps = {"xgap": 2, "ygap": 2, "hoverongaps": False}
    return go.Heatmap(x=x, y=y, z=z, text=text, texttemplate="%{text}", textfont=font, **gaps, **look)
