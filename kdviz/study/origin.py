"""Where a comparison comes from: data, weights, versions and the time, as a report tells them."""

import hashlib
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import torch
from torch.utils import _pytree as pytree


@dataclass(frozen=True)
class Origin:
    """When and with what it was made, what the data is, and by model the first 16 digits of a SHA-256.

    ``samples`` is that of the samples kept.
    """

    made: str
    versions: dict[str, str]
    data: str
    samples: str
    weights: dict[str, str]

    def __str__(self):
        weights = "\n".join(f"  {name}: {digits}" for name, digits in self.weights.items())
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.made}; {versions}\ndata: {self.data}; samples kept: {self.samples}\nweights:\n{weights}"
        )


def origin_of(models, source, samples) -> Origin:
    from kdviz import __version__

    versions = {"kdviz": __version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in ("torch", "numpy")}
    inputs = [
        part for one in samples.inputs for part in pytree.tree_leaves(one) if isinstance(part, torch.Tensor)
    ]
    return Origin(
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        versions=versions,
        data=source.described,
        samples=_digits(inputs),
        weights={name: _digits(_weights(model)) for name, model in models.items()},
    )


def _weights(model):
    held = [*model.parameters(), *model.buffers()]
    return held or [getattr(model, "logits", torch.zeros(0))]


def _digits(tensors):
    """The hash of some tensors; a dash where there is nothing in them."""
    found, some = hashlib.sha256(), False
    for tensor in tensors:
        content = tensor.detach().cpu().contiguous()
        some = some or content.numel() > 0
        found.update(f"{tuple(content.shape)} {content.dtype}".encode())
        found.update(content.flatten().view(torch.uint8).numpy().tobytes() if content.numel() else b"")
    return found.hexdigest()[:16] if some else "–"
