"""Chains: stages that differ in who teaches, who learns, by what objective and data; alone or in a stack."""

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.schemes.offline import distill
from kdviz.schemes.stacked import distill_stack, train_stack
from kdviz.schemes.supervised import train
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stacked import StackedModel
from kdviz.training.stages import Stages


@dataclass(frozen=True)
class Stage:
    """One stage of a chain: the teacher (or None: learn from the labels), where to start from, the objective.

    A stage may bring data of its own, and settings that differ from the chain's: a student that learns one
    task after another, or from easy samples to hard ones.
    """

    teacher: nn.Module | None
    start: nn.Module
    objective: ObjectiveLike
    data: Dataset | None = None
    training: Training = field(default_factory=dict)


class Chain(Stages):
    """Stages told by ``link(index, before)``, which gives a :class:`Stage`.

    ``before`` is the student of the stage before, or None in the first.

    >>> import kdviz as kd
    >>> easy, hard = kd.datasets.digits(labels=100), kd.datasets.digits(labels=100, shift=1, seed=1)
    >>> def link(index, before):
    ...     start = before or kd.models.mlp(64, 8, 10)
    ...     return Stage(None, start, kd.CrossEntropy(), data=[easy, hard][index])
    >>> Chain(link, 2, training={"steps": 10}).finish().step
    20

    Parameters
    ----------
    link : function
    count : int
        How many stages.
    data : Dataset, optional
        Of the stages that bring none.
    training : dictionary
        The settings of every stage, where it says nothing else: see :func:`kdviz.distill`.
    """

    def __init__(
        self,
        link: Callable[[int, nn.Module | None], Stage],
        count: int,
        data: Dataset | None = None,
        training: Training | None = None,
    ):
        self.link, self.data, self.training = link, data, training or {}
        super().__init__(self._stage, count)

    def stage(self, index, before):
        """A stage with all that the chain gives it."""
        stage = self.link(index, before)
        data = self.data if stage.data is None else stage.data
        if data is None:
            raise ValueError(
                f"there is no data for stage {index}: neither the chain nor the stage brings any"
            )
        return Stage(stage.teacher, stage.start, stage.objective, data, {**self.training, **stage.training})

    def _stage(self, index, before):
        stage = self.stage(index, before)
        if stage.teacher is None:
            return train(stage.start, stage.data, stage.objective, **stage.training)
        return distill(stage.teacher, stage.start, stage.data, stage.objective, **stage.training)


def stack_chains(chains: list[Chain]) -> Stages:
    """Chains of several seeds as one: in each stage all seeds learn in one stack.

    >>> from kdviz.datasets import digits
    >>> from kdviz.models import mlp
    >>> from kdviz.schemes import teacher_free
    >>> chains = [teacher_free(mlp(64, 8, 10), digits(50, seed=seed), steps=10) for seed in range(3)]
    >>> stack_chains(chains).finish().records[-1].total.shape
    (3, 1)

    The chains must be of one scheme, with one objective and recipe; each keeps its own data, teachers and
    initial weights, and ends as it would alone, up to rounding. ``stages.student.student(row, 0)`` is the
    last network of a row. Networks with frozen parts or batch statistics cannot be stacked: that leaves out
    :func:`residual` and :func:`block_wise`.

    Parameters
    ----------
    chains : list of what :func:`born_again`, :func:`teacher_free`, :func:`snapshot`, :func:`assistants`,
        :func:`route_constrained` or :func:`two_stages` return, none of them begun

    Returns
    -------
    Stages
        Its runs are stacks: a record's numbers are arrays (seeds, 1).
    """
    _check_alike([(chain.count, chain.training, chain.objective) for chain in chains])

    def begin(index, before):
        ended = [before and before.student(row, 0) for row in range(len(chains))]
        stages = [chain.stage(index, own) for chain, own in zip(chains, ended, strict=True)]
        _check_alike([(stage.training, stage.objective) for stage in stages])
        data, students = [stage.data for stage in stages], StackedModel([stage.start for stage in stages])
        objective, training = stages[0].objective, stages[0].training
        if stages[0].teacher is None:
            return train_stack(students, data, objective, **training)
        return distill_stack([stage.teacher for stage in stages], students, data, objective, **training)

    return Stages(begin, chains[0].count)


def _check_alike(recipes):
    unlike = next((recipe for recipe in recipes if repr(recipe) != repr(recipes[0])), None)
    if unlike:
        raise ValueError(f"chains in a stack must be trained alike; got {recipes[0]} and {unlike}")
