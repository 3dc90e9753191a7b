"""The few samples that are kept whole while the batches go by: to be looked at, and to be drawn."""

from dataclasses import dataclass, field

import numpy as np
import torch

from kdviz.study.feeding import rows_of, to_device


@dataclass(repr=False)
class Kept:
    """Some samples: inputs one by one, labels, places in the data; logits and embeddings by model."""

    inputs: list = field(default_factory=list)
    labels: list = field(default_factory=list)
    places: list = field(default_factory=list)
    logits: list = field(default_factory=list)
    embeddings: list = field(default_factory=list)

    def __len__(self):
        return len(self.inputs)

    def __repr__(self):
        return f"Kept({len(self)} samples)"

    def add(self, batch, labels, row, place, logits, embeddings=None):
        self.inputs.append(to_device(rows_of(batch.inputs, slice(row, row + 1)), "cpu"))
        self.labels.append(int(labels[row]))
        self.places.append(place)
        self.logits.append({name: values[row].numpy() for name, values in logits.items()})
        if embeddings is not None:
            self.embeddings.append({name: values[row].numpy() for name, values in embeddings.items()})

    def order(self, rows):
        """Only these samples, in this order."""
        for name in ("inputs", "labels", "places", "logits", "embeddings"):
            values = getattr(self, name)
            if values:
                setattr(self, name, [values[row] for row in rows])

    def stacked(self, name, of="logits"):
        """One model's logits or embeddings of all samples kept: (n, width)."""
        return np.stack([row[name] for row in getattr(self, of)])

    def tensor(self):
        """The inputs as one tensor, where each is one."""
        if not all(isinstance(inputs, torch.Tensor) for inputs in self.inputs):
            raise ValueError(
                "these inputs have several parts, and this needs inputs of a single tensor: compare wrapped "
                "models that take that one and make the others, such as a mask, themselves"
            )
        return torch.cat(self.inputs)


class Keeper:
    """Keeps the first samples of each class, and those on which teacher and student differ most."""

    def __init__(self, classes, most=200, disagreements=24):
        self.first, self.apart = Kept(), Kept()
        self._quota, self._most, self._disagreements = max(1, most // classes), most, disagreements
        self._held, self._sizes = {}, []

    def add(self, batch, labels, start, logits, embeddings):
        answers = logits["teacher"].argmax(1)
        for row in range(len(answers)):
            # Without labels, the teacher's answer says which class a sample stands for.
            label = int(labels[row]) if labels[row] >= 0 else int(answers[row])
            if self._held.get(label, 0) < self._quota and len(self.first) < self._most:
                self._held[label] = self._held.get(label, 0) + 1
                self.first.add(batch, labels, row, start + row, logits, embeddings)
        self._differing(batch, labels, start, logits)

    def _differing(self, batch, labels, start, logits):
        log_q, log_p = (logits[name].log_softmax(1) for name in ("teacher", "student"))
        size = (log_q.exp() * (log_q - log_p)).sum(1)
        size[log_q.argmax(1) == log_p.argmax(1)] = -1
        least = self._sizes[-1] if len(self._sizes) == self._disagreements else 0
        for row in (size > least).nonzero().flatten().tolist():
            self.apart.add(batch, labels, row, start + row, logits)
            self._sizes.append(float(size[row]))
        order = np.argsort(-np.array(self._sizes), kind="stable")[: self._disagreements]
        self.apart.order(order)
        self._sizes = [self._sizes[place] for place in order]
