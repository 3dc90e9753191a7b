"""The flow of a solution (FSP): how the channels of one layer go along with those of a later one."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d

from kdviz.losses.adapters import pool
from kdviz.losses.checks import check_form
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import TwoLayers, check_same_channels

FORMS = ("paper", "repdistiller")
ADVICE = (
    "Choose layers of as many channels, or bring the student's to the teacher's with a convolution of size 1 "
    "first (kdviz.losses.adapters.convolution)"
)


def flow_of_solution(
    student_first: Tensor,
    student_second: Tensor,
    teacher_first: Tensor,
    teacher_second: Tensor,
    form: str = "paper",
) -> Tensor:
    r"""The flow of a solution (FSP): inner products between the channels of two layers.

    .. math:: G_{ij} = \frac{1}{H W} \sum_{h, w} F^1_{ihw} F^2_{jhw}, \qquad \Delta = G_S - G_T

    form="paper"
        :math:`\frac{1}{N} \sum_n \lVert \Delta_n \rVert_F^2`; where the two layers differ in height or width,
        the larger map goes through max pooling (Yim et al. 2017, *A Gift from Knowledge Distillation*,
        section 3).
    form="repdistiller"
        :math:`\frac{1}{N C_1 C_2} \sum_n \lVert \Delta_n \rVert_F^2` with average pooling.

    0 where both flows agree. It scales with the fourth power of the features, so weights do not carry over
    between networks. It is blind to the order of the positions, if the two layers are shuffled alike, and,
    where nothing is pooled by its maximum, to the sign of all features. The paper uses it alone, as a first
    stage, and then trains on the labels. torchdistill sums the lengths of the columns of :math:`\Delta`
    without a square, which is not this loss: not offered.

    Parameters
    ----------
    student_first, teacher_first : (N, C1, H, W)
    student_second, teacher_second : (N, C2, H', W')

    Memory: N × C1 × C2. Errors: ValueError for other samples or channels, or an unknown form.
    """
    check_form(form, FORMS)
    check_same_channels(student_first, teacher_first, ADVICE, "first maps")
    check_same_channels(student_second, teacher_second, ADVICE, "second maps")
    difference = flow(student_first, student_second, form)
    difference = difference - flow(teacher_first.detach(), teacher_second.detach(), form)
    squares = difference.square()
    return squares.mean() if form == "repdistiller" else squares.sum() / len(squares)


def flow(first: Tensor, second: Tensor, form: str = "paper") -> Tensor:
    """The matrix G of two layers of one network, (N, C1, C2), pooled as the form has it.

    >>> flow(torch.ones(1, 2, 3, 3), torch.ones(1, 1, 3, 3))
    tensor([[[1.],
             [1.]]])
    """
    height, width = map(min, first.shape[2:], second.shape[2:])
    smaller = pool if form == "repdistiller" else _max_pool
    first, second = (smaller(maps, height, width).flatten(2) for maps in (first, second))
    return first @ second.mT / (height * width)


def _max_pool(maps, height, width):
    return maps if maps.shape[2:] == (height, width) else adaptive_max_pool2d(maps, (height, width))


@dataclass(frozen=True)
class FlowOfSolution(TwoLayers, Loss):
    """:func:`flow_of_solution` between two layers as a term of an objective.

    >>> ones = torch.ones(1, 1, 2, 2)
    >>> FlowOfSolution()((ones, 2 * ones), (ones, 5 * ones))
    tensor(9.)
    """

    form: str = "paper"
    forms = FORMS
    name = "flow_of_solution"
    paper = "FSP, Yim et al. 2017, section 3"
    formula = (
        r"\frac{1}{N} \sum_n \lVert G_S - G_T \rVert_F^2, \quad G_{ij} = \frac{1}{H W} \sum_{hw} "
        r"F^1_{ihw} F^2_{jhw}"
    )
    symbol = r"\mathrm{FSP}(F_S,\, F_T)"
    reads = "maps"
    scale = "fourth power of the features"
    memory = "N × C₁ × C₂"
    cost = "one product N × C₁ × C₂ × H W"

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.read(student, teacher)
        return flow_of_solution(*ours, *theirs, self.form)
