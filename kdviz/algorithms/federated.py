"""Learning where the data lie in many places: what travels are weights, or answers on public images.

A federation is a list of clients, each a Dataset whose ``labelled`` part is its own and goes nowhere. Their
networks are one student, a ``ModuleList``, on the one training loop.
"""

import copy
from typing import Unpack

import torch
from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_whole
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.schemes.evaluation import evaluate_group
from kdviz.schemes.group_traces import GroupLesson, together
from kdviz.tracing import Trace, answer, check_models, trace
from kdviz.training.batches import batches
from kdviz.training.loop import Run
from kdviz.training.options import Training
from kdviz.training.stages import Stages


def alone(
    networks: list[nn.Module], clients: list[Dataset], *, turn: int = 0, **training: Unpack[Training]
) -> Run:
    """Each client learns from its own labels, and nothing travels: what a federation must beat.

    Parameters
    ----------
    networks : one for each client, where to start from; they are copied
    clients : list of Dataset
    turn : int
        Of several trainings, so that each sees its batches in a new order.
    **training
        As in :func:`kdviz.distill`; a batch is never larger than the smallest client's labels.
    """
    check_models("networks", networks)
    if not isinstance(clients, list) or len(clients) < 2 or len(networks) != len(clients):
        raise ValueError(
            f"a federation is a list of two or more Datasets and a network for each; got {len(networks)} "
            f"networks and {clients!r}"
        )
    students = nn.ModuleList(copy.deepcopy(network) for network in networks)
    return Run(students, OwnData(clients, turn), CrossEntropy(), evaluate_group(clients[0]), **training)


def federated_averaging(
    start: nn.Module, clients: list[Dataset], rounds: int, **training: Unpack[Training]
) -> Stages:
    """FedAvg: in each round all clients learn from the server's network, which becomes their mean.

    Source: McMahan et al. 2017, *Communication-Efficient Learning of Deep Networks from Decentralized Data*,
    algorithm 1, with every client in every round and Adam begun anew in place of gradient descent.

    Parameters
    ----------
    start : the server's first network
    clients : list of Dataset
    rounds : int
    **training
        Of each round, as in :func:`kdviz.distill`.

    Returns
    -------
    Stages
        ``mean_of_weights(stages.student, counts)`` is the server's network after the last round.
    """
    counts = [len(client.labelled) for client in clients]

    def begin(turn, before):
        server = start if before is None else mean_of_weights(before, counts)
        return alone([server] * len(clients), clients, turn=turn, **training)

    return Stages(begin, rounds)


def federated_distillation(
    starts: list[nn.Module],
    clients: list[Dataset],
    public: Dataset,
    rounds: int,
    **training: Unpack[Training],
) -> Stages:
    """FedMD: clients of any architecture send what they answer on public images, and learn from the mean.

    First each learns from its own labels. In each round their logits on ``public.transfer`` are averaged,
    each learns from the mean (*digest*), then from its own labels again (*revisit*). No label of a public
    image is used. Source: Li and Wang 2019, *FedMD: Heterogenous Federated Learning via Model Distillation*,
    algorithm 1; there the first training has labelled public data too.

    Parameters
    ----------
    starts : a network for each client; they may differ in all but their classes
    clients : list of Dataset
    public : Dataset, which is nobody's
    rounds : int
    **training
        Of each of the 1 + 2 · ``rounds`` stages, as in :func:`kdviz.distill`.

    Returns
    -------
    Stages
        ``stages.student`` holds the clients' networks.
    """
    check_whole("rounds", rounds, 1)

    def begin(turn, before):
        if turn % 2 == 0:
            return alone(starts if before is None else list(before), clients, turn=turn, **training)
        return Run(before, Digest(public), SoftTargets(1.0), evaluate_group(public), **training)

    return Stages(begin, 1 + 2 * rounds)


def mean_of_weights(networks, counts: list[int] | None = None) -> nn.Module:
    """A network whose every weight is the mean of theirs, or weighed by ``counts``; of one architecture.

    >>> twins = [nn.Linear(2, 1), nn.Linear(2, 1)]
    >>> mean = mean_of_weights(twins, [1, 3])
    >>> torch.allclose(mean.weight, (twins[0].weight + 3 * twins[1].weight) / 4)
    True
    """
    networks = list(networks)
    check_models("networks", networks)
    counts = [1] * len(networks) if counts is None else list(counts)
    if len(counts) != len(networks) or min(counts) < 0 or not sum(counts):
        raise ValueError(
            f"counts must be one number from 0 up for each of {len(networks)} networks; got {counts}"
        )
    states = [network.state_dict() for network in networks]
    shapes = [{name: part.shape for name, part in state.items()} for state in states]
    if any(own != shapes[0] for own in shapes):
        raise ValueError("only networks of one architecture have a mean; distil networks of several")
    mean = copy.deepcopy(networks[0])
    mean.load_state_dict(
        {
            name: sum(count * state[name] for count, state in zip(counts, states, strict=True)) / sum(counts)
            for name in states[0]
        }
    )
    return mean


def bytes_of_weights(network: nn.Module, rounds: int) -> int:
    """What a client sends and gets in so many rounds of FedAvg: its weights up and down, as stored."""
    return 2 * rounds * sum(weights.nbytes for weights in network.parameters())


def bytes_of_answers(images: int, classes: int, rounds: int) -> int:
    """What a client sends and gets in so many rounds of FedMD: logits up, their mean down, 4 bytes each."""
    return 2 * rounds * images * classes * 4


class OwnData(GroupLesson):
    """Each client learns from labels of its own, on batches of its own."""

    def __init__(self, clients, turn):
        super().__init__(clients[0], "labelled")
        self.parts, self.turn = [client.labelled for client in clients], turn

    def begin(self, run):
        super().begin(run)
        size, first = min(run.batch_size, *map(len, self.parts)), self.seed + 1000 * self.turn
        own = [batches(len(part), size, first + number) for number, part in enumerate(self.parts)]
        self.batches = zip(*own, strict=True)

    def __call__(self, clients, step):
        shown = [part[rows] for part, rows in zip(self.parts, next(self.batches), strict=True)]
        group = together(trace(client, own.inputs) for client, own in zip(clients, shown, strict=True))
        return group, None, torch.stack([own.labels for own in shown]).unsqueeze(1)


class Digest(GroupLesson):
    """All learn on the public images from the mean of what all of them said at the start."""

    def begin(self, run):
        super().begin(run)
        said = [answer(client, self.samples.inputs).logits for client in run.student]
        self.consensus = torch.stack(said).mean(0)

    def teachers_of(self, group, rows):
        return Trace(self.consensus[rows])
