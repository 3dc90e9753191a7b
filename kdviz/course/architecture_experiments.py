"""The experiments behind notebook 10: who teaches whom. Seeds in, rows out.

As in ``experiments``, all arms of a seed share the split, the initial weights and the order of the batches.
"""

import copy
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from kdviz.datasets import digits
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, agreement, kl_to_teacher
from kdviz.models import Ensemble, cost, mlp, quantised, separable_convnet
from kdviz.schemes import assistants, distill_stack, stack_chains, teachers, train_stack
from kdviz.training.stacked import StackedModel


def answers(model, samples):
    with torch.no_grad():
        return model(samples.inputs)


def fidelity(network, teacher, samples):
    """Accuracy, and beside it how near the student is to its teacher: agreement, and KL at temperature 4."""
    said, taught = answers(network, samples), answers(teacher, samples)
    return {
        "accuracy": 100 * accuracy(said, samples.labels),
        "agreement": 100 * agreement(said, taught),
        "kl": kl_to_teacher(said, taught, temperature=4.0),
    }


def taught(data, starts, their_teachers, objective, **training):
    """One student for each data set, distilled in a stack."""
    run = distill_stack(their_teachers, StackedModel(starts), data, objective, **training).finish()
    return [run.student.student(row, 0) for row in range(len(data))]


def schooled(data, starts, **training):
    """The same students on labels alone."""
    run = train_stack(StackedModel(starts), data, **training).finish()
    return [run.student.student(row, 0) for row in range(len(data))]


MIXTURE = 0.1 * CrossEntropy() + 0.9 * SoftTargets(4.0)
REGIMES = {"all labels": digits, "50 labels": partial(digits, labels=50, transfer="labelled")}
WIDTHS = (2, 4, 8, 16, 32, 64, 128)


def sizes(seeds, regime, steps=600):
    """Students of seven widths under one teacher, each beside its twin on labels alone."""
    data = [REGIMES[regime](seed=seed) for seed in seeds]
    their_teachers = teachers(data)
    rows = []
    for width in WIDTHS:
        starts = [mlp(64, width, 10, seed=seed) for seed in seeds]
        arms = {
            "hard labels": schooled(data, starts, steps=steps),
            "soft targets": taught(data, starts, their_teachers, MIXTURE, steps=steps),
        }
        rows += [
            {
                "seed": part.seed,
                "regime": regime,
                "width": width,
                "arm": arm,
                "parameters": 75 * width + 10,
                **fidelity(network, teacher, part.test),
            }
            for arm, networks in arms.items()
            for part, network, teacher in zip(data, networks, their_teachers, strict=True)
        ]
    return rows


TEACHER_WIDTHS = (8, 16, 64, 256, 1024)


def capacity_gap(seeds, width=4, temperature=2.0, steps=600):
    """A tiny student under teachers of five widths, on their answers alone; and its twin on hard labels.

    ``teacher_width`` is 0 for the twin.
    """
    data = [digits(seed=seed) for seed in seeds]
    starts = [mlp(64, width, 10, seed=seed) for seed in seeds]
    rows = [
        {
            "seed": part.seed,
            "width": width,
            "temperature": temperature,
            "steps": steps,
            "teacher_width": 0,
            "teacher_accuracy": None,
            "accuracy": 100 * accuracy(answers(network, part.test), part.test.labels),
            "agreement": None,
            "kl": None,
        }
        for part, network in zip(data, schooled(data, starts, steps=steps), strict=True)
    ]
    for teacher_width in TEACHER_WIDTHS:
        their_teachers = wide_teachers(data, teacher_width)
        networks = taught(data, starts, their_teachers, 1.0 * SoftTargets(temperature), steps=steps)
        rows += [
            {
                "seed": part.seed,
                "width": width,
                "temperature": temperature,
                "steps": steps,
                "teacher_width": teacher_width,
                "teacher_accuracy": 100 * accuracy(answers(teacher, part.test), part.test.labels),
                **fidelity(network, teacher, part.test),
            }
            for part, network, teacher in zip(data, networks, their_teachers, strict=True)
        ]
    return rows


def wide_teachers(data, width, steps=1000):
    """A teacher with one hidden layer of this width for each split."""
    starts = [mlp(64, width, 10, seed=part.seed) for part in data]
    return schooled(data, starts, steps=steps, learning_rate=3e-3, on="train")


CHAINS = {"direct": (), "by way of 16": (16,), "by way of 64, 32, 16, 8": (64, 32, 16, 8)}


def chains(seeds, width=4, temperature=2.0, steps=600):
    """Teacher assistants between a teacher of 256 units and a student of 4.

    Controls: the student on hard labels, and both with as many steps as the longest chain takes in all.
    """
    data = [digits(seed=seed) for seed in seeds]
    starts = [mlp(64, width, 10, seed=seed) for seed in seeds]
    big = teachers(data)
    objective = 1.0 * SoftTargets(temperature)
    long = steps * (1 + max(map(len, CHAINS.values())))
    arms = {
        "hard labels": schooled(data, starts, steps=steps),
        "hard labels, as many steps": schooled(data, starts, steps=long),
        "direct, as many steps": taught(data, starts, big, objective, steps=long),
    }
    for arm, between in CHAINS.items():
        links = [
            assistants(
                teacher,
                [*(mlp(64, one, 10, seed=part.seed) for one in between), start],
                part,
                objective,
                steps=steps,
            )
            for teacher, start, part in zip(big, starts, data, strict=True)
        ]
        last = stack_chains(links).finish().student
        arms[arm] = [last.student(row, 0) for row in range(len(data))]
    return [
        {"seed": part.seed, "steps": steps, "arm": arm, **fidelity(network, teacher, part.test)}
        for arm, networks in arms.items()
        for part, network, teacher in zip(data, networks, big, strict=True)
    ]


NOISY_TEACHERS = {
    "large, by heart": (256, 3000),
    "large, stopped early": (256, 200),
    "small": (8, 600),
}


def noisy_teachers(seeds, noise=0.4, width=64, steps=600):
    """40 % wrong labels: three teachers, and what a student of 64 units makes of their answers.

    The student hears the answers alone, at temperature 4. "hard labels" has no teacher.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    starts = [mlp(64, width, 10, seed=seed) for seed in seeds]
    rows = [
        {
            "seed": part.seed,
            "arm": "hard labels",
            "teacher_accuracy": None,
            "accuracy": found,
            "doubted": None,
        }
        for part, network in zip(data, schooled(data, starts, steps=steps), strict=True)
        for found in [100 * accuracy(answers(network, part.test), part.test.labels)]
    ]
    for arm, (teacher_width, teacher_steps) in NOISY_TEACHERS.items():
        their_teachers = wide_teachers(data, teacher_width, teacher_steps)
        networks = taught(data, starts, their_teachers, 1.0 * SoftTargets(4.0), steps=steps)
        for part, network, teacher in zip(data, networks, their_teachers, strict=True):
            by_heart = answers(teacher, part.train).argmax(-1) == part.train.labels
            rows.append(
                {
                    "seed": part.seed,
                    "arm": arm,
                    "teacher_accuracy": 100 * accuracy(answers(teacher, part.test), part.test.labels),
                    "accuracy": 100 * accuracy(answers(network, part.test), part.test.labels),
                    "doubted": 100 * float((~by_heart).double().mean()),
                }
            )
    return rows


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


def kinds(seeds, labels=50, steps=400):
    """Five kinds of student of one teacher, each with what it costs and beside its twin on labels alone.

    A quantised copy starts from the teacher's weights, rounded to 2 bits: the arm "as copied" does not learn
    at all. Of the searched ones each seed takes the one with the best validation accuracy; ``network`` says
    which.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    their_teachers = teachers(data)
    every = [kinds_of_student(teacher, part.seed) for teacher, part in zip(their_teachers, data, strict=True)]
    rows = []
    for kind in every[0]:
        starts = [one[kind] if kind == "searched" else [one[kind]] for one in every]
        arms = {
            "hard labels": _found(data, starts, partial(schooled, steps=steps)),
            "soft targets": _found(
                data,
                starts,
                lambda data, starts: taught(data, starts, their_teachers, MIXTURE, steps=steps),
            ),
        }
        if kind == "quantised copy":
            arms["as copied"] = [(start, 0) for (start,) in starts]
        for arm, networks in arms.items():
            for part, teacher, (network, place) in zip(data, their_teachers, networks, strict=True):
                spent = cost(network, part.test.inputs)
                rows.append(
                    {
                        "seed": part.seed,
                        "kind": kind,
                        "arm": arm,
                        "network": "-".join(map(str, SEARCHED[place])) if kind == "searched" else kind,
                        "parameters": spent.parameters,
                        "bytes": spent.bytes,
                        "macs": spent.macs,
                        **fidelity(network, teacher, part.test),
                    }
                )
    return rows


def _found(data, starts, school):
    """For each seed the student with the best validation accuracy, and its place among the candidates."""
    tried = [school(data, [own[place] for own in starts]) for place in range(len(starts[0]))]
    scores = [
        [accuracy(answers(network, part.validation), part.validation.labels) for network in own]
        for part, own in zip(data, zip(*tried, strict=True), strict=True)
    ]
    best = [int(np.argmax(own)) for own in scores]
    return [(tried[place][row], place) for row, place in enumerate(best)]


# --- several teachers, and how faithful a student is


def several_teachers(seeds, labels=50, count=5, steps=600):
    """Teachers with 50 labels each, and their student of 16 units, on all images and without labels.

    Five teachers with five initial weights on the same labels, five on others, or one with all 250.
    ``teacher_accuracy`` is that of what the student listens to.
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
    starts = [mlp(64, 16, 10, seed=seed) for seed in seeds]
    return [
        {
            "seed": part.seed,
            "arm": arm,
            "teacher_accuracy": 100 * accuracy(answers(teacher, part.test), part.test.labels),
            **fidelity(network, teacher, part.test),
        }
        for arm, their_teachers in listened.items()
        for part, network, teacher in zip(
            data,
            taught(data, starts, their_teachers, 1.0 * SoftTargets(1.0), steps=steps),
            their_teachers,
            strict=True,
        )
    ]


def _shards(data, labels, count):
    """Rows of the training part in disjoint groups."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(data.seed))
    return list(order[: labels * count].split(labels))


def _schools(data, shards):
    """For each seed one teacher for each of its shards, with initial weights of its own."""
    count = len(shards[0])
    narrowed = [
        replace(part, labelled=part.train[rows])
        for part, own in zip(data, shards, strict=True)
        for rows in own
    ]
    starts = [mlp(64, 256, 10, seed=1000 * place + part.seed) for part in data for place in range(count)]
    trained = schooled(narrowed, starts, steps=300, learning_rate=3e-3)
    return [trained[start : start + count] for start in range(0, len(trained), count)]


SHOWN = (50, 100, 200, 400, 1200)


def faithful(seeds, steps=600):
    """A student of its teacher's size, taught by its answers at temperature 4 on 50 to 1,200 images.

    ``images`` is how many; the twin with hard labels sees all, in another order than its teacher.
    """
    data = [digits(seed=seed) for seed in seeds]
    their_teachers = teachers(data)
    starts = [mlp(64, 256, 10, seed=1000 + seed) for seed in seeds]
    arms = {("hard labels", 1200): schooled(data, starts, steps=steps)}
    for images in SHOWN:
        fewer = [digits(labels=images, transfer="labelled", seed=seed) for seed in seeds]
        students = taught(fewer, starts, their_teachers, 1.0 * SoftTargets(4.0), steps=steps)
        arms["soft targets", images] = students
    return [
        {"seed": part.seed, "arm": arm, "images": images, **fidelity(network, teacher, part.test)}
        for (arm, images), networks in arms.items()
        for part, network, teacher in zip(data, networks, their_teachers, strict=True)
    ]
