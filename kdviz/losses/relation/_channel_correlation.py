"""Inter-channel correlation (ICKD): which channels of a map go along with which."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.adapters import MAP_ADAPTERS, adapt, initial_adapter
from kdviz.losses.checks import check_choice, check_form
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_same_channels, unit_gram
from kdviz.losses.vectors import seeded

FORMS = ("cifar", "imagenet")
ADVICE = "Bring the student's to the teacher's channels: ChannelCorrelation(..., adapter=\"convolution\")"


def channel_correlation(student: Tensor, teacher: Tensor, form: str = "cifar") -> Tensor:
    r"""Inter-channel correlation (ICKD): the inner products of all channels of a map, each row of length 1.

    .. math:: \hat G_c = \frac{G_c}{\lVert G_c \rVert_2}, \quad G = F F^\top, \quad
              F \text{ of shape } C \times H W

    form="cifar"
        :math:`\frac{1}{C N} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2`: the authors' code for CIFAR-100,
        and the default. From 0 to 4, whatever C and N.
    form="imagenet"
        :math:`\frac{1}{C N^2} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2`: the authors' code for ImageNet,
        and torchdistill. Since N samples are summed and divided by :math:`N^2`, its weight must grow with the
        batch.

    It is 0 where the channels' correlations agree up to a positive factor for each row; blind to the order
    of the positions, to its height and width, to a scale and to the sign of all features. Source: Liu et al.
    2021, *Exploring Inter-Channel Correlation for Diversity-preserved Knowledge Distillation*, section 3.
    The authors' student goes through ``adapter="convolution_batch_norm"`` first.

    Shapes: student and teacher (N, C, H, W) with the same channels C; heights and widths may differ. Memory:
    N × C × C. Errors: ValueError for other samples or channels, or an unknown form.
    """
    check_form(form, FORMS)
    check_same_channels(student, teacher, ADVICE)
    difference = unit_gram(student.flatten(2)) - unit_gram(teacher.detach().flatten(2))
    samples, channels = student.shape[:2]
    return difference.square().sum() / (channels * samples ** (2 if form == "imagenet" else 1))


@dataclass(frozen=True)
class ChannelCorrelation(OneLayer, Loss):
    """:func:`channel_correlation` as a term of an objective.

    With ``adapter="convolution"`` the student's map first goes through a convolution of size 1 to the
    teacher's channels, which is learned with the student; ``"convolution_batch_norm"`` is the authors'.

    >>> ChannelCorrelation()(torch.eye(2).view(1, 2, 2, 1), torch.ones(1, 2, 2, 1))
    tensor(0.5858)
    """

    form: str = "cifar"
    adapter: str | None = None
    seed: int = 0
    forms = FORMS
    name = "channel_correlation"
    paper = "ICKD, Liu et al. 2021, section 3"
    formula = (
        r"\frac{1}{C N} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2, \quad \hat G_c = "
        r"\frac{G_c}{\lVert G_c \rVert}, \quad G = F F^\top"
    )
    symbol = r"\mathrm{ICKD}(F_S,\, F_T)"
    reads = "maps"
    scale = "squared entries of rows of length 1, 0 to 4"
    memory = "N × C × C"
    cost = "one product N × C × C × H W"
    invariant_to = ("scale", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_choice("adapter", self.adapter, (None, *MAP_ADAPTERS))

    def initial(self, student, teacher):
        return initial_adapter(self.adapter, *self.features(student, teacher), seeded(self.seed))

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.features(student, teacher)
        return channel_correlation(adapt(self.adapter, ours, learned), theirs, self.form)
