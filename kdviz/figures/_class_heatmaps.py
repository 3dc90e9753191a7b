"""Matrices with a row for each image, side by side, their rows in the order of the classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from kdviz.figures.template import INK, side_by_side


def class_heatmaps(
    matrices: Mapping[str, ArrayLike],
    labels: ArrayLike,
    *,
    title: str = "",
    value: str = "",
    square: bool = True,
) -> go.Figure:
    """One heat map for each matrix, all on one scale, with the images sorted by class.

    Parameters
    ----------
    matrices : dict of str to array (N, N), or (N, M) with ``square=False``
    labels : array (N,)
        The class of each row; lines stand between classes.
    value : what the colours show, with its unit
    square : the columns are the same images as the rows, and sorted too

    >>> drawn = class_heatmaps({"teacher": np.diag([1, 2, 3])}, [1, 0, 1])
    >>> drawn.data[0].z.tolist()
    [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 3.0]]
    """
    labels = np.asarray(labels)
    matrices = {name: np.asarray(matrix, np.float32) for name, matrix in matrices.items()}
    for name, matrix in matrices.items():
        if square and matrix.shape != (len(labels), len(labels)):
            raise ValueError(
                f"the matrix {name!r} has shape {matrix.shape}; with {len(labels)} labels it must be "
                f"{len(labels)} × {len(labels)}, or say square=False"
            )
    matrices = _by_class(matrices, labels, square)
    shades = {
        name: go.Heatmap(
            z=matrix.round(3).astype(np.float32), coloraxis="coloraxis", hovertemplate="%{z}<extra></extra>"
        )
        for name, matrix in matrices.items()
    }
    drawn = side_by_side(shades, horizontal_spacing=0.05)
    ticks, starts = _class_ticks(labels)
    for column, matrix in enumerate(matrices.values(), 1):
        borders = _borders(starts[1:] - 0.5, matrix.shape, square)
        drawn.add_shape(type="path", path=borders, line={"color": INK, "width": 0.5}, row=1, col=column)
    drawn.update_yaxes(showticklabels=False, ticks="", showgrid=False)
    drawn.update_yaxes(**ticks, showticklabels=True, title_text="images, by class", col=1)
    if square:
        drawn.update_xaxes(**ticks, ticks="", showgrid=False, title_text="images, by class")
    else:
        drawn.update_xaxes(showticklabels=False, ticks="", title_text="units")
    every = np.concatenate([matrix.ravel() for matrix in matrices.values()])
    shared = {
        "colorscale": "Blues",
        "cmin": float(every.min()),
        "cmax": float(every.max()),
        "colorbar": {"title": {"text": value, "side": "right"}, "thickness": 12},
    }
    return drawn.update_layout(title=title, height=60 + 900 // len(matrices), coloraxis=shared)


def _borders(places, shape, square):
    """Lines between the classes as one path: a shape for each line would double a saved page."""
    bottom, right = shape[0] - 0.5, shape[1] - 0.5
    lines = [f"M-0.5,{place}L{right},{place}" for place in places]
    lines += [f"M{place},-0.5L{place},{bottom}" for place in places if square]
    return "".join(lines) or "M0,0"


def similarity_matrices(
    matrices: Mapping[str, ArrayLike], labels: ArrayLike, classes: Sequence[str], *, title: str = ""
) -> go.Figure:
    """The similarity matrices of several networks side by side, sorted by class, on one scale.

    Parameters
    ----------
    matrices : dict of str to array (n, n)
        For example the cosines of a teacher's and of a student's embeddings.
    labels : (n,) the classes, 0 to C - 1
    classes : C names

    >>> drawn = similarity_matrices({"teacher": np.eye(3), "student": np.eye(3)}, [1, 0, 1], ["cat", "dog"])
    >>> drawn.layout.xaxis.ticktext
    ('cat', 'dog')
    """
    labels = np.asarray(labels)
    matrices = {name: np.asarray(values, float) for name, values in matrices.items()}
    for name, values in matrices.items():
        if values.shape != (len(labels), len(labels)):
            raise ValueError(
                f"the matrix of {name!r} must have shape {(len(labels), len(labels))}, a row and a column "
                f"for each label; got {values.shape}"
            )
    if not matrices:
        raise ValueError("matrices must hold at least one matrix under its name; got none")
    heats = {
        name: go.Heatmap(z=values, coloraxis="coloraxis")
        for name, values in _by_class(matrices, labels, True).items()
    }
    drawn = side_by_side(heats, square=True, horizontal_spacing=0.06)
    ticks, _ = _class_ticks(labels, classes)
    drawn.update_xaxes(title_text="class", **ticks)
    drawn.update_yaxes(**ticks)
    drawn.update_yaxes(title_text="class", col=1)
    bar = {"title": "cosine", "thickness": 14}
    return drawn.update_layout(
        title=title,
        height=150 + 800 / max(2, len(matrices)),
        coloraxis={"colorscale": [[0, "#FFFFFF"], [1, INK]], "colorbar": bar},
    )


def _by_class(matrices, labels, square):
    order = np.argsort(labels, kind="stable")
    columns = order if square else slice(None)
    return {name: matrix[order][:, columns] for name, matrix in matrices.items()}


def _class_ticks(labels, names=None):
    """A tick in the middle of each class, and where the classes begin."""
    classes, starts, counts = np.unique(np.sort(labels), return_index=True, return_counts=True)
    text = [str(label if names is None else names[label]) for label in classes]
    return {"tickvals": starts + (counts - 1) / 2, "ticktext": text}, starts
