"""Similarity preserving: samples that look alike to the teacher should look alike to the student."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, mean_square, unit_gram


def similarity_preserving(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Similarity preserving: the inner products of all pairs of samples, each row with length 1.

    .. math:: \frac{1}{N^2} \lVert \hat G_S - \hat G_T \rVert_F^2, \qquad
              \hat G_i = \frac{G_i}{\lVert G_i \rVert_2}, \quad G = F F^\top

    F holds one sample a row; a feature map is flattened. From 0 to 4 / N: a row of either matrix has
    length 1, whatever N, so the value falls as 1 / N when the batch grows, and so must the weight rise
    (RepDistiller uses 3000 with batches of 64). It is 0 where the student's similarities are the
    teacher's up to a positive factor for each row, and blind to a rotation and a scale of either.

    Source: Tung and Mori 2019, *Similarity-Preserving Knowledge Distillation*, section 3. The form of
    RepDistiller and mdistiller. Code that writes ``normalize(G, 1)`` names the norm and not the axis:
    its rows have an absolute sum of 1, and its value is some N times smaller.

    Shapes: student and teacher (N, D), N of at least 2; the widths D may differ. Memory: some N × N matrices.
    Errors: ValueError for other samples or a batch of one.
    """
    check_samples(student, teacher)
    return mean_square(unit_gram(student) - unit_gram(teacher.detach()))


@dataclass(frozen=True)
class SimilarityPreserving(OneLayer, Loss):
    """:func:`similarity_preserving` as a term of an objective.

    >>> SimilarityPreserving()(torch.tensor([[1.0], [1.0]]), torch.eye(2))
    tensor(0.2929)
    """

    name = "similarity_preserving"
    paper = "Tung and Mori 2019, section 3"
    formula = (
        r"\frac{1}{N^2} \lVert \hat G_S - \hat G_T \rVert_F^2, \quad \hat G_i = \frac{G_i}{\lVert G_i "
        r"\rVert}, \quad G = F F^\top"
    )
    symbol = r"\mathrm{SP}(s,\, t)"
    scale = "squared entries of rows of length 1, at most 4 / N"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def value(self, student, teacher, labels, learned):
        return similarity_preserving(*self.embeddings(student, teacher))
