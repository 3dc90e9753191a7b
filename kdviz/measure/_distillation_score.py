"""The distillation score of Alkhulaifi et al.: size and accuracy of a student in one number.

It never comes alone. The score rewards an empty model, and it does not know what the student reaches
without its teacher; so :func:`distillation_scores` needs both a minimum accuracy and the student's baseline.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from kdviz.losses.checks import check_share


def distillation_score(
    student_size: ArrayLike,
    teacher_size: ArrayLike,
    student_accuracy: ArrayLike,
    teacher_accuracy: ArrayLike,
    size_weight: ArrayLike = 0.5,
) -> float | np.ndarray:
    r"""The distillation score: lower is better, 0 is a student of no size with the teacher's accuracy.

    .. math:: \mathrm{DS} = \alpha\, \frac{s_S}{s_T} + (1 - \alpha) \Big(1 - \frac{a_S}{a_T}\Big)

    with sizes s and accuracies a; :math:`\alpha` is ``size_weight``. The teacher itself has
    :math:`\alpha`: a student above it is worse than keeping the teacher. A student larger than its teacher
    can be above 1, and one that is better by enough below 0. Source: Alkhulaifi, Alsahli and Ahmad 2021,
    *Knowledge distillation in deep learning and its applications*, section "Distillation metric".

    Parameters
    ----------
    student_size, teacher_size : numbers or arrays above 0
        Parameters in the paper. It gives few bits no credit; bytes or MACs would.
    student_accuracy, teacher_accuracy : numbers or arrays
        Or another measure for which higher is better, in any one unit.
    size_weight : number or array from 0 to 1

    >>> distillation_score(25, 100, 0.5, 1.0), distillation_score(100, 100, 0.8, 0.8)
    (0.375, 0.5)
    """
    _check_weight(size_weight)
    for name, value in (("sizes", student_size), ("sizes", teacher_size), ("accuracy", teacher_accuracy)):
        if not (np.asarray(value, float) > 0).all():
            raise ValueError(f"the {name} must be above 0; got {value!r}")
    if not (np.asarray(student_accuracy, float) >= 0).all():
        raise ValueError(f"a student's accuracy must be 0 or more; got {student_accuracy!r}")
    smaller = np.asarray(student_size, float) / teacher_size
    lost = 1 - np.asarray(student_accuracy, float) / teacher_accuracy
    score = np.asarray(size_weight) * smaller + (1 - np.asarray(size_weight)) * lost
    return float(score) if score.ndim == 0 else score


def distillation_scores(
    students: pd.DataFrame,
    *,
    teacher_size: float,
    teacher_accuracy: float,
    minimum_accuracy: float,
    size_weight: float = 0.5,
) -> pd.DataFrame:
    """A table of students with their scores, and beside them what the score does not say.

    Parameters
    ----------
    students : DataFrame
        With the columns ``size``, ``accuracy`` and ``baseline_accuracy``: that of the same student trained
        without the teacher.
    minimum_accuracy
        The least that the task needs. A student below it is not a choice, whatever its score.

    Returns
    -------
    DataFrame
        With further columns: ``score``; ``enough``, at or above the minimum accuracy; ``beats_teacher``,
        score below that of keeping the teacher; ``gain`` over the baseline; ``retained``, the fraction of the
        teacher's accuracy; ``gap_recovered``, the fraction of the gap between baseline and teacher, NaN where
        there is no gap.

    >>> students = pd.DataFrame({"size": [25], "accuracy": [0.75], "baseline_accuracy": [0.7]})
    >>> kept = dict(teacher_size=100, teacher_accuracy=0.8, minimum_accuracy=0.7)
    >>> distillation_scores(students, **kept)[["enough", "gap_recovered"]].round(2).values.tolist()
    [[True, 0.5]]
    """
    needed = ("size", "accuracy", "baseline_accuracy")
    missing = [name for name in needed if name not in students]
    if missing:
        raise ValueError(
            f"the students' table needs the columns {', '.join(needed)}; it lacks {', '.join(missing)}. "
            "The baseline is the same student trained without the teacher: kdviz.train(student, data)"
        )
    score = distillation_score(
        students["size"].to_numpy(),
        teacher_size,
        students["accuracy"].to_numpy(),
        teacher_accuracy,
        size_weight,
    )
    gap = teacher_accuracy - students["baseline_accuracy"]
    gain = students["accuracy"] - students["baseline_accuracy"]
    return students.assign(
        score=score,
        enough=students["accuracy"] >= minimum_accuracy,
        beats_teacher=score < size_weight,
        gain=gain,
        retained=students["accuracy"] / teacher_accuracy,
        gap_recovered=(gain / gap).where(gap > 0),
    )


def score_lines(
    teacher_accuracy: float, classes: int, size_weight: ArrayLike = 0.5
) -> dict[str, float | np.ndarray]:
    """Two scores to draw as lines: of keeping the teacher, and of guessing one of evenly frequent classes.

    The accuracy is a fraction from 0 to 1. A guesser has no size.

    >>> score_lines(teacher_accuracy=0.8, classes=10)
    {'teacher': 0.5, 'guesser': 0.4375}
    """
    check_share("teacher_accuracy", teacher_accuracy)
    _check_weight(size_weight)
    guesser = (1 - np.asarray(size_weight)) * (1 - 1 / (classes * teacher_accuracy))
    return {"teacher": size_weight, "guesser": float(guesser) if guesser.ndim == 0 else guesser}


def best_by_weight(
    sizes: ArrayLike, accuracies: ArrayLike, teacher_size: float, teacher_accuracy: float
) -> list[tuple[float, float, int]]:
    """For each range of ``size_weight`` the student with the best score: (from, to, index), from 0 to 1.

    The score of each student is a line in the weight, so the best of all is the lower edge of these lines.

    >>> best_by_weight([10, 50], [0.6, 0.8], 100, 0.8)
    [(0.0, 0.384615384615, 1), (0.384615384615, 1.0, 0)]
    """
    at_0, at_1 = (
        distillation_score(np.asarray(sizes), teacher_size, np.asarray(accuracies), teacher_accuracy, end)
        for end in (0.0, 1.0)
    )
    ahead, slope = np.subtract.outer(at_0, at_0), np.subtract.outer(at_1 - at_0, at_1 - at_0)
    crossings = -ahead[slope != 0] / slope[slope != 0]
    cuts = np.unique([0.0, *crossings[(crossings > 0) & (crossings < 1)].round(12), 1.0])
    found = []
    for start, end in pairwise(cuts):
        middle = (start + end) / 2
        best = int((at_0 + middle * (at_1 - at_0)).argmin())
        if found and found[-1][2] == best:
            start = found.pop()[0]
        found.append((float(start), float(end), best))
    return found


def _check_weight(size_weight):
    values = np.asarray(size_weight, float)
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"size_weight must be from 0 (accuracy only) to 1 (size only); got {size_weight!r}")
