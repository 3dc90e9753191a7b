"""A network taught from within: by its last exit, or by its deeper layers."""

from kdviz.losses.feature import Hint
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models.heads import Exits
from kdviz.schemes.shared import begin, detached, exam, last_teaches, layers_of, rows_of
from kdviz.tracing import trace


def be_your_own_teacher(student, data, objective=None, *, batch_size=64, seed=None, **training):
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
    data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.alone("exit1")`` is the network up to the first exit.
    """
    if not isinstance(student, Exits):
        raise TypeError(
            "this scheme needs a network with early exits: kdviz.models.exits(network, after, inputs) makes "
            f"one; got {type(student).__name__}"
        )
    usual = 0.7 * CrossEntropy() + 0.3 * SoftTargets(3) + 0.03 * Hint("embedding")
    objective = as_objective(usual if objective is None else objective)
    return last_teaches(student, data, objective, batch_size, seed, training)


def self_attention(student, data, objective, *, batch_size=64, seed=None, **training):
    """Self-attention distillation (SAD): each layer is taught by a deeper layer of the same network.

    Which by which is said by the objective, for example ``CrossEntropy() + 0.1 *
    AttentionTransfer("activation1", "activation2", pool=True)``. Source: Hou et al. 2019, *Learning
    Lightweight Lane Detection CNNs by Self Attention Distillation*, section 3. They soften the maps over
    all places and enlarge the smaller; they begin late in training: pass a student that is trained already.

    Parameters are those of :func:`kdviz.distill`, without a teacher.
    """
    objective = as_objective(objective)
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)

    def lesson(student, step):
        batch = next(rows)
        seen = trace(student, samples.inputs[batch], layers)
        return seen, detached(seen), samples.labels[batch]

    return begin(student, lesson, objective, exam(data), **training)
