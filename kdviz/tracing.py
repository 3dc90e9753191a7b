"""One forward pass of any torch module: its logits and its named features."""

from contextlib import contextmanager
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Trace:
    """What a forward pass gave: ``logits`` of shape (n, classes) and ``features`` by layer path."""

    logits: torch.Tensor
    features: dict[str, torch.Tensor] = field(default_factory=dict)

    def __getitem__(self, rows):
        features = {path: feature[rows] for path, feature in self.features.items()}
        return Trace(self.logits[rows], features)

    def __len__(self):
        return len(self.logits)


def trace(model, inputs, layers=()):
    """Run ``model`` on ``inputs`` and keep its logits and the outputs of the layers named.

    Layers are named by their path, as in ``model.named_modules()``. A layer that runs more than
    once keeps its last output. The hooks are removed whatever happens. Gradients and train or eval
    mode are left as they are: wrap the call in ``torch.no_grad()`` for a teacher.

    The model may return a tensor, a tuple whose first entry is the logits, a dictionary with the key
    ``"logits"``, or an object with the attribute ``logits``.
    """
    _check_device(model, inputs)
    features = {}
    with _hooks(model, layers, features):
        logits = logits_of(model(inputs))
    missing = [path for path in layers if path not in features]
    if missing:
        raise ValueError(f"the layers {missing} exist but did not run in this forward pass")
    return Trace(logits, features)


def logits_of(output):
    """The logits in whatever a model returned."""
    if isinstance(output, dict):
        output = output.get("logits")
    elif isinstance(output, (tuple, list)) and output:
        output = output[0]
    elif not isinstance(output, torch.Tensor):
        output = getattr(output, "logits", None)
    if not isinstance(output, torch.Tensor):
        raise TypeError(
            "no logits found in the model's output: expected a tensor, a tuple that begins with one, "
            "a dictionary with 'logits' or an object with .logits; wrap your model to return one of these"
        )
    return output


@contextmanager
def _hooks(model, layers, features):
    modules = dict(model.named_modules())
    unknown = [path for path in layers if path not in modules]
    if unknown:
        there = ", ".join(path for path in modules if path)
        raise ValueError(f"unknown layer {unknown[0]!r}; the layers there are: {there}")
    handles = []
    try:
        for path in layers:
            handles.append(modules[path].register_forward_hook(_keeper(path, features)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _keeper(path, features):
    def keep(module, inputs, output):
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"layer {path!r} returns {type(output).__name__}, not a tensor; "
                "name a layer inside it that returns one"
            )
        features[path] = output

    return keep


def _check_device(model, inputs):
    parameter = next(model.parameters(), None)
    if parameter is not None and parameter.device != inputs.device:
        raise ValueError(
            f"the model is on {parameter.device} and its inputs are on {inputs.device}; "
            "move one of them with .to(device)"
        )
