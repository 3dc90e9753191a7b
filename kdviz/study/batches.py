"""Any data as batches and any model as logits: what the study of a reader's own set-up stands on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, SequentialSampler, TensorDataset

from kdviz.datasets.dataset import Dataset, Samples
from kdviz.tracing import call, device_of, logits_of, size_of, to_device

_LABELS = ("labels", "label", "targets", "target", "y")
_INPUTS = ("inputs", "input", "images", "image", "x")


@dataclass(frozen=True)
class Batch:
    """One batch: ``inputs`` as a model takes them, ``labels`` and ``rows`` of the data set, or None."""

    inputs: object
    labels: torch.Tensor | None
    rows: torch.Tensor | None
    given: object

    def __len__(self):
        return size_of(self.inputs)


class BatchSource:
    """Batches of whatever data a reader has, as often as they are asked for.

    Tensors or arrays ``(inputs, labels)``, a kdviz data set or its samples, a torch ``Dataset``, a
    ``DataLoader``, or a list of batches. A batch is inputs alone, ``(inputs, labels)``,
    ``(inputs, labels, row numbers)``, or a dictionary with ``"labels"``, the rest of which goes to the
    model by name.
    """

    def __init__(self, data, size=256, part="test"):
        if isinstance(data, Dataset):
            data = getattr(data, part)
        if isinstance(data, Samples):
            data = (data.inputs, data.labels)
        self.loader = data if isinstance(data, DataLoader) else None
        # Whether the batches come in the order of the data.
        self._batches, self.in_order = _as_batches(data, size)

    def __iter__(self):
        start = 0
        for given in self._batches:
            batch = _as_batch(given)
            if not len(batch):
                continue
            if batch.rows is None and self.in_order:
                rows = torch.arange(start, start + len(batch))
                batch = Batch(batch.inputs, batch.labels, rows, given)
            start += len(batch)
            yield batch

    @property
    def total(self):
        """How many samples there are, or None where that is not known."""
        sampler = _sampler(self._batches) if isinstance(self._batches, DataLoader) else None
        try:
            return None if sampler is None else len(sampler)
        except TypeError:
            return None

    @property
    def shuffles(self):
        return self.loader is not None and isinstance(_sampler(self.loader), RandomSampler)

    @property
    def generators(self):
        """The random generators that the reader's loader draws from, beside torch's own."""
        samplers = [getattr(self.loader, name, None) for name in ("sampler", "batch_sampler")]
        holders = (self.loader, *samplers, getattr(samplers[1], "sampler", None))
        held = (getattr(holder, "generator", None) for holder in holders)
        return [generator for generator in held if generator is not None]


def _sampler(loader):
    """What orders a loader's samples; None where a batch sampler of the reader's own does."""
    # A loader with a batch sampler of its own still has a sampler, which it does not use.
    return loader.sampler if type(loader.batch_sampler) is BatchSampler else None


def _as_batches(data, size):
    """The batches, and whether they come in the order of the data."""
    if isinstance(data, DataLoader):
        return data, isinstance(_sampler(data), SequentialSampler)
    if isinstance(data, Iterator):
        raise TypeError(
            f"data must be readable more than once; a {type(data).__name__} is used up after one pass. "
            "Pass the loader or the data set that it came from"
        )
    if isinstance(data, (torch.Tensor, np.ndarray)):
        data = (data,)
    if isinstance(data, tuple) and all(isinstance(part, (torch.Tensor, np.ndarray)) for part in data):
        return DataLoader(_tensors(data), batch_size=size), True
    if isinstance(data, list):
        return data, True
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, (str, dict)):
        return DataLoader(data, batch_size=size), True
    if hasattr(data, "__iter__") and not isinstance(data, (str, dict)):
        return data, False
    raise TypeError(
        "data must be tensors (inputs, labels), a torch Dataset, a DataLoader, a list of batches or a kdviz "
        f"data set; got {type(data).__name__}"
    )


def _tensors(data):
    tensors = [torch.as_tensor(part) for part in data]
    if len({len(tensor) for tensor in tensors}) > 1:
        raise ValueError(
            "inputs and labels must have equally many rows; got "
            + " and ".join(str(tuple(tensor.shape)) for tensor in tensors)
        )
    return TensorDataset(*tensors)


def _as_batch(given):
    labels = rows = None
    if hasattr(given, "keys"):
        rest = dict(given)
        name = next((name for name in _LABELS if name in rest), None)
        labels = rest.pop(name) if name else None
        alone = len(rest) == 1 and next(iter(rest)) in _INPUTS
        inputs = next(iter(rest.values())) if alone else rest
    elif isinstance(given, (tuple, list)) and given:
        inputs, *rest = given
        labels = rest[0] if rest else None
        if len(rest) > 1 and _are_indices(rest[1]):
            rows = rest[1]
    else:
        inputs = given
    return Batch(as_tensors(inputs), _as_labels(labels), rows, given)


def _are_indices(values):
    return isinstance(values, torch.Tensor) and values.ndim == 1 and not values.is_floating_point()


def as_tensors(inputs):
    """The inputs of a batch as a tensor, a tuple of them in order, or a dictionary of them by name."""
    if isinstance(inputs, np.ndarray):
        return torch.from_numpy(inputs)
    if isinstance(inputs, (list, tuple)):
        return tuple(as_tensors(part) for part in inputs)
    if not isinstance(inputs, (torch.Tensor, dict)):
        raise TypeError(
            f"the inputs of a batch must be a tensor, or several by name or in order; got "
            f"{type(inputs).__name__}"
        )
    return inputs


def _as_labels(labels):
    if labels is None:
        return None
    labels = torch.as_tensor(labels)
    if labels.ndim != 1 or labels.is_floating_point():
        raise TypeError(
            "labels must be whole class numbers, one for each sample; got "
            f"{labels.dtype} of shape {tuple(labels.shape)}. Of one-hot rows take .argmax(1)"
        )
    return labels.long()


def class_logits(model, inputs, who="the model"):
    """The logits of a model for the inputs of a batch: (samples, classes), as its mode and gradients are."""
    logits = logits_of(call(model, to_device(inputs, device_of(model))))
    if logits.ndim != 2 or len(logits) != size_of(inputs):
        raise ValueError(
            f"{who} must give one row of logits for each sample, shape ({size_of(inputs)}, classes); it gave "
            f"{tuple(logits.shape)}. Wrap it so that it does: of maps or tokens take one position a row"
        )
    return logits
