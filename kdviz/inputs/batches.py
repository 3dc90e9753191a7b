"""Any data as batches: what the study of a reader's own set-up stands on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
)

from kdviz.datasets.dataset import Dataset, Samples
from kdviz.inputs.tables import Columns, is_frame
from kdviz.measure.answers import as_label_tensor
from kdviz.tracing import rows_of, size_of

_LABELS = ("labels", "label", "targets", "target", "y", "label_ids")
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

    def head(self, count):
        """Its first samples."""
        return self.part(slice(count))

    def pieces(self, most):
        """The same in parts of at most so many samples."""
        count = len(self)
        return [self] if count <= most else [self.part(slice(n, n + most)) for n in range(0, count, most)]

    def part(self, rows):
        """Some of its samples."""
        labels, numbers = (None if part is None else part[rows] for part in (self.labels, self.rows))
        return Batch(rows_of(self.inputs, rows), labels, numbers, self.given)

    @property
    def mask(self):
        """Which tokens count (samples, tokens), where the batch says so; else None."""
        mask = self.inputs.get("attention_mask") if isinstance(self.inputs, Mapping) else None
        return mask if isinstance(mask, torch.Tensor) and mask.ndim == 2 else None

    @property
    def tokens(self):
        """The token numbers of the inputs (samples, tokens), or None where they are none."""
        found = self.inputs.get("input_ids") if isinstance(self.inputs, Mapping) else self.inputs
        whole = isinstance(found, torch.Tensor) and not found.is_floating_point()
        return found if whole and found.ndim == 2 else None


class BatchSource:
    """Batches of whatever data a reader has, as often as they are asked for.

    Tensors, arrays or tables ``(inputs, labels)``, a kdviz data set or its samples, a torch ``Dataset``, a
    ``DataLoader``, or a list of batches. A batch is inputs alone, ``(inputs, labels)``,
    ``(inputs, labels, row numbers)``, or a dictionary with ``"labels"``, the rest of which goes to the
    model by name. ``columns`` are those of a pandas table, else None.
    """

    def __init__(self, data, size=256, part="test"):
        self.described = _described(data, part)
        if isinstance(data, Dataset):
            data = getattr(data, part)
        if isinstance(data, Samples):
            data = (data.inputs, data.labels)
        self.loader = data if isinstance(data, DataLoader) else None
        self.columns = None
        if is_frame(data) or (isinstance(data, (tuple, list)) and data and is_frame(data[0])):
            frame, *labels = [data] if is_frame(data) else data
            self.columns = Columns.of(frame)
            data = (self.columns.numbers(frame), *map(as_label_tensor, labels))
        # Whether the batches come in the order of the data.
        self._batches, self.in_order = _as_batches(data, int(size))

    def __iter__(self):
        start = 0
        try:
            batches = iter(self._batches)
        except StopIteration as problem:
            raise self._stopped("where its first batch was asked for", "__iter__") from problem
        for given in batches:
            batch = _as_batch(given)
            if not len(batch):
                continue
            if batch.rows is None and self.in_order:
                batch = replace(batch, rows=torch.arange(start, start + len(batch)))
            start += len(batch)
            yield batch
        if self.total is not None and start < self.total:
            raise ValueError(
                f"the data set gave {start:,} of its {self.total:,} samples and stopped: does its "
                "__getitem__ or its sampler raise StopIteration?"
            )

    @property
    def samples(self):
        """The samples, where each can be asked for by its number; None where only batches are there."""
        loads = isinstance(self._batches, DataLoader) and self.loader is None
        return self._batches.dataset if loads and self.in_order else None

    @property
    def in_memory(self):
        """Whether the samples are tensors, which are the same whenever they are asked for."""
        return isinstance(self.samples, TensorDataset)

    @property
    def given(self):
        """The reader's own loader or list of batches."""
        return self._batches

    def of_rows(self, rows):
        """The batch of these samples, by their numbers."""
        if self.in_memory:
            found = tuple(tensor[rows] for tensor in self.samples.tensors)
        else:
            found = _together([self._sample(int(row)) for row in rows])
        return replace(_as_batch(found), rows=rows)

    def _sample(self, row):
        try:
            return self.samples[row]
        except StopIteration as problem:
            where = f"where sample {row:,} of {len(self.samples):,} was asked for"
            raise self._stopped(where, "__getitem__") from problem

    def _stopped(self, where, method):
        """Whoever learns from the data takes a StopIteration for his own end, or the student's."""
        return ValueError(
            f"the data set ({self.described}) raised StopIteration {where}: a next() in its {method}, or in "
            "what that calls, asked an iterator that had ended. It must give what is asked for, each time"
        )

    @property
    def total(self):
        """How many samples one pass gives, or None where that is not known."""
        if not isinstance(self._batches, DataLoader) or isinstance(self._batches.dataset, IterableDataset):
            return None
        sampler = _sampler(self._batches)
        try:
            count = None if sampler is None else len(sampler)
        except TypeError:
            return None
        left_out = self._batches.drop_last and count is not None
        return count - count % self._batches.batch_size if left_out else count

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


def _described(data, part):
    """The data in a few words, for the foot of a report."""
    if isinstance(data, Dataset):
        return f"{part} part of {data!r}"
    held = getattr(data, "dataset", data)
    parts = held if isinstance(held, tuple) else getattr(held, "tensors", [held])
    shapes = [f"{tuple(one.shape)}" for one in parts if hasattr(one, "shape")]
    return " ".join([type(held).__name__, *shapes])


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
    if _are_inputs_and_labels(data):
        return DataLoader(_tensors(data), batch_size=size), True
    if isinstance(data, tuple) and any(isinstance(part, (torch.Tensor, np.ndarray)) for part in data):
        kinds = ", ".join(type(part).__name__ for part in data)
        raise TypeError(f"data as (inputs, labels) must be tensors or arrays; got ({kinds})")
    if isinstance(data, IterableDataset):
        return DataLoader(data, batch_size=size, collate_fn=_together), False
    if isinstance(data, list):
        return data, True
    if hasattr(data, "__getitem__") and hasattr(data, "__len__") and not isinstance(data, (str, dict)):
        return DataLoader(data, batch_size=size, collate_fn=_together), True
    if hasattr(data, "__iter__") and not isinstance(data, (str, dict)):
        return data, False
    raise TypeError(
        "data must be tensors (inputs, labels), a pandas table, a torch Dataset, a DataLoader, a list of "
        f"batches or a kdviz data set; got {type(data).__name__}"
    )


def _together(samples):
    """Samples of a reader's data set as one batch."""
    try:
        return default_collate(samples)
    except (RuntimeError, TypeError) as problem:
        raise TypeError(
            f"the samples of your data set cannot be put in one batch ({problem}). Make it give tensors of "
            "one shape, or hand in a DataLoader whose collate_fn makes batches of them. Detection, where a "
            "sample has any number of boxes, is not supported"
        ) from problem


def _are_inputs_and_labels(data):
    """A tuple of tensors; of a list, which may hold batches, only one that cannot be anything else."""
    if not isinstance(data, (tuple, list)) or not data:
        return False
    first, *rest = data
    tensors = isinstance(first, (torch.Tensor, np.ndarray))
    if isinstance(data, tuple):
        return tensors and all(isinstance(one, (torch.Tensor, np.ndarray)) or _is_series(one) for one in rest)
    labels = np.asarray(rest[0]) if tensors and len(rest) == 1 and hasattr(rest[0], "shape") else None
    return labels is not None and labels.shape == first.shape[:1] != first.shape and labels.dtype.kind in "iu"


def _is_series(part):
    return type(part).__module__.startswith("pandas")


def _tensors(data):
    inputs, *rest = data
    tensors = [torch.as_tensor(inputs), *map(as_label_tensor, rest)]
    if any(tensor.layout != torch.strided for tensor in tensors):
        raise TypeError("inputs and labels must be dense tensors; got a sparse one. Use .to_dense()")
    if len({len(tensor) if tensor.ndim else 0 for tensor in tensors}) > 1:
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
    inputs, labels = as_tensors(inputs), None if labels is None else as_label_tensor(labels)
    if labels is not None and not labels.ndim:
        raise ValueError(
            "each item of the data is a single sample with a single label: hand in batches, for example by "
            "DataLoader(dataset, batch_size=64)"
        )
    if _are_indices(inputs) and labels is not None and labels.is_floating_point() and labels.ndim > 1:
        raise TypeError(
            "batches must be (inputs, labels) or (inputs, labels, row numbers), in this order; here whole "
            f"numbers of shape {tuple(inputs.shape)} come first, and fractions of shape "
            f"{tuple(labels.shape)} after them"
        )
    return Batch(inputs, labels, rows, given)


def _are_indices(values):
    """Whole numbers, none twice: a domain or a group that many samples share is no row."""
    whole = isinstance(values, torch.Tensor) and values.ndim == 1 and not values.is_floating_point()
    return whole and len(values.unique()) == len(values)


def as_tensors(inputs):
    """The inputs of a batch as a tensor, a tuple of them in order, or a dictionary of them by name."""
    if isinstance(inputs, np.ndarray):
        return torch.from_numpy(inputs)
    if isinstance(inputs, (list, tuple)):
        return tuple(as_tensors(part) for part in inputs)
    if isinstance(inputs, Mapping):
        return {
            name: as_tensors(part) if isinstance(part, np.ndarray) else part for name, part in inputs.items()
        }
    if not isinstance(inputs, torch.Tensor):
        raise TypeError(
            f"the inputs of a batch must be a tensor, or several by name or in order; got "
            f"{type(inputs).__name__}"
        )
    return inputs
