"""Made-up images in which every class can be told in two ways: the multi-view data of Allen-Zhu and Li."""

import numpy as np
import torch

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.sources import register

CLASSES = tuple("ABCDE")
VIEWS, PATCHES, PIXELS = 2, 8, 20
VALIDATION, TEST = 200, 1000
BOTH = -1
CARD = Card(
    name="Multi-view data",
    what="made-up images of 8 patches with 20 pixels each; every class has two features, its views, and an "
    "image of the class shows one or both of them, each in one patch, with weak features of other classes "
    "and noise",
    source="made here, after Allen-Zhu and Li 2023, Towards Understanding Ensemble, Knowledge Distillation "
    "and Self-Distillation in Deep Learning, section 2.2 and definition 3.1, in small",
    licence="no rights: random numbers",
    size="as many training images as you ask for (500), 200 validation, 1,000 test",
    classes=CLASSES,
)
register(CARD)


def multi_view(
    images: int = 500, *, single: float = 0.1, test_single: float = 1.0, noise: float = 0.15, seed: int = 0
) -> Dataset:
    """Images of five classes with two views each: one view alone is enough to tell the class.

    Most training images show both views of their class, so a network that learned only one of them
    answers nearly all of them right. Test images show one view: they tell which views it has learned.

    Parameters
    ----------
    images : int
        How many training images; all are labelled, and all are the transfer set.
    single, test_single : float
        The fraction of training images, and of validation and test images, that show only one view.
    noise : float
        The standard deviation of the noise on each pixel. Features have length 1.
    seed : int
        Draws the features and the images.

    Returns
    -------
    Dataset
        Inputs have shape (n, 1, 8, 20): a row is a patch. :func:`shown_views` says what each image shows.
    """
    _check(images, single, test_single, noise, seed)
    features = _features(seed)
    sizes = {"train": images, "validation": VALIDATION, "test": TEST}
    fractions = {"train": single, "validation": test_single, "test": test_single}
    parts, first = {}, 0
    for part, size in sizes.items():
        labels, views = _what_is_shown(seed, part, size, fractions[part])
        pixels = _pixels(np.random.default_rng([seed, size, first]), features, labels, views, noise)
        parts[part] = Samples(
            torch.from_numpy(pixels.astype(np.float32)).unsqueeze(1),
            torch.from_numpy(labels),
            torch.arange(first, first + size),
        )
        first += size
    return Dataset(
        **parts,
        labelled=parts["train"],
        transfer=parts["train"],
        classes=CLASSES,
        mean=torch.zeros(1, PATCHES, PIXELS),
        settings={
            "name": "multi_view",
            "seed": seed,
            "images": images,
            "single": single,
            "test_single": test_single,
            "noise": noise,
        },
        card=CARD,
    )


def shown_views(data: Dataset, part: str = "test") -> torch.Tensor:
    """Which view each image of a part shows: 0 or 1, or -1 for both."""
    known = data.settings
    fraction = known["single"] if part == "train" else known["test_single"]
    return torch.from_numpy(_what_is_shown(known["seed"], part, len(getattr(data, part)), fraction)[1])


def _features(seed):
    """Unit vectors at right angles: (classes, views, pixels)."""
    random = np.random.default_rng([seed, 2020])
    directions, _ = np.linalg.qr(random.normal(size=(PIXELS, PIXELS)))
    return directions[: len(CLASSES) * VIEWS].reshape(len(CLASSES), VIEWS, PIXELS)


def _what_is_shown(seed, part, size, single):
    random = np.random.default_rng([seed, size, *part.encode()])
    labels = random.permutation(np.arange(size) % len(CLASSES))
    single_view = random.random(size) < single
    return labels, np.where(single_view, random.integers(VIEWS, size=size), BOTH)


def _pixels(random, features, labels, views, noise, weak=0.4, others=3):
    """In patches of their own: the views of the class, and weakly some features of other classes."""
    pixels = noise * random.normal(size=(len(labels), PATCHES, PIXELS))
    patches = random.permuted(np.tile(np.arange(PATCHES), (len(labels), 1)), axis=1)
    every = np.arange(len(labels))
    for view in range(VIEWS):
        strength = random.uniform(0.8, 1.2, len(labels)) * np.isin(views, (BOTH, view))
        pixels[every, patches[:, view]] += strength[:, None] * features[labels, view]
    for patch in range(VIEWS, VIEWS + others):
        other = (labels + random.integers(1, len(CLASSES), len(labels))) % len(CLASSES)
        strength = weak * random.uniform(0.5, 1, len(labels))
        shown = features[other, random.integers(VIEWS, size=len(labels))]
        pixels[every, patches[:, patch]] += strength[:, None] * shown
    return pixels


def _check(images, single, test_single, noise, seed):
    if not isinstance(images, (int, np.integer)) or isinstance(images, bool) or images < 50:
        raise ValueError(f"images must be a whole number from 50 up; got {images!r}")
    for name, fraction in (("single", single), ("test_single", test_single)):
        if not 0 <= fraction <= 1:
            raise ValueError(f"{name} must be a fraction from 0 to 1; got {fraction!r}")
    if not noise >= 0:
        raise ValueError(f"noise must be 0 or more; got {noise!r}")
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be a whole number from 0 up; got {seed!r}")
