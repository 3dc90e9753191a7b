"""The objectives of schemes: the usual one, and which layers have to be traced for one."""

from kdviz.losses.objective import Objective, as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets


def labels_and_soft_targets(objective, temperature) -> Objective:
    """The objective given, or the usual one: the labels and the teacher, each with weight 1."""
    return as_objective(CrossEntropy() + SoftTargets(temperature) if objective is None else objective)


def layers_of(objective):
    """The layers to trace where students are teachers too."""
    return tuple(dict.fromkeys(objective.student_layers + objective.teacher_layers))


def check_reads_no_layers(objective, why):
    """Some teachers have nothing but logits."""
    if layers_of(objective):
        raise ValueError(f"{why}, but the objective reads {', '.join(layers_of(objective))}")
