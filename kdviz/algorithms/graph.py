"""Graphs between networks: who listens to whom, and how much, where each reads something else of a sample.

A graph can carry knowledge or control it. As carrier it joins samples, and losses compare the student's with
the teacher's: those are in :mod:`kdviz.losses.relation`. Here it is the controller: its nodes are networks,
and the weight of an edge is how much the one learns from the other. A network that reads one modality of
several is a :class:`kdviz.models.Reads`.
"""

from dataclasses import replace
from typing import Unpack

import torch
from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_share
from kdviz.losses.response.logits import softmax
from kdviz.schemes.evaluation import evaluate_group
from kdviz.schemes.group_traces import GroupLesson, others
from kdviz.schemes.objectives import labels_and_soft_targets
from kdviz.schemes.online.peers import peers_of
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def graph_distillation(
    networks: list[nn.Module],
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    prior: Tensor | None = None,
    trust: float = 0.5,
    **training: Unpack[Training],
) -> Run:
    r"""Networks that read different modalities teach each other, along edges whose weights are learned.

    .. math:: L_k = \mathrm{CE}(y, p_k) + \sum_{j \ne k} e_{kj} \, \mathrm{KL}(p_j \Vert p_k), \qquad
              e_k = \tau \, \text{prior}_k + (1 - \tau) \, \mathrm{softmax}(a_k)

    Numbers :math:`a` begin at 0 and follow the gradient of the same sum, so they go to whom it is easiest to
    imitate; what is known of the others' worth has to come from the prior. Source: Luo et al. 2018, *Graph
    Distillation for Action Detection with Privileged Modalities*, section 3. There a small network computes
    the edges anew for each image, features are imitated too, the prior is added whole, and a penalty keeps
    the mean of the learned edges near it.

    Parameters
    ----------
    networks : list of two or more, where to start from; they are copied
    data : Dataset, whose inputs may hold several modalities by name
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
    prior : (K, K), default all others alike
        In row k from whom network k should learn: from 0 up, with the sum 1, and 0 on the diagonal.
    trust : float from 0 to 1
        :math:`\tau`: at 1 the edges stay what the prior says.
    **training
        As in :func:`kdviz.distill`; the edges learn at the same rate.

    Returns
    -------
    Run
        ``run.student`` holds the networks, and ``run.lesson.edges()`` the graph, (K, K).

    >>> import kdviz as kd
    >>> networks = [kd.models.mlp(64, 8, 10, seed=seed) for seed in range(3)]
    >>> run = graph_distillation(networks, kd.datasets.digits(labels=50), steps=2).finish()
    >>> run.lesson.edges().sum(1)
    tensor([1., 1., 1.])
    """
    check_share("trust", trust)
    objective = labels_and_soft_targets(objective, temperature=1)
    lesson = Graph(data, checked(prior, len(networks)), trust)
    return Run(peers_of(networks), lesson, objective, evaluate_group(data), **training)


def checked(prior: Tensor | None, count: int) -> Tensor:
    """A prior as it must be, (K, K); by default everyone listens to all others alike."""
    if prior is None:
        return (1 - torch.eye(count)) / max(1, count - 1)
    shares = prior.shape == (count, count) and (prior >= 0).all() and not prior.diagonal().any()
    if not shares or not torch.allclose(prior.sum(1), prior.new_ones(count), atol=1e-4):
        raise ValueError(
            f"a prior for {count} networks has {count} rows of {count} numbers from 0 up, each row with the "
            f"sum 1 and a 0 for the network itself; got {prior}"
        )
    return prior


class Graph(GroupLesson):
    """Each is taught by all the others as they are now, by the weights of a graph that is learned."""

    def __init__(self, data, prior, trust):
        super().__init__(data)
        count = len(prior)
        # Of each row what is not on the diagonal, in the order in which `others` names the teachers.
        self.prior, self.trust = prior[~torch.eye(count, dtype=bool)].view(count, -1), trust
        self.scores = torch.zeros_like(self.prior, requires_grad=True)

    def parameters(self):
        return [self.scores]

    def weights(self):
        return self.trust * self.prior + (1 - self.trust) * softmax(self.scores)

    def edges(self) -> Tensor:
        """How much each network, a row, listens to each other, a column."""
        count = len(self.prior)
        graph = torch.zeros(count, count)
        graph[~torch.eye(count, dtype=bool)] = self.weights().detach().flatten()
        return graph

    def teachers_of(self, group, rows):
        return replace(others(group), weights=self.weights())
