"""The Free Spoken Digit Dataset, as pictures of sound."""

import numpy as np

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset
from kdviz.datasets.download import fetched
from kdviz.datasets.formats import read_recordings
from kdviz.datasets.published import split
from kdviz.datasets.sources import Source, register

NAME = "spoken-digits"
RATE, SIDE, RANGE = 8000, 64, 80
WINDOW = 2 * (SIDE - 1)
HOP = WINDOW // 2
LENGTH = HOP * (2 * SIDE - 1) + WINDOW
CARD = Card(
    name="Spoken digits (Free Spoken Digit Dataset, version 1.0.9)",
    what="English digits spoken by five people, 8,000 samples a second; here spectrograms of the first "
    "second, 64 frequencies (low first) × 64 moments, from 0 (80 dB below the loudest) to 1",
    source="Zohar Jackson and others, github.com/Jakobovski/free-spoken-digit-dataset; "
    "get it by 'kdviz data fetch spoken-digits'",
    licence="CC BY-SA 4.0",
    size="2,500 recordings; kdviz splits them 2,025 train, 225 validation, 250 test (the recordings 0 to 4 "
    "of each digit and speaker: every speaker is heard in all parts)",
    classes=tuple("0123456789"),
)
ARCHIVE = "free-spoken-digit-dataset-1.0.9.tar.gz"
# Version 1.0.9: no checksum of a later one is published.
_CHECKSUM = "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0"
_ADDRESS = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz"
register(CARD, Source(NAME, {ARCHIVE: _ADDRESS}, {ARCHIVE: _CHECKSUM}, 12))


def spoken_digits(
    labels: int | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Dataset:
    """Spectrograms of spoken digits, split by seed, once fetched (``kdviz data fetch spoken-digits``).

    ``labels``, ``train`` and ``test`` take only so many labelled, training and test recordings, evenly over
    the digits; None takes all. The teacher's training recordings are the student's transfer set; the
    published test recordings are the test part for both.
    """
    recordings = read_recordings(fetched(NAME, ARCHIVE), RATE)
    parts = [], []
    for (digit, _, index), samples in recordings.items():
        parts[index < 5].append((spectrogram(samples), digit))
    training, testing = (
        (np.stack([image for image, _ in part]), np.array([digit for _, digit in part])) for part in parts
    )
    return split(NAME, CARD, training, testing, top=1, labels=labels, train=train, test=test, seed=seed)


def spectrogram(samples):
    """A recording as a picture, (1, 64, 64): its first second, or all of it and then silence."""
    from scipy.signal import spectrogram as powers

    heard = np.zeros(LENGTH, np.float32)
    heard[: len(samples)] = samples[:LENGTH]
    power = powers(heard, RATE, "hann", WINDOW, WINDOW - HOP, detrend=False)[2]
    power = power.reshape(SIDE, SIDE, 2).mean(2)
    decibels = 10 * np.log10(np.maximum(power, np.finfo(np.float32).tiny))
    return np.clip((decibels - decibels.max()) / RANGE + 1, 0, 1).astype(np.float32)[None]
