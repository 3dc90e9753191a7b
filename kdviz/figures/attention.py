"""Attention as a printed picture: where in an image each network is active."""

import numpy as np

from kdviz.figures.image_maps import maps_beside
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
    coloraxis = {
        "colorscale": [[0, "#FFFFFF"], [1, INK]],
        "cmin": 0,
        "colorbar": {"title": "attention", "thickness": 14},
    }
    return maps_beside(image, maps, coloraxis, title)
