"""Half precision is enough for a network and not for a loss: squares and their sums leave its range."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import torch

from kdviz.tracing import Trace


def precision_for(logits):
    """The precision that a loss of these logits is computed in: theirs, or single where theirs is lower."""
    return torch.float32 if logits.element_size() < 4 else logits.dtype


def in_precision(given, dtype):
    """A tensor, several by name or a trace, with all fractions in one precision."""
    if isinstance(given, Trace):
        logits, features = in_precision(given.logits, dtype), in_precision(given.features, dtype)
        return replace(given, logits=logits, features=features)
    if isinstance(given, Mapping):
        return {name: in_precision(part, dtype) for name, part in given.items()}
    return given.to(dtype) if isinstance(given, torch.Tensor) and given.is_floating_point() else given


def without_autocast(tensor):
    """A context in which products keep the precision of their factors, also inside ``torch.autocast``."""
    device = tensor.device.type
    on = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.autocast(device, enabled=False) if on else nullcontext()
