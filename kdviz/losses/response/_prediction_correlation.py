"""Correlation of predictions (DIST): the student keeps the teacher's ranking, not its probabilities."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_same_shape
from kdviz.losses.response.logits import ResponseLoss, check_other_classes, check_settings, softmax

FORMS = ("paper", "authors")


def prediction_correlation(
    student_logits: Tensor,
    teacher_logits: Tensor,
    temperature: float = 1.0,
    inter_weight: float = 1.0,
    intra_weight: float = 1.0,
    form: str = "paper",
) -> Tensor:
    r"""DIST: the probabilities need only correlate with the teacher's, by samples and by classes.

    With Pearson's correlation ρ and the probabilities :math:`p = \mathrm{softmax}(z_S / T)`,
    :math:`q = \mathrm{softmax}(z_T / T)` as matrices of samples by classes

    .. math:: \mathrm{DIST} = \beta \Big(1 - \frac{1}{N} \sum_n \rho(p_{n\cdot}, q_{n\cdot})\Big)
              + \gamma \Big(1 - \frac{1}{C} \sum_c \rho(p_{\cdot c}, q_{\cdot c})\Big)

    β is ``inter_weight`` (between the classes of a sample), γ ``intra_weight`` (between the samples
    within a class).

    form="paper"
        As above. A correlation has no scale, so the gradient hardly changes with T. Where one side does not
        vary (a uniform student, the same answer to all samples) the correlation does not exist: it counts
        as 0 and gives no gradient.
    form="authors"
        Multiplied by :math:`T^2`, with 1e-8 added to the product of the two norms, as in their code for
        classification (and in mmrazor and torchdistill). :math:`T^2` corrects for nothing here: at T = 16
        the gradient is 256 times that of the paper's form.

    Each part lies from 0 to 2. It is 0 where p is q up to a positive factor and a shift. As T grows the first
    part tends to 1 less the correlation of the logits themselves.

    Source: Huang et al. 2022, *Knowledge Distillation from A Stronger Teacher*. Errors: ValueError for one
    sample or one class, where there is nothing to correlate.
    """
    check_settings(
        FORMS, temperature=temperature, inter_weight=inter_weight, intra_weight=intra_weight, form=form
    )
    check_same_shape(student_logits, teacher_logits)
    check_other_classes(student_logits, "the correlation over classes")
    if student_logits.shape[-2] < 2:
        raise ValueError(
            "the correlation over samples needs at least two samples; the logits have shape "
            f"{tuple(student_logits.shape)}, samples by classes in the last two axes"
        )
    p, q = softmax(student_logits / temperature), softmax(teacher_logits.detach() / temperature)
    correlation = _correlation if form == "paper" else _authors_correlation
    inter = inter_weight * (1 - correlation(p, q, -1).mean(-1))
    intra = intra_weight * (1 - correlation(p, q, -2).mean(-1))
    return (inter + intra) * (1.0 if form == "paper" else temperature**2)


def _correlation(p, q, axis):
    """Pearson's correlation along one of the last two axes."""
    return (_direction(p, axis) * _direction(q, axis)).sum(axis)


def _direction(values, axis):
    """Values centred and scaled to length 1 along an axis; 0 where they are all the same."""
    centred = values - values.mean(axis, keepdim=True)
    square = centred.square().sum(axis, keepdim=True)
    # Below this the differences are the rounding of the mean, and their direction is noise; so is that of
    # squares too small for all their digits.
    limits = torch.finfo(values.dtype)
    noise = (8 * limits.eps) ** 2 * values.detach().square().sum(axis, keepdim=True)
    same = square <= noise.clamp(min=limits.tiny)
    return (centred / square.masked_fill(same, 1.0).sqrt()).masked_fill(same, 0.0)


def _authors_correlation(p, q, axis):
    p, q = p - p.mean(axis, keepdim=True), q - q.mean(axis, keepdim=True)
    norms = torch.linalg.vector_norm(p, dim=axis) * torch.linalg.vector_norm(q, dim=axis)
    return (p * q).sum(axis) / (norms + 1e-8)


@dataclass(frozen=True)
class PredictionCorrelation(ResponseLoss):
    """:func:`prediction_correlation` as a term of an objective.

    >>> teacher = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    >>> PredictionCorrelation()(teacher.flip(0), teacher)
    tensor(3.6480)
    """

    temperature: float = 1.0
    inter_weight: float = 1.0
    intra_weight: float = 1.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(prediction_correlation)
    name = "prediction_correlation"
    paper = "DIST, Huang et al. 2022"
    formula = (
        r"\beta \left( 1 - \frac{1}{N} \sum_n \rho(p_{n \cdot}, q_{n \cdot}) \right) + \gamma \left( "
        r"1 - \frac{1}{C} \sum_c \rho(p_{\cdot c}, q_{\cdot c}) \right)"
    )
    scale = "0 to 2 for each of its two parts, at any T"
    cost = "two softmaxes"

    def latex(self):
        inter = rf"{self.inter_weight:g}\, d_\rho(p,\, q)"
        intra = rf"{self.intra_weight:g}\, d_\rho(p^\top,\, q^\top)"
        return rf"\big({inter} + {intra}\big)_{{T={self.temperature:g}}}"
