"""Where a network stopped with an error, and what that means."""

import traceback

import torch
from torch.nn.modules.batchnorm import _BatchNorm

_TOO_FEW = "more than 1 value per channel"


def one_sample_too_few(problem: Exception, *models: torch.nn.Module | None) -> str | None:
    """What to do where a batch normalisation in train mode met a single sample; None for all other errors.

    >>> model = torch.nn.Sequential(torch.nn.BatchNorm1d(3))
    >>> try:
    ...     model(torch.zeros(1, 3))
    ... except ValueError as problem:
    ...     print(one_sample_too_few(problem, model)[:58])
    the batch normalisation '0' got a batch of one sample, and
    """
    if not isinstance(problem, ValueError) or _TOO_FEW not in str(problem):
        return None
    layer = _stopped_in(problem)
    named = [named for model in models if model is not None for named in model.named_modules()]
    paths = [path for path, module in named if module is layer]
    name = f" {paths[0]!r}" if paths and paths[0] else ""
    return (
        f"the batch normalisation{name} got a batch of one sample, and in train mode it needs two or more, "
        "since it takes their mean and spread. Leave a last short batch out by DataLoader(..., "
        "drop_last=True), take larger batches, or put this layer into eval mode, in which it takes the "
        "statistics that it has gathered"
    )


def _stopped_in(problem):
    """The innermost batch normalisation whose forward raised, or None."""
    owners = (frame.f_locals.get("self") for frame, _ in traceback.walk_tb(problem.__traceback__))
    return next((owner for owner in reversed([*owners]) if isinstance(owner, _BatchNorm)), None)
