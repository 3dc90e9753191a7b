"""A network taught by what it answers to another image: one of the same class, or the same one augmented."""

from collections.abc import Callable
from typing import Unpack

import torch
from torch import nn

from kdviz.datasets.augmentations import SLIGHT_NOISE
from kdviz.datasets.dataset import Dataset
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.group_traces import GroupLesson, others, together
from kdviz.schemes.objectives import labels_and_soft_targets
from kdviz.tracing import answer, trace
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def class_wise(
    student: nn.Module, data: Dataset, objective: ObjectiveLike | None = None, **training: Unpack[Training]
) -> Run:
    """Class-wise self-distillation (CS-KD): images of one class are to be answered alike.

    Each image is taught by what the student answers now to another of its class, chosen at random. Source:
    Yun et al. 2020, *Regularizing Class-wise Predictions via Self-knowledge Distillation*, equations 1 and 2.
    Their teacher is a fixed copy of the student; it answers here in eval mode, in their code in train mode.

    Parameters
    ----------
    student, data, **training
        As in :func:`kdviz.distill`; it learns on ``data.labelled``.
    objective : default ``CrossEntropy() + SoftTargets(temperature=4)``
    """
    objective = labels_and_soft_targets(objective, temperature=4)
    return Run(student, ClassWise(data, "labelled"), objective, evaluate_student(data), **training)


class ClassWise(Lesson):
    """The student's own answers to partners of the same class."""

    def traces(self, student, rows):
        partners = same_class(self.samples.labels, rows, self.random)
        return self.student_trace(student, rows), answer(student, self.inputs(partners), self.teacher_layers)


def same_class(labels, rows, random):
    """For each of the rows another row of the same label, drawn evenly; its own where it is the only one."""
    order = labels.argsort(stable=True)
    counts = labels.bincount()
    first = counts.cumsum(0) - counts
    rank = torch.empty_like(order)
    rank[order] = torch.arange(len(order), device=order.device)
    own = labels[rows]
    steps = 1 + (torch.rand(len(rows), generator=random).to(labels.device) * (counts[own] - 1)).long()
    return order[first[own] + (rank[rows] - first[own] + steps) % counts[own]]


def two_views(
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    augment: Callable = SLIGHT_NOISE,
    **training: Unpack[Training],
) -> Run:
    """Data-distortion guided self-distillation (DDGSD): two augmented views of an image teach each other.

    Both learn from the labels. Source: Xu and Liu 2019, *Data-Distortion Guided Self-Distillation for Deep
    Neural Networks*, equations 3 to 7. Their objective also draws the mean features of the two views
    together; a term that reads a layer does it here sample by sample.

    Parameters
    ----------
    student, data, **training
        As in :func:`kdviz.distill`. A record's losses hold one number for each view.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    augment : function of inputs and a generator
        See ``kdviz.datasets.augmentations``.
    """
    objective = labels_and_soft_targets(objective, temperature=3)
    return Run(student, TwoViews(data, augment), objective, evaluate_student(data), **training)


class TwoViews(GroupLesson):
    """One network that sees two views, as two students that teach each other."""

    def __init__(self, data, augment):
        super().__init__(data)
        self.augment = augment

    def student_traces(self, student, rows):
        views = [self.augment(self.inputs(rows), self.random) for _ in range(2)]
        return together(trace(student, view, self.layers) for view in views)

    def teachers_of(self, group, rows):
        return others(group)
