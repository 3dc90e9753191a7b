"""Branches of one network that teach each other: ONE, FFL and OKDDip."""

from dataclasses import dataclass
from typing import Unpack

import torch

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_same_shape
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.losses.response._soft_targets import reduced
from kdviz.losses.response.logits import log_softmax
from kdviz.models.branches import FusedBranches, GatedBranches, GroupedBranches
from kdviz.schemes.evaluation import evaluate_heads
from kdviz.schemes.group_traces import HeadsLesson, map_trace
from kdviz.schemes.objectives import check_reads_no_layers, labels_and_soft_targets
from kdviz.tracing import Trace
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def native_ensemble(
    student: GatedBranches,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Run:
    """On-the-fly native ensemble (ONE): the gated ensemble of a network's branches teaches each branch.

    Branches and ensemble all learn from the labels, and the gate with them; the ensemble is taught by
    nobody. Source: Lan et al. 2018, *Knowledge Distillation by On-the-Fly Native Ensemble*, equation 8;
    their code raises the weight of the ensemble's answers at first: :func:`kdviz.schemes.ramp_up`.

    Parameters
    ----------
    student : GatedBranches
        From :func:`kdviz.models.gated_branches`; it is copied.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    data, **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.subnetwork("branch1")`` is the network to deploy; ``run.student`` is the ensemble.
    """
    _check_heads(student, "gate", "gated_branches")
    objective = labels_and_soft_targets(objective, temperature=3)
    return Run(student, HeadsLesson(data), objective, evaluate_heads(data), **training)


def feature_fusion(
    student: FusedBranches,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Run:
    """Feature fusion learning (FFL): the branches and a classifier on all their features teach each other.

    The fused classifier teaches each branch, and the mean of the branches' logits teaches it. All learn from
    the labels. Source: Kim et al. 2021, *Feature Fusion for Online Mutual Knowledge Distillation*, section
    3; their fusion is of feature maps, by depth-wise and point-wise convolutions, here of embeddings.

    Parameters
    ----------
    student : FusedBranches
        From :func:`kdviz.models.fused_branches`; it is copied.
    objective : default ``CrossEntropy() + SoftTargets(temperature=3)``
    data, **training
        As in :func:`kdviz.distill`.
    """
    _check_heads(student, "fusion", "fused_branches")
    objective = labels_and_soft_targets(objective, temperature=3)
    return Run(student, FeatureFusion(data), objective, evaluate_heads(data), **training)


class FeatureFusion(HeadsLesson):
    """The fused classifier, the last head, teaches each branch, and their mean teaches it."""

    def teachers_of(self, group, rows):
        return map_trace(self._crosswise, group)

    @staticmethod
    def _crosswise(values):
        branches, fused = values.detach()[:-1], values.detach()[-1:]
        return torch.cat([fused.expand_as(branches), branches.mean(0, keepdim=True)])


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
        return reduced(log_p, log_q, self.temperature, self.form)


def diverse_peers(
    student: GroupedBranches,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Run:
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
    data, **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.subnetwork(...)`` with the last branch's name is the leader, to be deployed.
    """
    _check_heads(student, "query", "grouped_branches")
    objective = as_objective(CrossEntropy() + GroupTargets(3) if objective is None else objective)
    check_reads_no_layers(objective, "the targets of diverse peers are logits")
    return Run(student, DiversePeers(data), objective, evaluate_heads(data), **training)


class DiversePeers(HeadsLesson):
    """The auxiliaries, mixed by the student's own attention, which learns; for the leader their mean."""

    def begin(self, run):
        super().begin(run)
        self.layers = ("embedding",)

    def teachers_of(self, group, rows):
        logits = group.logits.detach()[:-1, 0]
        attention = self.run.student.attention(group.features["embedding"][:-1, 0])
        mixed = torch.einsum("nab,bnc->anc", attention, logits)
        return Trace(torch.cat([mixed, logits.mean(0, keepdim=True)]).unsqueeze(1))


def _check_heads(student, part, maker):
    if not hasattr(student, part):
        raise TypeError(
            f"this scheme needs a network with branches: kdviz.models.{maker}(network, after, count, inputs) "
            f"makes one; got {type(student).__name__}"
        )
