"""Canvases with digits on them: pictures whose answers are a class for each pixel, or boxes."""

from dataclasses import dataclass, field

import numpy as np
import torch

from kdviz.datasets import _digits
from kdviz.datasets.card import Card
from kdviz.datasets.sources import register

SIZE, DIGIT, SCRAP, CELL = 16, 8, 4, 4
INK = 4.5 / 16  # more is a digit's pixel; ink comes in sixteenths
BACKGROUND = 10
CLASSES = (*_digits.CLASSES, "background")
PARTS = ("train", "validation", "test")
CARD = Card(
    name="Canvases of digits",
    what="16 × 16 pixels with one or two handwritten digits that may lie side by side, a scrap of a third "
    "one as clutter, and noise; every pixel has a class, and every digit a box",
    source="made here from scikit-learn's load_digits, each canvas of the digits of its own part",
    licence="CC BY 4.0, that of the digits",
    size="as many canvases as you ask for",
    classes=CLASSES,
)
register(CARD)


@dataclass(frozen=True)
class Canvases:
    """Canvases with what is to be said of them.

    inputs
        Ink from 0 to about 1, with noise: (n, 1, 16, 16).
    labels
        The class of each pixel, 0 to 9, or 10 for the background: (n, 16, 16); -1 where it is not known.
    boxes
        Of each digit its class and the row and column where its 8 × 8 box begins: (n, 2, 3); -1 for none.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    boxes: torch.Tensor
    settings: dict = field(repr=False)
    card: Card = field(default=CARD, repr=False)
    classes = CLASSES

    @property
    def seed(self):
        return self.settings["seed"]

    def __len__(self):
        return len(self.inputs)

    def __repr__(self):
        digits = int((self.boxes[:, :, 0] >= 0).sum())
        return f"Canvases, seed {self.seed}: {len(self)} of part {self.settings['part']} with {digits} digits"


def canvases(count: int = 1000, *, part: str = "train", noise: float = 0.05, seed: int = 0) -> Canvases:
    """Canvases of 16 × 16 pixels with one or two digits, a scrap as clutter, and noise.

    A digit has 8 × 8 pixels and its canvas one or two of them, whose boxes do not overlap. Pixels of a
    digit with more than a quarter of the full ink have its class; all others are background, those of the
    scrap too, which is a 4 × 4 piece of another digit where there is room.

    Parameters
    ----------
    count : int
    part : {"train", "validation", "test"}
        Which digits are used: those of this part of :func:`kdviz.datasets.digits` of the same seed.
    noise : float
        Standard deviation of the noise on each pixel.
    seed : int
        Draws the split of the digits and the canvases. The first canvases are the same for every count.

    Returns
    -------
    Canvases

    >>> few = canvases(3, seed=1)
    >>> few.inputs.shape, few.labels.shape, few.boxes.shape
    (torch.Size([3, 1, 16, 16]), torch.Size([3, 16, 16]), torch.Size([3, 2, 3]))
    """
    _check(count, part, noise, seed)
    pixels, truth = _digits._load()
    own = dict(zip(PARTS, _digits._split(truth, seed), strict=True))[part]
    random = np.random.default_rng([seed, SIZE, PARTS.index(part)])
    drawn = [_canvas(random, pixels, truth, own, noise) for _ in range(count)]
    inputs, labels, boxes = (np.stack(each) for each in zip(*drawn, strict=True))
    return Canvases(
        torch.from_numpy(inputs.astype(np.float32)).unsqueeze(1),
        torch.from_numpy(labels),
        torch.from_numpy(boxes),
        {"name": "canvases", "count": count, "part": part, "noise": noise, "seed": seed},
    )


def placed(ink: np.ndarray, labels: np.ndarray, image: np.ndarray, label: int, top: int, left: int):
    """Put a digit on a canvas, in place: where two meet, the darker ink is seen and the later class holds."""
    area = slice(top, top + DIGIT), slice(left, left + DIGIT)
    ink[area] = np.maximum(ink[area], image)
    labels[area] = np.where(image > INK, label, labels[area])


def _canvas(random, pixels, truth, own, noise):
    ink, labels = np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), BACKGROUND)
    boxes = np.full((2, 3), -1)
    first, second, third = random.choice(own, 3, replace=False)
    wanted = [first, second][: random.integers(1, 3)]
    for index, digit in enumerate(wanted):
        places = _free(boxes[:index], DIGIT)
        # A digit in the middle may leave no room for a second one.
        if len(places):
            top, left = places[random.integers(len(places))]
            placed(ink, labels, pixels[digit], truth[digit], top, left)
            boxes[index] = truth[digit], top, left
    places = _free(boxes[boxes[:, 0] >= 0], SCRAP)
    top, left = places[random.integers(len(places))]
    piece = pixels[third][2 : 2 + SCRAP, 2 : 2 + SCRAP]
    ink[top : top + SCRAP, left : left + SCRAP] = piece
    return ink + noise * random.normal(size=ink.shape), labels, boxes


def _free(boxes, size):
    """Where something of this size has room: rows of (top, left)."""
    top, left = np.indices((SIZE - size + 1,) * 2).reshape(2, -1)
    fits = np.ones(len(top), bool)
    for _, down, right in boxes:
        apart = (
            (top >= down + DIGIT) | (top + size <= down) | (left >= right + DIGIT) | (left + size <= right)
        )
        fits &= apart
    return np.column_stack([top, left])[fits]


def _check(count, part, noise, seed):
    for name, value, least in (("count", count, 1), ("seed", seed, 0)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} must be a whole number from {least} up; got {value!r}")
    if part not in PARTS:
        raise ValueError(f"part must be one of {', '.join(map(repr, PARTS))}; got {part!r}")
    if not 0 <= noise < np.inf:
        raise ValueError(f"noise must be a number from 0 up; got {noise!r}")
