"""Endless batches of a reader's data, in an order that belongs to a seed and can be gone to again."""

import random
from contextlib import contextmanager
from itertools import islice

import numpy as np

from kdviz.seeding import seeded


class SeededBatches:
    """The batches of a source, epoch after epoch: ``next`` gives one.

    Samples that can be asked for by their number are shuffled here, a last short batch left out. A loader, or
    a list of batches, has an order of its own. Whatever is drawn meanwhile, by a loader's sampler or by the
    augmentation in a data set, belongs to the seed and the number of the batch, and the reader's own
    generators are as they were.

    ``orders(count, size, seed)`` gives the endless rows of batches.
    """

    def __init__(self, source, size, seed, orders):
        self.source, self.seed = source, seed
        self._rows = None if source.samples is None else orders(len(source.samples), size, seed)
        self._size, self._count, self._epoch = size, 0, None

    @property
    def length(self):
        """How many batches show every sample once; None where that is not known."""
        return epoch_length(self.source, self._size)

    def __next__(self):
        # Far from one another, so that the seeds of two runs have no draws in common.
        with draws_of(self.source, (self.seed * 1_000_003 + self._count + 1) % 2**62):
            batch = self._next_of_epoch() if self._rows is None else self.source.of_rows(next(self._rows))
        self._count += 1
        return batch

    def skip(self, count):
        """Go on as after so many batches more."""
        if self._rows is not None:
            next(islice(self._rows, count, count), None)
            self._count += count
            return
        whole = self.length
        if whole:
            self._count += count - count % whole
            count %= whole
        for _ in range(count):
            next(self)

    def _next_of_epoch(self):
        batch = None if self._epoch is None else next(self._epoch, None)
        if batch is None:
            self._epoch = iter(self.source)
            batch = next(self._epoch, None)
        if batch is None:
            raise ValueError("the data gave no batch: there is nothing to learn from")
        return batch


@contextmanager
def draws_of(source, seed):
    """Whatever is drawn while a source is read, drawn by this seed; afterwards all goes on as before."""
    theirs = [generator.get_state() for generator in source.generators]
    numbers, state = np.random.get_state(), random.getstate()
    np.random.seed(seed % 2**32)
    random.seed(seed)
    for number, generator in enumerate(source.generators):
        generator.manual_seed(seed + number)
    try:
        with seeded(seed):
            yield
    finally:
        np.random.set_state(numbers)
        random.setstate(state)
        for generator, before in zip(source.generators, theirs, strict=True):
            generator.set_state(before)


def epoch_length(source, size):
    """How many batches of a source show every sample once; None where that is not known."""
    if source.samples is not None:
        return max(1, len(source.samples) // min(size, max(1, len(source.samples))))
    try:
        return len(source.given)
    except TypeError:
        return None
