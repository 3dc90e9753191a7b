"""Pictures of single samples: one value for each class, and the images themselves."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import INK, LEGEND, figure, looks, scale


def class_bars(
    values: Mapping[str, ArrayLike],
    classes: Sequence[str],
    *,
    axis: str = "probability",
    title: str = "",
    log: bool = False,
    baseline: str | None = None,
) -> go.Figure:
    """Bars over the classes, for example soft targets at several temperatures.

    Parameters
    ----------
    values : dict of str to array (C,)
        One group of bars for each name. ``"teacher"``, ``"student"`` and ``"hard labels"`` get
        their fixed looks.
    classes : sequence of C names
    axis : what the values are, with their unit
    log : a logarithmic axis, on which small probabilities can be seen
    baseline : the name that gets the look of hard labels

    >>> drawn = class_bars({"teacher": [0.7, 0.3], "student": [0.6, 0.4]}, ["cat", "dog"])
    >>> [bar.name for bar in drawn.data]
    ['teacher', 'student']
    """
    style = looks(values, baseline)
    bars = [
        go.Bar(
            name=name,
            x=list(classes),
            y=np.asarray(row, float),
            marker=style[name].bar,
        )
        for name, row in values.items()
    ]
    return figure(
        *bars,
        title=title,
        barmode="group",
        showlegend=len(bars) > 1,
        legend=LEGEND,
        xaxis={"title": "class", "type": "category"},
        yaxis={"title": axis, **scale(log)},
    )


def image_row(images: ArrayLike, captions: Sequence[str], *, title: str = "", across: int = 8) -> go.Figure:
    """Grey images in rows, each with its caption above it.

    Parameters
    ----------
    images : array (n, height, width), dark ink as high values
    captions : n short texts
    across : how many images to a row

    >>> drawn = image_row(np.random.rand(3, 8, 8), ["a 4", "a 9", "a 7"])
    >>> [note.text for note in drawn.layout.annotations]
    ['a 4', 'a 9', 'a 7']
    """
    images = np.asarray(images, float)
    if images.ndim != 3 or len(images) != len(captions) or not len(images):
        raise ValueError(
            "images must have shape (n, height, width), with n captions and n at least 1; "
            f"got shape {images.shape} and {len(captions)} captions"
        )
    lines = 1 + max(str(caption).count("<br>") for caption in captions)
    sheet, corners = _sheet(images, across, room=1 + 2 * lines)
    shades = go.Heatmap(z=sheet, colorscale="gray_r", showscale=False, hoverinfo="skip", zmin=0, zmax=255)
    # A notebook's output is about 820 pixels wide; the height follows, so that pixels stay square.
    height = 70 + 820 * sheet.shape[0] / sheet.shape[1]
    picture = figure(shades, title=title, height=height)
    picture.update_layout(margin={"l": 10, "r": 10, "t": 40, "b": 10})
    picture.update_xaxes(visible=False, constrain="domain")
    picture.update_yaxes(visible=False, autorange="reversed", scaleanchor="x", constrain="domain")
    for (top, left), caption in zip(corners, captions, strict=True):
        picture.add_annotation(
            x=left + images.shape[2] / 2 - 0.5,
            y=top - 0.8,
            yanchor="bottom",
            text=str(caption),
            showarrow=False,
            font={"size": 12, "color": INK},
        )
    return picture


def _sheet(images, across, room):
    """All images on one sheet with room above for captions, and each one's upper left corner."""
    count, height, width = images.shape
    rows = -(-count // across)
    # In 256 shades a saved page holds a quarter as much; 0 is the paper's white.
    sheet = np.zeros((rows * (height + room), across * (width + 3)), np.uint8)
    shades = (255 * (images / max(images.max(), 1e-9)).clip(0, 1)).round()
    corners = [(n // across * (height + room) + room, n % across * (width + 3)) for n in range(count)]
    for (top, left), image in zip(corners, shades, strict=True):
        sheet[top : top + height, left : left + width] = image
    return sheet, corners
