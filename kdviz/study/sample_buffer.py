"""The few samples that are kept whole while the batches go by: to be looked at, and to be drawn."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils import _pytree as pytree

from kdviz.measure.selection import rank_in_class, stratified_rows
from kdviz.tracing import rows_of, to_device


@dataclass(frozen=True, eq=False, repr=False)
class ChosenSamples:
    """Some samples of the data.

    ``inputs`` are n batches of one sample each, ``labels`` (n,) and ``indices`` (n,) in the data; ``logits``
    (n, C) and ``embeddings`` (n, D) by model, the last for teacher and student where they have layers. Where
    a sample has many targets, ``labels`` are -1 and ``logits`` empty; ``targets`` has a list of n arrays of
    classes by model, and under ``"label"`` those of the labels.
    """

    inputs: list
    labels: np.ndarray
    indices: np.ndarray
    logits: dict[str, np.ndarray]
    embeddings: dict[str, np.ndarray]
    targets: dict[str, list]

    def __len__(self):
        return len(self.inputs)

    def __repr__(self):
        return f"ChosenSamples({len(self)} samples)"

    def __getitem__(self, rows):
        logits, embeddings = (
            {name: values[rows] for name, values in part.items()} for part in (self.logits, self.embeddings)
        )
        inputs = [self.inputs[row] for row in rows]
        targets = {name: [values[row] for row in rows] for name, values in self.targets.items()}
        return ChosenSamples(inputs, self.labels[rows], self.indices[rows], logits, embeddings, targets)

    @property
    def classes(self):
        """The labels, and the teacher's answer where there is none: (n,); all 0 where a sample has many."""
        if not self.logits:
            return np.zeros(len(self), int)
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

    def batch(self):
        """The inputs as one batch: a tensor, a tuple of them, or a dictionary of those by name.

        Texts of unequal lengths are padded with 0, which their mask leaves out.
        """
        first = self.inputs[0]
        if isinstance(first, dict):
            names = [name for name, part in first.items() if isinstance(part, torch.Tensor)]
            return {name: _stacked([one[name] for one in self.inputs]) for name in names}
        if isinstance(first, tuple):
            return tuple(map(_stacked, zip(*self.inputs, strict=True)))
        return self.tensor()


class SampleBuffer:
    """Keeps the first samples of each class, and those on which teacher and student differ most.

    ``classes`` is 1 where a sample has no class of its own. Both are fewer where samples are large.
    """

    def __init__(self, classes, student, most=200, disagreements=24, most_bytes=2**28):
        self._student, self._most, self._disagreements = student, most, disagreements
        self._bytes, self._classes = most_bytes, classes
        self._quota, self._held, self._first = None, np.zeros(classes, int), []
        self.disagreements, self._apart = None, np.zeros(0)

    @property
    def samples(self):
        """The first samples of each class."""
        return _joined(self._first)

    def add(self, batch, start, classes, apart, known):
        """Take in a batch: the index of its first sample, its ``classes`` and how far ``apart`` the answers
        are (n,), and what is ``known`` by name as the fields of :class:`ChosenSamples` are.
        """
        if self._quota is None:
            size = sum(
                part.numel() * part.element_size()
                for part in pytree.tree_leaves(rows_of(batch.inputs, slice(1)))
                if isinstance(part, torch.Tensor)
            )
            self._most = min(self._most, max(5, self._bytes // max(1, size)))
            self._disagreements = min(self._disagreements, self._most)
            self._quota = max(1, self._most // self._classes)
        rank = self._held[classes] + rank_in_class(classes)
        rows = np.flatnonzero(rank < self._quota)[: self._most - self._held.sum()]
        self._held += np.bincount(classes[rows], minlength=len(self._held))
        if len(rows) or not self._first:
            self._first.append(_chosen(rows, batch, start, **known))

        rows = np.flatnonzero(apart > (self._apart[-1] if len(self._apart) == self._disagreements else 0))
        # Of a batch no more than can be kept.
        rows = rows[np.argsort(-apart[rows], kind="stable")[: self._disagreements]]
        rows.sort()
        every, found = (
            np.append(self._apart, apart[rows]),
            _chosen(rows, batch, start, **{**known, "embeddings": {}}),
        )
        order = np.argsort(-every, kind="stable")[: self._disagreements]
        joined = found if self.disagreements is None else _joined([self.disagreements, found])
        self.disagreements, self._apart = joined[order], every[order]


def _chosen(rows, batch, start, labels, logits, embeddings, targets):
    # Copies, which do not hold on to the rest of the batch.
    inputs = [to_device(rows_of(batch.inputs, [row]), "cpu") for row in rows]
    logits, embeddings = (
        {name: values[rows].numpy() for name, values in part.items()} for part in (logits, embeddings)
    )
    targets = {name: [np.array(values[row]) for row in rows] for name, values in targets.items()}
    return ChosenSamples(inputs, labels[rows], start + rows, logits, embeddings, targets)


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
    targets = {name: [one for part in parts for one in part.targets[name]] for name in parts[0].targets}
    inputs = [one for part in parts for one in part.inputs]
    return ChosenSamples(inputs, labels, indices, logits, embeddings, targets)


def _stacked(parts):
    """Samples as one tensor; where their first axis differs in length, padded with 0 to the longest."""
    longest = max(part.shape[1] for part in parts) if parts[0].ndim > 1 else 0
    if parts[0].ndim > 1 and len({part.shape[2:] for part in parts}) == 1:
        parts = [
            torch.nn.functional.pad(part, (0, 0) * (part.ndim - 2) + (0, longest - part.shape[1]))
            for part in parts
        ]
    return torch.cat(list(parts))
