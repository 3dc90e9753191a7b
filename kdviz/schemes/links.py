"""Chains: stages that differ only in who teaches, who learns and by which objective; alone or in a stack."""

from kdviz.schemes.offline import distill
from kdviz.schemes.stacked import distill_stack, train_stack
from kdviz.schemes.supervised import train
from kdviz.training.stacked import StackedModel
from kdviz.training.stages import Stages


class Chain(Stages):
    """Stages told by ``link(number, before)``: the teacher (or None), where to start from, and the objective.

    ``before`` is the student of the stage before, or None. Without a teacher a stage learns from the labels.
    """

    def __init__(self, link, count, data, training):
        self.link, self.data, self.training = link, data, training
        super().__init__(self._stage, count)

    def _stage(self, number, before):
        teacher, start, objective = self.link(number, before)
        if teacher is None:
            return train(start, self.data, objective, **self.training)
        return distill(teacher, start, self.data, objective, **self.training)


def stack_chains(chains):
    """Chains of several seeds as one: in each stage all seeds learn in one stack.

    >>> stack_chains([born_again(generations(seed), digits(50, seed=seed)) for seed in range(30)]).finish()

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
    first = chains[0]
    recipes = [(chain.count, chain.training, chain.objective) for chain in chains]
    unlike = next((recipe for recipe in recipes if repr(recipe) != repr(recipes[0])), None)
    if unlike:
        raise ValueError(f"chains in a stack must be trained alike; got {recipes[0]} and {unlike}")
    data = [chain.data for chain in chains]

    def stage(number, before):
        ended = [before and before.student(row, 0) for row in range(len(chains))]
        links = [chain.link(number, own) for chain, own in zip(chains, ended, strict=True)]
        teachers, starts, objectives = zip(*links, strict=True)
        students = StackedModel(starts)
        if teachers[0] is None:
            return train_stack(students, data, objectives[0], **first.training)
        return distill_stack(teachers, students, data, objectives[0], **first.training)

    return Stages(stage, first.count)
