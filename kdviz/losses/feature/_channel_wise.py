"""Losses that compare each channel with the teacher's: as a distribution (CWD) or by correlation (PKD)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form, check_temperature
from kdviz.losses.feature.features import AdaptedPair, check_maps
from kdviz.losses.objective import Loss

PEARSON_FORMS = ("paper", "mmrazor")
EPSILON = 1e-6  # of mmrazor


def channel_wise(student: Tensor, teacher: Tensor, temperature: float = 4.0) -> Tensor:
    r"""Channel-wise distillation: each channel, as a distribution over the positions, is the teacher's.

    .. math:: \frac{T^2}{N C} \sum_{nc} \sum_i \phi^T_{nci} \log \frac{\phi^T_{nci}}{\phi^S_{nci}}, \qquad
              \phi_{nc} = \mathrm{softmax}_i(A_{nci} / T)

    In nats times T², 0 or more; 0 if and only if each channel is the teacher's up to a constant. Blind to a
    constant added to a channel. Source: Shu et al. 2021, *Channel-wise Knowledge Distillation for Dense
    Prediction*, section 3.2; the authors' code and mmrazor compute this. They divide by C; the mean over the
    samples is theirs in code.

    Parameters
    ----------
    student, teacher : (N, C, H, W)
    temperature : above 0

    Memory: N × C × HW. Maps of one position give 0. Errors: ValueError for unequal shapes or a temperature of
    0 or below.
    """
    check_temperature(temperature)
    check_maps(student, teacher)
    log_p = torch.log_softmax(student.flatten(2) / temperature, 2)
    log_q = torch.log_softmax(teacher.detach().flatten(2) / temperature, 2)
    return temperature**2 * (log_q.exp() * (log_q - log_p)).sum(2).mean()


def pearson(student: Tensor, teacher: Tensor, form: str = "paper") -> Tensor:
    r"""Pearson correlation distillation (PKD): each channel goes up and down with the teacher's.

    .. math:: \frac{1}{2 M C} \sum_c \lVert \hat A^S_c - \hat A^T_c \rVert^2, \qquad
              \hat A_c = \frac{A_c - \bar A_c}{\sigma_c}

    A channel's mean and deviation are over the M = NHW values of a batch.

    form="paper"
        :math:`\sigma^2` is the mean squared deviation. Then the value is :math:`1 - r`, the correlation of a
        channel with the teacher's averaged over channels, from 0 to 2 (Cao et al. 2022, *PKD: General
        Distillation Framework for Object Detectors via Pearson Correlation Coefficient*, section 3).
    form="mmrazor"
        the deviation's sum of squares is divided by M - 1, and 1e-6 added to :math:`\sigma`.

    Blind to a shift and a positive scale of each channel. A channel that is constant has :math:`\hat A = 0`:
    it costs 1/2 where the teacher's is not constant, else 0, and passes no gradient on.

    Shapes: student and teacher (N, C, H, W). Memory: N × C × HW. Errors: ValueError for unequal shapes, a
    single value a channel or an unknown form.
    """
    check_form(form, PEARSON_FORMS)
    check_maps(student, teacher)
    ours, theirs = (maps.transpose(0, 1).flatten(1) for maps in (student, teacher.detach()))
    if ours.shape[1] < 2:
        raise ValueError(
            "a correlation needs at least two values of each channel, over samples and positions; the maps "
            f"have shape {tuple(student.shape)}. Use larger batches or maps"
        )
    difference = _standardised(ours, form) - _standardised(theirs, form)
    return difference.square().mean() / 2


def _standardised(channels, form):
    values = channels.shape[1]
    centred = channels - channels.mean(1, keepdim=True)
    length = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    if form == "mmrazor":
        return centred / (length / (values - 1) ** 0.5 + EPSILON)
    # What rounding leaves of a constant channel is no pattern, and must not be made as large as one.
    rounding = 8 * torch.finfo(length.dtype).eps * torch.linalg.vector_norm(channels, dim=1, keepdim=True)
    constant = length <= rounding
    return centred * torch.where(constant, 0.0, values**0.5 / torch.where(constant, 1.0, length))


@dataclass(frozen=True)
class ChannelWise(AdaptedPair, Loss):
    """:func:`channel_wise` as a term of an objective.

    >>> ChannelWise(temperature=1.0)(torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[0.0, 2.0]]]]))
    tensor(0.3278)
    """

    temperature: float = 4.0
    name = "channel_wise"
    paper = "CWD, Shu et al. 2021, section 3.2"
    formula = (
        r"\frac{T^2}{N C} \sum_{nc} \mathrm{KL}(\phi^T_{nc} \Vert \phi^S_{nc}), \quad \phi_{nc} = "
        r"\mathrm{softmax}_i(A_{nci} / T)"
    )
    reads = "maps"
    scale = "nats times T²"
    memory = "N × C × H W"
    cost = "two softmaxes over positions"
    invariant_to = ("shift",)

    def __post_init__(self):
        super().__post_init__()
        check_temperature(self.temperature)

    def value(self, student, teacher, labels, learned):
        return channel_wise(*self.adapted(student, teacher, learned), self.temperature)

    def latex(self):
        return rf"\mathrm{{CWD}}_{{T={self.temperature:g}}}(A_S,\, A_T)"


@dataclass(frozen=True)
class Pearson(AdaptedPair, Loss):
    """:func:`pearson` as a term of an objective.

    >>> Pearson()(torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[[[5.0, 3.0]]]])).round()
    tensor(2.)
    """

    form: str = "paper"
    forms = PEARSON_FORMS
    name = "pearson"
    paper = "PKD, Cao et al. 2022, section 3"
    formula = r"\frac{1}{C} \sum_c (1 - \rho(A^S_c, A^T_c))"
    symbol = r"\mathrm{PKD}(A_S,\, A_T)"
    reads = "maps"
    scale = "1 less a correlation, 0 to 2"
    memory = "N × C × H W"
    cost = "mean and deviation of each channel"
    invariant_to = ("shift", "scale")

    def value(self, student, teacher, labels, learned):
        return pearson(*self.adapted(student, teacher, learned), self.form)
