"""Offline distillation: a finished teacher answers once, the student learns from the answers."""

from collections.abc import Callable
from typing import Unpack

import numpy as np
import torch
from torch import nn

from kdviz.inputs.models import StoredAnswers, as_model
from kdviz.losses.checks import check_labels
from kdviz.schemes.evaluation import evaluate_batches, evaluate_student
from kdviz.schemes.own_data import MOST_KEPT, BatchLesson
from kdviz.tracing import Trace, answer, size_of
from kdviz.training.devices import checked_device
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def distill(
    teacher,
    student: nn.Module,
    data,
    objective: ObjectiveLike,
    *,
    validation=None,
    augment: Callable | None = None,
    consistent: bool = True,
    logits: int | str | Callable | None = None,
    answers: str | None = None,
    device: torch.device | str | None = None,
    **training: Unpack[Training],
) -> Run:
    """Distil a teacher into a student.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits(labels=50)
    >>> objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)
    >>> run = kd.distill(kd.teacher(data), kd.models.mlp(64, 16, 10), data, objective, steps=300).finish()
    >>> run.records[-1].measures["agreement"] > 0.8
    True

    On data of your own, here a table and a forest:

    >>> from sklearn.ensemble import RandomForestClassifier
    >>> import torch
    >>> x = torch.randn(200, 6)
    >>> y = (x[:, 0] > 0).long()
    >>> forest = RandomForestClassifier(20, random_state=0).fit(x, y)
    >>> kd.distill(forest, torch.nn.Linear(6, 2), (x, y), kd.SoftTargets(4), epochs=2).finish().step
    6

    Parameters
    ----------
    teacher : torch.nn.Module, a fitted scikit-learn model, a function of inputs, or logits
        It answers in eval mode and without gradient, in passes of bounded memory; it stays as it is. Where it
        always sees the same and its answers take little memory, it is asked once before the first step.
        Logits (n, ...), one row for each sample in the order of the data, stand for a teacher that is not
        there any more.
    student : torch.nn.Module
        Where to start from. It is copied, not changed.
    data : a kdviz Dataset, or tensors, arrays or a table (inputs, labels), a torch Dataset, a DataLoader
        A batch is inputs, ``(inputs, labels)``, or a dictionary with ``"labels"``, the rest of which goes to
        the models by name; a label of -1 or -100 is unknown. Of a kdviz Dataset the student learns on
        ``data.transfer``. A loader keeps its batches and their order; all else is shuffled by the seed.
    objective : Objective or Loss
        For example ``0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)``. Terms that need labels use
        those that are known. Of tokens (B, L, V) and pixels (B, C, H, W) the losses on logits read each
        position that has a label and is not masked; several labels, and one logit, are read as the two
        classes no and yes of each. Numbers take :class:`kdviz.losses.LogitMatching`.
    validation : like ``data``
        What a record's measures are taken on: accuracy and agreement with the teacher, of numbers the mean
        distance. By default that part of a kdviz Dataset; without one nothing is measured.
    augment : function of inputs and a generator
        See ``kdviz.datasets.augmentations``. New at each step.
    consistent : bool
        Whether the teacher sees each augmented view that the student sees, or else the plain inputs. Source:
        Beyer et al. 2022, *Knowledge distillation: A good teacher is patient and consistent*.
    logits, answers
        Which part of what the models return holds the logits, and what these are, where that is not plain;
        as in :func:`kdviz.diagnose`.
    device : where to train
        By default the student's; the batches, and a copy of the teacher, go there.
    steps, epochs
        How many updates, by default 600; or how often every sample is seen.
    learning_rate
        Of Adam; it falls along a cosine to 2 % of its start.
    batch_size : int
        A last short batch of an epoch is left out; a batch is never larger than the samples.
    optimizer : function of a list of parameters
        In place of Adam: ``lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9)``. Its rates
        fall along the cosine, too.
    schedule : function of the optimizer
        In place of the cosine: ``lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 200)``, moved
        after each step.
    clip : float
        The longest that the gradient of all parameters together may be.
    accumulate : int
        How many batches a step learns from; their gradients are averaged.
    precision : torch.bfloat16 or torch.float16
        The networks answer under autocast, and losses are taken in single precision. float16 scales its
        gradients.
    seed : int, default the data's, or 0
        Draws the order of the batches. Runs with the same one see the same batches.
    record_every : int, default steps // 20
        Steps between two records.
    threads : int
        How many threads torch takes while it trains.

    Returns
    -------
    Run
        An iterator of records; ``run.finish()`` trains to the end, ``run.student`` is the student,
        ``run.save(folder)`` and :func:`kdviz.load_run` go on another day.

    Memory: beside data, networks and one batch, the teacher's answers to all samples where they are kept, at
    most 256 MB. One process trains on one device; for several, put the objective into a loop of yours, as
    ``examples/two_processes.py`` does.
    """
    training |= {"device": device}
    if is_split(data) and augment is None:
        lesson = OfflineLesson(moved(data, device), _asked(teacher))
        return offline_run(lesson, student, objective, validation, **training)
    lesson = BatchLesson(data, teacher, pick=logits, answers=answers, augment=augment, consistent=consistent)
    validation = data if validation is None and is_split(data) else validation
    return own_run(lesson, student, objective, validation, **training)


def own_run(lesson, student, objective, validation, **training) -> Run:
    """The run of a :class:`BatchLesson`, evaluated beside its teacher where that can still be asked."""
    evaluate = lambda student: {}  # noqa: E731
    if validation is not None:
        teacher = None if isinstance(lesson.teacher, StoredAnswers) else lesson.teacher
        evaluate = evaluate_batches(validation, teacher, lesson.pick, lesson.declared)
    return Run(student, lesson, objective, evaluate, **training)


def offline_run(lesson, student, objective, validation=None, **training) -> Run:
    """The run of an :class:`OfflineLesson`, evaluated beside its teacher where that can still be asked."""
    there = not isinstance(lesson.teacher, torch.Tensor)
    if validation is not None:
        evaluate = evaluate_batches(validation, lesson.teacher if there else None)
    else:
        reference = answer(lesson.teacher, lesson.data.validation.inputs).logits if there else None
        evaluate = evaluate_student(lesson.data, reference)
    return Run(student, lesson, objective, evaluate, **training)


def is_split(data):
    return all(hasattr(data, part) for part in ("transfer", "validation"))


def moved(data, device):
    return data if device is None else data.to(checked_device(device))


def _asked(teacher):
    """A teacher as a module, or its logits as a tensor."""
    if isinstance(teacher, (torch.Tensor, np.ndarray)):
        return torch.as_tensor(teacher)
    return as_model(teacher, "teacher")


class OfflineLesson(Lesson):
    """A teacher that answered once, before the first step."""

    only_counts = True

    def __init__(self, data, teacher):
        super().__init__(data)
        self.teacher = teacher

    def begin(self, run):
        super().begin(run)
        large = _bytes_of_answers(self.teacher, self.samples, self.teacher_layers) > MOST_KEPT
        self.answers = None if large else teacher_trace(self.teacher, self.samples, self.teacher_layers)

    def traces(self, student, rows):
        if self.answers is None:
            return self.student_trace(student, rows), answer(
                self.teacher, self.inputs(rows), self.teacher_layers
            )
        return self.student_trace(student, rows), self.answers[rows]


def _bytes_of_answers(teacher, samples, layers):
    """How much memory the answers to all samples would take, by those to the first two."""
    # Logits are few; layers of many maps are not.
    if isinstance(teacher, torch.Tensor) or not layers:
        return 0
    found = answer(teacher, samples[:2].inputs, layers)
    each = sum(values.nbytes for values in (found.logits, *found.features.values()))
    return each / len(found) * len(samples)


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
