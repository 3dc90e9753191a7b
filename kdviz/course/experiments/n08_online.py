"""Learning together: two peers that teach each other, and four online schemes side by side."""

from functools import partial

import torch

from kdviz.course.experiments.arms import along, logits, rows, students
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.datasets.augmentations import SLIGHT_NOISE
from kdviz.losses.response import CrossEntropy, LabelSmoothing, SoftTargets
from kdviz.measure import accuracy, agreement, kl_to_teacher
from kdviz.models import fused_branches, gated_branches, grouped_branches, mlp
from kdviz.schemes import (
    codistillation,
    collaborative,
    diverse_peers,
    feature_fusion,
    mutual_stack,
    native_ensemble,
    rocket,
)

REGIMES = {
    "all labels": (digits, 16, 600),
    "100 labels": (partial(digits, labels=100, transfer="labelled"), 16, 600),
    "40 % wrong labels": (partial(digits, label_noise=0.4), 64, 1500),
}
# Peers see each other and do not listen.
SILENT = CrossEntropy() + 0.0 * SoftTargets(1.0)
SMOOTH = LabelSmoothing(0.1) + 0.0 * SoftTargets(1.0)


def peers(seeds, *widths):
    """Two peers for each seed, with initial weights of their own."""
    return [[mlp(64, *widths, 10, seed=2 * seed + peer) for peer in range(2)] for seed in seeds]


@result({"regime": tuple(REGIMES)}, tolerance=5.0)
def mutual_learning(seeds, regime):
    """Two peers that teach each other, along their training, beside two that learn apart.

    "label smoothing" is a control: apart, with softer labels and nobody to teach.
    """
    make, width, steps = REGIMES[regime]
    data = [make(seed=seed) for seed in seeds]
    pairs = peers(seeds, width)
    runs = {
        "apart": mutual_stack(pairs, data, SILENT, steps=steps),
        "mutual": mutual_stack(pairs, data, steps=steps),
        "label smoothing": mutual_stack(pairs, data, SMOOTH, steps=steps),
    }
    tests = [part.test for part in data for _ in range(2)]
    return [
        {
            "regime": regime,
            "seed": part.seed,
            "arm": arm,
            "step": step,
            "validation_accuracy": float(validation.mean()),
            **_two(said, part.test.labels),
        }
        for arm, run in runs.items()
        for step, validations, saids in along(run, tests)
        for part, validation, said in zip(
            data, validations.reshape(-1, 2), saids.unflatten(0, (-1, 2)), strict=True
        )
    ]


def _two(said, labels):
    """Of two networks: mean accuracy, that of their ensemble, how often they say the same or err alike."""
    one, other = said
    first, second = said.argmax(-1)
    alike = (first == second) & (first != labels)
    return {
        "accuracy": 100 * sum(accuracy(own, labels) for own in said) / 2,
        "ensemble_accuracy": 100 * accuracy(said.softmax(-1).mean(0), labels),
        "agreement": 100 * agreement(one, other),
        "same_mistake": 100 * float(alike.double().mean()),
        "kl": (kl_to_teacher(one, other) + kl_to_teacher(other, one)) / 2,
        "kl_temperature": 1.0,
    }


@result({"regime": ("100 labels",)}, tolerance=5.0)
def online_schemes(seeds, regime):
    """Four online schemes with two students each. All deploy ``mlp(64, 16, 16, 10)``.

    Four arms are controls. "label smoothing": apart, with softer labels and nobody to teach.
    "codistillation, no delay": the copies are as the others are now. "codistillation, burn-in": nobody
    teaches for the first 50 steps, in which the copies would be untrained networks. "KDCL without teaching":
    the same noisy images, and the ensemble is not listened to.
    """
    make, _, _ = REGIMES[regime]
    data = [make(seed=seed) for seed in seeds]
    pairs = peers(seeds, 16, 16)

    def one_by_one(scheme, *objective, **settings):
        each = zip(pairs, data, strict=True)
        return [scheme(pair, part, *objective, **settings).finish().student for pair, part in each]

    arms = {
        "apart": _paired(mutual_stack(pairs, data, SILENT)),
        "label smoothing": _paired(mutual_stack(pairs, data, SMOOTH)),
        "mutual": _paired(mutual_stack(pairs, data)),
        "codistillation": one_by_one(codistillation, exchange=50),
        "codistillation, burn-in": one_by_one(codistillation, exchange=50, burn_in=50),
        "codistillation, no delay": one_by_one(codistillation, exchange=1),
        "KDCL": one_by_one(collaborative, augment=SLIGHT_NOISE),
        "KDCL without teaching": one_by_one(collaborative, SILENT, augment=SLIGHT_NOISE),
        "ONE": [_branches(pair[0], part) for pair, part in zip(pairs, data, strict=True)],
    }
    return rows(data, arms, _of_pair, regime=regime)


def _of_pair(pair, data):
    return _two(torch.stack([logits(peer, data.test) for peer in pair]), data.test.labels)


def _paired(run):
    """The two trained peers of each seed."""
    every = students(run)
    return list(zip(every[::2], every[1::2], strict=True))


def _branches(network, data):
    gated = gated_branches(network, "activation1", 2, data.train.inputs, seed=data.seed)
    student = native_ensemble(gated, data).finish().student
    return [student.alone(branch) for branch in student.branches]


# --- more relatives

BOOSTER = (16, 64, 64)
TARGETS = ("minimum", "naive", "general")


@result({"labels": (100,)}, tolerance=6.0)
def more_online_schemes(seeds, labels=100):
    """OKDDip, FFL, Rocket and three targets of KDCL. All deploy ``mlp(64, 16, 16, 10)``.

    Controls: apart, with the labels or with label smoothing; KDCL's noisy images with nobody listening;
    branches on one trunk that hear only labels; and a light net beside a booster that it does not follow.
    OKDDip has two auxiliaries and a leader, the others two branches. ``accuracy`` is the mean over what may
    be deployed.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    pairs = peers(seeds, 16, 16)
    firsts = [pair[0] for pair in pairs]

    def together(**settings):
        each = zip(pairs, data, strict=True)
        return [
            collaborative(pair, part, augment=SLIGHT_NOISE, **settings).finish().student
            for pair, part in each
        ]

    def branched(make, scheme, count, *objective, deployed=slice(None)):
        found = []
        for start, part in zip(firsts, data, strict=True):
            network = make(start, "activation1", count, part.train.inputs, seed=part.seed)
            student = scheme(network, part, *objective).finish().student
            found.append([student.subnetwork(branch) for branch in student.branches[deployed]])
        return found

    def launched(*objective):
        boosters = [mlp(64, *BOOSTER, 10, seed=1000 + part.seed) for part in data]
        each = zip(firsts, boosters, data, strict=True)
        return [[rocket(*own, *objective).finish().student.subnetwork("light")] for own in each]

    arms = {
        "apart": _paired(mutual_stack(pairs, data, SILENT)),
        "label smoothing": _paired(mutual_stack(pairs, data, SMOOTH)),
        "KDCL without teaching": together(objective=SILENT),
        **{f"KDCL, {target}": together(ensemble=target) for target in TARGETS},
        "FFL": branched(fused_branches, feature_fusion, 2),
        "OKDDip": branched(grouped_branches, diverse_peers, 3, deployed=slice(2, 3)),
        "branches, labels alone": branched(fused_branches, feature_fusion, 2, SILENT),
        "Rocket": launched(),
        "Rocket, not followed": launched(1.0 * CrossEntropy()),
    }
    return rows(data, arms, _of_group, labels=labels)


def _of_group(networks, data):
    every = [accuracy(logits(network, data.test), data.test.labels) for network in networks]
    return {"accuracy": 100 * sum(every) / len(every)}
