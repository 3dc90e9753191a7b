"""How many threads torch takes while small networks train, and giving back what was changed.

One is the default: small networks gain little from more, thirty kernels may share a server, and on a
busy machine threads that wait for one another are far slower than one alone.
"""

import threading
from contextlib import contextmanager

import torch

_turn = threading.Lock()
# How many trainings run at this moment, and how many threads torch took before the first of them.
_running, _before = 0, 1


@contextmanager
def limited_threads(count=1):
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"threads must be a whole number from 1 up; got {count!r}")
    global _running, _before
    with _turn:
        # A second training, in another thread, finds what the first has set: not what to give back.
        if not _running:
            _before = torch.get_num_threads()
        _running += 1
    torch.set_num_threads(count)
    try:
        yield
    finally:
        with _turn:
            _running -= 1
            torch.set_num_threads(_before)
