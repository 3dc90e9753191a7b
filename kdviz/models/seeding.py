"""Initial weights that belong to a seed and leave torch's global generator as it was."""

from contextlib import contextmanager
from threading import RLock

import torch

# There is one global generator, and sweeps may build their networks in several threads.
_ALONE = RLock()


@contextmanager
def seeded(seed):
    with _ALONE, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
