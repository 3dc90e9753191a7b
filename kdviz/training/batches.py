"""Batches whose order belongs to a seed, so that two students can be given the same ones."""

import torch

from kdviz.tracing import Trace


def batches(count, size, seed):
    """Endless rows of shuffled batches: every epoch in a new order, a last short batch left out."""
    if count < 1:
        raise ValueError("there are no samples to train on")
    size = min(size, count)
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order.split(size)[: count // size]


class StackedBatches:
    """The batches of several seeds at once, each seed in the order that ``batches`` gives it alone.

    ``samples`` and ``answers`` (the teacher's traces, or None) hold one entry a seed; ``next`` gives
    inputs (S, 1, ..., B), the teacher's trace and labels (S, 1, B).
    """

    def __init__(self, samples, answers, size, seeds):
        counts = sorted({len(part) for part in samples})
        if len(counts) > 1:
            raise ValueError(
                f"the seeds of a stack must have equally many samples; these have {counts}. Train each "
                "number in a stack of its own"
            )
        self._count, self._size = counts[0], min(size, counts[0])
        self._orders = [batches(self._count, self._count, seed) for seed in seeds]
        self._inputs = torch.cat([one_tensor(part.inputs) for part in samples])
        self._labels = torch.cat([part.labels for part in samples])
        self._logits, self._features, self._rows = None, {}, None
        if answers is not None:
            self._logits = torch.cat([answer.logits for answer in answers])
            if all(answer.rows is not None for answer in answers):
                self._rows = torch.cat([answer.rows for answer in answers])
            for path in answers[0].features:
                self._features[path] = torch.cat([answer.features[path] for answer in answers])
        self._batches = self._epochs()

    def __next__(self):
        return next(self._batches)

    def _epochs(self):
        # One gather for many batches: what the steps take from it are views.
        whole = self._count // self._size
        together = max(1, 32 // whole)
        offsets = torch.arange(len(self._orders))[:, None] * self._count
        while True:
            epochs = [
                (torch.stack([next(order) for order in self._orders]) + offsets)[:, : whole * self._size]
                for _ in range(together)
            ]
            order = torch.cat(epochs, 1).unflatten(1, (-1, self._size)).transpose(0, 1)
            rows = order.flatten().to(self._inputs.device)

            def gathered(values, rows=rows, shape=order.shape):
                return values.index_select(0, rows).unflatten(0, shape).unsqueeze(2)

            inputs, labels = samples_last(gathered(self._inputs)), gathered(self._labels)
            logits = None if self._logits is None else samples_last(gathered(self._logits))
            features = {path: gathered(values) for path, values in self._features.items()}
            numbers = None if self._rows is None else gathered(self._rows)
            for batch in range(len(order)):
                teacher = None
                if logits is not None:
                    here = {path: values[batch] for path, values in features.items()}
                    known = None if numbers is None else numbers[batch]
                    teacher = Trace(logits[batch].movedim(-1, 2), here, known)
                yield inputs[batch], teacher, labels[batch]


def samples_last(values, samples_axis=3):
    """The same values in a stack's memory order: the axis of the samples moved to the end."""
    return values.movedim(samples_axis, -1).contiguous()


def one_tensor(inputs) -> torch.Tensor:
    """The inputs of a stack, whose networks read one tensor."""
    if not isinstance(inputs, torch.Tensor):
        raise TypeError("a stack reads one tensor of inputs; train on inputs by name seed by seed")
    return inputs
