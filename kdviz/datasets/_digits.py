"""scikit-learn's handwritten digits, and the regimes in which distillation is visible on them."""

from functools import lru_cache

import numpy as np
import torch

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import UNLABELLED, Dataset, Samples
from kdviz.datasets.sources import register

TRAIN, VALIDATION = 1200, 200
CLASSES = tuple("0123456789")
CARD = Card(
    name="Handwritten digits",
    what="grey images of single digits, 8 × 8 pixels with values 0 to 16 (here divided by 16)",
    source="scikit-learn's load_digits: the test part of UCI's Optical Recognition of Handwritten "
    "Digits (Alpaydin and Kaynak 1998, doi 10.24432/C50P49)",
    licence="CC BY 4.0",
    size="1,797 images; kdviz splits them 1,200 train, 200 validation, 397 test",
    classes=CLASSES,
)
register(CARD)


def digits(
    labels: int | None = None,
    *,
    omit: int | None = None,
    label_noise: float = 0.0,
    shift: int = 0,
    transfer: str = "all",
    seed: int = 0,
) -> Dataset:
    """The handwritten digits, split by seed into train, validation and test.

    >>> digits(labels=50).transfer
    Samples(1200 inputs of 1 × 8 × 8, 50 labelled)

    Parameters
    ----------
    labels : int, optional
        How many training images keep their label for the student (10 to 1,200, drawn evenly over
        the classes). ``None`` keeps all. The teacher always trains on the whole training part.
    omit : int, optional
        A digit that the student never sees: none of its images is in ``labelled`` or ``transfer``.
    label_noise : float
        Fraction of the training labels, from 0 up to but not including 1, that is replaced by another
        class, chosen evenly. Teacher and student get the same wrong labels; validation and test
        keep the right ones.
    shift : int
        0, or a number of pixels. The teacher's training part then holds every image at all
        (2 · shift + 1)² positions; the student's images stay where they are; each validation and
        test image is moved to one of the other positions.
    transfer : {"all", "labelled"}
        The transfer set: all training images (most of them unlabelled), or only the labelled ones.
    seed : int
        Draws the split and everything else. One seed, one split.

    Returns
    -------
    Dataset
    """
    _check_settings(labels, omit, label_noise, shift, transfer, seed)
    pixels, truth = _load()
    random = np.random.default_rng([seed, 1797])
    train, validation, test = _split(truth, seed)

    given = truth.copy()
    given[train] = _flip(truth[train], label_noise, random)
    mean = pixels[train].mean(axis=0)
    student = train if omit is None else train[truth[train] != omit]
    labelled = student if labels is None else _few(student, truth, labels, seed)

    def samples(indices, images=None, known=given):
        images = pixels[indices] if images is None else images
        return Samples(
            torch.from_numpy((images - mean).astype(np.float32)).unsqueeze(1),
            torch.from_numpy(known[indices]),
            torch.from_numpy(indices),
        )

    shown = student if transfer == "all" else labelled
    known_labels = np.where(np.isin(np.arange(len(truth)), labelled), given, UNLABELLED)
    moved = _all_positions(train, pixels, shift)
    return Dataset(
        train=samples(*moved),
        labelled=samples(labelled),
        transfer=samples(shown, known=known_labels),
        validation=samples(validation, _displaced(pixels[validation], shift, random), truth),
        test=samples(test, _displaced(pixels[test], shift, random), truth),
        classes=CLASSES,
        mean=torch.from_numpy(mean.astype(np.float32)).unsqueeze(0),
        settings={
            "name": "digits",
            "labels": labels,
            "omit": omit,
            "label_noise": label_noise,
            "shift": shift,
            "transfer": transfer,
            "seed": seed,
        },
        card=CARD,
    )


def _check_settings(labels, omit, label_noise, shift, transfer, seed):
    if labels is not None and not (_whole(labels) and 10 <= labels <= TRAIN):
        raise ValueError(
            f"labels must be a whole number from 10 (one a digit) to {TRAIN:,}, or None for all; "
            f"got {labels!r}"
        )
    if omit is not None and not (_whole(omit) and 0 <= omit <= 9):
        raise ValueError(f"omit must be a digit from 0 to 9, or None for no omission; got {omit!r}")
    if not 0 <= label_noise < 1:
        raise ValueError(f"label_noise must be a fraction from 0 to below 1; got {label_noise!r}")
    if not (_whole(shift) and 0 <= shift <= 3):
        raise ValueError(f"shift must be 0, 1, 2 or 3 pixels; got {shift!r}")
    if transfer not in ("all", "labelled"):
        raise ValueError(f"transfer must be 'all' or 'labelled'; got {transfer!r}")
    if not (_whole(seed) and seed >= 0):
        raise ValueError(f"seed must be a whole number from 0 up; got {seed!r}")
    if omit is not None and labels is not None and labels > 1000:
        raise ValueError(f"without one digit at most 1,000 labels can be drawn; got {labels}")


def _whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@lru_cache
def _load():
    from sklearn.datasets import load_digits

    raw = load_digits()
    return raw.images / 16, raw.target.astype(np.int64)


def _split(truth, seed):
    from sklearn.model_selection import train_test_split

    every = np.arange(len(truth))
    train, rest = train_test_split(every, train_size=TRAIN, stratify=truth, random_state=seed)
    validation, test = train_test_split(rest, train_size=VALIDATION, stratify=truth[rest], random_state=seed)
    return train, validation, test


def _few(indices, truth, count, seed):
    from sklearn.model_selection import train_test_split

    if count >= len(indices):
        return indices
    few, _ = train_test_split(indices, train_size=count, stratify=truth[indices], random_state=seed)
    return few


def _flip(labels, fraction, random):
    wrong = random.permutation(len(labels))[: round(fraction * len(labels))]
    flipped = labels.copy()
    flipped[wrong] = (labels[wrong] + random.integers(1, 10, len(wrong))) % 10
    return flipped


def _all_positions(indices, pixels, shift):
    steps = range(-shift, shift + 1)
    offsets = [(down, right) for down in steps for right in steps]
    images = np.concatenate([_move(pixels[indices], *offset) for offset in offsets])
    return np.tile(indices, len(offsets)), images


def _displaced(images, shift, random):
    steps = range(-shift, shift + 1)
    offsets = [(down, right) for down in steps for right in steps if (down, right) != (0, 0)]
    if not offsets:
        return images
    chosen = random.integers(len(offsets), size=len(images))
    return np.stack([_move(image, *offsets[pick]) for image, pick in zip(images, chosen, strict=True)])


def _move(images, down, right):
    """Move images by whole pixels; what leaves the frame is lost, what enters is paper."""
    moved = np.zeros_like(images)
    height, width = images.shape[-2:]
    into = (
        ...,
        slice(max(down, 0), height + min(down, 0)),
        slice(max(right, 0), width + min(right, 0)),
    )
    out_of = (
        ...,
        slice(max(-down, 0), height + min(-down, 0)),
        slice(max(-right, 0), width + min(-right, 0)),
    )
    moved[into] = images[out_of]
    return moved
