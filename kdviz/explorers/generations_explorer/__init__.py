"""The generations explorer: a curve that is fitted to its own fit, again and again, in closed form."""

import numpy as np
import traitlets

from kdviz.explorers.base import Explorer
from kdviz.explorers.validation import check_count, number
from kdviz.explorers.wire import Array

# The ridges of the slider, and how many generations it goes.
RIDGES = tuple(float(f"{value:.2g}") for value in np.geomspace(0.003, 3, 25))
LAST = 12
SMALLEST = 1e-4


class Generations(Explorer):
    """Kernel ridge regression taught by its own answers. Made by :func:`generations`."""

    points = Array("float32").tag(sync=True)
    grid = Array("float32").tag(sync=True)
    truth = Array("float32").tag(sync=True)
    # In the kernel's eigen-directions, largest first: the eigenvalues, the targets along them, and what
    # each gives on the grid.
    eigenvalues = Array("float32").tag(sync=True)
    targets = Array("float32").tag(sync=True)
    directions = Array("float32").tag(sync=True)
    ridges = traitlets.List(traitlets.Float()).tag(sync=True)
    ridge = traitlets.Float().tag(sync=True)
    generation = traitlets.Int(0).tag(sync=True)
    last = traitlets.Int(LAST).tag(sync=True)

    @traitlets.validate("generation")
    def _check_generation(self, proposal):
        if not 0 <= proposal.value <= self.last:
            raise ValueError(f"generation must be from 0 to {self.last}; got {proposal.value!r}")
        return proposal.value

    @traitlets.validate("ridge")
    def _check_ridge(self, proposal):
        if self.ridges and proposal.value not in self.ridges:
            raise ValueError(f"ridge must be one of {self.ridges}; got {proposal.value!r}")
        return proposal.value

    def __repr__(self):
        return f"Generations({len(self.points)} points, ridge {self.ridge:g}, generation {self.generation})"


def generations(truth=None, *, points=40, noise=0.6, width=0.05, ridge=0.3, seed=0):
    """Self-distillation where it can be calculated: kernel ridge regression on noisy points.

    Generation 0 is fitted to the points. Each next one is fitted to what the one before it says at the same
    points, with the same ridge. Source: Mobahi, Farajtabar and Bartlett 2020, *Self-Distillation Amplifies
    Regularization in Hilbert Space*.

    Parameters
    ----------
    truth : function of an array from 0 to 1, by default a sine
    points : int
        How many noisy points of it are given.
    noise : float
        The standard deviation of their noise.
    width : float
        The width of the Gaussian kernel.
    ridge : float
        How strongly each fit is smoothed; the nearest one of the slider's is taken.
    """
    if not isinstance(points, int) or points < 5:
        raise ValueError(f"points must be a whole number from 5 up; got {points!r}")
    noise = number("noise", noise, 0, 1e6)
    width, ridge = number("width", width, most=1e6), number("ridge", ridge, most=1e12)
    for name, value in (("width", width), ("ridge", ridge)):
        if not value > 0:
            raise ValueError(f"{name} must be above 0; got {value:g}")
    check_count("seed", seed, 0, 2**63)
    truth = _wave if truth is None else truth
    random = np.random.default_rng(seed)
    x = (np.arange(points) + random.uniform(0.2, 0.8, points)) / points
    y = truth(x) + noise * random.normal(size=points)
    grid = np.linspace(0, 1, 101)
    values, vectors = np.linalg.eigh(kernel(x, x, width))
    # Largest first. What is left out fades before it can be seen.
    order = values.argsort()[::-1][: int((values > SMALLEST).sum())]
    values, vectors = values[order], vectors[:, order]
    return Generations(
        points=np.stack([x, y], -1),
        grid=grid,
        truth=truth(grid),
        eigenvalues=values,
        targets=vectors.T @ y,
        directions=kernel(grid, x, width) @ vectors,
        ridges=list(RIDGES),
        ridge=min(RIDGES, key=lambda stop: abs(np.log(stop / ridge))),
    )


def kernel(x, other, width):
    """The Gaussian kernel of two sets of numbers: (n, m)."""
    return np.exp(-((x[:, None] - other[None, :]) ** 2) / (2 * width**2))


def _wave(x):
    return np.sin(2 * np.pi * x)
