"""Which layer should teach which: every pair of layers, learned weights beside equal ones, many losses."""

from collections import OrderedDict
from functools import partial

import pandas as pd
import torch
from torch import nn

from kdviz.course.experiments.arms import best_on_validation, short, swept, usual_teachers
from kdviz.course.experiments.n04_features import BASES, shuffled
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses import feature, relation
from kdviz.losses.feature import layer_attention
from kdviz.measure import paired
from kdviz.models import convnet, mlp
from kdviz.tracing import answer

HIDDEN = ("activation1", "activation2", "activation3")
LABELS = 50


# --- who teaches: the teacher, and two controls


def trained(data, start=lambda seed: mlp(64, 64, 64, 64, 10, seed=seed), **recipe):
    """A teacher with three hidden layers, trained on all labels of its split."""
    return usual_teachers([data], model=start(data.seed), **recipe)[0]


class Exchanged(nn.Module):
    """Each sample of the transfer set in another one's place; what else is asked about stays."""

    def __init__(self, order):
        super().__init__()
        self.order = order

    def forward(self, inputs):
        return inputs[self.order] if len(inputs) == len(self.order) else inputs


def of_other_images(data, taught=trained):
    """The teacher, every layer of which speaks of other images; only for losses that read no logits."""
    layers = OrderedDict(order=Exchanged(shuffled(data)), **dict(taught(data).named_children()))
    return nn.Sequential(layers)


def untrained(data, start=lambda seed: mlp(64, 64, 64, 64, 10, seed=seed)):
    """A network like the teacher that has learned nothing."""
    return start(1000 + data.seed)


TEACHERS = {"right": trained, "shuffled": of_other_images, "untrained": untrained}

# --- every pair of layers

WEIGHTS = {"hint": (1.0, 10.0), "similarities": (1000.0, 10000.0)}
LOSSES = {"hint": partial(feature.Hint, adapter="linear"), "similarities": relation.SimilarityPreserving}


def three_hidden(seed=0):
    """The student of these experiments."""
    return mlp(64, 16, 16, 16, 10, seed=seed)


def at_layers(arm, weight, student_layer, teacher_layer):
    """Hard labels and one loss between two layers; or one of the two bases alone."""
    if arm in BASES:
        return BASES[arm]()
    loss = LOSSES[arm](f"activation{student_layer}", f"activation{teacher_layer}")
    return BASES["hard labels"]() + weight * loss


_few_labels = partial(swept, data=partial(digits, labels=LABELS, transfer="labelled"))


@result({"pairs": tuple(TEACHERS)}, tolerance=6.0)
def layer_pairs(seeds, pairs):
    """A hint, or similarities, between each layer of the student and each of the teacher, at two weights.

    Layers are numbered from 1. The controls have the teacher's layers of other images, or an untrained one.
    """
    grid = [
        {"arm": arm, "weight": weight, "student_layer": mine, "teacher_layer": theirs}
        for arm, weights in WEIGHTS.items()
        for weight in weights
        for mine in (1, 2, 3)
        for theirs in (1, 2, 3)
    ]
    if pairs == "right":
        grid += [{"arm": arm, "weight": 0.0, "student_layer": 0, "teacher_layer": 0} for arm in BASES]
    found = _few_labels(grid, seeds, at_layers, student=three_hidden, teacher=TEACHERS[pairs])
    return [{"pairs": pairs, "labels": LABELS, **row} for row in found]


def gains_of_pairs(table, arm, pairs="right"):
    """What each pair of layers gains over hard labels, at the one weight that is best on validation."""
    labels = table[table.arm == "hard labels"].set_index("seed").accuracy
    own = best_on_validation(table[(table.arm == arm) & (table.pairs == pairs)], ["arm"], ["weight"])
    return {
        pair: paired(rows.set_index("seed").accuracy, labels)
        for pair, rows in own.groupby(["student_layer", "teacher_layer"])
    }


def chosen_pairs(table):
    """The rows of the pair and weight that are best on validation, for each loss and teacher."""
    return best_on_validation(table, ["arm", "pairs"], ["weight", "student_layer", "teacher_layer"])


def chosen_weights(table):
    """The rows of the weight that is best on validation, for each arm and teacher."""
    return best_on_validation(table, ["arm", "pairs"], ["weight"])


def gains(table, base):
    """What each arm gains over the hard labels of ``base``, with each teacher: a table of texts."""
    labels = base[base.arm == "hard labels"].set_index("seed").accuracy
    found = {}
    for (teacher, arm), rows in table[table.arm != "hard labels"].groupby(["pairs", "arm"], sort=False):
        found.setdefault(teacher, {})[arm] = short(paired(rows.set_index("seed").accuracy, labels))
    return pd.DataFrame(found).fillna("")


# --- all layers at once


class EqualLayers(feature.LayerProjection):
    """ALP with its weights held equal: each layer of the student regresses on the mean of the teacher's."""

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.adapted(student, teacher, learned)
        mean = torch.stack(theirs).mean(0).detach()
        return sum((mine - mean).square().mean() for mine in ours)


class LayersOfOneSize(feature.LayerProjection):
    """ALP with the teacher's layers scaled to one size, as those of BERT nearly are."""

    def adapted(self, student, teacher, learned):
        ours, theirs = super().adapted(student, teacher, learned)
        return ours, [layer / layer.square().mean().sqrt() for layer in theirs]


def across_layers(arm, weight):
    """Hard labels, and many layers of the teacher; or one of the two bases alone."""
    hint = partial(feature.Hint, adapter="linear")
    added = {
        "ALP": lambda: feature.LayerProjection(HIDDEN, HIDDEN, adapter="linear"),
        "ALP, layers of one size": lambda: LayersOfOneSize(HIDDEN, HIDDEN, adapter="linear"),
        "equal weights": lambda: EqualLayers(HIDDEN, HIDDEN, adapter="linear"),
        "all nine pairs": lambda: sum(hint(mine, theirs) for mine in HIDDEN for theirs in HIDDEN) / 9,
        "each to its own": lambda: sum(hint(layer, layer) for layer in HIDDEN) / 3,
        "last to last": lambda: hint(HIDDEN[-1], HIDDEN[-1]),
    }
    return BASES[arm]() if arm in BASES else BASES["hard labels"]() + weight * added[arm]()


# The weights that are tried of each.
ACROSS = {
    "ALP": (0.01, 0.1, 1.0, 10.0),
    "ALP, layers of one size": (1.0, 10.0, 100.0, 1000.0),
    "equal weights": (0.1, 1.0, 10.0, 100.0),
    "all nine pairs": (1.0, 10.0, 100.0),
    "each to its own": (1.0, 10.0, 100.0),
    "last to last": (1.0, 10.0, 100.0),
}


@result({"pairs": ("right", "shuffled")}, tolerance=6.0)
def learned_layers(seeds, pairs):
    """Learned weights of layers (ALP) beside equal ones and fixed pairs, at several weights each.

    The weight is that of all pairs together. A hint sums over the 64 features, half their squares, and ALP
    takes their mean, so the same strength is a weight 32 times as large.
    """
    grid = [{"arm": arm, "weight": weight} for arm, weights in ACROSS.items() for weight in weights]
    found = _few_labels(grid, seeds, across_layers, student=three_hidden, teacher=TEACHERS[pairs])
    return [{"pairs": pairs, "labels": LABELS, **row} for row in found]


def listening(run, teacher, samples):
    """How much each layer of a student that learns by ALP listens to each of the teacher's: (N, S, T)."""
    alp = next(term.loss for term in run.objective.parts if isinstance(term.loss, feature.LayerProjection))
    seen = (answer(network, samples.inputs, HIDDEN) for network in (run.student, teacher))
    with torch.no_grad():
        ours, theirs = alp.adapted(*seen, run.learned["layer_projection"])
        return layer_attention(torch.stack(ours, 1), torch.stack(theirs, 1))


# --- many losses, one pair of layers

LAYERS = FIRST, SECOND = "activation1", "activation2"
# Two weights each, between which the best of a wider grid lay on two seeds.
MAPS = {
    "hint": (partial(feature.Hint, SECOND), (0.1, 1.0)),
    "normalised hint": (partial(feature.NormalisedHint, SECOND), (10.0, 30.0)),
    "attention": (partial(feature.AttentionTransfer, SECOND), (1.0, 3.0)),
    "NST": (partial(feature.NeuronSelectivity, SECOND), (3.0, 10.0)),
    "AB": (partial(feature.ActivationBoundary, "convolution2"), (0.1, 1.0)),
    "overhaul": (partial(feature.FeatureOverhaul, "convolution2"), (0.001, 0.01)),
    "statistics": (partial(feature.FeatureStatistics, SECOND), (0.001, 0.1)),
    "channel-wise": (partial(feature.ChannelWise, SECOND), (0.3, 1.0)),
    "VID": (partial(feature.VariationalInformation, SECOND), (0.0001, 0.01)),
    "FSP": (partial(relation.FlowOfSolution, FIRST, SECOND), (0.00001, 0.001)),
    "SVD": (partial(feature.SingularVectors, (FIRST, SECOND)), (0.1, 1.0)),
    "similarities": (partial(relation.SimilarityPreserving, SECOND), (10.0, 1000.0)),
}


def convolutional(seed=0):
    return convnet(8, 16, seed=seed)


_taught_maps = partial(trained, start=convolutional, learning_rate=1e-2)
MAP_TEACHERS = {
    "right": _taught_maps,
    "shuffled": partial(of_other_images, taught=_taught_maps),
    "untrained": partial(untrained, start=convolutional),
}


def of_maps(arm, weight):
    """Hard labels and one loss on feature maps; or one of the two bases alone."""
    return BASES[arm]() if arm in BASES else BASES["hard labels"]() + weight * MAPS[arm][0]()


@result({"pairs": ("right", "shuffled", "untrained")}, tolerance=6.0)
def feature_losses(seeds, pairs):
    """Twelve losses on the maps of two networks of one shape, a teacher and a student with few labels."""
    grid = [{"arm": arm, "weight": weight} for arm, (_, weights) in MAPS.items() for weight in weights]
    if pairs == "right":
        grid += [{"arm": arm, "weight": 0.0} for arm in BASES]
    settings = {"student": convolutional, "teacher": MAP_TEACHERS[pairs], "learning_rate": 1e-2, "steps": 300}
    return [
        {"pairs": pairs, "labels": LABELS, **row} for row in _few_labels(grid, seeds, of_maps, **settings)
    ]
