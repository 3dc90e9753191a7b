"""Learning to withstand attacks, the other meaning of *adversarial*; some learn it from a teacher.

An attack is a function of model, inputs and labels, such as ``functools.partial(pgd, epsilon=0.1)`` of
:mod:`kdviz.algorithms.attacks`. Many seeds learn at once by :func:`under_attack_stack`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_share, check_temperature
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.offline import distill
from kdviz.schemes.stacked import Evaluator
from kdviz.schemes.supervised import train
from kdviz.tracing import Trace, answer, check_model, logits_of, trace
from kdviz.training.batches import StackedBatches, samples_last
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import Training
from kdviz.training.stacked import Stack, StackedModel
from kdviz.training.stages import Stages


def defensive_distillation(
    network: nn.Module, data: Dataset, *, temperature: float = 40.0, **training: Unpack[Training]
) -> Stages:
    """Defensive distillation: a network learns from its own kind's soft answers, hot, and is used cold.

    The first learns the labels with its logits divided by T, the second, from the same start, the first's
    probabilities with its own divided by T. In use they are not divided: all logits are about T times as
    large, and the softmax has no gradient left. Source: Papernot et al. 2016, *Distillation as a Defense to
    Adversarial Perturbations against Deep Neural Networks*, section IV.

    Parameters
    ----------
    network : where both start from
    data, **training
        As in :func:`kdviz.distill`; each of the two stages takes ``steps``.

    Returns
    -------
    Stages
        ``stages.student.network`` is the defended network as it is used, at temperature 1.
    """
    start = Tempered(network, temperature)

    def begin(stage, before):
        if stage == 0:
            return train(start, data, **training)
        return distill(before, start, data, SoftTargets(temperature=1), **training)

    return Stages(begin, 2)


class Tempered(nn.Module):
    """A network whose logits are divided by a temperature; ``network`` is the one inside.

    >>> import torch
    >>> Tempered(nn.Flatten(), 2.0)(torch.tensor([[4.0, 6.0]]))
    tensor([[2., 3.]])
    """

    def __init__(self, network: nn.Module, temperature: float):
        super().__init__()
        check_temperature(temperature)
        check_model("the network", network)
        self.network, self.temperature = copy.deepcopy(network), float(temperature)

    def forward(self, inputs):
        return logits_of(self.network(inputs)) / self.temperature


def adversarial_training(
    student: nn.Module, data: Dataset, attack: Callable, **training: Unpack[Training]
) -> Run:
    """Learning from labels on inputs that are attacked at each step, in the student as it is then.

    Source: Madry et al. 2018, *Towards Deep Learning Models Resistant to Adversarial Attacks*, equation 2.1.

    Parameters
    ----------
    student : where to start from
    data : Dataset, of which ``labelled`` is learned
    attack : function of model, inputs and labels that gives attacked inputs
        Such as ``functools.partial(pgd, epsilon=0.1, random=True)``.
    **training
        As in :func:`kdviz.distill`.
    """
    return Run(student, UnderAttack(data, attack), CrossEntropy(), evaluate_student(data), **training)


def robust_distillation(
    teacher: nn.Module,
    student: nn.Module,
    data: Dataset,
    attack: Callable,
    *,
    temperature: float = 4.0,
    alpha: float = 1.0,
    **training: Unpack[Training],
) -> Run:
    r"""Adversarially robust distillation (ARD): under attack, answer what a robust teacher says in peace.

    .. math:: \alpha T^2 \, \mathrm{KL}(q^T(x) \,\Vert\, p^T(x + \delta))
              + (1 - \alpha) \, \mathrm{CE}(y, p(x))

    where the attack :math:`\delta` is made against the student, at its step, to hide the label. Source:
    Goldblum et al. 2020, *Adversarially Robust Distillation*, equation 3 and algorithm 1.

    Parameters
    ----------
    teacher : a network, robust itself; it stays as it is
    student, data, attack, **training
        As in :func:`adversarial_training`.
    temperature, alpha : T, and :math:`\alpha` from 0 to 1
    """
    check_share("alpha", alpha)
    objective = alpha * SoftTargets(temperature) + (1 - alpha) * CleanCrossEntropy()
    lesson = UnderAttack(data, attack, teacher)
    return Run(student, lesson, objective, evaluate_student(data), **training)


@dataclass(frozen=True)
class CleanCrossEntropy(CrossEntropy):
    """The cross-entropy of what the student says of inputs that are not attacked."""

    name = "clean_cross_entropy"

    def value(self, student, teacher, labels, learned):
        return super().value(Trace(student.features["clean"]), teacher, labels, learned)


class UnderAttack(Lesson):
    """The student's answers under attack, and ``clean`` as a feature; the teacher's are to clean inputs."""

    only_counts = True

    def __init__(self, data, attack, teacher=None):
        super().__init__(data, "labelled")
        if not callable(attack):
            raise TypeError(
                "attack must be a function of model, inputs and labels, such as "
                f"functools.partial(fgsm, epsilon=0.1); got {attack!r}"
            )
        self.attack, self.said = attack, None
        if teacher is not None:
            self.said = answer(teacher, self.samples.inputs).logits

    def traces(self, student, rows):
        inputs, labels = self.inputs(rows), self.samples.labels[rows]
        attacked = self.attack(student, inputs, labels)
        features = {"clean": trace(student, inputs).logits} if self.said is not None else {}
        return Trace(trace(student, attacked).logits, features), None if self.said is None else Trace(
            self.said[rows]
        )


def under_attack_stack(
    students: StackedModel,
    data: list[Dataset],
    attack: Callable,
    *,
    teachers: list[nn.Module] | None = None,
    temperature: float = 1.0,
    batch_size: int = 64,
    **training,
) -> Stack:
    """:func:`adversarial_training` for a stack, or with teachers :func:`robust_distillation` with α = 1.

    Parameters
    ----------
    students : StackedModel with one network for each seed
    data : a Dataset for each seed, with equally many labelled images
    attack : as there; it gets a model of all seeds' batches one after another, S · B images
    teachers : a network for each seed
    batch_size, **training
        As in :func:`kdviz.schemes.distill_stack`.
    """
    samples, said = [part.labelled for part in data], None
    if teachers is not None:
        said = [answer(one, part.inputs) for one, part in zip(teachers, samples, strict=True)]
    batches = StackedBatches(samples, said, batch_size, [part.seed for part in data])
    evaluator = Evaluator([part.validation for part in data])

    def lesson(students, step):
        inputs, teacher, labels = next(batches)
        one_by_one = inputs.movedim(-1, 2).flatten(0, 2)
        attacked = attack(OneByOne(students), one_by_one, labels.flatten())
        attacked = samples_last(attacked.view(inputs.movedim(-1, 2).shape), 2)
        return students.trace(attacked), teacher, labels

    objective = CrossEntropy() if teachers is None else SoftTargets(temperature)
    return Stack(
        students, lesson, objective, lambda stack: {"accuracy": evaluator.accuracy(stack)}, **training
    )


class OneByOne(nn.Module):
    """A stack of S networks as one, which takes S · B inputs: the first B are for the first network.

    Unlike the stack it has a gradient by its inputs.
    """

    def __init__(self, stack: StackedModel):
        super().__init__()
        self.stack = stack

    def forward(self, inputs: Tensor) -> Tensor:
        beside = inputs.unflatten(0, (self.stack.shape[0], 1, -1)).movedim(2, -1)
        return self.stack._trace_any(beside, ()).logits.flatten(0, 2)
