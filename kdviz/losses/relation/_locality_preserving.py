"""Locality preserving: what is close to the teacher should come close for the student."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_above_zero, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, squared_distances


def locality_preserving(student: Tensor, teacher: Tensor, neighbours: int = 5, width: float = 2.0) -> Tensor:
    r"""Locality preserving: pull the student's embeddings of samples together that are close to the teacher.

    .. math:: \frac{1}{N} \sum_i \sum_{j \in \mathcal{N}_T(i)} \alpha_{ij} \lVert s_i - s_j \rVert^2, \qquad
              \alpha_{ij} = e^{-\lVert t_i - t_j \rVert^2 / \delta}

    :math:`\mathcal{N}_T(i)` are the samples nearest to i for the teacher. The student's embedding may have
    any width; its scale decides the value. The loss only pulls: it is 0, its least value, for a student
    that gives all samples the same embedding, and not 0 for a copy of the teacher. So it belongs beside a
    loss that pushes apart, such as the cross-entropy. Blind to a shift, a rotation and the sign of the
    student's embedding.

    ``width`` is :math:`\delta`, in the teacher's squared distances: where these are much larger, all
    :math:`\alpha` vanish and so does the loss. Samples that the teacher finds equally near are taken in any
    order.

    Source: Chen et al. 2021, *Learning Student Networks via Feature Embedding* (locality preserving loss).

    Parameters
    ----------
    student, teacher : (N, D), N of at least 2; the widths D may differ
    neighbours : from 1 up, or all there are if the batch has fewer
    width : above 0

    Memory: some N × N matrices. Errors: ValueError for other samples, a batch of one or settings out of
    range.
    """
    check_whole("neighbours", neighbours, 1)
    check_above_zero("width", width)
    check_samples(student, teacher)
    distances = squared_distances(teacher.detach())
    itself = torch.eye(len(distances), dtype=torch.bool, device=distances.device)
    count = min(neighbours, len(distances) - 1)
    nearest = distances.masked_fill(itself, torch.inf).topk(count, dim=1, largest=False)
    near = torch.zeros_like(distances).scatter(1, nearest.indices, 1.0)
    weights = near * (-distances / width).exp()
    return (weights * squared_distances(student)).sum(1).mean()


@dataclass(frozen=True)
class LocalityPreserving(OneLayer, Loss):
    """:func:`locality_preserving` as a term of an objective.

    >>> LocalityPreserving()(torch.tensor([[0.0], [3.0]]), torch.tensor([[5.0], [5.0]]))
    tensor(9.)
    """

    neighbours: int = 5
    width: float = 2.0
    name = "locality_preserving"
    paper = "LP, Chen et al. 2021"
    formula = (
        r"\frac{1}{N} \sum_i \sum_{j \in \mathcal{N}_T(i)} e^{-\lVert t_i - t_j \rVert^2 / \delta} "
        r"\lVert s_i - s_j \rVert^2"
    )
    symbol = r"\mathrm{LP}(s,\, t)"
    scale = "squared distances of the student's embedding"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("shift", "rotation", "channel permutation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_whole("neighbours", self.neighbours, 1)
        check_above_zero("width", self.width)

    def value(self, student, teacher, labels, learned):
        features = self.embeddings(student, teacher)
        return locality_preserving(*features, self.neighbours, self.width)
