"""Online distillation: students that learn at the same time are teachers of each other."""

import torch
from torch import nn

from kdviz.knowledge.objective import as_objective
from kdviz.knowledge.response import CrossEntropy, SoftTargets
from kdviz.schemes.shared import begin, group_exam, layers_of, others, rows_of, together
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
    objective = _objective(objective, temperature=1)
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)

    def lesson(peers, step):
        batch = next(rows)
        seen = together(trace(peer, samples.inputs[batch], layers) for peer in peers)
        return seen, others(seen), samples.labels[batch]

    return begin(_peers(peers), lesson, objective, group_exam(data), **training)


def _objective(objective, temperature):
    return as_objective(CrossEntropy() + SoftTargets(temperature) if objective is None else objective)


def _peers(peers):
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
