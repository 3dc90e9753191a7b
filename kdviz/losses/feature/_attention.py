"""Attention transfer: where in the image a layer is active, whatever its channels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form, check_from_one
from kdviz.losses.feature.features import FeaturePair, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import unit

FORMS = ("paper", "authors")


def attention_map(maps: Tensor, power: float = 2.0) -> Tensor:
    r"""How active a layer is at each position: :math:`\sum_c |A_c|^p` as a vector of length 1, (N, HW).

    >>> attention_map(torch.tensor([[[[3.0, 0.0]], [[0.0, -2.0]]]]))
    tensor([[0.9138, 0.4061]])
    """
    if isinstance(power, (int, float)) and power == 2:
        activity = maps * maps
    else:
        # Powers in general cost several times as much.
        activity = maps.abs().pow(power)
    return unit(activity.sum(1).flatten(1))


def attention_transfer(student: Tensor, teacher: Tensor, form: str = "paper", power: float = 2.0) -> Tensor:
    r"""Attention transfer: both are active at the same positions.

    .. math:: Q = \frac{q}{\lVert q \rVert_2}, \qquad q = \mathrm{vec}\Big(\sum_c |A_c|^p\Big)

    form="paper"
        :math:`\frac{1}{N} \sum_n \lVert Q_S - Q_T \rVert_2`, the length and not its square (Zagoruyko and
        Komodakis 2017, *Paying More Attention to Attention*, section 3.1, with their factor
        :math:`\beta / 2` left to the weight). From 0 to :math:`\sqrt 2`; torchdistill's "paper" mode.
    form="authors"
        :math:`\frac{1}{N H W} \sum_n \lVert Q_S - Q_T \rVert_2^2`, the authors' code, and RepDistiller and
        mdistiller. From 0 to 2 / HW: hence their weight of 1000.

    The two differ in kind: near its minimum the gradient of the first keeps its size, that of the second
    fades. Blind to the order and the signs of the channels and to a scale; with power 2 to any rotation of
    them as well. The channels of the two need not be as many.

    Parameters
    ----------
    student : (N, C, H, W)
    teacher : (N, C', H, W)
    power : :math:`p`, from 1 up

    Memory: N × C × H × W. A map of zeros has Q = 0. Errors: ValueError for other samples, heights or widths,
    an unknown form or a power below 1.
    """
    check_form(form, FORMS)
    check_from_one("power", power)
    check_maps(student, teacher, channels=False)
    difference = attention_map(student, power) - attention_map(teacher.detach(), power)
    if form == "authors":
        return difference.square().mean()
    return torch.linalg.vector_norm(difference, dim=1).mean()


@dataclass(frozen=True)
class AttentionTransfer(FeaturePair, Loss):
    """:func:`attention_transfer` as a term of an objective.

    ``pool=True`` averages the larger map down to the smaller, as RepDistiller does.

    >>> AttentionTransfer()(torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[0.0, -1.0]]]]))
    tensor(1.4142)
    """

    pool: bool = False
    form: str = "paper"
    power: float = 2.0
    forms = FORMS
    name = "attention_transfer"
    paper = "Zagoruyko and Komodakis 2017, section 3.1"
    formula = (
        r"\frac{1}{N} \sum_n \lVert Q_S - Q_T \rVert_2, \quad Q = \frac{q}{\lVert q \rVert_2}, \quad "
        r"q = \sum_c |A_c|^p"
    )
    symbol = r"\mathrm{AT}(A_S,\, A_T)"
    reads = "maps"
    scale = "distance of vectors of length 1, 0 to √2"
    memory = "N × C × H W"
    cost = "one sum over channels"
    invariant_to = ("scale", "channel permutation", "rotation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_from_one("power", self.power)

    def value(self, student, teacher, labels, learned):
        return attention_transfer(*self.pooled(student, teacher), self.form, self.power)
