"""Neuron selectivity transfer (NST): the channels' patterns as a sample from the same distribution."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_choice
from kdviz.losses.feature.features import FeaturePair, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import unit

KERNELS = ("polynomial", "linear", "gaussian")


def neuron_selectivity(student: Tensor, teacher: Tensor, kernel: str = "polynomial") -> Tensor:
    r"""Neuron selectivity transfer: the squared maximum mean discrepancy between the channels of two maps.

    With :math:`x_i` the C patterns of a sample's channels in the student, :math:`y_j` the C' of the teacher,
    each a vector of HW positions with length 1:

    .. math:: \frac{1}{N} \sum_n \left[ \frac{1}{C^2} \sum_{ii'} k(x_i, x_{i'})
              + \frac{1}{C'^2} \sum_{jj'} k(y_j, y_{j'}) - \frac{2}{C C'} \sum_{ij} k(x_i, y_j) \right]

    kernel="polynomial"
        :math:`k(x, y) = \langle x, y \rangle^2`, as RepDistiller and mdistiller. From 0 to 2.
    kernel="linear"
        :math:`k(x, y) = \langle x, y \rangle`: the squared distance of the mean patterns. From 0 to 4.
    kernel="gaussian"
        :math:`k(x, y) = e^{-\lVert x - y \rVert^2 / 2 \sigma^2}`, where :math:`\sigma^2` is the mean squared
        distance of a student's channel and a teacher's, taken as a constant for each sample. From 0 to 2.

    Source: Huang and Wang 2017, *Like What You Like: Knowledge Distill via Neuron Selectivity Transfer*,
    section 4. Their factor :math:`\lambda / 2` is left to the weight. Blind to the order of the channels and
    to a scale for each; the polynomial kernel also to the sign of each. A channel of zeros has length 0.

    The polynomial form is :math:`\lVert X^\top X / C - Y^\top Y / C' \rVert_F^2`, with HW × HW matrices.
    Published code keeps the products of all pairs of channels at all positions, N × C × C × HW.

    Parameters
    ----------
    student : (N, C, H, W)
    teacher : (N, C', H, W)

    Memory: polynomial N × the smaller of (HW)² and C²; linear N × C × HW; gaussian N × C².
    Errors: ValueError for other samples, heights or widths, or an unknown kernel.
    """
    check_choice("kernel", kernel, KERNELS)
    check_maps(student, teacher, channels=False)
    ours, theirs = unit(student.flatten(2)), unit(teacher.detach().flatten(2))
    return {"polynomial": _polynomial, "linear": _linear, "gaussian": _gaussian}[kernel](ours, theirs)


def _polynomial(ours, theirs):
    positions = ours.shape[2]
    if positions**2 <= ours.shape[1] * theirs.shape[1]:
        difference = _by_position(ours) - _by_position(theirs)
        return difference.square().sum((1, 2)).mean()
    return _discrepancy(lambda x, y: (x @ y.mT).square(), ours, theirs)


def _by_position(patterns):
    return patterns.mT @ patterns / patterns.shape[1]


def _linear(ours, theirs):
    return (ours.mean(1) - theirs.mean(1)).square().sum(1).mean()


def _gaussian(ours, theirs):
    # The mean of the squared distances of all pairs needs no pair.
    squares = ours.square().sum(2).mean(1) + theirs.square().sum(2).mean(1)
    spread = squares - 2 * (ours.mean(1) * theirs.mean(1)).sum(1)
    spread = spread.detach()[:, None, None]
    # Equal channels, all the same, have no spread and no discrepancy, whatever it is divided by.
    factor = 1 / (2 * torch.where(spread == 0, 1.0, spread))

    def kernel(x, y):
        squares = x.square().sum(2).unsqueeze(2) + y.square().sum(2).unsqueeze(1)
        return torch.exp((2 * (x @ y.mT) - squares) * factor)

    return _discrepancy(kernel, ours, theirs)


def _discrepancy(kernel, ours, theirs):
    return kernel(ours, ours).mean() + kernel(theirs, theirs).mean() - 2 * kernel(ours, theirs).mean()


@dataclass(frozen=True)
class NeuronSelectivity(FeaturePair, Loss):
    """:func:`neuron_selectivity` as a term of an objective.

    ``pool=True`` averages the larger map down to the smaller, as RepDistiller does.

    >>> NeuronSelectivity()(torch.tensor([[[[3.0, 0.0]]]]), torch.tensor([[[[0.0, -1.0]]]]))
    tensor(2.)
    """

    pool: bool = False
    kernel: str = "polynomial"
    name = "neuron_selectivity"
    paper = "NST, Huang and Wang 2017, section 4"
    formula = (
        r"\frac{1}{N} \sum_n \left[ \frac{\sum_{ii'} k(x_i, x_{i'})}{C^2} + \frac{\sum_{jj'} k(y_j, "
        r"y_{j'})}{C'^2} - \frac{2 \sum_{ij} k(x_i, y_j)}{C C'} \right]"
    )
    symbol = r"\mathrm{MMD}^2(A_S,\, A_T)"
    reads = "maps"
    scale = "squared discrepancy of vectors of length 1, 0 to 2"
    memory = "N × min((H W)², C²)"
    cost = "products N × C × H W × min(H W, C)"
    invariant_to = ("scale", "channel permutation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_choice("kernel", self.kernel, KERNELS)

    def value(self, student, teacher, labels, learned):
        return neuron_selectivity(*self.pooled(student, teacher), self.kernel)
