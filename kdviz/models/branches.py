"""Networks with several answers: early exits along one network, and branches on one trunk.

Each answer is a head. ``model.heads`` names them; the logits of head ``"exit1"`` are at the path
``"exit1.logits"``, what it saw just before at ``"exit1.embedding"``. The network's own output is its last
head's, so it can be used wherever a plain network can. ``model.subnetwork("exit1")`` is what is
deployed: the network up to that head, with the same weights.
"""

import copy
from collections import OrderedDict

import torch
from torch import nn

from kdviz.models.frozen import in_mode_of
from kdviz.seeding import seeded
from kdviz.tracing import call, evaluating


class Exits(nn.Module):
    """A network cut into blocks with a head after each: ``exit1``, ``exit2``, ... the last at its end."""

    def __init__(self, blocks, exits):
        super().__init__()
        self.heads = tuple(f"exit{number}" for number in range(1, len(exits) + 1))
        self.blocks = tuple(f"block{number}" for number in range(1, len(blocks) + 1))
        for names, parts in ((self.blocks, blocks), (self.heads, exits)):
            for name, part in zip(names, parts, strict=True):
                self.add_module(name, part)

    def forward(self, inputs):
        for block, head in zip(self.blocks, self.heads, strict=True):
            inputs = self.get_submodule(block)(inputs)
            logits = self.get_submodule(head)(inputs)
        return logits

    def subnetwork(self, head: str) -> nn.Sequential:
        """The network up to one of its exits."""
        if head not in self.heads:
            raise ValueError(f"there is no head {head!r}; the heads are {', '.join(self.heads)}")
        blocks = self.blocks[: self.heads.index(head) + 1]
        return nn.Sequential(*[self.get_submodule(name) for name in (*blocks, head)])

    @torch.no_grad()
    def early_exit(self, inputs: torch.Tensor, confidence: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Each sample's logits at the first exit whose largest probability is that high, and which it is.

        The last exit answers whatever is left. Exits are numbered from 0, as in ``heads``.
        """
        logits = []
        for block, head in zip(self.blocks, self.heads, strict=True):
            inputs = self.get_submodule(block)(inputs)
            logits.append(self.get_submodule(head)(inputs))
        logits = torch.stack(logits)
        sure = logits.softmax(-1).amax(-1) >= confidence
        sure[-1] = True
        first = sure.int().argmax(0)
        return logits[first, torch.arange(len(first), device=first.device)], first

    # As they were called once.
    alone, until_sure = subnetwork, early_exit


class Branches(nn.Module):
    """Branches on one trunk: ``branch1``, ``branch2``, ... Subclasses say how their answers are combined."""

    def __init__(self, trunk, branches):
        super().__init__()
        self.trunk = trunk
        self.branches = tuple(f"branch{number}" for number in range(1, len(branches) + 1))
        self.heads = self.branches
        for name, branch in zip(self.branches, branches, strict=True):
            self.add_module(name, branch)

    def subnetwork(self, head: str) -> nn.Sequential:
        """The trunk with one of the branches."""
        if head not in self.branches:
            raise ValueError(f"only a branch stands alone: {', '.join(self.branches)}; got {head!r}")
        return nn.Sequential(self.trunk, self.get_submodule(head))

    # As it was called once.
    alone = subnetwork

    def branch_outputs(self, shared):
        """Embeddings and logits of all branches, (branches, N, ...), for what the trunk gives."""
        branches = [self.get_submodule(name) for name in self.branches]
        embeddings = [branch.embedding(shared) for branch in branches]
        logits = [branch.logits(own) for branch, own in zip(branches, embeddings, strict=True)]
        return torch.stack(embeddings), torch.stack(logits)


class GatedBranches(Branches):
    """Branches and their ensemble, in which a gate that sees the trunk's features weighs each sample's."""

    def __init__(self, trunk, branches, width):
        super().__init__(trunk, branches)
        self.heads = (*self.branches, "ensemble")
        count = len(branches)
        self.gate = nn.Sequential(nn.Linear(width, count), nn.BatchNorm1d(count), nn.ReLU(), nn.Softmax(-1))
        self.ensemble = nn.ModuleDict({"logits": nn.Identity()})

    def forward(self, inputs):
        shared = self.trunk(inputs)
        _, logits = self.branch_outputs(shared)
        weights = self.gate(_pooled(shared)).T.unsqueeze(-1)
        return self.ensemble.logits((weights * logits).sum(0))


class FusedBranches(Branches):
    """Branches and a classifier on all their embeddings together."""

    def __init__(self, trunk, branches, width, classes):
        super().__init__(trunk, branches)
        self.heads = (*self.branches, "fusion")
        embedding = nn.Sequential(nn.Linear(len(branches) * width, width), nn.ReLU())
        self.fusion = _head(embedding, nn.Linear(width, classes))

    def forward(self, inputs):
        embeddings, _ = self.branch_outputs(self.trunk(inputs))
        return self.fusion(torch.cat(tuple(embeddings), -1))


class GroupedBranches(Branches):
    """Auxiliary branches that attend to each other, and the last branch, their leader."""

    def __init__(self, trunk, branches, width):
        super().__init__(trunk, branches)
        self.query = nn.Linear(width, max(1, width // 8), bias=False)
        self.key = nn.Linear(width, max(1, width // 8), bias=False)

    def forward(self, inputs):
        return self.branch_outputs(self.trunk(inputs))[1][-1]

    def attention(self, embeddings):
        """How much each auxiliary listens to each, for embeddings (A, N, D): (N, A, A), rows add up to 1."""
        seen = embeddings.transpose(0, 1)
        return (self.query(seen) @ self.key(seen).mT).softmax(-1)


def exits(network: nn.Sequential, after: list[str], inputs: torch.Tensor, *, seed: int = 0) -> Exits:
    """A plain sequence of layers with an early exit after each of the layers named.

    An early exit brings what it sees to the width of the last embedding, so that the two can be compared:
    ``embedding`` (average over positions, linear, ReLU), then ``logits``. The last exit is the network's
    own end.

    >>> import torch
    >>> from kdviz.models import convnet
    >>> exits(convnet(4, 8), ["activation1"], torch.zeros(2, 1, 8, 8)).heads
    ('exit1', 'exit2')

    Parameters
    ----------
    network : mlp, convnet or another ``nn.Sequential`` whose last layer is called ``logits``; it is copied
    after : names of its layers, in order
    inputs : some inputs, to find the widths
    """
    parts = _cut(copy.deepcopy(network), after)
    width, classes = _widths(network, inputs)
    heads = []
    with seeded(seed):
        for part in parts[:-1]:
            inputs = _output(part, inputs)
            embedding = nn.Sequential(_Pool(), nn.Linear(_pooled(inputs).shape[1], width), nn.ReLU())
            heads.append(_head(embedding, nn.Linear(width, classes)))
    heads.append(_head(parts[-1][:-1], parts[-1][-1]))
    return in_mode_of(Exits([*parts[:-1], nn.Sequential()], heads), network)


def gated_branches(
    network: nn.Sequential, after: str, count: int, inputs: torch.Tensor, *, seed: int = 0
) -> GatedBranches:
    """A network whose part after the layer named is there ``count`` times, with a gate: for ONE."""
    trunk, branches, shared, _, _ = _branched(network, after, count, inputs, seed)
    with seeded(seed + count):
        return in_mode_of(GatedBranches(trunk, branches, shared), network)


def fused_branches(
    network: nn.Sequential, after: str, count: int, inputs: torch.Tensor, *, seed: int = 0
) -> FusedBranches:
    """A network whose part after the layer named is there ``count`` times, and a fusion of them: for FFL."""
    trunk, branches, _, width, classes = _branched(network, after, count, inputs, seed)
    with seeded(seed + count):
        return in_mode_of(FusedBranches(trunk, branches, width, classes), network)


def grouped_branches(
    network: nn.Sequential, after: str, count: int, inputs: torch.Tensor, *, seed: int = 0
) -> GroupedBranches:
    """A network whose part after the layer named is there ``count`` times, the last as leader: for OKDDip."""
    trunk, branches, _, width, _ = _branched(network, after, count, inputs, seed)
    with seeded(seed + count):
        return in_mode_of(GroupedBranches(trunk, branches, width), network)


def _branched(network, after, count, inputs, seed):
    if not isinstance(count, int) or count < 2:
        raise ValueError(f"a network with branches has two or more; got {count!r}")
    trunk, rest = _cut(copy.deepcopy(network), [after])
    branches = []
    for index in range(count):
        branch = copy.deepcopy(rest)
        with seeded(seed + index):
            for layer in branch.modules():
                if hasattr(layer, "reset_parameters"):
                    layer.reset_parameters()
        branches.append(_head(branch[:-1], branch[-1]))
    return trunk, branches, _pooled(_output(trunk, inputs)).shape[1], *_widths(network, inputs)


def _cut(network, after):
    """The parts of a sequence: up to and with each of the layers named, and the rest."""
    names = [name for name, _ in network.named_children()]
    if not isinstance(network, nn.Sequential) or names[-1] != "logits":
        raise ValueError(
            "heads can be put on a plain sequence of layers that ends in 'logits', such as "
            f"mlp(64, 32, 32, 10) or convnet(8, 16); got {type(network).__name__} with the layers "
            f"{', '.join(names)}"
        )
    ends = [names.index(name) + 1 if name in names[:-1] else 0 for name in after]
    if not ends or 0 in ends or ends != sorted(set(ends)):
        raise ValueError(
            f"name layers in order, before the logits, out of {', '.join(names[:-1])}; got {list(after)}"
        )
    return [network[start:end] for start, end in zip([0, *ends], [*ends, len(names)], strict=True)]


def _widths(network, inputs):
    embedding = _output(network[:-1], inputs[:1])
    return embedding.shape[1], _output(network[-1], embedding).shape[1]


def _output(part, inputs):
    with evaluating(part), torch.no_grad():
        return call(part, inputs)


def _head(embedding, logits):
    return nn.Sequential(OrderedDict(embedding=embedding, logits=logits))


def _pooled(values):
    """One vector a sample: maps averaged over their positions."""
    return values.flatten(2).mean(2) if values.ndim > 2 else values


class _Pool(nn.Module):
    def forward(self, inputs):
        return _pooled(inputs)
