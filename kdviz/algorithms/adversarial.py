"""Two meanings of *adversarial*: a discriminator that is to be fooled, and attacks that are to be withstood.

The discriminator is a term of an objective, :class:`AdversarialLoss`, that brings its own small network. With
it a student is taught by a teacher, peers by each other, and a generator by data. Its three uses differ in
nothing but who is to be taken for whom. The attacks are those of :mod:`kdviz.algorithms.attacks`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_choice, check_share, check_temperature, check_whole
from kdviz.losses.objective import Loss, as_objective
from kdviz.losses.response import CrossEntropy, LogitMatching, SoftTargets
from kdviz.schemes.evaluation import evaluate_student
from kdviz.schemes.offline import distill
from kdviz.schemes.online.peers import mutual
from kdviz.schemes.supervised import train
from kdviz.tracing import Trace, answer, check_model, logits_of, trace
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training
from kdviz.training.stages import Stages

# --- the first meaning: a discriminator that is to be fooled


@dataclass(frozen=True)
class AdversarialLoss(Loss):
    r"""A discriminator learns to tell the teacher's answers from the student's, who learns to be mistaken.

    With :math:`D(z)` = its logit for "this is the teacher's" and z for the student's answers, t for the
    teacher's, the value is the sum of what both learn:

    .. math:: \underbrace{\overline{\log(1 + e^{-D(t)})}
              + \overline{\log(1 + e^{D(z)})}}_{\text{moves only D}}
              + \underbrace{\overline{\log(1 + e^{-D(z)})}}_{\text{moves only the student}}

    ``form="squares"`` has :math:`(1 - D(t))^2 + D(z)^2` and :math:`(1 - D(z))^2` in their place. D sees one
    answer at a time and not the image: who answers what is nothing to it, so the loss stays the same when
    the teacher's answers are exchanged among the images.

    Sources: Goodfellow et al. 2014, *Generative Adversarial Nets*, section 3 (the student's term is the one
    that does not saturate); Mao et al. 2017, *Least Squares Generative Adversarial Networks*, equation 9.

    Parameters
    ----------
    layer : str, optional
        The layer whose output D sees, of student and teacher; by default the logits.
    width : int
        Units in each of its two hidden layers, with leaky ReLUs of slope 0.2.
    form : "log" or "squares"
    """

    layer: str | None = None
    width: int = 32
    form: str = "log"
    name = "adversarial"
    kind = "adversarial"
    paper = "Goodfellow et al. 2014, section 3"
    formula = (
        r"\overline{\log(1 + e^{-D(t)})} + \overline{\log(1 + e^{D(z)})} + \overline{\log(1 + e^{-D(z)})}"
    )
    scale = "nats; 3 log 2 where D knows nothing"
    memory = "N × width"
    cost = "two passes of D forwards and backwards"

    def __post_init__(self):
        check_choice("form", self.form, ("log", "squares"))
        check_whole("width", self.width, 1)

    @property
    def student_layers(self):
        return () if self.layer is None else (self.layer,)

    teacher_layers = student_layers

    def initial(self, student, teacher):
        seen = self.seen(student)
        sizes = (seen.shape[1], self.width, self.width, 1)
        drawn = {}
        for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
            drawn[f"weight{number}"] = seen.new_empty(outputs, inputs).normal_() / inputs**0.5
            drawn[f"bias{number}"] = seen.new_zeros(outputs)
        return drawn

    def value(self, student, teacher, labels, learned):
        own, theirs = self.seen(student), self.seen(teacher).detach()
        still = {name: part.detach() for name, part in learned.items()}
        told = self.taken(learned, theirs, 1) + self.taken(learned, own.detach(), 0)
        return told + self.taken(still, own, 1)

    def taken(self, learned, values, for_teachers):
        """How far D is from taking these for the teacher's (1), or for the student's (0)."""
        d = discriminator(learned, values)
        if self.form == "squares":
            return (for_teachers - d).square().mean()
        return F.softplus(-d if for_teachers else d).mean()

    def seen(self, one):
        return (one.logits if self.layer is None else one.features[self.layer]).flatten(1)

    def latex(self):
        return r"\mathcal{L}_\mathrm{adv}"


def discriminator(learned: dict[str, Tensor], values: Tensor) -> Tensor:
    """What a discriminator says of answers (N, D): its logit for "the teacher's", (N,)."""
    for number in range(2):
        values = F.leaky_relu(values @ learned[f"weight{number}"].mT + learned[f"bias{number}"], 0.2)
    return (values @ learned["weight2"].mT + learned["bias2"]).squeeze(-1)


def adversarial_distillation(
    teacher,
    student: nn.Module,
    data: Dataset,
    objective: ObjectiveLike,
    *,
    weight: float = 1.0,
    **training: Unpack[Training],
) -> Run:
    """Distillation with a discriminator beside another objective, such as the labels.

    Source: Xu et al. 2018, *Training Shallow and Thin Networks for Acceleration via Knowledge Distillation
    with Conditional Adversarial Networks*, whose discriminator also names the class; that is left out.

    Parameters
    ----------
    teacher, student, data, **training
        As in :func:`kdviz.distill`.
    objective : what else the student learns
    weight : of the adversarial term

    >>> import kdviz as kd
    >>> data = kd.datasets.digits(labels=50)
    >>> teacher, student = kd.teacher(data), kd.models.mlp(64, 8, 10)
    >>> run = adversarial_distillation(teacher, student, data, kd.CrossEntropy(), steps=2)
    >>> list(run.finish().records[-1].losses)
    ['cross_entropy', 'adversarial']
    """
    return distill(teacher, student, data, as_objective(objective) + weight * AdversarialLoss(), **training)


def adversarial_peers(
    peers: list[nn.Module],
    data: Dataset,
    layer: str,
    *,
    objective: ObjectiveLike | None = None,
    weight: float = 1.0,
    **training: Unpack[Training],
) -> Run:
    """Online adversarial distillation (AFD): each peer has a discriminator that looks at its features.

    Mutual learning of the answers, and for each peer a discriminator that tells its features from another's;
    the peer learns to have them taken for the other's. Source: Chung et al. 2020, *Feature-map-level Online
    Adversarial Knowledge Distillation*, section 3; there a peer's transfer layer stands before the
    discriminator, and both losses have optimizers of their own.

    Parameters
    ----------
    peers, data, **training
        As in :func:`kdviz.schemes.mutual`.
    layer : the path of a layer that all peers have, equally wide
    objective : what else they learn, by default what :func:`kdviz.schemes.mutual` has
    weight : of the adversarial term
    """
    objective = CrossEntropy() + SoftTargets(temperature=1) if objective is None else as_objective(objective)
    return mutual(peers, data, objective + weight * AdversarialLoss(layer, form="squares"), **training)


def gan(
    generator: nn.Module,
    draw: Callable[[int], Tensor],
    *,
    noise: int = 2,
    loss: AdversarialLoss | None = None,
    **training: Unpack[Training],
) -> Run:
    """A generative adversarial network: a generator learns to be mistaken for what ``draw`` draws.

    Where ``draw`` asks another generator, this is distillation by a discriminator. Source: Goodfellow et al.
    2014, algorithm 1, with both moving at once and Adam in place of gradient descent.

    Parameters
    ----------
    generator : network from noise (N, noise) to points (N, D); it is copied
    draw : function of a number N
        It gives N points (N, D), new at each step.
    noise : how many normal numbers go in
    loss : by default ``AdversarialLoss(width=64)``
    **training
        As in :func:`kdviz.distill`.
    """
    check_whole("noise", noise, 1)
    if not callable(draw):
        raise TypeError(f"draw must be a function of a number that gives as many points; got {draw!r}")
    lesson = FromNoise(noise, lambda drawn: draw(len(drawn)).detach())
    return Run(generator, lesson, AdversarialLoss(width=64) if loss is None else loss, **training)


def distilled_gan(
    teacher: nn.Module, student: nn.Module, *, noise: int = 2, **training: Unpack[Training]
) -> Run:
    """A generator copies another one, noise for noise: the mean squared distance of what both make of it.

    Source: Aguinaldo et al. 2019, *Compressing GANs using Knowledge Distillation*, section 3; their second
    loss adds a discriminator.

    Parameters
    ----------
    teacher, student : generators of the same noise and points; the student is copied
    noise, **training
        As in :func:`gan`.
    """
    check_whole("noise", noise, 1)
    check_model("the teacher", teacher)
    return Run(
        student,
        FromNoise(noise, lambda drawn: answer(teacher, drawn).logits),
        LogitMatching("mean"),
        **training,
    )


class FromNoise(Lesson):
    """New noise at each step: the student says what it makes of it, the teacher what ``teach`` says."""

    only_counts = True

    def __init__(self, noise, teach):
        self.noise, self.teach = noise, teach

    def begin(self, run):
        self.run = run

    def go_to(self, count):
        """A step's noise depends on nothing but its number and the seed."""

    def epoch_length(self, batch_size):
        return None

    def __call__(self, student, step):
        drawn = torch.randn(self.run.batch_size, self.noise)
        return trace(student, drawn), Trace(self.teach(drawn)), None


# --- the second meaning: attacks that are to be withstood


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
