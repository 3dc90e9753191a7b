"""The few samples that are kept whole while the batches go by: to be looked at, and to be drawn."""

from dataclasses import dataclass

import numpy as np
import torch

from kdviz.measure.selection import rank_in_class, stratified_rows
from kdviz.tracing import rows_of, to_device


@dataclass(frozen=True, eq=False, repr=False)
class ChosenSamples:
    """Some samples of the data.

    ``inputs`` are n batches of one sample each, ``labels`` (n,) and ``indices`` (n,) in the data; ``logits``
    (n, C) and ``embeddings`` (n, D) by model, the last for teacher and student where they have layers.
    """

    inputs: list
    labels: np.ndarray
    indices: np.ndarray
    logits: dict[str, np.ndarray]
    embeddings: dict[str, np.ndarray]

    def __len__(self):
        return len(self.inputs)

    def __repr__(self):
        return f"ChosenSamples({len(self)} samples)"

    def __getitem__(self, rows):
        logits, embeddings = (
            {name: values[rows] for name, values in part.items()} for part in (self.logits, self.embeddings)
        )
        inputs = [self.inputs[row] for row in rows]
        return ChosenSamples(inputs, self.labels[rows], self.indices[rows], logits, embeddings)

    @property
    def classes(self):
        """The labels, and the teacher's answer where there is none: (n,)."""
        return np.where(self.labels >= 0, self.labels, self.logits["teacher"].argmax(1))

    def of_every_class(self, count):
        """``count`` of them, as many of each class as there are to be had, sorted by class."""
        return self[stratified_rows(self.classes, count)]

    def tensor(self):
        """The inputs as one tensor, where each is one."""
        if not all(isinstance(inputs, torch.Tensor) for inputs in self.inputs):
            raise ValueError(
                "these inputs have several parts, and this needs inputs of a single tensor: compare wrapped "
                "models that take that one and make the others, such as a mask, themselves"
            )
        return torch.cat(self.inputs)


class SampleBuffer:
    """Keeps the first samples of each class, and those on which teacher and student differ most."""

    def __init__(self, classes, most=200, disagreements=24):
        self._quota, self._most, self._disagreements = max(1, most // classes), most, disagreements
        self._held, self._first = np.zeros(classes, int), []
        self.disagreements, self._kl = None, np.zeros(0)

    @property
    def samples(self):
        """The first samples of each class."""
        return _joined(self._first)

    def add(self, batch, labels, start, logits, embeddings, predictions):
        """Take in a batch: its labels (n,), the index of its first sample, and what is known by model."""
        theirs, ours = predictions["teacher"], predictions["student"]
        # Without labels, the teacher's answer says which class a sample stands for.
        classes = np.where(labels >= 0, labels, theirs.answer)
        rank = self._held[classes] + rank_in_class(classes)
        rows = np.flatnonzero(rank < self._quota)[: self._most - self._held.sum()]
        self._held += np.bincount(classes[rows], minlength=len(self._held))
        if len(rows) or not self._first:
            self._first.append(_chosen(rows, batch, labels, start, logits, embeddings))

        kl = np.where(theirs.answer == ours.answer, 0, ours.kl)
        rows = np.flatnonzero(kl > (self._kl[-1] if len(self._kl) == self._disagreements else 0))
        kl, found = np.append(self._kl, kl[rows]), _chosen(rows, batch, labels, start, logits, {})
        order = np.argsort(-kl, kind="stable")[: self._disagreements]
        every = found if self.disagreements is None else _joined([self.disagreements, found])
        self.disagreements, self._kl = every[order], kl[order]


def _chosen(rows, batch, labels, start, logits, embeddings):
    # Copies, which do not hold on to the rest of the batch.
    inputs = [to_device(rows_of(batch.inputs, [row]), "cpu") for row in rows]
    logits, embeddings = (
        {name: values[rows].numpy() for name, values in part.items()} for part in (logits, embeddings)
    )
    return ChosenSamples(inputs, labels[rows], start + rows, logits, embeddings)


def _joined(parts):
    logits, embeddings = (
        {
            name: np.concatenate([getattr(part, field)[name] for part in parts])
            for name in getattr(parts[0], field)
        }
        for field in ("logits", "embeddings")
    )
    labels, indices = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "indices")
    )
    return ChosenSamples([one for part in parts for one in part.inputs], labels, indices, logits, embeddings)
