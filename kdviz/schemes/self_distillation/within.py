"""A network taught from within: by its last exit, or by its deeper layers."""

from typing import Unpack

from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.feature import Hint
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models.branches import Exits
from kdviz.schemes.evaluation import evaluate_heads, evaluate_student
from kdviz.schemes.group_traces import GroupLesson, HeadsLesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def be_your_own_teacher(
    student: Exits, data: Dataset, objective: ObjectiveLike | None = None, **training: Unpack[Training]
) -> Run:
    """Be your own teacher (BYOT): the last exit of a network teaches all the exits before it.

    Its answers, and its embedding as a hint. All exits learn from the labels; the last is taught by nobody.
    Source: Zhang et al. 2019, *Be Your Own Teacher*, equations 2 to 5. The objective makes three schemes:

    ``0.7 * CrossEntropy() + 0.3 * SoftTargets(3) + 0.03 * Hint("embedding")``, the default
        BYOT. There the last exit's cross-entropy has weight 1; a weight may be a tensor with one row for
        each exit, such as ``torch.tensor([[0.7], [0.7], [1.0]])``.
    ``CrossEntropy()``
        Deep supervision: exits learn from the labels alone (Lee et al. 2015).
    ``CrossEntropy() + SoftTargets(4)``
        Early exits that mimic the last (Phuong and Lampert 2019).

    Parameters
    ----------
    student : Exits
        From :func:`kdviz.models.exits`; it is copied.
    objective
        A layer it reads is looked up in each exit: ``"embedding"`` or ``"logits"``.
    data, **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.subnetwork("exit1")`` is the network up to the first exit.
    """
    if not isinstance(student, Exits):
        raise TypeError(
            "this scheme needs a network with early exits: kdviz.models.exits(network, after, inputs) makes "
            f"one; got {type(student).__name__}"
        )
    usual = 0.7 * CrossEntropy() + 0.3 * SoftTargets(3) + 0.03 * Hint("embedding")
    objective = as_objective(usual if objective is None else objective)
    return Run(student, HeadsLesson(data), objective, evaluate_heads(data), **training)


def self_attention(
    student: nn.Module, data: Dataset, objective: ObjectiveLike, **training: Unpack[Training]
) -> Run:
    """Self-attention distillation (SAD): each layer is taught by a deeper layer of the same network.

    Which by which is said by the objective, for example ``CrossEntropy() + 0.1 *
    AttentionTransfer("activation1", "activation2", pool=True)``. Source: Hou et al. 2019, *Learning
    Lightweight Lane Detection CNNs by Self Attention Distillation*, section 3. They soften the maps over
    all positions and enlarge the smaller; they begin late in training: pass a student that is trained
    already.

    Parameters are those of :func:`kdviz.distill`, without a teacher.
    """
    return Run(student, SelfAttention(data), objective, evaluate_student(data), **training)


class SelfAttention(GroupLesson):
    """One student that is its own teacher, in the same forward pass."""

    def student_traces(self, student, rows):
        return self.student_trace(student, rows, self.layers)
