"""Half precision is enough for a network and not for a loss: squares and their sums leave its range."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import torch

from kdviz.tracing import Trace


def at_least_single(given):
    """A tensor, several by name or a trace, with what comes in half precision in single precision."""
    if isinstance(given, Trace):
        logits, features = at_least_single(given.logits), at_least_single(given.features)
        return replace(given, logits=logits, features=features)
    if isinstance(given, Mapping):
        return {name: at_least_single(part) for name, part in given.items()}
    low = isinstance(given, torch.Tensor) and given.is_floating_point() and given.element_size() < 4
    return given.float() if low else given


def without_autocast(tensor):
    """A context in which products keep the precision of their factors, also inside ``torch.autocast``."""
    device = tensor.device.type
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()
