"""A network taught by its own past: the average of its weights, or what it answered an epoch ago."""

from collections.abc import Callable
from typing import Unpack

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from kdviz.datasets.augmentations import SLIGHT_NOISE
from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_labels, check_numbers_of, check_share
from kdviz.losses.objective import as_objective
from kdviz.losses.response import SoftTargets
from kdviz.losses.response.logits import one_hot
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.objectives import check_reads_no_layers, labels_and_soft_targets
from kdviz.tracing import Trace, answer, trace
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def mean_teacher(
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    decay: float = 0.99,
    augment: Callable = SLIGHT_NOISE,
    **training: Unpack[Training],
) -> Run:
    r"""Mean teacher: the teacher is the running average of the student's weights.

    .. math:: \theta'_t = \alpha_t\, \theta'_{t-1} + (1 - \alpha_t)\, \theta_t, \qquad
              \alpha_t = \min(1 - 1 / (t + 1),\, \alpha)

    after step t, with :math:`\theta'_0 = \theta_0`. Student and teacher see the same images, each under
    an augmentation of its own. Source: Tarvainen and Valpola 2017, *Mean teachers are better role models*,
    section 2; the decay grows as in their code. Their consistency cost is the squared distance of the
    probabilities; here it is any term of the objective. The teacher answers in eval mode, with the
    student's batch statistics. They raise the weight of consistency over the first steps:
    :func:`kdviz.schemes.ramp_up`; without, a teacher that knows nothing yet holds its student back.

    Parameters
    ----------
    student, data, **training
        As in :func:`kdviz.distill`; unlabelled images count in the terms that need no labels.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
    decay : float, alpha
    augment : function of inputs and a generator
        See ``kdviz.datasets.augmentations``.

    Returns
    -------
    Run
        ``run.student``, and ``run.teacher``, its average.
    """
    check_share("decay", decay)
    lesson = MeanTeacher(data, decay, augment)
    objective = labels_and_soft_targets(objective, temperature=1)
    run = Run(student, lesson, objective, lesson.evaluate, **training)
    run.teacher = lesson.average.module
    return run


class MeanTeacher(Lesson):
    """The average of the student's weights, kept up to date after every step."""

    def __init__(self, data, decay, augment):
        super().__init__(data)
        self.decay, self.augment, self._accuracy = decay, augment, evaluate_student(data)

    def begin(self, run):
        super().begin(run)
        self.average = AveragedModel(run.student, avg_fn=self._towards).requires_grad_(False).eval()

    def traces(self, student, rows):
        self._keep_up(student)
        ours, theirs = (self.augment(self.inputs(rows), self.random) for _ in range(2))
        return (
            trace(student, ours, self.student_layers),
            answer(self.average.module, theirs, self.teacher_layers),
        )

    def evaluate(self, student):
        self._keep_up(student)
        teacher_accuracy = self._accuracy(self.average.module)["accuracy"]
        return {**self._accuracy(student), "teacher_accuracy": teacher_accuracy}

    def _keep_up(self, student):
        if self.average.n_averaged <= self.run.step:
            self.average.update_parameters(student)

    def _towards(self, before, now, count):
        kept = min(1 - 1 / (int(count) + 1), self.decay)
        return kept * before + (1 - kept) * now


def progressive(
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    own_weight: float = 0.8,
    **training: Unpack[Training],
) -> Run:
    r"""Progressive self-knowledge (PS-KD): labels softened by what the student answered an epoch ago.

    .. math:: q_n = (1 - \alpha_e)\, y_n + \alpha_e\, p_n^{e - 1}, \qquad \alpha_e = \alpha\, e / E

    is the teacher in epoch e = 1, ..., E; in the first it is the label. Source: Kim et al. 2021,
    *Self-Knowledge Distillation with Progressive Refinement of Targets*, equations 4 and 5. Their
    cross-entropy with q differs from the default objective by the entropy of q, which no student changes.

    Parameters
    ----------
    student, data, **training
        As in :func:`kdviz.distill`; it learns on ``data.labelled``.
    objective : default ``SoftTargets(temperature=1)``
    own_weight : float
        The weight of its own answers in the last epoch, alpha, from 0 to 1.
    """
    check_share("own_weight", own_weight)
    objective = as_objective(SoftTargets(1) if objective is None else objective)
    check_reads_no_layers(objective, "softened labels are all that this teacher gives")
    return Run(student, Progressive(data, own_weight), objective, evaluate_student(data), **training)


class Progressive(Lesson):
    """Labels mixed with the student's answers, anew each epoch."""

    def __init__(self, data, own_weight):
        super().__init__(data, "labelled")
        self.own_weight = own_weight

    def traces(self, student, rows):
        step, epoch = self.run.step, max(1, len(self.samples) // self.run.batch_size)
        if step % epoch == 0:
            own = self.own_weight * min(1, (step + epoch) / self.run.steps)
            self.targets = self._softened(student, own if step else 0.0)
        return self.student_trace(student, rows), self.targets[rows]

    def _softened(self, student, own):
        """The mixture as logits at temperature 1."""
        logits = answer(student, self.samples.inputs).logits
        check_numbers_of("the student's logits", logits)
        check_labels(logits, self.samples.labels)
        probabilities = logits.softmax(-1)
        mixed = (1 - own) * one_hot(self.samples.labels, probabilities) + own * probabilities
        return Trace(mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log())
