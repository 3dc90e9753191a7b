"""Generations: a network is taught by the one it was before, and starts afresh or goes on."""

from typing import Unpack

from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.response import CrossEntropy
from kdviz.schemes.chain import Chain, Stage
from kdviz.schemes.objectives import labels_and_soft_targets
from kdviz.tracing import check_models
from kdviz.training.options import ObjectiveLike, Training


def born_again(
    students: list[nn.Module],
    data: Dataset,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Chain:
    """Born-again networks: each generation starts afresh and is taught by the one before it.

    The first learns from the labels alone. Source: Furlanello et al. 2018, *Born-Again Neural Networks*,
    section 3. Their networks are alike but for the initial weights; with other networks in the list this is
    any chain of students.

    Parameters
    ----------
    students : list of networks
        Where each generation starts from, for example ``[mlp(64, 16, 10, seed=g) for g in range(3)]``.
    data, **training
        As in :func:`kdviz.distill`, of each generation.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
        Of the generations that have a teacher.

    Returns
    -------
    Chain
        ``stages.runs[g].student`` is generation g; ``stages.student`` the last.
    """
    objective = labels_and_soft_targets(objective, temperature=1)

    def generation(index, before):
        return Stage(before, students[index], objective if index else CrossEntropy())

    check_models("students", students)
    return Chain(generation, len(students), data, training)


def teacher_free(
    student: nn.Module, data: Dataset, objective: ObjectiveLike | None = None, **training: Unpack[Training]
) -> Chain:
    """Teacher-free distillation (Tf-KD self): learn from the labels, then begin again, taught by oneself.

    The second time round begins at the same initial weights. Source: Yuan et al. 2020, *Revisiting Knowledge
    Distillation via Label Smoothing Regularization*, section 4. Their other form, with a teacher made up
    from the labels, is a loss and needs no scheme:
    ``train(student, data, 0.1 * CrossEntropy() + 0.9 * VirtualTeacher(form="scaled"))``.

    Parameters are those of :func:`born_again`, for one student; by default its objective too.
    """
    return born_again([student, student], data, objective, **training)


def snapshot(
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    generations: int = 4,
    **training: Unpack[Training],
) -> Chain:
    """Snapshot distillation: one training in several cycles, each taught by where the last one ended.

    Unlike a born-again network the student goes on from its weights. The learning rate falls along a cosine
    in each cycle, and the first learns from the labels alone. Source: Yang et al. 2019, *Snapshot
    Distillation: Teacher-Student Optimization in One Generation*, section 3.

    Parameters
    ----------
    student, data, **training
        As in :func:`kdviz.distill`, of each cycle.
    objective : default ``CrossEntropy() + SoftTargets(temperature=2)``
    generations : int
        How many cycles, of ``steps`` each.

    Returns
    -------
    Chain
    """
    objective = labels_and_soft_targets(objective, temperature=2)

    def cycle(index, before):
        return Stage(before, before, objective) if index else Stage(None, student, CrossEntropy())

    return Chain(cycle, generations, data, training)
