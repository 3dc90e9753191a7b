"""Which knowledge in features and relations helps, when, and beside which control."""

from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn

from kdviz.course.experiments.arms import (
    best_on_validation,
    from_labels,
    from_teacher,
    rows,
    short,
    stopped,
    students,
    swept,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses import feature, relation
from kdviz.losses.response import CrossEntropy, LabelSmoothing, SoftTargets
from kdviz.measure import paired
from kdviz.models import convnet, mlp
from kdviz.tracing import answer, trace

# --- which knowledge helps

# The student's layer before its logits, and the teacher's.
LAYERS = ("activation2", "activation1")


class Knowledge(NamedTuple):
    """A kind of knowledge: its loss, the weights that are tried, and the student's and the teacher's layer.

    Published weights belong to other networks and batches, so each kind gets a grid of its own.
    """

    loss: callable
    weights: tuple
    layers: tuple = LAYERS


KINDS = {
    "hint": Knowledge(partial(feature.Hint, adapter="linear"), (0.01, 0.1, 1.0, 10.0)),
    "distances": Knowledge(relation.DistanceRelation, (1.0, 10.0, 100.0, 1000.0)),
    "similarities": Knowledge(relation.SimilarityPreserving, (10.0, 100.0, 1000.0, 10000.0)),
    "neighbours": Knowledge(relation.ProbabilisticTransfer, (1.0, 10.0, 100.0, 1000.0)),
    "attention, first maps": Knowledge(feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation1",)),
    "attention, second maps": Knowledge(feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation2",)),
    "attention, shuffled": Knowledge(
        feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation1", "shuffled")
    ),
}
# What a kind of knowledge is added to.
BASES = {
    "hard labels": lambda: 1.0 * CrossEntropy(),
    "soft targets": lambda: 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4),
}
EMBEDDING_KINDS = ("hint", "distances", "similarities", "neighbours")
MAP_KINDS = ("attention, first maps", "attention, second maps")


def deep_student(seed=0):
    """The usual student of these experiments."""
    return mlp(64, 16, 16, 10, seed=seed)


def with_knowledge(base, arm, weight, layers=None):
    """Hard labels or soft targets, plus one kind of knowledge, or none."""
    if arm == "none":
        return BASES[base]()
    kind = KINDS[arm]
    return BASES[base]() + weight * kind.loss(*(layers or kind.layers))


def _points(labels, kinds, bases=tuple(BASES), baseline=True):
    """Every kind at each of its weights, on each base; and the base alone."""
    weights = {"none": (0.0,)} if baseline else {}
    weights |= {kind: KINDS[kind].weights for kind in kinds}
    return [
        {"labels": labels, "base": base, "arm": arm, "weight": weight}
        for base in bases
        for arm in weights
        for weight in weights[arm]
    ]


_on_embeddings = partial(
    swept, objective=with_knowledge, student=deep_student, data=partial(digits, transfer="labelled")
)


@result({"labels": (50, 100, 1000)}, tolerance=5.0)
def knowledge(seeds, labels, kinds=EMBEDDING_KINDS, bases=tuple(BASES)):
    """Which knowledge helps? Each kind with hard labels and with soft targets, at every weight of its grid.

    All learn from the same labelled images. The rows of the arm "none" are the two baselines.
    """
    return _on_embeddings(_points(labels, kinds, bases), seeds)


SHUFFLES = {"shuffled": False, "shuffled within a class": True}


@result({"labels": (50,)}, tolerance=5.0)
def shuffled_pairs(seeds, labels=50, kinds=("hint", "distances", "similarities"), bases=tuple(BASES)):
    """The controls of :func:`knowledge`: the same losses and weights, with the features of other images."""
    points = _points(labels, kinds, bases, baseline=False)
    objective = partial(with_knowledge, layers=(LAYERS[0], "shuffled"))
    return [
        {"pairs": pairs, **row}
        for pairs, within_class in SHUFFLES.items()
        for row in _on_embeddings(
            points, seeds, objective=objective, teacher=partial(shuffled_teacher, within_class=within_class)
        )
    ]


def untrained_teacher(data):
    """A network as wide as the teacher that has learned nothing."""
    return mlp(64, 256, 10, seed=1000 + data.seed)


@result({"labels": (50,)}, tolerance=5.0)
def untrained_knowledge(seeds, labels=50, kinds=("hint",), bases=("hard labels",)):
    """Another control of :func:`knowledge`: the right images, in a network that has learned nothing."""
    points = _points(labels, kinds, bases, baseline=False)
    return _on_embeddings(points, seeds, teacher=untrained_teacher)


@result({"labels": (50, 100)}, tolerance=5.0)
def labels_alone(seeds, labels, steps=2400):
    """The best that labels do without a teacher: more steps, an early stop, label smoothing, and all of it.

    A student "stopped" is the one of the step whose validation accuracy is best.
    """
    data = [digits(labels=labels, seed=seed, transfer="labelled") for seed in seeds]
    arms = {}
    for name, objective in {"hard labels": CrossEntropy(), "label smoothing": LabelSmoothing(0.1)}.items():
        for count in (600, steps):
            learners = from_labels(
                data, [deep_student(seed) for seed in seeds], objective, steps=count, record_every=20
            )
            arms[name, count, "no"], arms[name, count, "yes"] = stopped(learners)
    return [
        {"labels": labels, "steps": count, "stopped": stop, **row}
        for (name, count, stop), learners in arms.items()
        for row in rows(data, {name: learners})
    ]


def convolutional_student(seed=0):
    return convnet(8, 16, seed=seed)


def convolutional_teacher(data):
    """A teacher with maps, of a split; the store keeps it."""
    return usual_teachers([data], model=convnet(16, 32, 64, seed=data.seed), learning_rate=1e-2)[0]


@result({"labels": (100,)}, tolerance=5.0)
def attention(seeds, labels):
    """The same for convolutional networks: attention transfer between maps of 8 × 8 or of 4 × 4 places.

    "attention, shuffled" is the control: the first maps of other images.
    """
    on_maps = partial(_on_embeddings, seeds=seeds, student=convolutional_student, learning_rate=1e-2)
    control = _points(labels, ("attention, shuffled",), baseline=False)
    right = on_maps(_points(labels, MAP_KINDS), teacher=convolutional_teacher)
    return right + on_maps(control, teacher=partial(shuffled_teacher, taught=convolutional_teacher))


# --- what the tables say


def chosen(table):
    """The rows of the weight that has the best mean validation accuracy, for each kind of knowledge."""
    return best_on_validation(table, ["labels", "base", "arm"], ["weight"])


def gains(table):
    """The one table: each knowledge at its chosen weight, what it gains over its base, in percentage points.

    A row for each kind of knowledge and a column for each base and number of labels; "soft targets" in the
    column of the hard labels is the other base itself.
    """
    accuracy = chosen(table).pivot(index="seed", columns=["base", "labels", "arm"], values="accuracy")
    found = {}
    for base, labels, arm in accuracy:
        if arm == "none" and base == "hard labels":
            continue
        name, onto = (base, "hard labels") if arm == "none" else (arm, base)
        against = accuracy[onto, labels, "none"]
        found.setdefault((onto, labels), {})[name] = short(paired(accuracy[base, labels, arm], against))
    return pd.DataFrame(found).rename_axis(columns=["added to", "labels"]).sort_index(axis=1).fillna("")


def layer_of(model, layer):
    """A function from images to what a layer of a network says about them."""
    return lambda images: answer(model, images, (layer,)).features[layer].flatten(1)


# --- the control: features of other images


class ShuffledPairs(nn.Module):
    """A teacher whose features, under the name ``shuffled``, belong to other images; its logits do not.

    ``order`` says whose features each sample of the transfer set gets.
    """

    def __init__(self, teacher, layer, order):
        super().__init__()
        self.teacher, self.layer, self.order, self.shuffled = teacher, layer, order, nn.Identity()

    def forward(self, inputs):
        seen = trace(self.teacher, inputs, (self.layer,))
        features = seen.features[self.layer]
        # Asked about other images than those of the transfer set, there is nothing to shuffle.
        self.shuffled(features[self.order] if len(features) == len(self.order) else features)
        return seen.logits


def shuffled(data, within_class=False):
    """An order of the transfer set in which every sample has another one's place.

    ``within_class`` exchanges samples of one label only: what a class is to another stays right, and only
    what belongs to the single image is lost.
    """
    labels = data.transfer.labels if within_class else torch.zeros(len(data.transfer), dtype=torch.long)
    generator = torch.Generator().manual_seed(data.seed)
    order = torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        (own,) = (labels == label).nonzero(as_tuple=True)
        mixed = own[torch.randperm(len(own), generator=generator)]
        order[mixed] = mixed.roll(1)
    return order


def usual_teacher(data):
    return usual_teachers([data])[0]


def shuffled_teacher(data, within_class=False, taught=usual_teacher):
    """The teacher of a split with the features of its first layer shuffled."""
    return ShuffledPairs(taught(data), LAYERS[1], shuffled(data, within_class))


# --- deep and thin

# The first stage's knowledge, and the second stage's base.
THIN_ARMS = {
    "hard labels": ("hard labels", "hard labels"),
    "soft targets": ("hard labels", "soft targets"),
    "hint, then hard labels": ("hint", "hard labels"),
    "hint, then soft targets": ("hint", "soft targets"),
    "shuffled hint, then hard labels": ("shuffled hint", "hard labels"),
    "similarities, then hard labels": ("similarities", "hard labels"),
}


def thin_student(seed=0):
    """Eight hidden layers of ten units: hard to train from labels alone."""
    return mlp(64, *[10] * 8, 10, seed=seed)


@result({"first": (500,)}, tolerance=5.0)
def deep_and_thin(seeds, first=500, second=1000):
    """FitNets: hints to the middle of a deep thin student first, then labels or soft targets.

    Every arm gets the same number of steps and the same two schedules of the learning rate, so that neither
    more training nor the restart explains a difference. "hard labels in one stage" has one schedule for all.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin, taught_by = [thin_student(seed) for seed in seeds], usual_teachers(data)
    arms = {
        arm: from_teacher(
            data, _first_stage(stage, data, begin, first), taught_by, BASES[base](), steps=second
        )
        for arm, (stage, base) in THIN_ARMS.items()
    }
    arms["hard labels in one stage"] = from_labels(data, begin, steps=first + second)
    return rows(data, arms)


# After so many steps of so deep a network, other rounding has had time to grow.
@result({"steps": (3000,)}, tolerance=10.0)
def deep_and_patient(seeds, steps, first=500):
    """The opponents of :func:`deep_and_thin` with twice its steps, and stopped where validation says.

    The hint has its 500 steps of them, as there.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin = [thin_student(seed) for seed in seeds]
    hinted = _first_stage("hint", data, begin, first)
    arms = {
        "hard labels in one stage": from_labels(data, begin, steps=steps, record_every=50),
        "hint, then hard labels": from_labels(data, hinted, steps=steps - first, record_every=50),
    }
    found = []
    for arm, run in arms.items():
        for stop, learners in zip(("no", "yes"), stopped(run), strict=True):
            found += rows(data, {arm: learners}, steps=steps, stopped=stop)
    return found


def _first_stage(name, data, begin, steps):
    if name == "hard labels":
        return students(from_labels(data, begin, steps=steps))
    hint = partial(feature.Hint, "activation4", adapter="linear")
    objective = {
        "hint": hint("activation1"),
        "shuffled hint": hint("shuffled"),
        "similarities": relation.SimilarityPreserving("activation4", "activation1"),
    }[name]
    taught_by = [shuffled_teacher(part) for part in data] if "shuffled" in name else usual_teachers(data)
    return students(from_teacher(data, begin, taught_by, objective, steps=steps))
