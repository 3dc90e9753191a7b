"""Vectors of length 1, and numbers drawn from a seed."""

import torch


def unit(vectors, epsilon=0.0):
    """Vectors along the last axis with length 1. A vector of zeros stays one, and passes no gradient on."""
    lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    nothing = lengths == 0
    return vectors * torch.where(nothing, 0.0, 1 / (torch.where(nothing, 1.0, lengths) + epsilon))


def seeded(seed):
    """A source of random numbers of its own, the same for the same seed."""
    return torch.Generator().manual_seed(int(seed))
