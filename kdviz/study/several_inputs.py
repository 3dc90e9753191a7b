"""Samples with several inputs, as pairs of an image and a sound are, in batches."""

import torch
from torch.utils.data import StackDataset

from kdviz.datasets.dataset import Dataset, Samples
from kdviz.inputs.batches import BatchSource


def source_of(data, size: int, part: str) -> BatchSource:
    """Batches of a reader's data; of a kdviz data set its ``part``, whatever its samples' inputs are."""
    samples = getattr(data, part) if isinstance(data, Dataset) else data
    if not isinstance(samples, Samples) or isinstance(samples.inputs, torch.Tensor):
        return BatchSource(data, size, part=part)
    inputs = samples.inputs
    together = StackDataset(**inputs) if isinstance(inputs, dict) else StackDataset(*inputs)
    source = BatchSource(StackDataset(together, samples.labels), size)
    source.described = f"{part} part of {data!r}" if isinstance(data, Dataset) else repr(data)
    return source
