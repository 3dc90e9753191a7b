"""Attributions as a printed picture: what speaks for and against a class in an image."""

import numpy as np

from kdviz.figures.image_maps import maps_beside

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
    scaled = {name: values / (np.abs(values).max() or 1.0) for name, values in maps.items()}
    coloraxis = {
        "colorscale": DIVERGING,
        "cmin": -1,
        "cmax": 1,
        "colorbar": {
            "title": "speaks",
            "tickvals": [-1, 0, 1],
            "ticktext": ["against", "0", "for"],
            "thickness": 14,
        },
    }
    return maps_beside(image, scaled, coloraxis, title)
