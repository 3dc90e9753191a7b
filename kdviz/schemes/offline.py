"""Offline distillation: a finished teacher answers once, the student learns from the answers."""

import torch

from kdviz.losses.checks import check_labels
from kdviz.losses.objective import as_objective
from kdviz.measure.predictions import accuracy, agreement
from kdviz.schemes.shared import begin, rows_of
from kdviz.tracing import Trace, trace


def distill(
    teacher,
    student,
    data,
    objective,
    *,
    steps=600,
    learning_rate=5e-3,
    batch_size=64,
    seed=None,
    record_every=None,
):
    """Distil a teacher into a student on the data's transfer set.

    Parameters
    ----------
    teacher : torch.nn.Module, or a tensor of logits
        A model answers once for the whole transfer set, in eval mode and without gradient. A tensor of
        logits, one row for each sample of ``data.transfer`` in the same order, stands for a teacher
        that is not there any more.
    student : torch.nn.Module
        Where to start from. It is copied, not changed.
    data : Dataset
        The student learns on ``data.transfer``; terms that need labels use those that are known.
    objective : Objective or Loss
        For example ``0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)``.
    steps, learning_rate, batch_size, seed, record_every
        As in :func:`kdviz.train`, so that the two can be compared step for step.

    Returns
    -------
    Run
        An iterator of records; ``run.finish()`` trains to the end, ``run.student`` is the student.
    """
    objective = as_objective(objective)
    samples = data.transfer
    answers = ask(teacher, samples.inputs, objective.teacher_layers)
    check_labels(answers.logits, samples.labels)
    reference = _answers_on_validation(teacher, data)
    rows = rows_of(data, batch_size, seed)

    def lesson(student, step):
        batch = next(rows)
        seen = trace(student, samples.inputs[batch], objective.student_layers)
        return seen, answers[batch], samples.labels[batch]

    def examine(student):
        with torch.no_grad():
            logits = trace(student, data.validation.inputs).logits
        measures = {"accuracy": accuracy(logits, data.validation.labels)}
        if reference is not None:
            measures["agreement"] = agreement(logits, reference)
        return measures

    return begin(
        student,
        lesson,
        objective,
        examine,
        steps=steps,
        learning_rate=learning_rate,
        record_every=record_every,
    )


def _answers_on_validation(teacher, data):
    """The teacher's validation logits, or None where only its cached answers are left."""
    if isinstance(teacher, torch.Tensor):
        return None
    return ask(teacher, data.validation.inputs).logits


def ask(teacher, inputs, layers=()):
    """The trace of a teacher, in eval mode and without gradient; cached logits stand for themselves."""
    if isinstance(teacher, torch.Tensor):
        return _cached(teacher, inputs, layers)
    was_training = teacher.training
    teacher.eval()
    try:
        with torch.no_grad():
            return trace(teacher, inputs, layers)
    finally:
        teacher.train(was_training)


def _cached(logits, inputs, layers):
    if layers:
        raise ValueError(f"cached logits hold no features, but the objective reads {layers}")
    if logits.ndim != 2 or len(logits) != len(inputs):
        raise ValueError(
            f"cached logits must have one row for each of the {len(inputs)} samples of the transfer "
            f"set, in its order; got shape {tuple(logits.shape)}"
        )
    return Trace(logits.detach())
