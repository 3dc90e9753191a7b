"""Pairs of keys and values, and the question for one of them: a task of knowing where to look."""

import numpy as np
import torch

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.sources import register

KEYS, VALUES, PAIRS = "abcdefgh", "123456", 4
TOKENS = len(KEYS) * len(VALUES) + len(KEYS)
SIZES = {"train": 9600, "validation": 500, "test": 1000}
CARD = Card(
    name="Pairs",
    what="four pairs of a key and a value, then one of the keys: which value does it have? Made to see where "
    "an encoder looks",
    source="made here: random draws",
    licence="no rights: random draws",
    size="9,600 sequences of five tokens to train on, of which the student gets 1,000; 500 to choose "
    "on, 1,000 to test",
    classes=tuple(VALUES),
)
register(CARD)


def pairs(labels: int = 1000, *, seed: int = 0) -> Dataset:
    """Sequences of key-value pairs with a question: ``a3 c1 f5 b2 c?`` is of class 1.

    There are 8 keys and 6 values, so 48 tokens of pairs, and 8 of questions. The four keys of a sequence
    differ; its class is the value of the key that is asked for. Who knows only which values occur is right
    38 % of the time, who guesses 17 %.

    Parameters
    ----------
    labels : int
        How many sequences the student gets, with their labels: ``labelled`` and ``transfer`` are the same.
    seed : int
        Draws the sequences.

    Returns
    -------
    Dataset
        Inputs are tokens (n, 5), the question last: for :func:`kdviz.models.encoder`.

    >>> from kdviz.datasets._pairs import read_pairs
    >>> data = pairs(labels=100)
    >>> read_pairs(data.test.inputs[:1])
    ['h5 e1 g3 a4 h?']
    >>> data.classes[data.test.labels[0]]
    '5'
    """
    if not isinstance(labels, int) or isinstance(labels, bool) or not 1 <= labels <= SIZES["train"]:
        raise ValueError(f"labels must be a whole number from 1 to {SIZES['train']:,}; got {labels!r}")
    random = np.random.default_rng([seed, 1400])
    parts = {name: _drawn(random, count) for name, count in SIZES.items()}
    few = parts["train"][torch.arange(labels)]
    settings = {"name": "pairs", "seed": seed, "labels": labels}
    return Dataset(
        **parts,
        labelled=few,
        transfer=few,
        classes=tuple(VALUES),
        mean=torch.zeros(PAIRS + 1),
        settings=settings,
        card=CARD,
    )


def asked_place(tokens: torch.Tensor) -> torch.Tensor:
    """Which of the four pairs is asked for, (n,): where a reader would look."""
    keys, question = tokens[:, :PAIRS] // len(VALUES), tokens[:, PAIRS:] - len(KEYS) * len(VALUES)
    return (keys == question).long().argmax(1)


def read_pairs(tokens: torch.Tensor) -> list[str]:
    """Sequences as a reader has them."""
    return [
        " ".join(
            [*(KEYS[pair // len(VALUES)] + VALUES[pair % len(VALUES)] for pair in row[:PAIRS])]
            + [KEYS[row[PAIRS] - len(KEYS) * len(VALUES)] + "?"]
        )
        for row in tokens.tolist()
    ]


def _drawn(random, count):
    keys = random.permuted(np.tile(np.arange(len(KEYS)), (count, 1)), axis=1)[:, :PAIRS]
    values = random.integers(len(VALUES), size=(count, PAIRS))
    asked = random.integers(PAIRS, size=(count, 1))
    question = len(KEYS) * len(VALUES) + np.take_along_axis(keys, asked, 1)
    tokens = np.concatenate([keys * len(VALUES) + values, question], 1)
    answers = np.take_along_axis(values, asked, 1)[:, 0]
    return Samples(torch.from_numpy(tokens), torch.from_numpy(answers), torch.arange(count))
