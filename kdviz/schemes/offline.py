"""Offline distillation: a finished teacher answers once, the student learns from the answers."""

import torch
from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_labels
from kdviz.schemes.evaluation import evaluate_student
from kdviz.tracing import Trace, answer, size_of
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike


def distill(
    teacher: nn.Module | torch.Tensor,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    *,
    steps: int = 600,
    learning_rate: float = 5e-3,
    batch_size: int = 64,
    seed: int | None = None,
    record_every: int | None = None,
    threads: int = 1,
) -> Run:
    """Distil a teacher into a student on the data's transfer set.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits(labels=50)
    >>> objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)
    >>> run = kd.distill(kd.teacher(data), kd.models.mlp(64, 16, 10), data, objective, steps=300).finish()
    >>> run.records[-1].measures["agreement"] > 0.8
    True

    Parameters
    ----------
    teacher : torch.nn.Module, or a tensor of logits
        A model answers once for the whole transfer set, in eval mode and without gradient, in passes of
        bounded memory; it stays as it is. A tensor of logits (n, C), one row for each sample of
        ``data.transfer`` in the same order, stands for a teacher that is not there any more.
    student : torch.nn.Module
        Where to start from. It is copied, not changed.
    data : Dataset
        The student learns on ``data.transfer``; terms that need labels use those that are known.
    objective : Objective or Loss
        For example ``0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)``.
    steps, learning_rate
        Of Adam; the learning rate falls along a cosine to 2 % of its start.
    batch_size : int
        A last short batch of an epoch is left out; a batch is never larger than the samples.
    seed : int, default the data's
        Draws the order of the batches. Runs with the same one see the same batches.
    record_every : int, default steps // 20
        Steps between two records.
    threads : int
        How many threads torch takes while it trains.

    Returns
    -------
    Run
        An iterator of records; ``run.finish()`` trains to the end, ``run.student`` is the student. A
        record's measures are the accuracy on the validation samples and the agreement with the teacher.
    """
    return offline_run(
        OfflineLesson(data, teacher),
        student,
        objective,
        steps=steps,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        record_every=record_every,
        threads=threads,
    )


def offline_run(lesson, student, objective, **training) -> Run:
    """The run of an :class:`OfflineLesson`, evaluated beside its teacher where that can still be asked."""
    reference = None
    if not isinstance(lesson.teacher, torch.Tensor):
        reference = answer(lesson.teacher, lesson.data.validation.inputs).logits
    return Run(student, lesson, objective, evaluate_student(lesson.data, reference), **training)


class OfflineLesson(Lesson):
    """A teacher that answered once, before the first step."""

    def __init__(self, data, teacher):
        super().__init__(data)
        self.teacher = teacher

    def begin(self, run):
        super().begin(run)
        self.answers = teacher_trace(self.teacher, self.samples, self.teacher_layers)

    def traces(self, student, rows):
        return self.student_trace(student, rows), self.answers[rows]


def teacher_trace(teacher: nn.Module | torch.Tensor, samples, layers=()) -> Trace:
    """What a teacher answers for all samples; cached logits stand for themselves."""
    if isinstance(teacher, torch.Tensor):
        trace = _cached(teacher, size_of(samples.inputs), layers)
    else:
        trace = answer(teacher, samples.inputs, layers)
    check_labels(trace.logits, samples.labels)
    return trace


def _cached(logits, count, layers):
    if layers:
        raise ValueError(f"cached logits hold no features, but the objective reads {layers}")
    if logits.ndim != 2 or len(logits) != count:
        raise ValueError(
            f"cached logits must have one row for each of the {count} samples of the transfer "
            f"set, in its order; got shape {tuple(logits.shape)}"
        )
    return Trace(logits.detach(), rows=torch.arange(count, device=logits.device))
