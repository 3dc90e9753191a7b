"""Activation boundaries: a neuron fires where the teacher's does, however strongly."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_above_zero, check_form
from kdviz.losses.feature.features import AdaptedPair, check_same_features, for_each_student, stack_axes
from kdviz.losses.objective import Loss

FORMS = ("paper", "repdistiller", "zoo")


def activation_boundary(student, teacher, form="paper", margin=1.0, stack=0):
    r"""Activation boundaries: a squared hinge, so that each neuron is on the teacher's side of zero.

    With :math:`\rho = 1` where the teacher's value is above 0, else 0, and :math:`\mu` the margin

    .. math:: \Sigma = \sum_{n, i} \left[ \rho\, (\mu - s)_+^2 + (1 - \rho)\, (\mu + s)_+^2 \right]

    form="paper"
        :math:`\Sigma / N` (Heo et al. 2019, *Knowledge Transfer via Distillation of Activation Boundaries
        Formed by Hidden Neurons*, section 3), as torchdistill and mmrazor.
    form="repdistiller"
        :math:`\frac{3}{1000} \Sigma / N`; it halves the weight of each earlier layer too: use weights.
    form="zoo"
        the mean over all features: C H W times smaller than the paper's.

    The features must be those before the ReLU; after it none is below 0. 0 where every value is beyond the
    margin on the right side, which equal features need not be. It sees only the signs of the teacher's.
    Published code learns a convolution of size 1 with batch normalisation for the student; here
    ``adapter`` learns the convolution.

    Parameters
    ----------
    student, teacher : (..., N, D) or (..., N, C, H, W)
    margin : above 0, or a tensor with one value for each student of a stack
    stack : how many leading axes hold a stack of students

    Memory: N × D. Errors: ValueError for unequal shapes.
    """
    check_form(form, FORMS)
    check_above_zero("margin", margin)
    check_same_features(student, teacher, stack)
    margin = for_each_student(margin, student, student.ndim - stack)
    squares = (margin - _sides(teacher.detach()) * student).relu().square().flatten(stack + 1)
    if form == "zoo":
        return squares.mean((-2, -1))
    return squares.sum(-1).mean(-1) * (3 / 1000 if form == "repdistiller" else 1)


def _sides(features):
    """1 above zero, -1 elsewhere; what is not a number stays so, and shows in the loss."""
    return torch.where(features > 0, 1.0, torch.where(features <= 0, -1.0, features))


@dataclass(frozen=True)
class ActivationBoundary(AdaptedPair, Loss):
    """:func:`activation_boundary` as a term of an objective; the layers must be those before the ReLU."""

    form: str = "paper"
    margin: float = 1.0
    name = "activation_boundary"
    kind = "feature"
    paper = "AB, Heo et al. 2019, section 3"
    formula = (
        r"\frac{1}{N} \sum_{ni} \left[ \rho\, (\mu - s)_+^2 + (1 - \rho)\, (\mu + s)_+^2 \right], "
        r"\quad \rho = [t > 0]"
    )
    reads = "embeddings or maps"
    scale = "squared features, summed over a sample's"
    memory = "N × D"
    cost = "one hinge, and the adapter"

    def __post_init__(self):
        super().__post_init__()
        check_form(self.form, FORMS)
        check_above_zero("margin", self.margin)

    def __call__(self, student, teacher, labels, learned=None):
        ours, theirs = self.adapted(student, teacher, learned)
        return activation_boundary(ours, theirs, self.form, self.margin, stack_axes(student))

    def latex(self):
        return r"\mathrm{AB}(s,\, \mathrm{sign}\, t)"
