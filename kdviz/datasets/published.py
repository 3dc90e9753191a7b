"""Splits by seed of data that are published in two parts, one to train on and one to test on."""

import numpy as np
import torch

from kdviz.datasets.dataset import UNLABELLED, Dataset, Samples

VALIDATION = 0.1


def split(name, card, training, testing, top=255, *, labels=None, train=None, test=None, seed=0):
    """One split. The published test part stays the test part: neither teacher nor student trains on it.

    ``training`` and ``testing`` are pairs (images from 0 to ``top``, true labels). A tenth of the training
    part, drawn by the seed, is for validation. ``indices`` count on from the training part to the test part.
    """
    if not (_whole(seed) and seed >= 0):
        raise ValueError(f"seed must be a whole number from 0 up; got {seed!r}")
    truth = np.concatenate([training[1], testing[1]])
    if not 0 <= truth.min() <= truth.max() < len(card.classes):
        raise ValueError(
            f"{name} should have labels from 0 to {len(card.classes) - 1}; "
            f"its files hold {truth.min()} to {truth.max()}"
        )
    ours, tested = np.split(np.arange(len(truth)), [len(training[1])])
    validation = _drawn(ours, truth, round(VALIDATION * len(ours)), seed)
    rest = np.setdiff1d(ours, validation)
    _check(len(card.classes), len(rest), len(tested), labels, train, test)
    rest, tested = _drawn(rest, truth, train, seed), _drawn(tested, truth, test, seed)
    labelled = _drawn(rest, truth, labels, seed)

    mean = (training[0][rest].mean(axis=0, dtype=np.float64) / top).astype(np.float32)

    def samples(rows, images=training[0], first=0):
        inputs = images[rows - first] / np.float32(top)
        inputs -= mean
        return Samples(torch.from_numpy(inputs), torch.from_numpy(truth[rows]), torch.from_numpy(rows))

    seen = samples(rest)
    known = torch.from_numpy(np.where(np.isin(rest, labelled), truth[rest], UNLABELLED))
    return Dataset(
        train=seen,
        labelled=seen if labels is None else samples(labelled),
        transfer=seen.with_labels(known),
        validation=samples(validation),
        test=samples(tested, testing[0], len(ours)),
        classes=card.classes,
        mean=torch.from_numpy(mean),
        settings={"name": name, "labels": labels, "train": train, "test": test, "seed": seed},
        card=card,
    )


def _drawn(rows, truth, count, seed):
    """So many of the rows, mixed, in proportion to their classes; a smaller draw is part of a larger one."""
    mixed = np.random.default_rng([seed, len(rows)]).permutation(rows)
    rank = np.empty(len(mixed))
    for label in np.unique(truth[mixed]):
        own = np.flatnonzero(truth[mixed] == label)
        rank[own] = (np.arange(len(own)) + 0.5) / len(own)
    return mixed[np.argsort(rank, kind="stable")[:count]] if count is not None else mixed


def _check(classes, trained, tested, labels, train, test):
    for what, count, most in (
        ("train", train, trained),
        ("labels", labels, trained if train is None else train),
        ("test", test, tested),
    ):
        if count is not None and not (_whole(count) and classes <= count <= most):
            raise ValueError(
                f"{what} must be a whole number from {classes} (one a class) to {most:,}, or None for all; "
                f"got {count!r}"
            )


def _whole(value):
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
