"""A discriminator that is to be fooled, one of two meanings of *adversarial*.

It is a term of an objective, :class:`AdversarialLoss`, that brings its own small network. With it a student
is taught by a teacher, peers by each other, and a generator by data: the three differ in nothing but who is
to be taken for whom. For the other meaning see :mod:`kdviz.algorithms.under_attack`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_choice, check_whole
from kdviz.losses.objective import Loss, as_objective
from kdviz.losses.response import CrossEntropy, LogitMatching, SoftTargets
from kdviz.schemes.offline import distill
from kdviz.schemes.online.peers import mutual
from kdviz.tracing import Trace, answer, check_model, trace
from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


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
