"""Is the data there, finite, labelled within the classes, and mixed?"""

import torch

from kdviz.study.findings import Finding, Passed
from kdviz.study.setup import CannotCheck


def empty_data(setup):
    if not setup.batches:
        yield Finding(
            "empty_data",
            "The data gives no sample.",
            "0 batches with a sample in one pass",
            "Look at the length of the data set. With drop_last=True, less than one batch gives none.",
        )
    else:
        yield Passed("empty_data", f"{len(setup.batches)} batches, {setup.count} samples looked at")


def inputs_not_finite(setup):
    bad = sum(int((~rows).sum()) for batch in setup.batches for rows in _finite_rows(batch.inputs))
    if bad:
        yield Finding(
            "inputs_not_finite",
            "Some inputs hold NaN or infinity.",
            f"{bad} of {setup.count} samples",
            "Look for a division by a standard deviation of 0, or for missing values in the table.",
        )
    elif setup.batches:
        yield Passed("inputs_not_finite", f"all of {setup.count} samples are finite")


def _finite_rows(inputs):
    parts = (
        inputs.values() if isinstance(inputs, dict) else inputs if isinstance(inputs, tuple) else (inputs,)
    )
    for part in parts:
        if isinstance(part, torch.Tensor) and part.is_floating_point():
            yield part.flatten(1).isfinite().all(1) if part.ndim > 1 else part.isfinite()


def labels_out_of_range(setup):
    highest = int(setup.labels.max())
    if highest >= setup.classes:
        yield Finding(
            "labels_out_of_range",
            "A label is higher than the student has classes.",
            f"highest label {highest}; {setup.classes} logits, so labels go from 0 to {setup.classes - 1}",
            "Number the classes from 0, or give the student one logit for each class.",
        )
    else:
        yield Passed("labels_out_of_range", f"labels up to {highest}, {setup.classes} logits")


def sorted_batches(setup):
    """A loader that does not shuffle data sorted by class teaches one class after another."""
    if setup.source.loader is None:
        raise CannotCheck("a DataLoader as data: the order in which you train is not known")
    labels = [batch.labels for batch in setup.batches if batch.labels is not None and len(batch) > 3]
    alone = sum(int(part.unique().numel() == 1) for part in labels)
    classes = len({int(label) for part in labels for label in part.unique()})
    if setup.source.in_order and classes > 1 and alone > len(labels) / 2:
        yield Finding(
            "sorted_batches",
            "The batches are sorted by class, so each step teaches a single class.",
            f"{alone} of {len(labels)} batches hold one class only; the data has {classes}",
            "Train with DataLoader(..., shuffle=True).",
        )
    elif labels:
        yield Passed("sorted_batches", f"{alone} of {len(labels)} batches hold one class only")


CHECKS = (empty_data, inputs_not_finite, labels_out_of_range, sorted_batches)
