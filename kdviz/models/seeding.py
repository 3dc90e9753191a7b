"""Initial weights that belong to a seed and leave torch's global generator as it was."""

from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
