"""Parts that do not learn inside networks that do."""

import copy

import torch
from torch import nn


class Frozen(nn.Module):
    """A copy of a network that never learns: frozen weights, and always in eval mode."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = copy.deepcopy(network).eval().requires_grad_(False)

    def forward(self, inputs):
        return self.network(inputs)

    def train(self, mode=True):
        super().train(mode)
        self.network.eval()
        return self


class Residual(nn.Module):
    """A finished student and an assistant, whose logits are added up: the assistant corrects the student.

    The student is a :class:`Frozen` copy; the assistant, a copy too, learns.
    """

    def __init__(self, student: nn.Module, assistant: nn.Module):
        super().__init__()
        self.student, self.assistant = Frozen(student), in_train_mode(assistant)

    def forward(self, inputs):
        return self.student(inputs) + self.assistant(inputs)


def in_train_mode(network: nn.Module) -> nn.Module:
    """A copy of a network, in the modes in which it is to be trained.

    In a network in train mode, layers in eval mode (a frozen batch normalisation) stay in it. A network in
    eval mode, as every trained one comes, is trained wholly.
    """
    twin = _copied(network)
    return twin if network.training else twin.train()


def _copied(network):
    if isinstance(network, torch.jit.ScriptModule):
        raise TypeError(
            "a ScriptModule cannot be trained as a copy: its parameters are no longer torch's own. Hand in "
            "the module that it was scripted from"
        )
    try:
        return copy.deepcopy(network)
    except Exception as problem:
        raise TypeError(
            f"the student cannot be copied, and it is a copy that learns ({type(problem).__name__}: "
            f"{problem}). Layers under torch.nn.utils.weight_norm or spectral_norm take those of "
            "torch.nn.utils.parametrizations; what a forward pass leaves in the model must be detached"
        ) from problem


def in_mode_of(made: nn.Module, network: nn.Module) -> nn.Module:
    """A network made from parts of another in that one's mode; the parts of one in train mode keep theirs."""
    return made if network.training else made.eval()
