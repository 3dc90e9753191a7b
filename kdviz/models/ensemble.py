"""Several networks that answer as one."""

import copy

import torch
from torch import nn


class Ensemble(nn.Module):
    """Networks that answer with the mean of their probabilities: a teacher made of several.

    Its logits are the logarithm of that mean, so their softmax is the mean itself. The networks are copied.
    """

    def __init__(self, networks):
        super().__init__()
        self.networks = nn.ModuleList(copy.deepcopy(network) for network in networks)
        if not self.networks:
            raise ValueError("an ensemble needs at least one network")

    def forward(self, inputs):
        said = torch.stack([network(inputs).log_softmax(-1) for network in self.networks])
        return said.logsumexp(0) - torch.tensor(float(len(said))).log()
