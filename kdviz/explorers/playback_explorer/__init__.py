"""The playback: points that move while networks train, panel beside panel."""

import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import Index, array, rising
from kdviz.explorers.wire import pack

MOST_POINTS = 400


class Playback(Explorer):
    """Points between 0 and 1 at each step of a training, to be played. Made by :func:`playback`."""

    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # For each panel, packed: snapshots by points by x and y.
    points = traitlets.List(traitlets.Unicode()).tag(sync=True)
    axes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    snapshot = Index("steps")

    def __repr__(self):
        return f"Playback({', '.join(self.names)}; {len(self.steps)} snapshots)"


def playback(panels, steps, *, x_axis, y_axis):
    """Points that move while networks train: play them, or go step by step.

    Below the panels a sentence says how far the points of each lie from the diagonal, and how many of them
    above it.

    Parameters
    ----------
    panels : dict of str to array (snapshots, points, 2)
        For each panel the x and y of its points, from 0 to 1, at each of the steps. One to three panels.
    steps : the training steps of the snapshots, rising
    x_axis, y_axis : what the two numbers are
    """
    steps = rising(steps)
    for name, label in (("x_axis", x_axis), ("y_axis", y_axis)):
        if not isinstance(label, str):
            raise TypeError(f"{name} must be a text, what the numbers are; got {label!r}")
    if not isinstance(panels, dict) or not 1 <= len(panels) <= 3:
        raise ValueError(f"panels must be a dict of one to three names to arrays; got {panels!r}")
    return Playback(
        steps=steps,
        names=list(panels),
        points=[_packed(name, values, len(steps)) for name, values in panels.items()],
        axes=[x_axis, y_axis],
    )


def _packed(name, values, snapshots):
    values = array(f"panel {name!r}", values)
    if values.ndim != 3 or values.shape[0] != snapshots or values.shape[2] != 2 or not values.shape[1]:
        raise ValueError(
            f"panel {name!r} must have shape ({snapshots}, points, 2), one snapshot for each step; "
            f"got {values.shape}"
        )
    if values.shape[1] > MOST_POINTS:
        raise ValueError(
            f"panel {name!r} has {values.shape[1]} points; more than {MOST_POINTS} would not move smoothly"
        )
    # Also where a value is NaN.
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"panel {name!r} must hold numbers from 0 to 1, such as probabilities")
    return pack(values, "uint8")
