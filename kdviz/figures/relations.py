"""Relations as a printed picture: how similar each network finds all pairs of samples."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdviz.figures.template import INK


def similarity_matrices(matrices, labels, classes, *, title=""):
    """The similarity matrices of several networks side by side, sorted by class, on one scale.

    Parameters
    ----------
    matrices : dict of str to array (n, n)
        For example the cosines of a teacher's and of a student's embeddings.
    labels : (n,) the classes, 0 to C - 1
    classes : C names
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
    order = np.argsort(labels, kind="stable")
    picture = make_subplots(1, len(matrices), subplot_titles=list(matrices), horizontal_spacing=0.06)
    for column, values in enumerate(matrices.values(), start=1):
        picture.add_trace(go.Heatmap(z=values[np.ix_(order, order)], coloraxis="coloraxis"), 1, column)
    present, counts = np.unique(labels, return_counts=True)
    ticks = {"tickvals": np.cumsum(counts) - counts / 2 - 0.5, "ticktext": [str(classes[i]) for i in present]}
    picture.update_xaxes(title={"text": "class"}, constrain="domain", **ticks)
    picture.update_yaxes(autorange="reversed", constrain="domain", **ticks)
    for column in range(1, len(matrices) + 1):
        picture.update_yaxes(scaleanchor=f"x{'' if column == 1 else column}", row=1, col=column)
    picture.update_yaxes(title={"text": "class"}, row=1, col=1)
    picture.update_layout(
        template="kdviz",
        title=title,
        height=150 + 800 / max(2, len(matrices)),
        coloraxis={
            "colorscale": [[0, "#FFFFFF"], [1, INK]],
            "colorbar": {"title": "cosine", "thickness": 14},
        },
    )
    return picture
