"""Attention as a printed picture: where in an image each network is active."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import INK


def attention_maps(image, maps, *, title=""):
    """An image and beside it the attention maps of several networks, on one scale.

    Parameters
    ----------
    image : array (height, width), dark ink as high values
    maps : dict of str to array (H, W)
        Each network's activity at each place; H and W may be smaller than the image's.
    """
    image = np.asarray(image, float)
    maps = {name: np.asarray(values, float) for name, values in maps.items()}
    shapes = [image.shape, *(values.shape for values in maps.values())]
    if not maps or any(len(shape) != 2 for shape in shapes):
        raise ValueError(
            "image must have shape (height, width), and maps at least one map of shape (H, W) under its "
            f"name; got an image of {image.shape} and maps of {shapes[1:]}"
        )
    picture = make_subplots(1, 1 + len(maps), subplot_titles=["image", *maps], horizontal_spacing=0.03)
    picture.add_trace(go.Heatmap(z=image, colorscale="gray_r", showscale=False, hoverinfo="skip"), 1, 1)
    for column, values in enumerate(maps.values(), start=2):
        picture.add_trace(go.Heatmap(z=values, coloraxis="coloraxis"), 1, column)
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
            "colorscale": [[0, "#FFFFFF"], [1, INK]],
            "cmin": 0,
            "colorbar": {"title": "attention", "thickness": 14},
        },
    )
    return picture
