"""Who teaches whom: sizes, the capacity gap, assistants, noisy teachers, five kinds of student, fidelity."""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from kdviz.course.experiments.arms import (
    answers,
    fidelity,
    from_labels,
    from_teacher,
    new_teachers,
    permuted,
    right,
    rows,
    starts,
    stopped,
    students,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.feature import Hint
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models import Ensemble, cost, low_rank, mlp, quantised, separable_convnet
from kdviz.schemes import assistants, block_wise, residual, stack_chains

MIXTURE = 0.1 * CrossEntropy() + 0.9 * SoftTargets(4.0)
REGIMES = {"all labels": digits, "50 labels": partial(digits, labels=50, transfer="labelled")}
WIDTHS = (2, 4, 8, 16, 32, 64, 128)


def with_teacher(network, data, teacher):
    """Accuracies of a student and of what it listens to, and how near they are."""
    return {"teacher_accuracy": right(teacher, data.test), **fidelity(network, data, teacher)}


@result({"regime": ("all labels", "50 labels")}, tolerance=4.0)
def sizes(seeds, regime, steps=600):
    """Students of seven widths under one teacher, each beside its twin on labels alone."""
    data = [REGIMES[regime](seed=seed) for seed in seeds]
    taught_by, found = usual_teachers(data), []
    for width in WIDTHS:
        begin = starts(data, width)
        arms = {
            "hard labels": from_labels(data, begin, steps=steps),
            "soft targets": from_teacher(data, begin, taught_by, MIXTURE, steps=steps),
        }
        columns = {"regime": regime, "width": width, "parameters": 75 * width + 10}
        found += rows(data, arms, fidelity, taught_by, **columns)
    return found


TEACHER_WIDTHS = (8, 16, 64, 256, 1024)


@result({"steps": (600, 3000)}, tolerance=5.0)
def capacity_gap(seeds, width=4, temperature=2.0, steps=600):
    """A tiny student under teachers of five widths, on their answers alone; and its twin on hard labels."""
    data = [digits(seed=seed) for seed in seeds]
    begin = starts(data, width)
    columns = {"width": width, "temperature": temperature, "steps": steps}
    found = rows(data, {"hard labels": from_labels(data, begin, steps=steps)}, teacher_width=0, **columns)
    for teacher_width in TEACHER_WIDTHS:
        taught_by = new_teachers(data, teacher_width)
        arm = from_teacher(data, begin, taught_by, SoftTargets(temperature), steps=steps)
        columns["teacher_width"] = teacher_width
        found += rows(data, {f"teacher of {teacher_width:,}": arm}, with_teacher, taught_by, **columns)
    return found


CHAINS = {"direct": (), "by way of 16": (16,), "by way of 64, 32, 16, 8": (64, 32, 16, 8)}


@result({"steps": (600, 3000)}, tolerance=5.0)
def chains(seeds, width=4, temperature=2.0, steps=600):
    """Teacher assistants between a teacher of 256 units and a student of 4.

    Controls: the student on hard labels, and both with as many steps as the longest chain takes in all.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin, big = starts(data, width), usual_teachers(data)
    objective, long = SoftTargets(temperature), steps * (1 + max(map(len, CHAINS.values())))
    arms = {
        "hard labels": from_labels(data, begin, steps=steps),
        "hard labels, as many steps": from_labels(data, begin, steps=long),
        "direct, as many steps": from_teacher(data, begin, big, objective, steps=long),
    }
    for arm, widths in CHAINS.items():
        links = zip(*(starts(data, one) for one in widths), begin, strict=True)
        arms[arm] = stack_chains(
            [
                assistants(teacher, list(own), part, objective, steps=steps)
                for teacher, own, part in zip(big, links, data, strict=True)
            ]
        )
    return rows(data, arms, fidelity, big, steps=steps)


NOISY_TEACHERS = {
    "large, by heart": (256, 3000),
    "large, stopped early": (256, 200),
    "small": (8, 600),
}


@result({"noise": (0.4,)}, tolerance=6.0)
def noisy_teachers(seeds, noise=0.4, width=64, steps=600):
    """40 % wrong labels: three teachers, and what a student of 64 units makes of their answers.

    The student hears the answers alone, at temperature 4. Controls: hard labels, the same stopped at the best
    validation accuracy, and each teacher's answers with their dark knowledge permuted.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    begin = starts(data, width)
    alone = stopped(from_labels(data, begin, steps=steps))
    found = rows(data, dict(zip(("hard labels", "hard labels, stopped"), alone, strict=True)))
    for arm, (teacher_width, teacher_steps) in NOISY_TEACHERS.items():
        taught_by = new_teachers(data, teacher_width, teacher_steps)
        said = answers(taught_by, data)
        for name, given in ((arm, said), (f"{arm}, permuted", permuted(said, data))):
            learned = from_teacher(data, begin, given, SoftTargets(4.0), steps=steps)
            found += rows(data, {name: learned}, _with_doubts, taught_by)
    return found


def _with_doubts(network, data, teacher):
    return {
        "teacher_accuracy": right(teacher, data.test),
        "accuracy": right(network, data.test),
        "doubted": 100 - right(teacher, data.train),
    }


# --- five kinds of student

SEARCHED = ((16,), (20,), (12, 12), (8, 32), (32, 4), (10, 10, 10))


def kinds_of_student(teacher, seed):
    """The five kinds of Gou et al., section 4, as networks to start from; the searched one is a list."""
    return {
        "simplified": mlp(64, 16, 10, seed=seed),
        "quantised copy": quantised(copy.deepcopy(teacher).requires_grad_(), 2),
        "efficient operations": separable_convnet(16, 32, seed=seed),
        "searched": [mlp(64, *widths, 10, seed=seed) for widths in SEARCHED],
        "same": mlp(64, 256, 10, seed=seed),
    }


# Parameters, bytes and MACs are in the table too: another network chosen is another size.
@result({"labels": (50,)}, tolerance=6.0)
def kinds(seeds, labels=50, steps=400):
    """Five kinds of student of one teacher, each with what it costs and beside its twin on labels alone.

    A quantised copy starts from the teacher's weights, rounded to 2 bits: the arm "as copied" does not learn
    at all. Of the searched ones each seed takes the one with the best validation accuracy; ``network`` says
    which.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    taught_by = usual_teachers(data)
    every = [kinds_of_student(teacher, part.seed) for teacher, part in zip(taught_by, data, strict=True)]
    learn = {
        "hard labels": lambda begin: from_labels(data, begin, steps=steps),
        "soft targets": lambda begin: from_teacher(data, begin, taught_by, MIXTURE, steps=steps),
    }
    found = []
    for kind in every[0]:
        begin = [own[kind] if kind == "searched" else [own[kind]] for own in every]
        arms = {arm: searched(data, begin, lesson) for arm, lesson in learn.items()}
        if kind == "quantised copy":
            arms["as copied"] = [(start, 0) for (start,) in begin]
        found += rows(data, arms, partial(_with_cost, kind=kind), taught_by, student=kind)
    return found


def searched(data, begin, learn):
    """For each seed the student with the best validation accuracy, and its index among the candidates."""
    tried = list(zip(*(students(learn(list(own))) for own in zip(*begin, strict=True)), strict=True))
    scores = [[right(one, part.validation) for one in own] for own, part in zip(tried, data, strict=True)]
    return [(own[best], best) for own, best in zip(tried, map(int, map(np.argmax, scores)), strict=True)]


def _with_cost(chosen, data, teacher, kind):
    network, index = chosen
    spent = cost(network, data.test.inputs)
    return {
        "network": "-".join(map(str, SEARCHED[index])) if kind == "searched" else kind,
        "parameters": spent.parameters,
        "bytes": spent.bytes,
        "macs": spent.macs,
        **fidelity(network, data, teacher),
    }


# --- several teachers, and how faithful a student is


@result({"labels": (50,)}, tolerance=5.0)
def several_teachers(seeds, labels=50, count=5, steps=600):
    """Teachers with 50 labels each, and their student of 16 units, on all images and without labels.

    Five teachers with five initial weights on the same labels, five on others, or one with all 250.
    """
    data = [digits(seed=seed) for seed in seeds]
    shards = [_shards(part, labels, count) for part in data]
    other = _schools(data, shards)
    same = _schools(data, [own[:1] * count for own in shards])
    union = _schools(data, [[torch.cat(own)] for own in shards])
    listened = {
        "one teacher": [own[0] for own in same],
        "five, same labels": [Ensemble(own) for own in same],
        "five, other labels": [Ensemble(own) for own in other],
        "one, all their labels": [own[0] for own in union],
    }
    begin, found = starts(data, 16), []
    for arm, taught_by in listened.items():
        learned = from_teacher(data, begin, taught_by, SoftTargets(1.0), steps=steps)
        found += rows(data, {arm: learned}, with_teacher, taught_by)
    return found


def _shards(data, labels, count):
    """Rows of the training part in disjoint groups."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(data.seed))
    return list(order[: labels * count].split(labels))


def _schools(data, shards):
    """For each seed one teacher for each of its shards, with initial weights of its own."""
    count = len(shards[0])
    narrowed = [
        replace(part, labelled=part.train[own])
        for part, shard in zip(data, shards, strict=True)
        for own in shard
    ]
    begin = [mlp(64, 256, 10, seed=1000 * number + part.seed) for part in data for number in range(count)]
    trained = students(from_labels(narrowed, begin, steps=300, learning_rate=3e-3))
    return [trained[row : row + count] for row in range(0, len(trained), count)]


SHOWN = (50, 100, 200, 400, 1200)


@result({"steps": (600,)}, tolerance=4.0)
def faithful(seeds, steps=600):
    """A student of its teacher's size, taught by its answers at temperature 4 on 50 to 1,200 images.

    The twin with hard labels sees all, in another order than its teacher.
    """
    data = [digits(seed=seed) for seed in seeds]
    taught_by, begin = usual_teachers(data), [mlp(64, 256, 10, seed=1000 + seed) for seed in seeds]
    alone = from_labels(data, begin, steps=steps)
    found = rows(data, {"hard labels": alone}, fidelity, taught_by, images=1200)
    for images in SHOWN:
        fewer = [digits(labels=images, transfer="labelled", seed=seed) for seed in seeds]
        learned = from_teacher(fewer, begin, taught_by, SoftTargets(4.0), steps=steps)
        found += rows(data, {"soft targets": learned}, fidelity, taught_by, images=images)
    return found


# --- two more bridges

THIN = 4
HINTS = CrossEntropy() + Hint("hidden1") + Hint("logits")


@result({"labels": (50,)}, tolerance=6.0)
def bridges(seeds, labels, steps=600):
    """A residual assistant, and a thin copy of the teacher built block by block; each with its rival.

    "residual": a student of 4 units, then a second of 4 that learns what the first one's answers lack. Its
    rival is one student of 8 units, with the steps of both. "block by block": the teacher's hidden layer
    gives way to one of rank 4, and then its last layer learns. Its rivals are the same thin network all at
    once, with as many steps: on the teacher's answers, on the hints of both stages, on the labels alone.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    taught_by = usual_teachers(data)
    soft, small, other = SoftTargets(2.0), starts(data, 4), [mlp(64, 4, 10, seed=1000 + s) for s in seeds]
    thin = [low_rank(teacher, THIN, seed=s) for teacher, s in zip(taught_by, seeds, strict=True)]
    each = list(zip(taught_by, small, other, data, strict=True))
    arms = {
        "4 units": from_teacher(data, small, taught_by, soft, steps=steps),
        "residual": [residual(*own, soft, steps=steps).finish().student for own in each],
        "8 units": from_teacher(data, starts(data, 8), taught_by, soft, steps=2 * steps),
        "8 units, labels alone": from_labels(data, starts(data, 8), steps=2 * steps),
        "block by block": [
            block_wise(teacher, own, part, steps=steps).finish().student
            for teacher, own, part in zip(taught_by, thin, data, strict=True)
        ],
        "all at once": from_teacher(data, thin, taught_by, MIXTURE, steps=2 * steps),
        "all at once, the same hints": from_teacher(data, thin, taught_by, HINTS, steps=2 * steps),
        "all at once, labels alone": from_labels(data, thin, steps=2 * steps),
        "as copied": thin,
    }
    return rows(data, arms, _sized, taught_by, labels=labels)


def _sized(network, data, teacher):
    return {"parameters": cost(network, data.test.inputs).parameters, **fidelity(network, data, teacher)}
