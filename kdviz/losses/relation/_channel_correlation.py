"""Inter-channel correlation (ICKD): which channels of a map go along with which."""

from dataclasses import dataclass

from kdviz.losses.adapters import convolution, initial_convolution
from kdviz.losses.checks import check_choice, check_form
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_same_channels, unit_gram
from kdviz.losses.vectors import seeded

FORMS = ("cifar", "imagenet")
ADVICE = "Bring the student's to the teacher's channels: ChannelCorrelation(..., adapter=\"convolution\")"


def channel_correlation(student, teacher, form="cifar"):
    r"""Inter-channel correlation (ICKD): the inner products of all channels of a map, each row of length 1.

    .. math:: \hat G_c = \frac{G_c}{\lVert G_c \rVert_2}, \quad G = F F^\top, \quad
              F \text{ of shape } C \times H W

    form="cifar"
        :math:`\frac{1}{C N} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2`: the authors' code for CIFAR-100.
        From 0 to 4, whatever C and N.
    form="imagenet"
        :math:`\frac{1}{C N^2} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2`: the authors' code for ImageNet,
        and torchdistill. Since N samples are summed and divided by :math:`N^2`, its weight must grow with the
        batch.

    It is 0 where the channels' correlations agree up to a positive factor for each row; blind to the places
    of the map, to its height and width, to a scale and to the sign of all features. Source: Liu et al.
    2021, *Exploring Inter-Channel Correlation for Diversity-preserved Knowledge Distillation*, section 3.
    The authors' student goes through a convolution of size 1 and a batch normalisation first.

    Parameters
    ----------
    student, teacher : (..., N, C, H, W) with the same channels C; heights and widths may differ

    Memory: N × C × C. Errors: ValueError for other samples or channels, or an unknown form.
    """
    check_form(form, FORMS)
    check_same_channels(student, teacher, ADVICE)
    difference = unit_gram(student.flatten(-2)) - unit_gram(teacher.detach().flatten(-2))
    samples, channels = student.shape[-4:-2]
    squares = difference.square().sum((-2, -1)).mean(-1)
    return squares / (channels * samples if form == "imagenet" else channels)


@dataclass(frozen=True)
class ChannelCorrelation(OneLayer, Loss):
    """:func:`channel_correlation` as a term of an objective.

    With ``adapter="convolution"`` the student's map first goes through a convolution of size 1 to the
    teacher's channels, which is learned with the student.
    """

    form: str = "cifar"
    adapter: str | None = None
    seed: int = 0
    name = "channel_correlation"
    paper = "ICKD, Liu et al. 2021, section 3"
    formula = (
        r"\frac{1}{C N} \sum_n \lVert \hat G_S - \hat G_T \rVert_F^2, \quad \hat G_c = "
        r"\frac{G_c}{\lVert G_c \rVert}, \quad G = F F^\top"
    )
    reads = "maps"
    scale = "squared entries of rows of length 1, 0 to 4"
    memory = "N × C × C"
    cost = "one product N × C × C × H W"
    invariant_to = ("scale", "sign")

    def __post_init__(self):
        check_form(self.form, FORMS)
        check_choice("adapter", self.adapter, (None, "convolution"))

    def initial(self, student, teacher):
        if self.adapter is None:
            return {}
        ours, theirs = self.features(student, teacher)
        return initial_convolution(ours.shape[-3], theirs.shape[-3], seeded(self.seed), like=ours)

    def __call__(self, student, teacher, labels, learned=None):
        ours, theirs = self.features(student, teacher)
        if self.adapter is not None:
            ours = convolution(ours, learned["weight"], learned["bias"])
        return channel_correlation(ours, theirs, self.form)

    def latex(self):
        return r"\mathrm{ICKD}(F_S,\, F_T)"
