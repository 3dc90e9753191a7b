"""Images as printed pictures: where each network is active, and what its answer rests on."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import DIVERGING, INK, side_by_side


def attention_maps(image: ArrayLike, maps: Mapping[str, ArrayLike], *, title: str = "") -> go.Figure:
    """An image and beside it the attention maps of several networks, on one scale.

    Parameters
    ----------
    image : array (height, width), dark ink as high values
    maps : dict of str to array (H, W)
        Each network's activity at each position; H and W may be smaller than the image's.

    >>> drawn = attention_maps(np.eye(4), {"teacher": np.eye(2), "student": np.ones((2, 2))})
    >>> len(drawn.data)
    3
    """
    image, maps = _arrays(image, maps)
    if not maps or image.ndim != 2 or any(values.ndim != 2 for values in maps.values()):
        raise ValueError(
            "image must have shape (height, width), and maps at least one map of shape (H, W) under its "
            f"name; {_shapes(image, maps)}"
        )
    scale = {
        "colorscale": [[0, "#FFFFFF"], [1, INK]],
        "cmin": 0,
        "colorbar": {"title": "attention", "thickness": 14},
    }
    return _beside(image, maps, scale, title)


def attribution_maps(image: ArrayLike, maps: Mapping[str, ArrayLike], *, title: str = "") -> go.Figure:
    """An image and beside it what several networks' answers rest on, each on its own scale around 0.

    Networks differ in the size of their logits, so each map is divided by its largest absolute value:
    compare where they are strong, not how strong.

    Parameters
    ----------
    image : array (height, width), dark ink as high values
    maps : dict of str to array (height, width)

    >>> drawn = attribution_maps(np.eye(2), {"teacher": [[4, -2], [0, 1]]})
    >>> drawn.data[1].z.tolist()
    [[1.0, -0.5], [0.0, 0.25]]
    """
    image, maps = _arrays(image, maps)
    if not maps or image.ndim != 2 or any(values.shape != image.shape for values in maps.values()):
        raise ValueError(
            "image must have shape (height, width), and maps at least one map of that shape under its name; "
            f"{_shapes(image, maps)}"
        )
    scaled = {name: values / (np.abs(values).max() or 1.0) for name, values in maps.items()}
    bar = {"title": "speaks", "tickvals": [-1, 0, 1], "ticktext": ["against", "0", "for"], "thickness": 14}
    return _beside(image, scaled, {"colorscale": DIVERGING, "cmin": -1, "cmax": 1, "colorbar": bar}, title)


def _arrays(image, maps):
    return np.asarray(image, float), {name: np.asarray(values, float) for name, values in maps.items()}


def _shapes(image, maps):
    return f"got an image of {image.shape} and maps of {[values.shape for values in maps.values()]}"


def _beside(image, maps, coloraxis, title):
    """The image and its maps in a row, all maps on one colour axis."""
    grey = {"colorscale": "gray_r", "showscale": False, "hoverinfo": "skip"}
    heats = {"image": go.Heatmap(z=image.astype(np.float32), **grey)}
    for name, values in maps.items():
        heats[name] = go.Heatmap(z=values.astype(np.float32), coloraxis="coloraxis")
    drawn = side_by_side(heats, square=True, horizontal_spacing=0.03)
    drawn.update_xaxes(visible=False)
    drawn.update_yaxes(visible=False)
    margin = {"l": 10, "r": 10, "b": 10}
    return drawn.update_layout(title=title, height=110 + 760 / len(heats), margin=margin, coloraxis=coloraxis)
