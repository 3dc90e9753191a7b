"""Peers: whole networks that learn at the same time, each taught by the others, live or stale."""

import copy
from typing import Unpack

import torch
from torch.nn import Module, ModuleList
from torch.nn.utils import parameters_to_vector

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_whole
from kdviz.models.frozen import in_train_mode
from kdviz.schemes.evaluation import evaluate_group
from kdviz.schemes.group_traces import GroupLesson, detached, map_trace, others, together
from kdviz.schemes.objectives import labels_and_soft_targets
from kdviz.tracing import answer, check_models
from kdviz.training.batches import batches
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def mutual(
    peers: list[Module], data: Dataset, objective: ObjectiveLike | None = None, **training: Unpack[Training]
) -> Run:
    r"""Deep mutual learning: at every step each peer is taught by all the others.

    .. math:: L_k = \mathrm{CE}(y, p_k) + \frac{1}{K - 1} \sum_{l \ne k} \mathrm{KL}(p_l \,\Vert\, p_k)

    All peers see the same batch, and move at the same time. Source: Zhang et al. 2018, *Deep Mutual
    Learning*, equation 8; their algorithm 1 moves one peer after another.

    Parameters
    ----------
    peers : list of two or more networks
        Where to start from, each with weights of its own; they are copied. They may differ in
        architecture where the objective reads no layers.
    data, **training
        As in :func:`kdviz.distill`.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``

    Returns
    -------
    Run
        ``run.student`` holds the peers: ``run.student[0]`` is the first.
    """
    objective = labels_and_soft_targets(objective, temperature=1)
    return Run(peers_of(peers), Mutual(data), objective, evaluate_group(data), **training)


class Mutual(GroupLesson):
    """Each is taught by all the others, as they are now."""

    def teachers_of(self, group, rows):
        return others(group)


def codistillation(
    peers: list[Module],
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    exchange: int = 50,
    burn_in: int = 0,
    **training: Unpack[Training],
) -> Run:
    r"""Codistillation: each peer is taught by stale copies of the others.

    Peers train apart, each on batches of its own. Every ``exchange`` steps they send each other their
    weights; in between, the copies stay as they are, so little is sent between machines. For the first
    ``burn_in`` steps each is its own teacher, which teaches nothing. Source: Anil et al. 2018, *Large scale
    distributed neural network training through online distillation*, algorithm 1. There the target is the
    mean of the others' probabilities; the mean over teachers here has the same gradient for soft targets
    at temperature 1.

    Parameters
    ----------
    peers, data, objective, **training
        As in :func:`mutual`; peer k draws its batches with seed + k.
    exchange, burn_in : int
        In steps. With ``exchange=1`` the copies are as the others are now.

    Returns
    -------
    Run
        ``run.student`` holds the peers.
    """
    objective = labels_and_soft_targets(objective, temperature=1)
    check_whole("exchange", exchange, 1)
    lesson = Codistillation(data, exchange, burn_in)
    return Run(peers_of(peers), lesson, objective, evaluate_group(data), **training)


class Codistillation(GroupLesson):
    """Stale copies of the others, asked about each peer's own batch."""

    def __init__(self, data, exchange, burn_in):
        super().__init__(data)
        self.exchange, self.burn_in = exchange, burn_in

    def begin(self, run):
        super().begin(run)
        own = [
            batches(len(self.samples), run.batch_size, self.seed + peer) for peer in range(len(run.student))
        ]
        # One row a peer, with an axis for its teachers.
        self.batches = (torch.stack(rows).unsqueeze(1) for rows in zip(*own, strict=True))

    def student_traces(self, peers, rows):
        if self.run.step % self.exchange == 0:
            self.stale = copy.deepcopy(peers)
        return together(
            self.student_trace(peer, own, self.layers) for peer, own in zip(peers, rows[:, 0], strict=True)
        )

    def teachers_of(self, group, rows):
        if self.run.step < self.burn_in:
            return detached(group)
        answers = [self._others(index, own) for index, own in enumerate(rows[:, 0])]
        return map_trace(lambda *each: torch.stack(each).squeeze(2), *answers)

    def _others(self, own, rows):
        """What all but one of the copies answer to that one's batch."""
        inputs = self.inputs(rows)
        return together(
            answer(peer, inputs, self.layers) for index, peer in enumerate(self.stale) if index != own
        )


def peers_of(peers) -> ModuleList:
    """The peers as one module, in the modes in which they are to be trained; they must be able to differ."""
    check_models("peers", peers)
    peers = ModuleList(map(in_train_mode, peers))
    if len(peers) < 2:
        raise ValueError(f"peers teach each other, so there must be two or more; got {len(peers)}")
    if not all(list(peer.parameters()) for peer in peers):
        raise ValueError("every peer must have weights; one of them has none that could learn")
    starts = [parameters_to_vector(peer.parameters()) for peer in peers]
    for index, start in enumerate(starts):
        for other in starts[:index]:
            if start.shape == other.shape and torch.equal(start, other):
                raise ValueError(
                    "two peers start from the same weights, so they would stay one network; give each a "
                    "seed of its own, for example [mlp(64, 16, 10, seed=seed) for seed in range(2)]"
                )
    return peers
