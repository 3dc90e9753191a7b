"""Batches whose order belongs to a seed, so that two students can be given the same ones."""

import torch


def batches(count, size, seed):
    """Endless rows of shuffled batches: every epoch in a new order, a last short batch left out."""
    if count < 1:
        raise ValueError("there are no samples to train on")
    size = min(size, count)
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(count, generator=generator)
        yield from order.split(size)[: count // size]
