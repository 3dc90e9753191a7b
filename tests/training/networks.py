"""What tests of training compare networks by."""

import torch


def weights(model):
    """All weights of a network in one vector of their own."""
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
