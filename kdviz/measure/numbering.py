"""Do the classes of a model only have other numbers than the labels?"""

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def other_numbering(answers: Tensor, labels: Tensor, classes: int) -> tuple[int, bool]:
    """How many answers are right under the best renumbering of the classes, and whether that is no accident.

    Answers and labels are class numbers (N,), all labelled. The best of all renumberings always gains
    something, so it has to gain much, on many samples.

    >>> labels = torch.arange(40) % 4
    >>> other_numbering((labels + 1) % 4, labels, 4)
    (40, True)
    """
    right = int((answers == labels).sum())
    classes = max(classes, int(labels.max()) + 1)
    table = torch.zeros(classes, classes).index_put_(
        (answers, labels), torch.ones(len(labels)), accumulate=True
    )
    rows, columns = linear_sum_assignment(-table.numpy())
    better = int(table[rows, columns].sum())
    return better, better > 0.7 * len(labels) and right < 0.5 * better and len(labels) >= 5 * classes
