"""Correlation congruence: the kernel matrix of the student's samples should be the teacher's."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_above_zero, check_form, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, gram, mean_square
from kdviz.losses.vectors import unit

FORMS = ("paper", "gaussian", "bilinear")


def correlation_congruence(
    student: Tensor, teacher: Tensor, gamma: float = 0.4, order: int = 2, form: str = "paper"
) -> Tensor:
    r"""Correlation congruence: the kernel of all pairs of samples, on embeddings of length 1.

    .. math:: \frac{1}{N^2} \lVert K_S - K_T \rVert_F^2

    form="paper"
        :math:`K_{ij} = e^{-2 \gamma} \sum_{p=0}^{P} \frac{(2 \gamma)^p}{p!} \langle x_i, x_j \rangle^p`:
        the Gaussian kernel's Taylor series up to the power P = ``order``
        (Peng et al. 2019, *Correlation Congruence for Knowledge Distillation*, section 3).
    form="gaussian"
        :math:`K_{ij} = e^{-\gamma \lVert x_i - x_j \rVert^2}`, the series with all its powers.
    form="bilinear"
        :math:`K_{ij} = \langle x_i, x_j \rangle`, the cosines themselves; ``gamma`` plays no part.

    An entry of K lies between 0 and 1 ("bilinear": from -1 to 1), so the loss is at most 1 (4). It is 0
    where all angles agree, and blind to a rotation of either embedding and to the length of each sample.

    What much code calls CC compares each sample with its neighbour in the batch,
    :math:`\sum_n \langle |s_n - t_n|, |s_{n+1} - t_{n+1}| \rangle`: it holds no correlation, so a rotated
    copy of the teacher, whose relations are all equal, scores high. It is not offered. Code that leaves
    out the division by the length keeps the factor :math:`e^{-2\gamma}`, which only follows from it.
    torchdistill's bilinear form takes the embeddings as they are and does not square the norm; here they
    have length 1 and it is squared, as in the other two.

    Parameters
    ----------
    student, teacher : (N, D), N of at least 2; the widths D may differ
    gamma : above 0
    order : the highest power of form "paper", from 1 up

    Memory: some N × N matrices, one more for each power. Errors: ValueError for other samples, a batch of
    one, an unknown form, a gamma of 0 or below or an order below 1.
    """
    check_form(form, FORMS)
    check_above_zero("gamma", gamma)
    check_whole("order", order, 1)
    check_samples(student, teacher)
    return mean_square(_kernel(student, gamma, order, form) - _kernel(teacher.detach(), gamma, order, form))


def _kernel(features, gamma, order, form):
    cosines = gram(unit(features))
    if form == "bilinear":
        return cosines
    if form == "gaussian":
        return (2 * gamma * (cosines - 1)).exp()
    # From the highest power down, so that each step is one product.
    series = 0.0
    for power in range(order, 0, -1):
        series = (series + 1) * (2 * gamma / power) * cosines
    return (series + 1) * (cosines.new_zeros(()) - 2 * gamma).exp()


@dataclass(frozen=True)
class CorrelationCongruence(OneLayer, Loss):
    """:func:`correlation_congruence` as a term of an objective.

    >>> CorrelationCongruence(form="bilinear")(torch.tensor([[1.0], [1.0]]), torch.eye(2))
    tensor(0.5000)
    """

    gamma: float = 0.4
    order: int = 2
    form: str = "paper"
    forms = FORMS
    name = "correlation_congruence"
    paper = "CC, Peng et al. 2019, section 3"
    formula = (
        r"\frac{1}{N^2} \lVert K_S - K_T \rVert_F^2, \quad K_{ij} = e^{-2 \gamma} \sum_p \frac{(2 "
        r"\gamma)^p}{p!} \langle x_i, x_j \rangle^p"
    )
    symbol = r"\mathrm{CC}(s,\, t)"
    scale = "squared differences of a kernel between 0 and 1"
    memory = "N × N × order"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_above_zero("gamma", self.gamma)
        check_whole("order", self.order, 1)

    def value(self, student, teacher, labels, learned):
        features = self.embeddings(student, teacher)
        return correlation_congruence(*features, self.gamma, self.order, self.form)
