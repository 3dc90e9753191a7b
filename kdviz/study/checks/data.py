"""Is the data there, finite, labelled within the classes, and mixed?"""

import torch

from kdviz.study.case import Blocked
from kdviz.study.findings import Finding, Passed


def empty_data(case):
    if not case.batches:
        yield Finding(
            "empty_data",
            "The data gives no sample.",
            "0 batches with a sample in one pass",
            "Look at the length of the data set. With drop_last=True, less than one batch gives none.",
        )
    else:
        yield Passed("empty_data", f"{len(case.batches)} batches, {case.count} samples looked at")


def inputs_not_finite(case):
    bad = sum(int((~rows).sum()) for batch in case.batches for rows in _finite_rows(batch.inputs))
    if bad:
        yield Finding(
            "inputs_not_finite",
            "Some inputs hold NaN or infinity.",
            f"{bad} of {case.count} samples",
            "Look for a division by a standard deviation of 0, or for missing values in the table.",
        )
    elif case.batches:
        yield Passed("inputs_not_finite", f"all of {case.count} samples are finite")


def _finite_rows(inputs):
    parts = (
        inputs.values() if isinstance(inputs, dict) else inputs if isinstance(inputs, tuple) else (inputs,)
    )
    for part in parts:
        if isinstance(part, torch.Tensor) and part.is_floating_point():
            yield part.flatten(1).isfinite().all(1) if part.ndim > 1 else part.isfinite()


def labels_out_of_range(case):
    highest = int(case.labels.max())
    if highest >= case.classes:
        yield Finding(
            "labels_out_of_range",
            "A label is higher than the student has classes.",
            f"highest label {highest}; {case.classes} logits, so labels go from 0 to {case.classes - 1}",
            "Number the classes from 0, or give the student one logit for each class.",
        )
    else:
        yield Passed("labels_out_of_range", f"labels up to {highest}, {case.classes} logits")


def sorted_batches(case):
    """A loader that does not shuffle data sorted by class teaches one class after another."""
    if case.feed.loader is None:
        raise Blocked("a DataLoader as data: the order in which you train is not known")
    labels = [batch.labels for batch in case.batches if batch.labels is not None and len(batch) > 3]
    alone = sum(int(part.unique().numel() == 1) for part in labels)
    classes = len({int(label) for part in labels for label in part.unique()})
    if case.feed.in_order and classes > 1 and alone > len(labels) / 2:
        yield Finding(
            "sorted_batches",
            "The batches are sorted by class, so each step teaches a single class.",
            f"{alone} of {len(labels)} batches hold one class only; the data has {classes}",
            "Train with DataLoader(..., shuffle=True).",
        )
    elif labels:
        yield Passed("sorted_batches", f"{alone} of {len(labels)} batches hold one class only")


CHECKS = (empty_data, inputs_not_finite, labels_out_of_range, sorted_batches)
