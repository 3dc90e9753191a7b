"""The data of notebook 12: a table with a forest for a teacher; sentences, pictures and sounds made here."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import TensorDataset

from kdviz.datasets._spoken_digits import ARCHIVE, CARD, NAME, RATE
from kdviz.datasets.dataset import UNLABELLED
from kdviz.datasets.download import fetched
from kdviz.datasets.formats import read_recordings

TOPICS = {
    "weather": "rain cloud storm wind snow sun",
    "kitchen": "bread soup oven salt knife onion",
    "music": "song drum choir violin dance stage",
    "sport": "ball team goal race coach field",
}
FILLERS = "the a with and then near old new they was over again"


@dataclass(frozen=True)
class Cells:
    """scikit-learn's breast cancer table, scaled, split by seed, with a forest fitted on the training rows.

    ``inputs`` (341, 30) are the training rows and ``labels`` theirs, -1 for all but a few; ``labelled`` holds
    these few, ``train`` all that the forest saw, ``test`` the rows that nobody trains on.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    labelled: TensorDataset
    train: TensorDataset
    test: TensorDataset
    columns: list[str] = field(repr=False)
    classes: list[str]
    forest: object

    def with_rows(self):
        """The training rows with their numbers, so that a cache can be read in any order."""
        return TensorDataset(self.inputs, self.labels, torch.arange(len(self.inputs)))

    def __repr__(self):
        return (
            f"Cells({len(self.inputs)} training rows, {len(self.labelled)} of them labelled, "
            f"{len(self.test)} test rows, {len(self.columns)} columns)"
        )


def cells(labels=40, seed=0):
    """The table of notebook 12; scaled by the mean and spread of the training rows."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    table = load_breast_cancer()
    split = {"stratify": table.target, "random_state": seed, "train_size": 341}
    train, test = train_test_split(np.arange(len(table.target)), **split)
    known = table.target[train]
    few, _ = train_test_split(np.arange(len(train)), train_size=labels, stratify=known, random_state=seed)
    scale = StandardScaler().fit(table.data[train])
    inputs, unseen = (
        torch.from_numpy(scale.transform(table.data[rows]).astype(np.float32)) for rows in (train, test)
    )
    shown = np.full(len(train), UNLABELLED)
    shown[few] = known[few]
    return Cells(
        inputs=inputs,
        labels=torch.from_numpy(shown),
        labelled=TensorDataset(inputs[few], torch.from_numpy(known[few])),
        train=TensorDataset(inputs, torch.from_numpy(known)),
        test=TensorDataset(unseen, torch.from_numpy(table.target[test])),
        columns=list(table.feature_names),
        classes=list(table.target_names),
        forest=RandomForestClassifier(100, random_state=seed).fit(inputs.numpy(), known),
    )


@dataclass(frozen=True)
class Sentences:
    """Eight words each, as numbers of ``words``, about one of four topics; word 0 is the padding."""

    train: TensorDataset
    labelled: TensorDataset
    test: TensorDataset
    words: list[str] = field(repr=False)
    topics: list[str]

    @property
    def parts(self):
        return {"train": self.train, "labelled": self.labelled, "test": self.test}

    def read(self, tokens):
        """A sentence as text."""
        return " ".join(self.words[int(token)] for token in tokens)


def sentences(seed=0, train=800, labelled=60, test=400):
    """Made sentences: three words of the topic, two of another one, three that say nothing, shuffled."""
    random = np.random.default_rng([seed, 12])
    groups = [words.split() for words in TOPICS.values()]
    words = ["·", *FILLERS.split(), *(word for group in groups for word in group)]
    first = len(FILLERS.split()) + 1

    def one(topic):
        other = (topic + random.integers(1, len(groups))) % len(groups)
        own, strange = (first + 6 * which + random.integers(0, 6, n) for which, n in ((topic, 3), (other, 2)))
        return random.permutation(np.concatenate([own, strange, random.integers(1, first, 3)]))

    topics = random.integers(0, len(groups), train + test)
    tokens = torch.from_numpy(np.stack([one(topic) for topic in topics]))
    labels = torch.from_numpy(topics)
    return Sentences(
        train=TensorDataset(tokens[:train], labels[:train]),
        labelled=TensorDataset(tokens[:labelled], labels[:labelled]),
        test=TensorDataset(tokens[train:], labels[train:]),
        words=words,
        topics=list(TOPICS),
    )


def shapes(count, seed=0, size=16):
    """Pictures (n, 1, size, size) of a bright disc and a dark square in noise, and what each pixel shows.

    That is 0 ground, 1 disc, 2 square. Where the two overlap, the square lies in front.
    """
    generator = torch.Generator().manual_seed(seed)
    grid = torch.arange(size)
    places = torch.randint(3, size - 3, (count, 4), generator=generator)[:, :, None, None]
    down, right = grid[None, :, None], grid[None, None, :]
    disc = (down - places[:, 0]) ** 2 + (right - places[:, 1]) ** 2 <= 9
    square = ((down - places[:, 2]).abs() <= 2) & ((right - places[:, 3]).abs() <= 2)
    labels = torch.where(square, 2, torch.where(disc, 1, 0))
    noise = torch.randn(count, size, size, generator=generator)
    return ((labels == 1).float() - (labels == 2).float() + 0.7 * noise).unsqueeze(1), labels


def walks(count, seed=0, length=12, words=24):
    """Texts (count, length) of made words, each drawn by the one before it, with the same odds in all texts.

    The perplexity of who knows these odds is 7.6.
    """
    table = (2 * torch.randn(words, words, generator=torch.Generator().manual_seed(12))).softmax(1)
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(words, (count,), generator=generator)]
    for _ in range(length - 1):
        texts.append(torch.multinomial(table[texts[-1]], 1, generator=generator)[:, 0])
    return torch.stack(texts, 1)


# Half a second of sound.
LENGTH = RATE // 2


@dataclass(frozen=True)
class Sounds:
    """Half seconds of sound (n, 1, 4000) from -1 to 1, 8,000 samples a second, and the kind of each.

    ``train`` is what a teacher learns, ``labelled`` the first 60 of these, ``test`` what nobody trains on.
    """

    name: str
    kinds: tuple[str, ...]
    train: tuple[torch.Tensor, torch.Tensor] = field(repr=False)
    test: tuple[torch.Tensor, torch.Tensor] = field(repr=False)

    @property
    def rate(self):
        """Samples a second."""
        return RATE

    @property
    def labelled(self):
        return tuple(part[:60] for part in self.train)


def sounds(seed=0):
    """Spoken digits where they have been fetched, by ``kdviz data fetch spoken-digits``; else made sounds."""
    try:
        recordings = read_recordings(fetched(NAME, ARCHIVE), RATE)
    except FileNotFoundError:
        made = (made_sounds(count, 2 * seed + part) for part, count in enumerate((600, 400)))
        return Sounds("no spoken digits on this machine: sounds made by code", MADE, *made)
    parts = [], []
    for (digit, _, index), samples in recordings.items():
        heard = np.zeros((1, LENGTH), np.float32)
        heard[0, : len(samples)] = samples[:LENGTH] / max(1e-9, np.abs(samples[:LENGTH]).max())
        parts[index < 5].append((heard, digit))
    # In the archive they come digit by digit.
    shuffled = (np.random.default_rng([seed, 12]).permutation(len(part)) for part in parts)
    pairs = (
        tuple(torch.from_numpy(np.stack([part[row][which] for row in rows])) for which in (0, 1))
        for part, rows in zip(parts, shuffled, strict=True)
    )
    return Sounds("spoken digits", CARD.classes, *pairs)


# The kinds of the sounds that are made where none are fetched.
MADE = ("steady", "rising", "falling", "arch", "valley", "trill", "beats", "chord", "pluck", "hiss")


def made_sounds(count, seed=0):
    """Sounds of ten kinds in noise: a tone of any height that stays, rises, falls, or does both in turn.

    Or one that trembles in height or in loudness, two at once, one that dies away, and noise alone.
    """
    random = np.random.default_rng([seed, 12])
    kinds = random.integers(0, len(MADE), count)
    t, still = np.arange(LENGTH) / LENGTH, np.zeros(LENGTH)
    # The height over time, in octaves from where the tone begins.
    bends = {"rising": t, "falling": -t, "arch": 1 - abs(2 * t - 1), "valley": abs(2 * t - 1) - 1}
    bends["trill"] = 0.15 * np.sin(12 * np.pi * t)
    louds = {"beats": 0.5 + 0.5 * np.cos(12 * np.pi * t), "pluck": np.exp(-8 * t), "hiss": still}

    def tone(kind):
        begun, octaves, phase = random.uniform([300, 0.5, 0], [1200, 1.5, 2 * np.pi])
        turns = np.cumsum(begun * 2 ** (octaves * bends.get(kind, still))) / RATE
        fifth = np.sin(3 * np.pi * turns) if kind == "chord" else 0
        return (np.sin(phase + 2 * np.pi * turns) + fifth) / 2 * louds.get(kind, 1)

    waves = np.stack([tone(MADE[kind]) for kind in kinds])
    waves = 0.7 * waves + 0.15 * random.standard_normal(waves.shape)
    return torch.from_numpy(waves[:, None].clip(-1, 1).astype(np.float32)), torch.from_numpy(kinds)
