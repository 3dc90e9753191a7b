"""Branches of one network that teach each other: ONE, FFL and OKDDip."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_same_shape
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.losses.response.logits import divergence, log_softmax
from kdviz.schemes.shared import (
    begin,
    check_reads_no_layers,
    heads,
    heads_exam,
    labels_and_soft_targets,
    last_teaches,
    layers_of,
    mapped,
    rows_of,
)
from kdviz.tracing import Trace


def native_ensemble(student, data, objective=None, *, batch_size=64, seed=None, **training):
    """On-the-fly native ensemble (ONE): the gated ensemble of a network's branches teaches each branch.

    Branches and ensemble all learn from the labels, and the gate with them; the ensemble is taught by
    nobody. Source: Lan et al. 2018, *Knowledge Distillation by On-the-Fly Native Ensemble*, equation 8;
    their code raises the weight of the ensemble's answers at first: :func:`kdviz.schemes.ramp_up`.

    Parameters
    ----------
    student : GatedBranches
        From :func:`kdviz.models.gated_branches`; it is copied.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.alone("branch1")`` is the network to deploy; ``run.student`` is the ensemble.
    """
    _check_heads(student, "gate", "gated_branches")
    objective = labels_and_soft_targets(objective, temperature=3)
    return last_teaches(student, data, objective, batch_size, seed, training)


def feature_fusion(student, data, objective=None, *, batch_size=64, seed=None, **training):
    """Feature fusion learning (FFL): the branches and a classifier on all their features teach each other.

    The fused classifier teaches each branch, and the mean of the branches' logits teaches it. All learn from
    the labels. Source: Kim et al. 2021, *Feature Fusion for Online Mutual Knowledge Distillation*, section
    3; their fusion is of feature maps, by depth-wise and point-wise convolutions, here of embeddings.

    Parameters
    ----------
    student : FusedBranches
        From :func:`kdviz.models.fused_branches`; it is copied.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`.
    """
    _check_heads(student, "fusion", "fused_branches")
    objective = labels_and_soft_targets(objective, temperature=3)
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)

    def taught(values):
        branches, fused = values.detach()[:-1], values.detach()[-1:]
        return torch.cat([fused.expand_as(branches), branches.mean(0, keepdim=True)])

    def lesson(student, step):
        batch = next(rows)
        seen = heads(student, samples.inputs[batch], layers)
        return seen, mapped(taught, seen), samples.labels[batch]

    return begin(student, lesson, objective, heads_exam(data), **training)


@dataclass(frozen=True)
class GroupTargets(SoftTargets):
    """Soft targets whose teacher learns too, as far as the scheme left it connected.

    For the targets of :func:`diverse_peers`: their attention is learned from this loss.
    """

    name = "group_targets"
    paper = "OKDDip, Chen et al. 2020, equation 5"

    def value(self, student, teacher, labels, learned):
        check_same_shape(student.logits, teacher.logits)
        log_p = log_softmax(student.logits / self.temperature)
        log_q = log_softmax(teacher.logits / self.temperature)
        return self.temperature**2 * divergence(log_q, log_p).mean(-1)


def diverse_peers(student, data, objective=None, *, batch_size=64, seed=None, **training):
    r"""Diverse peers (OKDDip): auxiliary branches teach each other, each by weights of its own, and a leader.

    .. math:: t_a = \sum_b \alpha_{ab} z_b, \qquad \alpha_{a \cdot} = \mathrm{softmax}_b(L(h_a)^\top E(h_b))

    is what auxiliary a is taught, and the leader the mean of the auxiliaries. All learn from the labels.
    The attention is learned with them, from the same divergence. Source: Chen et al. 2020, *Online Knowledge
    Distillation with Diverse Peers*, section 3, in the form with branches. As in their code logits are
    mixed, not probabilities; their code also lets the divergence move the peers that it listens to, here
    they are teachers only.

    Parameters
    ----------
    student : GroupedBranches
        From :func:`kdviz.models.grouped_branches`; it is copied.
    objective : default ``CrossEntropy() + GroupTargets(temperature=3)``
        It may not read layers. With ``SoftTargets`` the attention stays as it starts.
    data, batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.alone(...)`` with the last branch's name is the leader, to be deployed.
    """
    _check_heads(student, "query", "grouped_branches")
    objective = as_objective(CrossEntropy() + GroupTargets(3) if objective is None else objective)
    check_reads_no_layers(objective, "the targets of diverse peers are logits")
    rows, samples = rows_of(data, batch_size, seed), data.transfer

    def lesson(student, step):
        batch = next(rows)
        seen = heads(student, samples.inputs[batch], ("embedding",))
        said = seen.logits.detach()[:-1, 0]
        attention = student.attention(seen.features["embedding"][:-1, 0])
        mixed = torch.einsum("nab,bnc->anc", attention, said)
        taught = torch.cat([mixed, said.mean(0, keepdim=True)]).unsqueeze(1)
        return seen, Trace(taught), samples.labels[batch]

    return begin(student, lesson, objective, heads_exam(data), **training)


def _check_heads(student, part, maker):
    if not hasattr(student, part):
        raise TypeError(
            f"this scheme needs a network with branches: kdviz.models.{maker}(network, after, count, inputs) "
            f"makes one; got {type(student).__name__}"
        )
