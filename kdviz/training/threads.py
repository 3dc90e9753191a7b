"""How many threads torch takes while small networks train, and giving back what was changed.

One is the default: small networks gain little from more, thirty kernels may share a server, and on a
busy machine threads that wait for one another are far slower than one alone.
"""

from contextlib import contextmanager

import torch


@contextmanager
def limited_threads(count=1):
    if not isinstance(count, int) or count < 1:
        raise ValueError(f"threads must be a whole number from 1 up; got {count!r}")
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
