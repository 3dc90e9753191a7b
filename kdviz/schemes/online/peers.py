"""Peers: whole networks that learn at the same time, each taught by the others, live or stale."""

import copy

import torch
from torch import nn

from kdviz.schemes.offline import ask
from kdviz.schemes.shared import (
    begin,
    detached,
    group_exam,
    labels_and_soft_targets,
    layers_of,
    mapped,
    others,
    rows_of,
    together,
)
from kdviz.tracing import trace


def mutual(peers, data, objective=None, *, batch_size=64, seed=None, **training):
    r"""Deep mutual learning: at every step each peer is taught by all the others.

    .. math:: L_k = \mathrm{CE}(y, p_k) + \frac{1}{K - 1} \sum_{l \ne k} \mathrm{KL}(p_l \,\Vert\, p_k)

    All peers see the same batch, and move at the same time. Source: Zhang et al. 2018, *Deep Mutual
    Learning*, equation 8; their algorithm 1 moves one peer after another.

    Parameters
    ----------
    peers : list of two or more networks
        Where to start from, each with weights of its own; they are copied. They may differ in
        architecture where the objective reads no layers.
    data : Dataset
        They learn on ``data.transfer``; terms that need labels use those that are known.
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
    batch_size, seed, steps, learning_rate, record_every
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student`` holds the peers: ``run.student[0]`` is the first.
    """
    objective = labels_and_soft_targets(objective, temperature=1)
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)

    def lesson(peers, step):
        batch = next(rows)
        seen = together(trace(peer, samples.inputs[batch], layers) for peer in peers)
        return seen, others(seen), samples.labels[batch]

    return begin(peers_of(peers), lesson, objective, group_exam(data), **training)


def codistillation(
    peers, data, objective=None, *, exchange=50, burn_in=0, batch_size=64, seed=None, **training
):
    r"""Codistillation: each peer is taught by stale copies of the others.

    Peers train apart, each on batches of its own. Every ``exchange`` steps they send each other their
    weights; in between, the copies stay as they are, so little is sent between machines. For the first
    ``burn_in`` steps each is its own teacher, which teaches nothing. Source: Anil et al. 2018, *Large scale
    distributed neural network training through online distillation*, algorithm 1. There the target is the
    mean of the others' probabilities; the mean over teachers here has the same gradient for soft targets
    at temperature 1.

    Parameters
    ----------
    exchange, burn_in : int
        In steps. With ``exchange=1`` the copies are as the others are now.
    peers, data, objective, batch_size, seed, steps, learning_rate, record_every
        As in :func:`mutual`; peer k draws its batches with seed + k.

    Returns
    -------
    Run
        ``run.student`` holds the peers.
    """
    objective = labels_and_soft_targets(objective, temperature=1)
    if not isinstance(exchange, int) or exchange < 1:
        raise ValueError(f"exchange must be a whole number of steps from 1 up; got {exchange!r}")
    samples, layers = data.transfer, layers_of(objective)
    first = data.seed if seed is None else seed
    rows = [rows_of(data, batch_size, first + place) for place in range(len(peers))]
    stale = None

    def lesson(peers, step):
        nonlocal stale
        if step % exchange == 0:
            stale = copy.deepcopy(peers)
        drawn = [next(own) for own in rows]
        seen = together(
            trace(peer, samples.inputs[batch], layers) for peer, batch in zip(peers, drawn, strict=True)
        )
        labels = samples.labels[torch.stack(drawn)].unsqueeze(1)
        if step < burn_in:
            return seen, detached(seen), labels
        said = [
            together(
                ask(other, samples.inputs[batch], layers) for place, other in enumerate(stale) if place != own
            )
            for own, batch in enumerate(drawn)
        ]
        return seen, mapped(lambda *each: torch.stack([values[:, 0] for values in each]), *said), labels

    return begin(peers_of(peers), lesson, objective, group_exam(data), **training)


def peers_of(peers):
    """The peers as one module; they must be able to differ."""
    peers = nn.ModuleList(peers)
    if len(peers) < 2:
        raise ValueError(f"peers teach each other, so there must be two or more; got {len(peers)}")
    starts = [nn.utils.parameters_to_vector(peer.parameters()) for peer in peers]
    for place, start in enumerate(starts):
        for other in starts[:place]:
            if start.shape == other.shape and torch.equal(start, other):
                raise ValueError(
                    "two peers start from the same weights, so they would stay one network; give each a "
                    "seed of its own, for example [mlp(64, 16, 10, seed=seed) for seed in range(2)]"
                )
    return peers
