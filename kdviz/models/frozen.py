"""Parts that do not learn inside networks that do."""

import copy

from torch import nn


class Frozen(nn.Module):
    """A copy of a network that never learns: frozen weights, and always in eval mode."""

    def __init__(self, network):
        super().__init__()
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def forward(self, inputs):
        return self.network(inputs)

    def train(self, mode=True):
        super().train(mode)
        self.network.eval()
        return self


class Residual(nn.Module):
    """A finished student and the assistant that learns what it leaves over: their logits added up."""

    def __init__(self, student, assistant):
        super().__init__()
        self.student, self.assistant = Frozen(student), assistant

    def forward(self, inputs):
        return self.student(inputs) + self.assistant(inputs)
