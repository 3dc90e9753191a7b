"""Experiments on features and relations: which knowledge helps, when, and with which control.

As in :mod:`kdviz.course.experiments`: each takes seeds and returns rows, one dictionary a student; within
a seed all students share the split, the teacher, the initial weights and the batches; shares are in percent.
"""

import tempfile
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from kdviz.datasets import digits
from kdviz.knowledge import feature, relation
from kdviz.knowledge.response import CrossEntropy, SoftTargets
from kdviz.models import mlp
from kdviz.schemes import sweep, teachers
from kdviz.tracing import trace
from kdviz.training.store import Store

# The student's layer before its logits, and the teacher's.
LAYERS = ("activation2", "activation1")


def deep_student(seed=0):
    """The usual student of these experiments, with a layer of its own to be compared."""
    return mlp(64, 16, 16, 10, seed=seed)


@dataclass(frozen=True)
class Kind:
    """A kind of knowledge: what is matched, and the weights that are tried.

    ``loss`` is a function of the student's and the teacher's layer. Published weights belong to other
    networks, so each kind gets its own grid, wide enough that its best weight lies inside.
    """

    family: str
    loss: callable
    weights: tuple


def _distances_and_angles(student_layer, teacher_layer):
    angles = relation.AngleRelation(student_layer, teacher_layer)
    return relation.DistanceRelation(student_layer, teacher_layer) + 2 * angles


KINDS = {
    "hint": Kind("feature", partial(feature.Hint, adapter="linear"), (0.001, 0.01, 0.1, 1.0)),
    "direction": Kind("feature", partial(feature.NormalisedHint, adapter="linear"), (0.1, 1.0, 10.0, 100.0)),
    "distances": Kind("relation", relation.DistanceRelation, (1.0, 10.0, 100.0, 1000.0)),
    "similarities": Kind("relation", relation.SimilarityPreserving, (10.0, 100.0, 1000.0, 10000.0)),
    "neighbours": Kind("relation", relation.ProbabilisticTransfer, (1.0, 10.0, 100.0, 1000.0)),
    "distances and angles": Kind("relation", _distances_and_angles, (1.0, 10.0, 100.0)),
}
# What a kind of knowledge is added to.
BASES = {
    "hard labels": lambda: 1.0 * CrossEntropy(),
    "soft targets": lambda: 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4),
}


def objective(base, knowledge, weight, layers=LAYERS):
    """Hard labels or soft targets, plus one kind of knowledge, or none."""
    return BASES[base]() if knowledge == "none" else BASES[base]() + weight * KINDS[knowledge].loss(*layers)


class ShuffledPairs(nn.Module):
    """A teacher whose features, under the name ``shuffled``, belong to other samples; its logits do not.

    ``order`` says whose features each sample of the transfer set gets. The relations between features
    stay real ones; they are those of other images.
    """

    def __init__(self, teacher, layer, order):
        super().__init__()
        self.teacher, self.layer = teacher, layer
        self.shuffled = _Rows(order)

    def forward(self, inputs):
        seen = trace(self.teacher, inputs, (self.layer,))
        self.shuffled(seen.features[self.layer])
        return seen.logits


class _Rows(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.order = order

    def forward(self, features):
        # Only the transfer set is shuffled; a teacher asked about other images need not tell.
        return features[self.order] if len(features) == len(self.order) else features


def shuffled(data, within_class=False):
    """An order of the transfer set in which every sample stands in for another one.

    ``within_class`` exchanges only samples with one label: then what the classes are to each other stays
    right, and only what is special to an image is lost.
    """
    labels = data.transfer.labels if within_class else torch.zeros(len(data.transfer), dtype=torch.long)
    order = torch.empty(len(labels), dtype=torch.long)
    generator = torch.Generator().manual_seed(data.seed)
    for label in labels.unique():
        (rows,) = (labels == label).nonzero(as_tuple=True)
        mixed = rows[torch.randperm(len(rows), generator=generator)]
        order[mixed] = mixed.roll(1)
    return order


def shuffled_teacher(data, within_class=False, layer=LAYERS[1]):
    """The usual teacher of a split with its features shuffled."""
    (teacher,) = teachers([data])
    return ShuffledPairs(teacher, layer, shuffled(data, within_class))


def knowledge(seeds, labels, kinds=tuple(KINDS)):
    """Which knowledge helps? Every kind with hard labels and with soft targets, at every weight of its grid.

    The rows without knowledge are the two baselines. All learn from the same labelled images.
    """
    weights = {"none": (0.0,), **{kind: KINDS[kind].weights for kind in kinds}}
    points = [
        {"labels": labels, "base": base, "knowledge": kind, "weight": weight}
        for base in BASES
        for kind in weights
        for weight in weights[kind]
    ]
    return _swept(points, seeds, data=partial(digits, transfer="labelled"))


def _swept(points, seeds, **settings):
    """The rows of a sweep, never taken from the store: what is computed again must be computed."""
    with tempfile.TemporaryDirectory() as folder:
        found = sweep(
            points, objective, seeds=list(seeds), student=deep_student, store=Store(folder), **settings
        )
        table = found.finish(progress=False).table
    names = ["seed", *points[0], "validation_accuracy", "test_accuracy", "problem"]
    return table[names].rename(columns={"test_accuracy": "accuracy"}).to_dict("records")
