"""Offline distillation in stages: other teachers, other objectives, other parts one after another."""

import copy
import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Unpack

from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.feature import Hint
from kdviz.losses.objective import Objective
from kdviz.losses.response import CrossEntropy
from kdviz.models.frozen import Frozen, Residual, in_train_mode
from kdviz.schemes.chain import Chain, Stage
from kdviz.schemes.offline import OfflineLesson, offline_run
from kdviz.tracing import check_model, check_models
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def checkpoints(run: Run) -> dict[int, nn.Module]:
    """Train a run to its end and keep a frozen copy of its student at each record, by step.

    They are the route of :func:`route_constrained`, and early-stopped teachers:
    ``checkpoints(train(mlp(64, 256, 10), data, on="train", steps=600, record_every=100))[200]`` (Cho and
    Hariharan 2019, *On the Efficacy of Knowledge Distillation*, section 4).
    """
    return {record.step: copy.deepcopy(run.student).eval().requires_grad_(False) for record in run}


def assistants(
    teacher: nn.Module,
    students: list[nn.Module],
    data: Dataset,
    objective: ObjectiveLike,
    **training: Unpack[Training],
) -> Chain:
    """Teacher assistants (TAKD): the teacher teaches the first, the first teaches the second, and so on.

    Source: Mirzadeh et al. 2020, *Improved Knowledge Distillation via Teacher Assistant*, section 3.

    Parameters
    ----------
    students : list of networks
        Assistants from large to small, the student last. They are copied.
    teacher, data, objective, **training
        As in :func:`kdviz.distill`, of each student.

    Returns
    -------
    Chain
        ``stages.runs`` holds the run of each; ``stages.student`` is the last begun.
    """

    def link(index, before):
        return Stage(teacher if before is None else before, students[index], objective)

    check_models("students", students)
    return Chain(link, len(students), data, training)


def route_constrained(
    route: list[nn.Module],
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    **training: Unpack[Training],
) -> Chain:
    """Route-constrained optimisation (RCO): the student follows the teacher along its own training.

    Its teachers are checkpoints of one teacher, from early to late; it keeps its weights from stage to stage.
    Source: Jin et al. 2019, *Knowledge Distillation via Route Constrained Optimization*, section 3.

    Parameters
    ----------
    route : list of teachers, early to late
        For example ``list(checkpoints(run).values())``.
    student, data, objective, **training
        As in :func:`kdviz.distill`, of each stage.
    """
    check_models("route", route)

    def link(index, before):
        return Stage(route[index], student if before is None else before, objective)

    return Chain(link, len(route), data, training)


def two_stages(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    hints: ObjectiveLike,
    objective: ObjectiveLike,
    **training: Unpack[Training],
) -> Chain:
    """Hints first (FitNets): the student's lower layers follow the teacher's, then all of it its answers.

    In the first stage what lies above the guided layer gets no gradient and stays as it is. The regressor
    of the hints is not kept. Source: Romero et al. 2015, *FitNets: Hints for Thin Deep Nets*, section 2.3.

    Parameters
    ----------
    hints : Objective
        Of the first stage, such as ``1.0 * Hint("activation1", adapter="linear")``.
    objective : Objective
        Of the second.
    teacher, student, data, **training
        As in :func:`kdviz.distill`, of each of the two stages.
    """

    def link(index, before):
        return Stage(teacher, student, hints) if index == 0 else Stage(teacher, before, objective)

    return Chain(link, 2, data, training)


def early_stopped(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    *,
    until: int,
    **training: Unpack[Training],
) -> Run:
    """Distillation that ends early (ESKD): from step ``until`` on the student learns from the labels alone.

    The weights of the terms that need a teacher are set to 0 then, as ``run.set`` would. Source: Cho and
    Hariharan 2019, *On the Efficacy of Knowledge Distillation*, section 4.2.

    Parameters are those of :func:`kdviz.distill`; the objective has to have a term without a teacher.
    """
    return offline_run(EarlyStopped(data, teacher, until), student, objective, **training)


class EarlyStopped(OfflineLesson):
    """A teacher that says nothing more from a step on."""

    def __init__(self, data, teacher, until):
        super().__init__(data, teacher)
        self.until = until

    def begin(self, run):
        super().begin(run)
        self.ending = [name for name, term in run.objective.named.items() if term.loss.needs_teacher]
        if len(self.ending) == len(run.objective.named):
            raise ValueError(f"nothing is left to learn from once {run.objective} has lost its teacher")

    def __call__(self, student, step):
        if step == self.until:
            for name in self.ending:
                self.run.set(f"{name}.weight", 0.0)
        return super().__call__(student, step)


def residual(
    teacher: nn.Module,
    student: nn.Module,
    assistant: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    **training: Unpack[Training],
) -> Chain:
    """Residual distillation: a student first, then an assistant that learns the student's error.

    In the second stage the finished student is frozen, and the teacher teaches the sum of the two: with
    ``LogitMatching`` the assistant regresses on the teacher's logits less the student's. Source: Gao et al.
    2021, *Residual Knowledge Distillation*, whose residual is one of feature maps; with logits, Li et al.
    2021, *ResKD: Residual-Guided Knowledge Distillation*.

    Parameters
    ----------
    student, assistant : networks with as many classes
    teacher, data, objective, **training
        As in :func:`kdviz.distill`, of each of the two stages.

    Returns
    -------
    Chain
        At the end ``stages.student`` is the :class:`kdviz.models.Residual` of both.
    """

    check_model("the assistant", assistant)

    def link(index, before):
        return Stage(teacher, student if index == 0 else Residual(before, assistant), objective)

    return Chain(link, 2, data, training)


def block_wise(
    teacher: nn.Sequential,
    student: nn.Sequential,
    data: Dataset,
    objective: Callable[[str], Objective] | ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Chain:
    """Block-wise progressive distillation: the teacher's blocks give way to the student's one by one.

    In stage k the network is the student's first k blocks with the teacher's others behind them, and only
    block k learns: from the labels, and to give what the teacher's block gives. Source: Wang et al. 2018,
    *Progressive Blockwise Knowledge Distillation for Neural Network Acceleration*, section 3.

    Parameters
    ----------
    teacher, student : ``nn.Sequential`` with the same layer names
        Each layer of the student gives what the teacher's of that name gives in shape, for example
        :func:`kdviz.models.low_rank` of the teacher. Layers without weights make no stage.
    objective : function of the block's name, or an objective
        By default ``CrossEntropy() + Hint(name)``.
    data, **training
        As in :func:`kdviz.distill`, of each stage.

    Returns
    -------
    Chain
        At the end ``stages.student`` holds the student's blocks, all but the last of them frozen.
    """
    check_models("teacher and student", [teacher, student])
    if list(dict(teacher.named_children())) != list(dict(student.named_children())):
        raise ValueError(
            "teacher and student must have the same layer names, block by block; got "
            f"{', '.join(dict(teacher.named_children()))} and {', '.join(dict(student.named_children()))}"
        )
    blocks = [name for name, block in student.named_children() if list(block.parameters())]

    def link(index, before):
        name = blocks[index]
        network = _with_block(teacher if before is None else before, name, student.get_submodule(name))
        wanted = objective(name) if inspect.isroutine(objective) else objective
        return Stage(teacher, network, wanted or CrossEntropy() + Hint(name))

    return Chain(link, len(blocks), data, training)


def _with_block(network, name, block):
    """A network with one block changed for another, and all its other blocks frozen."""
    layers = OrderedDict(
        (path, part if isinstance(part, Frozen) else Frozen(part)) for path, part in network.named_children()
    )
    return nn.Sequential(OrderedDict(layers, **{name: in_train_mode(block)}))
