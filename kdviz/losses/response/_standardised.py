"""Logit standardisation: each sample's logits get mean 0 and standard deviation 1 before the softmax."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_same_shape
from kdviz.losses.response._soft_targets import soft_targets
from kdviz.losses.response.logits import ResponseLoss, check_other_classes, check_settings

FORMS = ("paper", "sample", "authors")


def standardise(logits: Tensor, form: str = "paper") -> Tensor:
    r"""Each sample's logits with mean 0 and standard deviation 1 (their Z-score).

    .. math:: z' = \frac{z - \bar z}{\sigma(z)}

    form="paper"
        :math:`\sigma^2 = \frac{1}{C} \sum_c (z_c - \bar z)^2`. No logit is larger than :math:`\sqrt{C - 1}`.
    form="sample"
        :math:`\sigma^2 = \frac{1}{C - 1} \sum_c (z_c - \bar z)^2`. No logit is larger than
        :math:`(C - 1) / \sqrt{C}`. The same as a base temperature :math:`\sqrt{C / (C - 1)}` times as high.
    form="authors"
        As "sample", with 1e-7 added to σ: torch's ``std``, as their code has it.

    Adding a constant to a sample's logits, or multiplying them by a number above 0, changes nothing.
    A sample whose logits are all the same has no direction: it becomes all 0 and passes on no gradient.
    With two classes every sample becomes (1, -1) or (-1, 1): only the order is left, and the gradient
    is 0. It needs three classes to say more. Errors: ValueError for a single class.

    Source: Sun et al. 2024, *Logit Standardization in Knowledge Distillation*.
    """
    check_settings(FORMS, form=form)
    check_other_classes(logits, "standardisation")
    centred = logits - logits.mean(-1, keepdim=True)
    square = centred.square().sum(-1, keepdim=True)
    # Below this the differences are the rounding of the mean, and their direction is noise.
    noise = (8 * torch.finfo(logits.dtype).eps) ** 2 * logits.detach().square().sum(-1, keepdim=True)
    same = square <= noise
    count = logits.shape[-1] if form == "paper" else logits.shape[-1] - 1
    deviation = (square.masked_fill(same, 1.0) / count).sqrt()
    if form == "authors":
        deviation = deviation + 1e-7
    return (centred / deviation).masked_fill(same, 0.0)


def standardised_soft_targets(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 2.0, form: str = "paper"
) -> Tensor:
    r"""Soft targets between standardised logits: the student may be as sure as it likes.

    ``soft_targets(standardise(student), standardise(teacher), temperature)``, with the factor :math:`T^2`
    that the paper prints. The temperature is now in standard deviations. In effect each sample of each
    network has its own temperature, :math:`T \sigma(z)`. 0 if and only if the student's logits are the
    teacher's up to a shift and a positive factor. In nats times :math:`T^2`. See :func:`standardise` for the
    forms and for two classes.

    Source: Sun et al. 2024, *Logit Standardization in Knowledge Distillation*. Their recipes weight this
    term by 9 and more, and the baseline of the same repository uses that weight too.
    """
    check_same_shape(student_logits, teacher_logits)
    return soft_targets(standardise(student_logits, form), standardise(teacher_logits, form), temperature)


@dataclass(frozen=True)
class StandardisedSoftTargets(ResponseLoss):
    """:func:`standardised_soft_targets` as a term of an objective.

    >>> teacher = torch.tensor([[3.0, 1.0, 0.0]])
    >>> round(StandardisedSoftTargets()(5 * teacher - 1, teacher).item(), 5)
    0.0
    """

    temperature: float = 2.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(standardised_soft_targets)
    name = "standardised_soft_targets"
    paper = "LSKD, Sun et al. 2024 (logit standardisation)"
    formula = (
        r"\frac{T^2}{N} \sum_n \mathrm{KL}(q'_n \Vert p'_n), \quad p' = \mathrm{softmax}\left( "
        r"\frac{z_S - \bar z_S}{T \sigma_S} \right)"
    )
    scale = "nats times T²; T in standard deviations of the logits"
    cost = "two softmaxes"
    invariant_to = ("shift", "scale")

    def latex(self):
        temperature = f"{self.temperature:g}"
        teacher, student = (rf"p({z})^{{T={temperature}}}" for z in ("z_T'", "z_S'"))
        return rf"{temperature}^2\, \mathrm{{KL}}({teacher} \,\Vert\, {student})"
