"""Experiments on features and relations: which knowledge helps, when, and beside which control.

As in :mod:`kdviz.course.experiments`: each takes seeds and returns rows, one dictionary a student. Within
a seed all students share the split, the teacher, the initial weights and the order of the batches. Shares
are in percent.
"""

import tempfile
from functools import partial
from typing import NamedTuple

import pandas as pd
import torch
from torch import nn

from kdviz.datasets import digits
from kdviz.losses import feature, relation
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import cka, paired
from kdviz.models import convnet, mlp
from kdviz.schemes import distill_stack, sweep, teachers, train_stack
from kdviz.schemes.stacked import Evaluator
from kdviz.tracing import trace
from kdviz.training.stacked import StackedModel
from kdviz.training.store import Store

# --- which knowledge helps


# The student's layer before its logits, and the teacher's.
LAYERS = ("activation2", "activation1")


class Kind(NamedTuple):
    """A kind of knowledge: its loss, the weights that are tried, and the student's and the teacher's layer.

    Published weights belong to other networks and batches, so each kind gets a grid of its own.
    """

    loss: callable
    weights: tuple
    layers: tuple = LAYERS


KINDS = {
    "hint": Kind(partial(feature.Hint, adapter="linear"), (0.01, 0.1, 1.0, 10.0)),
    "distances": Kind(relation.DistanceRelation, (1.0, 10.0, 100.0, 1000.0)),
    "similarities": Kind(relation.SimilarityPreserving, (10.0, 100.0, 1000.0, 10000.0)),
    "neighbours": Kind(relation.ProbabilisticTransfer, (1.0, 10.0, 100.0, 1000.0)),
    "attention, first maps": Kind(feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation1",)),
    "attention, second maps": Kind(feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation2",)),
    "attention, shuffled": Kind(feature.AttentionTransfer, (0.1, 1.0, 10.0), ("activation1", "shuffled")),
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


def with_knowledge(base, knowledge, weight, layers=None):
    """Hard labels or soft targets, plus one kind of knowledge, or none."""
    if knowledge == "none":
        return BASES[base]()
    kind = KINDS[knowledge]
    return BASES[base]() + weight * kind.loss(*(layers or kind.layers))


def knowledge(seeds, labels, kinds=EMBEDDING_KINDS, bases=tuple(BASES)):
    """Which knowledge helps? Each kind with hard labels and with soft targets, at every weight of its grid.

    All learn from the same labelled images. The rows of the knowledge "none" are the two baselines.
    """
    return _swept(_points(labels, kinds, bases), seeds, data=partial(digits, transfer="labelled"))


def attention(seeds, labels):
    """The same for convolutional networks: attention transfer between maps of 8 × 8 or of 4 × 4 places.

    "attention, shuffled" is the control: the first maps of other images.
    """
    swept = partial(
        _swept,
        seeds=seeds,
        data=partial(digits, transfer="labelled"),
        student=convolutional_student,
        learning_rate=1e-2,
    )
    control = [point for point in _points(labels, ("attention, shuffled",)) if point["knowledge"] != "none"]
    right = swept(_points(labels, MAP_KINDS), teacher=convolutional_teacher)
    return right + swept(control, teacher=partial(shuffled_teacher, taught=convolutional_teacher))


def convolutional_student(seed=0):
    return convnet(8, 16, seed=seed)


def convolutional_teacher(data):
    """A teacher with maps, of a split; the store keeps it."""
    start = convnet(16, 32, 64, seed=data.seed)
    return teachers([data], start, learning_rate=1e-2)[0]


def chosen(table):
    """The rows of the weight that has the best mean validation accuracy, for each kind of knowledge.

    One weight for all seeds: a seed's own 200 validation images tell neighbouring weights badly apart.
    """
    setting = ["labels", "base", "knowledge", "weight"]
    means = table.groupby(setting).validation_accuracy.mean()
    best = means.groupby(setting[:-1]).idxmax()
    return table.set_index(setting).loc[best.to_list()].reset_index()


def gains(table):
    """The one table: each knowledge at its chosen weight, what it gains over its base, in percentage points.

    A row for each kind of knowledge and a column for each base and number of labels; "soft targets" in the
    column of the hard labels is the other base itself.
    """
    rows = chosen(table)
    accuracy = rows.pivot(index="seed", columns=["base", "labels", "knowledge"], values="accuracy")
    found = {}
    for base, labels, kind in accuracy:
        if kind == "none" and base == "hard labels":
            continue
        name, onto = (base, "hard labels") if kind == "none" else (kind, base)
        against = accuracy[onto, labels, "none"]
        found.setdefault((onto, labels), {})[name] = _short(paired(accuracy[base, labels, kind], against))
    return pd.DataFrame(found).rename_axis(columns=["added to", "labels"]).sort_index(axis=1).fillna("")


def _short(interval):
    half = (interval.high - interval.low) / 2
    return f"{interval.mean:+.1f} ± {half:.1f}" + ("" if interval.sure else " null")


def _points(labels, kinds, bases=tuple(BASES)):
    weights = {"none": (0.0,), **{kind: KINDS[kind].weights for kind in kinds}}
    return [
        {"labels": labels, "base": base, "knowledge": kind, "weight": weight}
        for base in bases
        for kind in weights
        for weight in weights[kind]
    ]


def _swept(points, seeds, *, objective=with_knowledge, student=deep_student, **settings):
    """The rows of a sweep, never taken from the store: what is computed again must be computed."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        found = sweep(points, objective, seeds=list(seeds), student=student, store=store, **settings)
        table = found.finish(progress=False).table
    measured = ["seed", *points[0], "validation_accuracy", "test_accuracy"]
    return table[measured].rename(columns={"test_accuracy": "accuracy"}).to_dict("records")


# --- the control: relations of other images


class ShuffledPairs(nn.Module):
    """A teacher whose features, under the name ``shuffled``, belong to other images; its logits do not.

    ``order`` says whose features each sample of the transfer set gets.
    """

    def __init__(self, teacher, layer, order):
        super().__init__()
        self.teacher, self.layer, self.shuffled = teacher, layer, _Rows(order)

    def forward(self, inputs):
        seen = trace(self.teacher, inputs, (self.layer,))
        self.shuffled(seen.features[self.layer])
        return seen.logits


class _Rows(nn.Module):
    def __init__(self, order):
        super().__init__()
        self.order = order

    def forward(self, features):
        # Asked about other images than those of the transfer set, there is nothing to shuffle.
        return features[self.order] if len(features) == len(self.order) else features


def shuffled(data, within_class=False):
    """An order of the transfer set in which every sample has another one's place.

    ``within_class`` exchanges samples of one label only: what a class is to another stays right, and only
    what belongs to the single image is lost.
    """
    labels = data.transfer.labels if within_class else torch.zeros(len(data.transfer), dtype=torch.long)
    generator = torch.Generator().manual_seed(data.seed)
    order = torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        (rows,) = (labels == label).nonzero(as_tuple=True)
        mixed = rows[torch.randperm(len(rows), generator=generator)]
        order[mixed] = mixed.roll(1)
    return order


def usual_teacher(data):
    return teachers([data])[0]


def shuffled_teacher(data, within_class=False, taught=usual_teacher):
    """The teacher of a split with the features of its first layer shuffled."""
    return ShuffledPairs(taught(data), LAYERS[1], shuffled(data, within_class))


SHUFFLES = {"shuffled": False, "shuffled within a class": True}


def shuffled_pairs(seeds, labels=50, kinds=("hint", "distances", "similarities"), bases=tuple(BASES)):
    """The controls of :func:`knowledge`: the same losses and weights, with the features of other images."""
    return [
        {"pairs": pairs, **row}
        for pairs, within_class in SHUFFLES.items()
        for row in _swept(
            [point for point in _points(labels, kinds, bases) if point["knowledge"] != "none"],
            seeds,
            objective=partial(with_knowledge, layers=(LAYERS[0], "shuffled")),
            data=partial(digits, transfer="labelled"),
            teacher=partial(shuffled_teacher, within_class=within_class),
        )
    ]


# --- relations only


EMBEDDING = ("hidden2", "activation1")
FROM_TEACHER = {
    "distances": partial(relation.DistanceRelation, *EMBEDDING),
    "angles": partial(relation.AngleRelation, *EMBEDDING),
    "similarities": partial(relation.SimilarityPreserving, *EMBEDDING),
    "neighbours": partial(relation.ProbabilisticTransfer, *EMBEDDING),
    "distances, shuffled pairs": partial(relation.DistanceRelation, EMBEDDING[0], "shuffled"),
    "soft targets": partial(SoftTargets, temperature=4),
}
RELATIONS_ONLY_ARMS = ("pixels", "teacher", "untrained", *FROM_TEACHER, "50 labels", "all labels")


def embedding_student(seed=0):
    """A network with an embedding of 8 numbers, ``hidden2``, before its logits."""
    return mlp(64, 64, 8, 10, seed=seed)


def relations_only(seeds, steps=600, arms=RELATIONS_ONLY_ARMS):
    """Students that never see a label and only learn how images stand to each other in the teacher.

    Beside them: what needs no training, what soft targets on the same images do, and what labels do.
    ``accuracy`` is that of the nearest among 50 labelled images, ``among_all`` that of the vote of the 5
    nearest among all 1,200 training images. ``similarity`` is the linear CKA to the teacher's layer on the
    test images, times 100.
    """
    data = [digits(labels=50, seed=seed) for seed in seeds]
    taught = teachers(data)
    embeddings = _embeddings(data, taught, steps)
    return [
        {"seed": part.seed, "steps": steps, "arm": arm, **_read_out(embed, teacher, part)}
        for arm in arms
        for part, teacher, embed in zip(data, taught, embeddings(arm), strict=True)
    ]


def _embeddings(data, taught, steps):
    """A function of an arm that gives, for each seed, a function from images to embeddings."""
    starts = [embedding_student(part.seed) for part in data]

    def trained(run):
        return [run.finish().student.student(row, 0) for row in range(len(data))]

    def of_arm(arm):
        if arm == "pixels":
            return [lambda images: images.flatten(1)] * len(data)
        if arm == "teacher":
            return [layer_of(teacher, EMBEDDING[1]) for teacher in taught]
        if arm == "untrained":
            students = starts
        elif arm in FROM_TEACHER:
            who = [shuffled_teacher(part) for part in data] if "shuffled" in arm else taught
            stack = StackedModel(starts)
            students = trained(distill_stack(who, stack, data, FROM_TEACHER[arm](), steps=steps))
        else:
            on = {"50 labels": "labelled", "all labels": "train"}[arm]
            students = trained(train_stack(StackedModel(starts), data, on=on, steps=steps))
        return [layer_of(student, EMBEDDING[0]) for student in students]

    return of_arm


def layer_of(model, layer):
    """A function from images to what a layer of a network says about them."""

    @torch.no_grad()
    def embed(images):
        return trace(model, images, (layer,)).features[layer].flatten(1)

    return embed


def _read_out(embed, teacher, data):
    seen = embed(data.test.inputs)
    few = nearest_neighbours(embed(data.labelled.inputs), data.labelled.labels, seen, count=1)
    every = nearest_neighbours(embed(data.train.inputs), data.train.labels, seen, count=5)
    right = [100 * float((said == data.test.labels).double().mean()) for said in (few, every)]
    similarity = 100 * cka(seen, layer_of(teacher, EMBEDDING[1])(data.test.inputs))
    return {"accuracy": right[0], "among_all": right[1], "similarity": similarity}


def nearest_neighbours(known, labels, asked, count):
    """The labels that the nearest known embeddings give to the embeddings asked about."""
    from sklearn.neighbors import KNeighborsClassifier

    vote = KNeighborsClassifier(count).fit(known.numpy(), labels.numpy())
    return torch.from_numpy(vote.predict(asked.numpy()))


# --- deep and thin


THIN_ARMS = {
    # The first stage's knowledge, and the second stage's base.
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


def deep_and_thin(seeds, first=500, second=1000):
    """FitNets: hints to the middle of a deep thin student first, then labels or soft targets.

    Every arm gets the same number of steps and the same two schedules of the learning rate, so that neither
    more training nor the restart explains a difference. "hard labels in one stage" has one schedule for all.
    """
    data = [digits(seed=seed) for seed in seeds]
    starts = [thin_student(seed) for seed in seeds]
    first_stage = _first_stages(data, starts, first)
    ends = {
        arm: _distilled(teachers(data), begun, data, BASES[base](), second)
        for arm, (stage, base) in THIN_ARMS.items()
        for begun in [first_stage(stage)]
    }
    whole = first + second
    ends["hard labels in one stage"] = _distilled(teachers(data), starts, data, BASES["hard labels"](), whole)
    tests = Evaluator([part.test for part in data])
    return [
        {"seed": part.seed, "arm": arm, "accuracy": 100 * float(accuracy)}
        for arm, students in ends.items()
        for part, accuracy in zip(data, tests.accuracy(StackedModel(students))[:, 0], strict=True)
    ]


def _first_stages(data, starts, steps):
    """A function of a stage's name that gives its students."""
    hint = partial(feature.Hint, "activation4", adapter="linear")

    def stage(name):
        objective, taught = {
            "hard labels": lambda: (BASES["hard labels"](), teachers(data)),
            "hint": lambda: (hint("activation1"), teachers(data)),
            "shuffled hint": lambda: (hint("shuffled"), [shuffled_teacher(part) for part in data]),
            "similarities": lambda: (
                relation.SimilarityPreserving("activation4", "activation1"),
                teachers(data),
            ),
        }[name]()
        return _distilled(taught, starts, data, objective, steps)

    return stage


def _distilled(taught, starts, data, objective, steps):
    run = distill_stack(taught, StackedModel(starts), data, objective, steps=steps).finish()
    return [run.student.student(row, 0) for row in range(len(starts))]
