"""Activation boundaries: a neuron fires where the teacher's does, however strongly."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_above_zero, check_form
from kdviz.losses.feature.features import AdaptedPair, check_same_features
from kdviz.losses.objective import Loss

FORMS = ("paper", "repdistiller", "zoo")


def activation_boundary(student: Tensor, teacher: Tensor, form: str = "paper", margin: float = 1.0) -> Tensor:
    r"""Activation boundaries: a squared hinge, so that each neuron is on the teacher's side of zero.

    With :math:`\rho = 1` where the teacher's value is above 0, else 0, and :math:`\mu` the margin

    .. math:: \Sigma = \sum_{n, i} \left[ \rho\, (\mu - s)_+^2 + (1 - \rho)\, (\mu + s)_+^2 \right]

    form="paper"
        :math:`\Sigma / N` (Heo et al. 2019, *Knowledge Transfer via Distillation of Activation Boundaries
        Formed by Hidden Neurons*, section 3), as torchdistill.
    form="repdistiller"
        :math:`\frac{3}{1000} \Sigma / N`, as RepDistiller, mmrazor and the authors' code. RepDistiller halves
        the weight of each earlier layer too: use weights.
    form="zoo"
        the mean over all features, as KD-Zoo: C H W times smaller than the paper's.

    The features must be those before the ReLU; after it none is below 0. 0 where every value is beyond the
    margin on the right side, which equal features need not be. It sees only the signs of the teacher's.
    Published code learns a convolution of size 1 with batch normalisation for the student:
    ``adapter="convolution_batch_norm"``.

    Parameters
    ----------
    student, teacher : (N, D) or (N, C, H, W)
    margin : above 0

    Memory: N × D. Errors: ValueError for unequal shapes, an unknown form or a margin of 0 or below.
    """
    check_form(form, FORMS)
    check_above_zero("margin", margin)
    check_same_features(student, teacher)
    squares = (margin - _sides(teacher.detach()) * student).relu().square()
    if form == "zoo":
        return squares.mean()
    return squares.sum() / len(student) * (3 / 1000 if form == "repdistiller" else 1)


def _sides(features):
    """1 above zero, -1 elsewhere; NaN stays so, and shows in the loss."""
    return torch.where(features > 0, 1.0, torch.where(features <= 0, -1.0, features))


@dataclass(frozen=True)
class ActivationBoundary(AdaptedPair, Loss):
    """:func:`activation_boundary` as a term of an objective; the layers must be those before the ReLU.

    >>> ActivationBoundary()(torch.tensor([[0.5, -3.0]]), torch.tensor([[2.0, -0.1]]))
    tensor(0.2500)
    """

    form: str = "paper"
    margin: float = 1.0
    forms = FORMS
    name = "activation_boundary"
    paper = "AB, Heo et al. 2019, section 3"
    formula = (
        r"\frac{1}{N} \sum_{ni} \left[ \rho\, (\mu - s)_+^2 + (1 - \rho)\, (\mu + s)_+^2 \right], "
        r"\quad \rho = [t > 0]"
    )
    symbol = r"\mathrm{AB}(s,\, \mathrm{sign}\, t)"
    reads = "embeddings or maps"
    scale = "squared features, summed over a sample's"
    memory = "N × D"
    cost = "one hinge, and the adapter"

    def __post_init__(self):
        super().__post_init__()
        check_above_zero("margin", self.margin)

    def value(self, student, teacher, labels, learned):
        return activation_boundary(*self.adapted(student, teacher, learned), self.form, self.margin)
