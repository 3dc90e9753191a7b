"""Is the data there, finite, labelled within the classes, and mixed?"""

import torch
from scipy.stats import binom
from torch.utils import _pytree as pytree

from kdviz.inputs.models import outputs_of
from kdviz.inputs.stops import one_sample_too_few
from kdviz.measure.answers import as_whole
from kdviz.study.findings import Passed, finding, question, verdict
from kdviz.study.sandbox import fixed_seed
from kdviz.study.setup import CannotCheck, LabelsWrong


def empty_data(setup):
    if not setup.batches:
        yield finding("empty_data", "0 batches with a sample in one pass")
    else:
        yield Passed("empty_data", f"{len(setup.batches)} batches, {setup.count} samples looked at")


def inputs_not_finite(setup):
    """Missing values are a fault where a model cannot take them, and answers with NaN itself."""
    bad = torch.cat([_not_finite(batch) for batch in setup.batches]) if setup.batches else torch.zeros(0)
    if not setup.batches:
        return
    if not bad.any():
        yield Passed("inputs_not_finite", f"all of {setup.count} samples are finite")
        return
    models = [who for who in ("teacher", "student") if getattr(setup, who) is not None]
    taken = all(torch.cat([_finite(part) for part in setup.outputs(who)])[bad].all() for who in models)
    evidence = f"{int(bad.sum())} of {setup.count} samples"
    passed = f"{evidence} hold NaN or infinity; the models answer them all the same"
    yield verdict(not taken, "inputs_not_finite", evidence, passed)


def _not_finite(batch):
    found = torch.zeros(len(batch), dtype=torch.bool)
    for part in pytree.tree_leaves(batch.inputs):
        if isinstance(part, torch.Tensor) and part.is_floating_point() and len(part) == len(batch):
            found |= ~_finite(part).cpu()
    return found


def _finite(part):
    """Which samples are finite."""
    return part.isfinite().flatten(1).all(1) if part.ndim > 1 else part.isfinite()


def labels_out_of_range(setup):
    setup.needs_classes()
    classes = setup.kind.positions(setup.outputs("student")[0]).shape[2]
    try:
        yield Passed("labels_out_of_range", f"labels up to {int(setup.labels.max())}, {classes} logits")
    except LabelsWrong as problem:
        low, high = (int(find(as_whole(batch.labels) for batch in setup.batches)) for find in _ENDS)
        evidence = f"labels from {low} to {high}; {classes} logits, so they go from 0 to {classes - 1}"
        yield finding("labels_out_of_range", evidence if high >= classes or low < -1 else str(problem))


_ENDS = (
    lambda parts: min(part.min() for part in parts),
    lambda parts: max(part.max() for part in parts),
)


def sorted_batches(setup):
    """A loader that does not shuffle data sorted by class teaches one class after another."""
    if setup.source.loader is None:
        raise CannotCheck("a DataLoader as data: the order in which you train is not known")
    if setup.kind.name not in ("classes", "binary"):
        raise CannotCheck("answers of one class a sample")
    labels = [batch.labels for batch in setup.batches if batch.labels is not None and len(batch) > 3]
    alone = sum(int(part.unique().numel() == 1) for part in labels)
    if labels:
        counts = torch.cat([part.flatten() for part in labels]).unique(return_counts=True)[1].double()
        classes, size = len(counts), min(map(len, labels))
        # Where one class is much more frequent than all others, a batch may well hold nothing else.
        by_chance = float((counts / counts.sum()).pow(size).sum())
        rare = binom.sf(alone - 1, len(labels), by_chance) < 1e-3
        evidence = f"{alone} of {len(labels)} batches hold one class only"
        bad = setup.source.in_order and classes > 1 and alone > len(labels) / 2 and rare
        yield verdict(bad, "sorted_batches", f"{evidence}; the data has {classes}", evidence)


def lone_sample(setup):
    """An epoch that ends with a batch of one stops at a batch normalisation of single numbers."""
    loader, total = setup.source.loader, setup.source.total
    if loader is None or total is None or not loader.batch_size:
        raise CannotCheck("a DataLoader as data, whose length is known")
    last, problem = total % loader.batch_size or loader.batch_size, None
    if last == 1 and setup.batches:
        try:
            with torch.no_grad(), fixed_seed(), setup.kept:
                outputs_of(setup.student, setup.batches[0].head(1), "the student", setup.pick)
        except Exception as stop:
            problem = one_sample_too_few(stop.__cause__, setup.student)
    if problem:
        yield question("lone_sample", problem)
    else:
        yield Passed("lone_sample", f"the last batch of an epoch has size {last}")


CHECKS = (empty_data, inputs_not_finite, labels_out_of_range, sorted_batches, lone_sample)
