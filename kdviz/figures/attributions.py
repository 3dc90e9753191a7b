"""Attributions as a printed picture: what speaks for and against a class in an image."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

# Purple against, brown for: told apart by people of every colour vision, and white is no effect.
DIVERGING = [[0, "#542788"], [0.5, "#FFFFFF"], [1, "#B35806"]]


def attribution_maps(image, maps, *, title=""):
    """An image and beside it what several networks' answers rest on, each on its own scale around 0.

    Networks differ in the size of their logits, so each map is divided by its largest absolute value:
    compare where they are strong, not how strong.

    Parameters
    ----------
    image : array (height, width), dark ink as high values
    maps : dict of str to array (height, width)
    """
    image = np.asarray(image, float)
    maps = {name: np.asarray(values, float) for name, values in maps.items()}
    if not maps or image.ndim != 2 or any(values.shape != image.shape for values in maps.values()):
        raise ValueError(
            "image must have shape (height, width), and maps at least one map of that shape under its name; "
            f"got an image of {image.shape} and maps of {[values.shape for values in maps.values()]}"
        )
    picture = make_subplots(1, 1 + len(maps), subplot_titles=["image", *maps], horizontal_spacing=0.03)
    picture.add_trace(go.Heatmap(z=image, colorscale="gray_r", showscale=False, hoverinfo="skip"), 1, 1)
    for column, values in enumerate(maps.values(), start=2):
        scaled = values / (np.abs(values).max() or 1.0)
        picture.add_trace(go.Heatmap(z=scaled, coloraxis="coloraxis"), 1, column)
    picture.update_xaxes(visible=False, constrain="domain")
    picture.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    for column in range(1, len(maps) + 2):
        picture.update_yaxes(scaleanchor=f"x{'' if column == 1 else column}", row=1, col=column)
    picture.update_layout(
        template="kdviz",
        title=title,
        height=110 + 760 / (1 + len(maps)),
        margin={"l": 10, "r": 10, "b": 10},
        coloraxis={
            "colorscale": DIVERGING,
            "cmin": -1,
            "cmax": 1,
            "colorbar": {
                "title": "speaks",
                "tickvals": [-1, 0, 1],
                "ticktext": ["against", "0", "for"],
                "thickness": 14,
            },
        },
    )
    return picture
