"""Temperatures that are not fixed: one for each sample, and one that learns to make the task harder."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import (
    check_same_shape,
    check_temperature,
)
from kdviz.losses.response._soft_targets import soft_targets
from kdviz.losses.response.logits import ResponseLoss, check_settings, divergence, log_softmax, softmax

FORMS = ("difference", "confidence")


def sample_temperature(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 4.0,
    strength: float = 1.0,
    exponent: float = 2.0,
    form: str = "difference",
    lowest: float = 1.0,
) -> Tensor:
    r"""A temperature for each sample, (N,): colder where the sample is hard for the student.

    .. math:: T_n = T + \beta\,(\bar w - w_n), \qquad \bar w = \frac{1}{N} \sum_n w_n

    β is ``strength``; 0 gives the same temperature to all. The harder the sample, the larger its weight:

    form="difference"
        :math:`w = (1 - \cos(z_S, z_T))^\gamma` with γ = ``exponent``: the student's logits point elsewhere
        than the teacher's (called FLSW).
    form="confidence"
        :math:`w = 1 / (\max_c p_c + 10^{-3})`, p the student's probabilities: it is not sure (called CWSM).

    Not below ``lowest``: the formula alone can fall to 0 and under. The mean temperature of a batch is T
    (where none is held up by ``lowest``). It is a constant for the gradient. Adding a constant to a
    sample's logits changes the first form and not the second.

    Source: Wen et al. 2019, *Preparing Lessons: Improve Knowledge Distillation with Better Supervision*,
    in the form of TextBrewer's schedulers, which add 1e-4 to each norm of the cosine and have no lowest
    temperature.
    """
    check_settings(
        FORMS, temperature=temperature, strength=strength, exponent=exponent, form=form, lowest=lowest
    )
    check_same_shape(student_logits, teacher_logits)
    with torch.no_grad():
        if form == "confidence":
            hard = 1 / (softmax(student_logits).amax(-1) + 1e-3)
        else:
            # A rounded cosine may be just above 1, and a negative number has no root.
            hard = (1 - _cosine(student_logits, teacher_logits)).clamp(min=0) ** exponent
        colder = strength * (hard.mean(-1, keepdim=True) - hard)
        return (temperature + colder).clamp(min=lowest)


def _cosine(a, b):
    a = a / (torch.linalg.vector_norm(a, dim=-1, keepdim=True) + 1e-4)
    b = b / (torch.linalg.vector_norm(b, dim=-1, keepdim=True) + 1e-4)
    return (a * b).sum(-1)


def soft_targets_by_sample(student_logits: Tensor, teacher_logits: Tensor, temperatures: Tensor) -> Tensor:
    r"""Soft targets in which each sample has its own temperature.

    .. math:: \frac{1}{N} \sum_n T_n^2\, \mathrm{KL}(q_n \Vert p_n), \qquad
              p_n = \mathrm{softmax}(z_{S,n} / T_n), \quad q_n = \mathrm{softmax}(z_{T,n} / T_n)

    ``temperatures`` are N numbers above 0, as from :func:`sample_temperature`. With the same number
    everywhere it is ``soft_targets``. In nats times T².
    """
    check_temperature(temperatures)
    check_same_shape(student_logits, teacher_logits)
    if temperatures.shape[-1] != student_logits.shape[-2]:
        raise ValueError(
            f"there are {temperatures.shape[-1]} temperatures for {student_logits.shape[-2]} samples "
            f"(temperatures {tuple(temperatures.shape)}, logits {tuple(student_logits.shape)})"
        )
    return _soft_targets_by_sample(student_logits, teacher_logits, temperatures.to(student_logits))


def _soft_targets_by_sample(student_logits, teacher_logits, temperatures):
    log_p = log_softmax(student_logits / temperatures.unsqueeze(-1))
    log_q = log_softmax(teacher_logits.detach() / temperatures.unsqueeze(-1))
    return (temperatures**2 * divergence(log_q, log_p)).mean(-1)


def learned_temperature(
    theta: Tensor, lowest: float = 1.0, span: float = 20.0, reversal: float = 1.0
) -> Tensor:
    r"""The temperature of CTKD: :math:`T = T_0 + \Delta\, \mathrm{sigmoid}(\theta)`, with reversed gradient.

    ``lowest`` is :math:`T_0`, ``span`` is Δ. Descending on a loss at this temperature moves the student
    down and θ up: the temperature looks for what the student finds hardest. ``reversal`` is λ, from 0
    (the temperature stays) to 1; see :func:`curriculum`.
    """
    check_settings(lowest=lowest, span=span, reversal=reversal)
    return lowest + span * torch.sigmoid(reverse_gradient(theta, reversal))


def reverse_gradient(value: Tensor, strength: float = 1.0) -> Tensor:
    """The same value, whose gradient is multiplied by minus ``strength``."""
    return (1 + strength) * value.detach() - strength * value


def curriculum(fraction: float) -> float:
    r"""How far along the reversal is: :math:`\lambda = (1 - \cos \pi s) / 2`, from 0 to 1, then 1.

    ``fraction`` is s, the part of the curriculum that is over; the authors let it take the first 10 epochs.
    """
    return (1 - math.cos(math.pi * min(max(fraction, 0.0), 1.0))) / 2


@dataclass(frozen=True)
class SampleTemperature(ResponseLoss):
    """:func:`soft_targets_by_sample` at :func:`sample_temperature`, as a term of an objective.

    >>> SampleTemperature()(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, -1.0], [1.0, 0.0]]))
    tensor(0.2402)
    """

    temperature: float = 4.0
    strength: float = 1.0
    exponent: float = 2.0
    form: str = "difference"
    lowest: float = 1.0
    forms = FORMS
    name = "sample_temperature"
    paper = "Wen et al. 2019 (dynamic temperature), as in TextBrewer"
    formula = r"\frac{1}{N} \sum_n T_n^2\, \mathrm{KL}(q_n \Vert p_n), \quad T_n = T + \beta\, (\bar w - w_n)"
    scale = "nats times T²"
    cost = "three softmaxes"
    invariant_to = ()

    def value(self, student, teacher, labels, learned):
        temperatures = sample_temperature(student.logits, teacher.logits, **vars(self))
        # Logits that are NaN give such temperatures: let them show in the loss, not as a setting.
        return _soft_targets_by_sample(student.logits, teacher.logits, temperatures)

    def latex(self):
        return rf"T_n^2\, \mathrm{{KL}}(q^{{T_n}} \,\Vert\, p^{{T_n}}),\; \bar T={self.temperature:g}"


@dataclass(frozen=True)
class CurriculumTemperature(ResponseLoss):
    r"""Soft targets at a temperature that is learned against the student (CTKD), as a term of an objective.

    :func:`soft_targets` at :func:`learned_temperature`. One number θ is learned, from the value 1, which is
    T = 15.6 with the other settings as they are. The factor :math:`T^2` belongs to the loss that θ
    climbs, as in the authors' code. ``reversal`` is λ: raise it from 0 along :func:`curriculum` while the
    run goes on (``run.set("curriculum_temperature.reversal", ...)``), or leave it at 1.

    >>> CurriculumTemperature()(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor(0.4990)

    Source: Li et al. 2023, *Curriculum Temperature for Knowledge Distillation*, the global temperature.
    Their code also applies the student's weight decay to θ.
    """

    lowest: float = 1.0
    span: float = 20.0
    reversal: float = 1.0
    name = "curriculum_temperature"
    paper = "CTKD, Li et al. 2023, global temperature"
    formula = (
        r"\frac{T_\theta^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n), \quad T_\theta = T_0 + \Delta\, "
        r"\mathrm{sigmoid}(\theta)"
    )
    scale = "nats times T²"
    cost = "two softmaxes"

    def initial(self, student, teacher):
        return {"theta": torch.ones((), dtype=student.logits.dtype, device=student.logits.device)}

    def value(self, student, teacher, labels, learned):
        temperature = learned_temperature(learned["theta"], **vars(self))
        return soft_targets(student.logits, teacher.logits, temperature)

    def latex(self):
        return r"T_\theta^2\, \mathrm{KL}(q^{T_\theta} \,\Vert\, p^{T_\theta})"
