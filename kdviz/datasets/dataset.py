"""A split of a data set: what the teacher may see, what the student gets, what nobody trains on."""

from dataclasses import dataclass, field, replace

import torch

from kdviz.datasets.card import Card
from kdviz.tracing import rows_of, to_device

UNLABELLED = -1
PARTS = ("train", "labelled", "transfer", "validation", "test")


@dataclass(frozen=True)
class Samples:
    """Inputs with their labels, as tensors in memory.

    ``inputs`` has shape (n, channels, height, width); ``labels`` has shape (n,) and holds
    ``UNLABELLED`` (-1) where the label is not known; ``indices`` says which row of the original
    data each sample came from.

    ``inputs`` may hold several modalities: a dictionary of tensors by name, which networks take as named
    arguments (``{"image": ..., "sound": ...}``; see :class:`kdviz.models.Reads` for a network that takes one
    of them), or a tuple of tensors in order.

    >>> both = {"image": torch.zeros(3, 1, 8, 8), "sound": torch.ones(3, 20)}
    >>> samples = Samples(both, torch.tensor([0, 1, -1]), torch.arange(3))
    >>> samples
    Samples(3 inputs of image 1 × 8 × 8, sound 20, 2 labelled)
    >>> samples[:2].inputs["sound"].shape
    torch.Size([2, 20])
    """

    inputs: torch.Tensor | dict[str, torch.Tensor] | tuple[torch.Tensor, ...]
    labels: torch.Tensor
    indices: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, rows):
        return Samples(rows_of(self.inputs, rows), self.labels[rows], self.indices[rows])

    def __repr__(self):
        labelled = int((self.labels != UNLABELLED).sum())
        return f"Samples({len(self)} inputs of {_shapes(self.inputs)}, {labelled} labelled)"

    def to(self, device) -> "Samples":
        """The same samples on another device."""
        return Samples(to_device(self.inputs, device), self.labels.to(device), self.indices.to(device))

    def with_labels(self, labels):
        """The same inputs under other labels."""
        return replace(self, labels=labels)


def _shapes(inputs):
    if isinstance(inputs, torch.Tensor):
        return " × ".join(map(str, inputs.shape[1:]))
    named = inputs if isinstance(inputs, dict) else dict(enumerate(inputs))
    return ", ".join(f"{name} {_shapes(part)}" for name, part in named.items())


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
        The mean training image, which was subtracted; :meth:`pixels` adds it back.
    settings
        Everything that made this split; part of the key under which results are stored.
    card
        Where the data came from; None for data of your own.
    """

    train: Samples
    labelled: Samples
    transfer: Samples
    validation: Samples
    test: Samples
    classes: tuple[str, ...]
    mean: torch.Tensor
    settings: dict = field(repr=False)
    card: Card | None = field(repr=False)

    @property
    def seed(self):
        return self.settings.get("seed", 0)

    @property
    def image_shape(self):
        return tuple(self.mean.shape[-2:])

    def pixels(self, samples: Samples | torch.Tensor) -> torch.Tensor:
        """Samples, or inputs like theirs, as the images that they are: values from 0 to 1.

        >>> from kdviz.datasets import digits
        >>> data = digits()
        >>> float(data.test.inputs.min()) < 0, float(data.pixels(data.test).min())
        (True, 0.0)
        """
        inputs = samples.inputs if isinstance(samples, Samples) else samples
        if inputs.shape[-self.mean.ndim :] != self.mean.shape:
            raise ValueError(
                f"samples of these data have shape {tuple(self.mean.shape)}; got inputs of shape "
                f"{tuple(inputs.shape)}, which cannot be shown as images"
            )
        return (inputs + self.mean.to(inputs.device)).clamp(0, 1)

    def to(self, device) -> "Dataset":
        """The same split on another device."""
        return replace(self, **{part: getattr(self, part).to(device) for part in PARTS})

    def __repr__(self):
        name = "data of your own" if self.card is None else self.card.name
        changed = [f"{k}={v}" for k, v in self.settings.items() if k not in ("name", "seed")]
        regime = f" ({', '.join(changed)})" if changed else ""
        parts = ", ".join(f"{len(getattr(self, part))} {part}" for part in PARTS)
        return f"{name}, seed {self.seed}{regime}: {parts}"
