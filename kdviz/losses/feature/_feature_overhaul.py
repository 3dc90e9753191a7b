"""The overhaul of feature distillation (OFD): margin ReLU and the partial squared distance."""

from dataclasses import dataclass
from math import pi

import torch
from torch import Tensor

from kdviz.losses.checks import check_form
from kdviz.losses.feature.features import AdaptedPair, check_maps
from kdviz.losses.objective import Loss

FORMS = ("paper", "zoo")


def feature_overhaul(student: Tensor, teacher: Tensor, margins: Tensor, form: str = "paper") -> Tensor:
    r"""The overhaul of feature distillation: the teacher's map through a margin ReLU, compared in part.

    .. math:: \tilde t = \max(t, m_c), \qquad
              d = \begin{cases} 0 & s \le \tilde t \le 0 \\ (s - \tilde t)^2 & \text{otherwise} \end{cases}

    form="paper"
        the sum of d over a sample's features, averaged over the samples (Heo et al. 2019, *A Comprehensive
        Overhaul of Feature Distillation*, section 3), as the authors and mdistiller. They weigh it with
        1/1000, and each earlier layer with half of that: use weights.
    form="zoo"
        the mean of d over all features, as KD-Zoo.

    The maps must be those before the ReLU. Where the teacher is negative, the student need only be as
    negative, and the margin says how negative that is at most. 0 at equality if no value is below its margin.

    Parameters
    ----------
    student, teacher : (N, C, H, W)
    margins : (C,), 0 or below: :func:`margins_of_batch_norm` or :func:`margins_of_batch`

    Memory: N × C × HW. Errors: ValueError for unequal shapes, not one margin a channel, or an unknown form.
    """
    check_form(form, FORMS)
    check_maps(student, teacher)
    if margins.shape != student.shape[1:2]:
        raise ValueError(
            f"there must be one margin a channel; there are {margins.shape[-1]} for maps of shape "
            f"{tuple(student.shape)}"
        )
    target = torch.maximum(teacher, margins.to(teacher)[:, None, None]).detach()
    counted = ((student > target) | (target > 0)).to(student.dtype)
    distances = (student - target).square() * counted
    return distances.mean() if form == "zoo" else distances.sum() / len(student)


def margins_of_batch_norm(gain: Tensor, bias: Tensor) -> Tensor:
    r"""Each channel's mean negative response, from the batch normalisation before the ReLU, (C,).

    It takes a channel's values as Gaussian with mean :math:`\beta` and deviation :math:`|\gamma|`:

    .. math:: m = \beta - |\gamma| \frac{\varphi(\beta / |\gamma|)}{\Phi(-\beta / |\gamma|)}

    As the authors' code, it is :math:`-3 |\gamma|` where no more than one value in a thousand is negative.
    Where :math:`\gamma` is 0 all values are :math:`\beta`, and the margin is the smaller of that and 0; the
    authors' code divides by 0.

    >>> margins_of_batch_norm(torch.tensor([1.0]), torch.tensor([0.0]))
    tensor([-0.7979])
    """
    gain, bias = gain.detach().abs(), bias.detach()
    # With no spread, any ratio far from zero has the right limit.
    ratio = torch.where(gain == 0, bias.sign() * 40, bias / torch.where(gain == 0, 1.0, gain))
    negative = torch.special.ndtr(-ratio)
    density = torch.exp(-ratio.square() / 2) / (2 * pi) ** 0.5
    mean = bias - gain * density / negative
    return torch.where(negative > 0.001, mean, -3 * gain)


def margins_of_batch(maps: Tensor) -> Tensor:
    """Each channel's mean negative response in this batch, (C,); 0 for a channel without one.

    >>> margins_of_batch(torch.tensor([[[[-1.0, -3.0, 5.0]]]]))
    tensor([-2.])
    """
    maps = maps.detach()
    negative = (maps < 0).sum((0, 2, 3)).clamp(min=1)
    return torch.where(maps > 0, 0.0, maps).sum((0, 2, 3)) / negative


@dataclass(frozen=True)
class FeatureOverhaul(AdaptedPair, Loss):
    """:func:`feature_overhaul` as a term of an objective; the layers must be those before the ReLU.

    ``margins`` are the numbers of :func:`margins_of_batch_norm` as a tuple, one for each channel of the
    teacher; None takes those of each batch. The authors learn ``adapter="convolution_batch_norm"`` for the
    student.

    >>> FeatureOverhaul(margins=(-1.0,))(torch.zeros(1, 1, 1, 2), torch.tensor([[[[-3.0, 2.0]]]]))
    tensor(5.)
    """

    margins: tuple[float, ...] | None = None
    form: str = "paper"
    forms = FORMS
    name = "feature_overhaul"
    paper = "OFD, Heo et al. 2019, section 3"
    formula = (
        r"\frac{1}{N} \sum_{ni} (s - \tilde t)^2\, [s > \tilde t \text{ or } \tilde t > 0], \quad "
        r"\tilde t = \max(t, m_c)"
    )
    symbol = r"d_p(s,\, \sigma_m(t))"
    reads = "maps"
    scale = "squared features, summed over a sample's"
    memory = "N × C × H W"
    cost = "one difference, and the adapter"

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.margins, tuple | list | None):
            raise TypeError(f"margins must be a tuple of numbers, one a channel; got {self.margins!r}")
        if self.margins is not None and not all(margin <= 0 for margin in self.margins):
            raise ValueError(f"margins must be 0 or below; got {self.margins}")

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.adapted(student, teacher, learned)
        margins = margins_of_batch(theirs) if self.margins is None else theirs.new_tensor(self.margins)
        return feature_overhaul(ours, theirs, margins, self.form)
