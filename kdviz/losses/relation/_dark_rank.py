"""DarkRank: each sample's nearest neighbours in the order that the teacher gives them."""

from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from kdviz.losses.checks import check_above_zero, check_form, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, squared_distances
from kdviz.losses.vectors import unit

FORMS = ("hard", "soft")


def dark_rank(
    student: Tensor,
    teacher: Tensor,
    alpha: float = 3.0,
    beta: float = 3.0,
    length: int = 4,
    form: str = "hard",
) -> Tensor:
    r"""DarkRank: each sample's nearest neighbours in the order that the teacher gives them.

    A sample's score of another is :math:`S = -\alpha \lVert x - x' \rVert^\beta` on embeddings of length 1.
    The ``length`` neighbours nearest to the teacher are to be ordered, and an order :math:`\pi` of them has
    the probability of drawing them one after the other,

    .. math:: P(\pi) = \prod_{i} \frac{e^{S_{\pi(i)}}}{\sum_{j \ge i} e^{S_{\pi(j)}}}

    form="hard"
        :math:`-\frac{1}{N} \sum \log P_S(\pi_T)`, :math:`\pi_T` the teacher's own order: the paper's hard
        transfer, the one that it uses, and the default.
    form="soft"
        :math:`\frac{1}{N} \sum \mathrm{KL}(P_T \Vert P_S)` over all orders of the neighbours: its soft
        transfer.

    Both are found from differences of logarithms, so that scores of any size stay finite. In nats a sample.
    "soft" is 0 at equal distances; "hard" reaches 0 only as the gaps between the scores grow: log(length!)
    for equal ones. Blind to a rotation and to the length of each embedding.

    Source: Chen et al. 2018, *DarkRank: Accelerating Deep Metric Learning via Cross Sample Similarities
    Transfer*, section 4, with their :math:`\alpha = \beta = 3`. Every sample of the batch is a query here,
    with 4 neighbours, as in the code of RKD's authors, which does not divide by the length: its network does.

    Parameters
    ----------
    student, teacher : (N, D), N of at least 3; the widths D may differ
    alpha, beta : above 0
    length : how many neighbours, from 2 up, or all there are if the batch has fewer; "soft" takes up to 6
        (720 orders)

    Memory: N × N; "soft" N × length! × length. Errors: ValueError for other samples, fewer than 3 of them,
    settings out of range or an unknown form.
    """
    _check_settings(alpha, beta, length, form)
    check_samples(student, teacher, least=3)
    student, teacher = _scores(student, alpha, beta), _scores(teacher.detach(), alpha, beta)
    nearest = _nearest(teacher, min(length, len(student) - 1))
    student, teacher = student.gather(1, nearest), teacher.gather(1, nearest)
    if form == "hard":
        # The order of the teacher's scores would hide a score that is NaN.
        return -_log_probability(student).mean() + 0 * teacher.sum()
    orders = torch.tensor(list(permutations(range(nearest.shape[1]))), device=student.device)
    log_p, log_q = _log_probability(student[:, orders]), _log_probability(teacher[:, orders])
    return (log_q.exp() * (log_q - log_p)).sum(1).mean()


def _scores(features, alpha, beta):
    squares = squared_distances(unit(features))
    nothing = squares == 0
    # A power below 1 has an infinite slope at 0.
    return -alpha * torch.where(nothing, 0.0, torch.where(nothing, 1.0, squares) ** (beta / 2))


def _nearest(scores, length):
    """The indices of the highest scores of each sample but its own, the highest first."""
    itself = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    return scores.masked_fill(itself, -torch.inf).topk(length, dim=1).indices


def _log_probability(scores):
    """The logarithm of the probability of the order in which the scores stand."""
    left = scores.flip(-1).logcumsumexp(-1).flip(-1)
    return (scores - left).sum(-1)


def _check_settings(alpha, beta, length, form):
    check_form(form, FORMS)
    check_above_zero("alpha", alpha)
    check_above_zero("beta", beta)
    check_whole("length", length, 2)
    if form == "soft" and length > 6:
        raise ValueError(f"form 'soft' goes through all orders and takes up to 6 neighbours; got {length}")


@dataclass(frozen=True)
class DarkRank(OneLayer, Loss):
    """:func:`dark_rank` as a term of an objective.

    >>> DarkRank()(torch.eye(5), torch.randn(5, 3)).exp().round()
    tensor(24.)
    """

    alpha: float = 3.0
    beta: float = 3.0
    length: int = 4
    form: str = "hard"
    forms = FORMS
    name = "dark_rank"
    paper = "DarkRank, Chen et al. 2018, section 4"
    formula = (
        r"-\frac{1}{N} \sum_n \log P_S(\pi_T), \quad P(\pi) = \prod_i \frac{e^{S_{\pi(i)}}}{\sum_{j "
        r"\ge i} e^{S_{\pi(j)}}}"
    )
    symbol = r"\mathrm{DarkRank}(s,\, t)"
    scale = "nats a sample"
    memory = "N × N; soft: N × length! × length"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def __post_init__(self):
        _check_settings(self.alpha, self.beta, self.length, self.form)

    def value(self, student, teacher, labels, learned):
        features = self.embeddings(student, teacher)
        return dark_rank(*features, self.alpha, self.beta, self.length, self.form)
