"""A split of a data set: what the teacher may see, what the student gets, what nobody trains on."""

from dataclasses import dataclass, field, replace

import torch

from kdviz.datasets.card import Card

UNLABELLED = -1


@dataclass(frozen=True)
class Samples:
    """Inputs with their labels, as tensors in memory.

    ``inputs`` has shape (n, channels, height, width); ``labels`` has shape (n,) and holds
    ``UNLABELLED`` (-1) where the label is not known; ``indices`` says which row of the original
    data each sample came from.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    indices: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, rows):
        return Samples(self.inputs[rows], self.labels[rows], self.indices[rows])

    def __repr__(self):
        labelled = int((self.labels != UNLABELLED).sum())
        shape = " × ".join(map(str, self.inputs.shape[1:]))
        return f"Samples({len(self)} inputs of {shape}, {labelled} labelled)"

    def to(self, device):
        """The same samples on another device."""
        return Samples(self.inputs.to(device), self.labels.to(device), self.indices.to(device))

    def with_labels(self, labels):
        """The same inputs under other labels."""
        return replace(self, labels=labels)


@dataclass(frozen=True)
class Dataset:
    """One split, belonging to one seed.

    train
        All that a teacher may see, with labels.
    labelled
        The images whose labels the student gets.
    transfer
        The transfer set: the images on which the teacher's answers are shown to the student. Its
        labels are ``UNLABELLED`` except for the labelled images.
    validation, test
        Never trained on. Choose on ``validation``; report on ``test``.
    mean
        The mean training image, which was subtracted: ``inputs + mean`` are pixels from 0 to 1.
    settings
        Everything that made this split; part of the key under which results are stored.
    """

    train: Samples
    labelled: Samples
    transfer: Samples
    validation: Samples
    test: Samples
    classes: tuple[str, ...]
    mean: torch.Tensor
    settings: dict = field(repr=False)
    card: Card = field(repr=False)

    @property
    def seed(self):
        return self.settings["seed"]

    @property
    def image_shape(self):
        return tuple(self.mean.shape[-2:])

    def to(self, device):
        """The same split on another device."""
        parts = ("train", "labelled", "transfer", "validation", "test")
        return replace(self, **{part: getattr(self, part).to(device) for part in parts})

    def __repr__(self):
        changed = {k: v for k, v in self.settings.items() if k not in ("name", "seed")}
        regime = ", ".join(f"{k}={v}" for k, v in changed.items())
        parts = ", ".join(
            f"{len(getattr(self, part))} {part}"
            for part in ("train", "labelled", "transfer", "validation", "test")
        )
        return f"{self.card.name}, seed {self.seed} ({regime}): {parts}"
