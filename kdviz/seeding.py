"""Draws that belong to a seed and leave torch's global generator as it was."""

from contextlib import contextmanager
from threading import RLock

import torch

# There is one global generator, and sweeps may build or train their networks in several threads.
_ALONE = RLock()


@contextmanager
def random_state_kept():
    """Afterwards torch's global generators go on as if nothing had been drawn; other threads wait so long."""
    with _ALONE:
        on_gpu = torch.cuda.is_initialized()
        generators = [torch.default_generator, *(torch.cuda.default_generators if on_gpu else ())]
        before = [generator.get_state() for generator in generators]
        try:
            yield generators
        finally:
            for generator, state in zip(generators, before, strict=True):
                generator.set_state(state)


@contextmanager
def seeded(seed):
    """Within it torch's global generators draw by this seed: see :func:`random_state_kept`."""
    with random_state_kept() as generators:
        for generator in generators:
            generator.manual_seed(seed)
        yield
