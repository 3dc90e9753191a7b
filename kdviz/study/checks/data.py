"""Is the data there, finite, labelled within the classes, and mixed?"""

import torch
from torch.utils import _pytree as pytree

from kdviz.study.findings import Passed, finding, verdict
from kdviz.study.setup import CannotCheck


def empty_data(setup):
    if not setup.batches:
        yield finding("empty_data", "0 batches with a sample in one pass")
    else:
        yield Passed("empty_data", f"{len(setup.batches)} batches, {setup.count} samples looked at")


def inputs_not_finite(setup):
    bad = sum(int((~rows).sum()) for batch in setup.batches for rows in _finite_rows(batch.inputs))
    if setup.batches:
        passed = f"all of {setup.count} samples are finite"
        yield verdict(bad, "inputs_not_finite", f"{bad} of {setup.count} samples", passed)


def _finite_rows(inputs):
    for part in pytree.tree_leaves(inputs):
        if isinstance(part, torch.Tensor) and part.is_floating_point():
            yield part.flatten(1).isfinite().all(1) if part.ndim > 1 else part.isfinite()


def labels_out_of_range(setup):
    highest, classes = int(setup.labels.max()), setup.classes
    yield verdict(
        highest >= classes,
        "labels_out_of_range",
        f"highest label {highest}; {classes} logits, so labels go from 0 to {classes - 1}",
        f"labels up to {highest}, {classes} logits",
    )


def sorted_batches(setup):
    """A loader that does not shuffle data sorted by class teaches one class after another."""
    if setup.source.loader is None:
        raise CannotCheck("a DataLoader as data: the order in which you train is not known")
    labels = [batch.labels for batch in setup.batches if batch.labels is not None and len(batch) > 3]
    alone = sum(int(part.unique().numel() == 1) for part in labels)
    classes = len({int(label) for part in labels for label in part.unique()})
    if labels:
        evidence = f"{alone} of {len(labels)} batches hold one class only"
        bad = setup.source.in_order and classes > 1 and alone > len(labels) / 2
        yield verdict(bad, "sorted_batches", f"{evidence}; the data has {classes}", evidence)


CHECKS = (empty_data, inputs_not_finite, labels_out_of_range, sorted_batches)
