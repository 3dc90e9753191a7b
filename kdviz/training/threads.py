"""One thread while small students train: more make them slower, and thirty kernels share a server."""

from contextlib import contextmanager

import torch


@contextmanager
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
