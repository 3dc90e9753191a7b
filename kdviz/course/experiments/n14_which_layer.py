"""Which layer should teach which: every pair of layers, learned weights beside equal ones, and many losses."""

from collections import OrderedDict
from functools import partial

from torch import nn

from kdviz.course.experiments.arms import swept, usual_teachers
from kdviz.course.experiments.n04_features import BASES, shuffled
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses import feature, relation
from kdviz.models import convnet, mlp

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

WEIGHTS = {"hint": (0.1, 1.0, 10.0), "similarities": (100.0, 1000.0, 10000.0)}
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
    """A hint, or similarities, between each layer of the student and each of the teacher, at three weights.

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


# --- all layers at once


def across_layers(arm, weight):
    """Hard labels, and all layers of the teacher: as far as they fit (ALP), all alike, or the last to the last."""
    hint = partial(feature.Hint, adapter="linear")
    added = {
        "ALP": lambda: weight * feature.LayerProjection(HIDDEN, HIDDEN, adapter="linear"),
        "all alike": lambda: sum(weight / 3 * hint(mine, theirs) for mine in HIDDEN for theirs in HIDDEN),
        "each to its own": lambda: sum(weight * hint(layer, layer) for layer in HIDDEN),
        "last to last": lambda: weight * hint(HIDDEN[-1], HIDDEN[-1]),
    }
    return BASES["hard labels"]() + added[arm]()


@result({"pairs": ("right", "shuffled")}, tolerance=6.0)
def learned_layers(seeds, pairs):
    """Learned weights of the teacher's layers (ALP) beside equal ones, at three weights of the whole."""
    arms = ("ALP", "all alike", "each to its own", "last to last")
    grid = [{"arm": arm, "weight": weight} for arm in arms for weight in (0.1, 1.0, 10.0)]
    found = _few_labels(grid, seeds, across_layers, student=three_hidden, teacher=TEACHERS[pairs])
    return [{"pairs": pairs, "labels": LABELS, **row} for row in found]


# --- many losses, one pair of layers

FIRST, SECOND = "activation1", "activation2"
MAPS = {
    "hint": (partial(feature.Hint, SECOND), (0.1, 1.0, 10.0)),
    "attention": (partial(feature.AttentionTransfer, SECOND), (0.1, 1.0, 10.0)),
    "NST": (partial(feature.NeuronSelectivity, SECOND), (0.1, 1.0, 10.0)),
    "AB": (partial(feature.ActivationBoundary, "convolution2"), (0.01, 0.1, 1.0)),
    "overhaul": (partial(feature.FeatureOverhaul, "convolution2"), (0.01, 0.1, 1.0)),
    "statistics": (partial(feature.FeatureStatistics, SECOND), (0.1, 1.0, 10.0)),
    "normalised hint": (partial(feature.NormalisedHint, SECOND), (1.0, 10.0, 100.0)),
    "channel-wise": (partial(feature.ChannelWise, SECOND), (0.1, 1.0, 10.0)),
    "VID": (partial(feature.VariationalInformation, SECOND), (0.01, 0.1, 1.0)),
    "FSP": (partial(relation.FlowOfSolution, FIRST, SECOND), (0.01, 0.1, 1.0)),
    "SVD": (partial(feature.SingularVectors, (FIRST, SECOND)), (0.1, 1.0, 10.0)),
    "similarities": (partial(relation.SimilarityPreserving, SECOND), (10.0, 100.0, 1000.0)),
}
MAP_TEACHERS = {
    "right": partial(trained, start=lambda seed: convnet(8, 16, seed=seed), learning_rate=1e-2),
    "untrained": partial(untrained, start=lambda seed: convnet(8, 16, seed=seed)),
}
MAP_TEACHERS["shuffled"] = partial(of_other_images, taught=MAP_TEACHERS["right"])


def of_maps(arm, weight):
    """Hard labels and one loss on feature maps; or one of the two bases alone."""
    return BASES[arm]() if arm in BASES else BASES["hard labels"]() + weight * MAPS[arm][0]()


def convolutional(seed=0):
    return convnet(8, 16, seed=seed)


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
