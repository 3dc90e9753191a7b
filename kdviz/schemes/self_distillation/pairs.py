"""A network taught by what it says of another image: one of the same class, or the same one distorted."""

import torch

from kdviz.datasets.distortions import SLIGHT_NOISE
from kdviz.schemes.offline import ask
from kdviz.schemes.shared import (
    begin,
    exam,
    generator,
    labels_and_soft_targets,
    layers_of,
    others,
    rows_of,
    together,
)
from kdviz.tracing import trace
from kdviz.training.batches import batches


def class_wise(student, data, objective=None, *, batch_size=64, seed=None, **training):
    """Class-wise self-distillation (CS-KD): images of one class are to be answered alike.

    Each image is taught by what the student says now of another of its class, chosen at random. Source: Yun
    et al. 2020, *Regularizing Class-wise Predictions via Self-knowledge Distillation*, equations 1 and 2.
    Their teacher is a fixed copy of the student; it answers here in eval mode, in their code in train mode.

    Parameters
    ----------
    objective : default ``CrossEntropy() + SoftTargets(temperature=4)``
    student, data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.train`; it learns on ``data.labelled``.
    """
    objective = labels_and_soft_targets(objective, temperature=4)
    samples, random = data.labelled, generator(data, seed)
    rows = batches(len(samples), batch_size, data.seed if seed is None else seed)

    def lesson(student, step):
        batch = next(rows)
        partners = same_class(samples.labels, batch, random)
        seen = trace(student, samples.inputs[batch], objective.student_layers)
        taught = ask(student, samples.inputs[partners], objective.teacher_layers)
        return seen, taught, samples.labels[batch]

    return begin(student, lesson, objective, exam(data), **training)


def same_class(labels, rows, random):
    """For each of the rows another row of the same label, drawn evenly; its own where it is the only one."""
    order = labels.argsort(stable=True)
    counts = labels.bincount()
    first = counts.cumsum(0) - counts
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    own = labels[rows]
    steps = 1 + (torch.rand(len(rows), generator=random).to(labels.device) * (counts[own] - 1)).long()
    return order[first[own] + (place[rows] - first[own] + steps) % counts[own]]


def two_views(
    student,
    data,
    objective=None,
    *,
    distort=SLIGHT_NOISE,
    batch_size=64,
    seed=None,
    **training,
):
    """Data-distortion guided self-distillation (DDGSD): two distortions of an image teach each other.

    Both learn from the labels. Source: Xu and Liu 2019, *Data-Distortion Guided Self-Distillation for Deep
    Neural Networks*, equations 3 to 7. Their objective also draws the mean features of the two views
    together; a term that reads a layer does it here sample by sample.

    Parameters
    ----------
    distort : function of inputs and a generator
        See ``kdviz.datasets.distortions``.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    student, data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`. A record's losses hold one number for each view.
    """
    objective = labels_and_soft_targets(objective, temperature=3)
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)
    random = generator(data, seed)

    def lesson(student, step):
        batch = next(rows)
        views = [distort(samples.inputs[batch], random) for _ in range(2)]
        seen = together(trace(student, view, layers) for view in views)
        return seen, others(seen), samples.labels[batch]

    return begin(student, lesson, objective, exam(data), **training)
