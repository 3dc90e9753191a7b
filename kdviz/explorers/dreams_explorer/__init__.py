"""The dreams explorer: images that follow a teacher's gradient, with a switch for each term of their loss."""

import os

import numpy as np
import traitlets
from IPython.display import display

from kdviz.explorers.base import STATIC_PAGES, Explorer
from kdviz.explorers.validation import Index, array, items, rising
from kdviz.explorers.wire import pack

MOST_TERMS = 4


class Dreams(Explorer):
    """Images at each step of their making, for every choice of terms. Made by :func:`dreams`."""

    terms = traitlets.List(traitlets.Unicode()).tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    wanted = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # Of each step so far, packed: choices by images by rows by columns. Bit k of a choice is term k.
    frames = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # Of each step so far, for each choice: the mean probability of what was wanted.
    sure = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    chosen = traitlets.Int(0).tag(sync=True)
    snapshot = Index("steps")

    @traitlets.validate("chosen")
    def _check_chosen(self, proposal):
        if not 0 <= proposal.value < 2 ** len(self.terms):
            raise ValueError(
                f"chosen must be from 0 to {2 ** len(self.terms) - 1}, a bit for each term; "
                f"got {proposal.value}"
            )
        return proposal.value

    def add(self, images, sure):
        """The images of the next step, (choices, images, height, width) from 0 to 1, and how sure it is."""
        images, sure = array("the images", images), array("sure", sure)
        shape = (2 ** len(self.terms), len(self.wanted))
        if len(self.frames) == len(self.steps):
            raise ValueError(f"there are images of all {len(self.steps)} steps already")
        if images.ndim != 4 or images.shape[:2] != shape or sure.shape != shape[:1]:
            raise ValueError(
                f"images must have shape {(*shape, 'height', 'width')} and sure {shape[:1]}, one choice for "
                f"each set of terms; got {images.shape} and {sure.shape}"
            )
        if not ((images >= 0) & (images <= 1)).all() or not ((sure >= 0) & (sure <= 1)).all():
            raise ValueError("images and sure must hold numbers from 0 to 1")
        self.sure = [*self.sure, np.round(sure, 4).tolist()]
        self.frames = [*self.frames, pack(images, "uint4")]
        self.snapshot = len(self.frames) - 1

    def __repr__(self):
        return f"Dreams({', '.join(self.terms)}; {len(self.frames)} of {len(self.steps)} steps)"


def dreams(film, terms, steps, wanted):
    """Show images while they are made: a switch for each term of their loss, and a slider for the steps.

    It is displayed at once and grows with the film; a static page shows the whole of it.

    Parameters
    ----------
    film : iterable
        For each of the steps ``(images, sure)``. ``images`` has shape (2^k, N, height, width), from 0 to 1:
        N images for each choice among k terms, where bit j of the choice's number says whether term j is
        part of the loss. ``sure``, (2^k,), is the teacher's mean probability of what was wanted.
    terms : list of one to four names
    steps : the steps of the film, rising
    wanted : what each image is to become

    Returns
    -------
    Dreams
        The explorer, which has been displayed.
    """
    terms, wanted = list(items("terms", terms)), [str(name) for name in items("wanted", wanted)]
    steps = rising(steps)
    if not 1 <= len(terms) <= MOST_TERMS or not all(isinstance(term, str) for term in terms):
        raise ValueError(f"terms must be one to {MOST_TERMS} names; got {terms}")
    shown = Dreams(terms=terms, steps=steps, wanted=wanted, chosen=2 ** len(terms) - 1)
    # A static page holds what an explorer is when it is displayed.
    whole = bool(os.environ.get(STATIC_PAGES))
    if not whole:
        display(shown)
    for images, sure in film:
        shown.add(images, sure)
    if whole:
        display(shown)
    return shown
