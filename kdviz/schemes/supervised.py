"""Learning from labels alone: the teacher's own training, and the baseline of every comparison."""

import copy
from collections.abc import Callable
from typing import Unpack

import torch
from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.inputs.batches import BatchSource
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy
from kdviz.models._mlp import mlp
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.offline import is_split, moved, own_run
from kdviz.schemes.own_data import BatchLesson
from kdviz.tracing import check_model
from kdviz.training.describe import Undescribable, describe, say_once, versions
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.store import Store, store_of


def train(
    student: nn.Module,
    data,
    objective: ObjectiveLike | None = None,
    *,
    on: str = "labelled",
    validation=None,
    augment: Callable | None = None,
    logits: int | str | Callable | None = None,
    answers: str | None = None,
    device: torch.device | str | None = None,
    **training: Unpack[Training],
) -> Run:
    """Train on labels only: the baseline that a distilled student is compared with.

    >>> import kdviz as kd
    >>> run = kd.train(kd.models.mlp(64, 16, 10), kd.datasets.digits(labels=50), steps=60)
    >>> run.finish().records[-1].measures["accuracy"] > 0.6
    True

    Parameters
    ----------
    student : torch.nn.Module
        Where to start from. It is copied, not changed.
    data : as in :func:`kdviz.distill`
    objective : default ``CrossEntropy()``
        Any sum of losses that needs no teacher.
    on : {"labelled", "train"}
        Which part of a kdviz Dataset to learn from.
    validation, augment, logits, answers, device, steps, epochs, learning_rate, batch_size, ...
        As in :func:`kdviz.distill`, so that the two can be compared step for step.

    Returns
    -------
    Run
        A record's measure is the accuracy on the validation samples, from 0 to 1.
    """
    _check_part(on)
    objective = as_objective(CrossEntropy() if objective is None else objective)
    if objective.needs_teacher:
        raise ValueError(f"{objective} needs a teacher; use kdviz.distill(teacher, student, ...)")
    training |= {"device": device}
    if is_split(data) and augment is None and validation is None:
        lesson = LabelsLesson(moved(data, device), on)
        return Run(student, lesson, objective, evaluate_student(lesson.data), **training)
    if is_split(data):
        validation = data if validation is None else validation
        data = BatchSource(data, part=on)
    lesson = BatchLesson(data, None, pick=logits, answers=answers, augment=augment)
    return own_run(lesson, student, objective, validation, **training)


class LabelsLesson(Lesson):
    """No teacher: the labels are all."""

    only_counts = True

    def traces(self, student, rows):
        return self.student_trace(student, rows), None


def teacher(
    data: Dataset,
    model: nn.Module | None = None,
    *,
    on: str = "train",
    steps: int = 1000,
    learning_rate: float = 3e-3,
    seed: int | None = None,
    store: Store | None = None,
) -> nn.Module:
    """A trained teacher, frozen and in eval mode; from the store the second time.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits()
    >>> kd.measure.accuracy(kd.teacher(data)(data.test.inputs), data.test.labels) > 0.94
    True

    It is trained on the training part of this split only. ``on="labelled"`` gives the control "a
    teacher that saw no more labels than the student". ``model`` is where to start from, by default
    ``mlp(64, 256, 10)`` with initial weights of the data's seed. The store knows a teacher by the samples,
    the code and weights of ``model``, the recipe and kdviz's own code.
    """
    start, settings, recipe = described_teacher(data, model, on, steps, learning_rate, seed)

    def make():
        return train(start, data, on=on, record_every=steps, **recipe).finish().student.state_dict()

    start.load_state_dict(store_of(store).fetch(settings, make, start.state_dict()))
    return start.eval().requires_grad_(False)


def _check_part(on):
    if on not in ("labelled", "train"):
        raise ValueError(f"on must be 'labelled' or 'train'; got {on!r}")


def described_teacher(data, model=None, on="train", steps=1000, learning_rate=3e-3, seed=None):
    """Where a teacher starts, the settings under which the store keeps it, and how it is trained.

    The settings are None where the model cannot be described.
    """
    if not isinstance(data, Dataset):
        raise TypeError(
            "kdviz.teacher trains on a kdviz data set and keeps what it trained; got "
            f"{type(data).__name__}. On data of your own train one by "
            "kdviz.train(model, data).finish().student"
        )
    _check_part(on)
    if model is not None:
        check_model("the model of a teacher", model)
    seed = data.seed if seed is None else seed
    start = mlp(64, 256, 10, seed=seed) if model is None else copy.deepcopy(model)
    start = start.to(data.train.inputs.device)
    recipe = {"steps": steps, "learning_rate": learning_rate, "seed": seed}
    try:
        # By the samples that it learns from, so that splits which differ elsewhere share their teacher.
        drawn = {"data": describe(getattr(data, on, None)), "start": describe(start)}
    except Undescribable as problem:
        say_once(f"the teacher's network holds what cannot be described: {problem}")
        return start, None, recipe
    return start, {"recipe": "teacher", "versions": versions(), **drawn, "on": on, **recipe}, recipe
