"""Asking any torch module: ``call`` it, ``trace`` a pass, take its ``answer``, ``watch`` its layers.

What is the reader's stays as it was: a model is handed copies, hooks are removed, and ``answer`` puts back
modes, random numbers and all, also after an exception. Inputs are one tensor, or several: in order (a
tuple) or by name (a dictionary).
"""

import inspect
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from kdviz.inputs.stops import one_sample_too_few
from kdviz.seeding import random_state_kept

# How many numbers of input a pass of `answer` takes at most: 8 MB in double precision. Layers are wider
# than inputs, so the memory of a pass is a multiple of it.
_NUMBERS_A_PASS = 2**20
# A token, which is one number, becomes a vector in the first layer.
_NUMBERS_A_TOKEN = 2**10


@dataclass(frozen=True)
class Trace:
    """What a forward pass gave: ``logits`` of shape (n, ...) and ``features`` by layer path.

    ``trace[rows]`` are some of its samples. ``rows`` says which samples of a data set they are, where that is
    known: losses that remember samples need it. ``weights`` says how much each of several teachers counts.
    """

    logits: torch.Tensor
    features: dict[str, torch.Tensor] = field(default_factory=dict)
    rows: torch.Tensor | None = None
    weights: torch.Tensor | None = None

    def __getitem__(self, rows):
        features = {path: feature[rows] for path, feature in self.features.items()}
        kept = None if self.rows is None else self.rows[rows]
        return Trace(self.logits[rows], features, kept, self.weights)

    def __len__(self):
        return len(self.logits)


def call(model, inputs):
    """What ``model`` returns for a batch: one tensor, a tuple in order, or a dictionary by name.

    The model gets copies of the tensors, so that a layer that works in place changes nothing of the reader's.
    Fractions come in the precision of its weights, and of the parts by name each model gets those that its
    ``forward`` takes.
    """
    check_model("the network", model)
    _check_device(model, inputs)
    first = _first_weight(model)
    inputs = _each(lambda part: _copied(part, first), inputs)
    if isinstance(inputs, dict):
        inputs = _taken(model, inputs)
    try:
        if isinstance(inputs, dict):
            return model(**inputs)
        return model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    except Exception as problem:
        said = one_sample_too_few(problem, model)
        if said:
            raise ValueError(said) from problem
        # It is an error of the network's: it goes on as it is, with what the network was asked.
        problem.add_note(f"kdviz called this {type(model).__name__} with {shapes_of(inputs)}.")
        raise


def check_model(name, model):
    """A network must be a torch module, not a class of them, and not what a library wraps one in."""
    if not isinstance(model, torch.nn.Module):
        kind = model.__name__ + ", a class" if isinstance(model, type) else type(model).__name__
        raise TypeError(f"{name} must be a torch.nn.Module; got {kind}. Hand in a network, made")


def check_models(name, models):
    """Networks in a list, one of them at least."""
    if not isinstance(models, (list, tuple)) or not models:
        raise TypeError(f"{name} must be a list of networks; got {models!r}")
    for model in models:
        check_model(f"each of {name}", model)


def trace(model, inputs, layers=()):
    """Run ``model`` on ``inputs`` and keep its logits and the outputs of the layers named.

    Layers are named by their path, as in ``model.named_modules()``; see :func:`watch`. Gradients and train or
    eval mode are left as they are: :func:`answer` is for a teacher.

    The model may return a tensor, a tuple whose first tensor is the logits, a dictionary with the key
    ``"logits"`` or ``"out"``, or an object with the attribute ``logits``.

    >>> import kdviz as kd, torch
    >>> seen = kd.trace(kd.models.mlp(64, 16, 10), torch.zeros(5, 1, 8, 8), layers=["3"])
    >>> tuple(seen.logits.shape), tuple(seen.features["3"].shape)
    ((5, 10), (5, 10))
    """
    layers = () if layers is None else layers
    with watch(model, layers) as features:
        logits = logits_of(call(model, inputs))
    if not logits.ndim:
        raise ValueError("the network answers one number for the whole batch, not a row for each sample")
    missing = [path for path in layers if path not in features]
    if missing:
        raise ValueError(f"the layers {missing} exist but did not run in this forward pass")
    return Trace(logits, features)


def answer(model, inputs, layers=()):
    """The :class:`Trace` of a model in eval mode, without gradient, in passes of bounded memory.

    Its ``rows`` count the inputs: 0, 1, 2, ...

    The inputs go to the model's device, a part at a time, and what it says comes back to theirs. Afterwards
    every layer is in the mode it was in, and random numbers go on as if nothing had been drawn.
    """
    check_model("the network", model)
    home, where = _device_of_inputs(inputs), device_of(model)
    count = size_of(inputs)
    at_once = max(1, _NUMBERS_A_PASS // max(1, _numbers(inputs) // max(1, count)))
    with evaluating(model), torch.no_grad(), random_state_kept():
        traces = [
            _moved(trace(model, to_device(part, where), layers), home)
            for part in ([inputs] if count <= at_once else _parts(inputs, count, at_once))
        ]
    features = {path: torch.cat([one.features[path] for one in traces]) for path in layers}
    return Trace(torch.cat([one.logits for one in traces]), features, torch.arange(count, device=home))


@contextmanager
def watch(model, layers):
    """The outputs of layers, by path, in a dictionary that every forward pass inside fills.

    A layer that runs more than once keeps its last output, as the layer gave it, also where an in-place layer
    goes on with it. The hooks are removed whatever happens.
    """
    features = {}

    def keep(path, module, output):
        if not isinstance(output, torch.Tensor):
            raise TypeError(
                f"layer {path!r} returns {type(output).__name__}, not a tensor; "
                "name a layer inside it that returns one"
            )
        # A copy, since the next layer may be an in-place ReLU.
        features[path] = output.clone()

    with hooked(model, keep, layers):
        yield features


@contextmanager
def hooked(model, note, layers=None):
    """Call ``note(path, module, output)`` after each run of the layers named, or of every module.

    :func:`watch` where one tensor a layer is not enough. The hooks are removed whatever happens.
    """
    check_model("the network", model)
    modules = dict(model.named_modules())
    layers = modules if layers is None else layers
    if isinstance(layers, str) or not isinstance(layers, Iterable) or not all(map(_is_path, layers)):
        raise TypeError(f"layers must be a list of paths, as in model.named_modules(); got {layers!r}")
    unknown = [path for path in layers if path not in modules]
    if unknown:
        there = ", ".join(path for path in modules if path)
        raise ValueError(f"unknown layer {unknown[0]!r}; the layers there are: {there}")

    def hook(path):
        def after(module, inputs, output):
            note(path, module, output)

        return after

    handles = []
    try:
        for path in layers:
            handles.append(modules[path].register_forward_hook(hook(path)))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def evaluating(*models):
    """Models in eval mode; afterwards every layer is in the mode it was in."""
    for model in models:
        check_model("the network", model)
    modes = [(module, module.training) for model in models for module in model.modules()]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def logits_of(output, pick=None):
    """The logits in whatever a model returned: where that is not plain, the part that ``pick`` names.

    ``pick`` is the number of an entry of a tuple, the name of a key or attribute, or a function.
    """
    found = _found_in(output) if pick is None else _picked(output, pick)
    if not isinstance(found, torch.Tensor):
        asked = "no logits found in the model's output" if pick is None else f"logits={pick!r} is no tensor"
        raise TypeError(
            f"{asked}: expected a tensor, a tuple that begins with one, a dictionary with 'logits' or an "
            f"object with .logits; wrap your model to return one of these. It returned {shapes_of(output)}"
        )
    return found


def _found_in(output):
    if hasattr(output, "logits"):
        return output.logits
    if isinstance(output, Mapping):
        return output.get("logits", output.get("out"))
    if isinstance(output, (tuple, list)):
        # A loss, which has no axes, may stand in front.
        return next((part for part in output if isinstance(part, torch.Tensor) and part.ndim), None)
    return output


def _picked(output, pick):
    try:
        if callable(pick):
            return pick(output)
        if isinstance(output, (Mapping, tuple, list)) and not (
            isinstance(pick, str) and hasattr(output, pick)
        ):
            return output[pick]
        return output if isinstance(output, torch.Tensor) else getattr(output, pick)
    except (KeyError, IndexError, AttributeError, TypeError) as problem:
        raise TypeError(f"logits={pick!r} is not in what the model returns: {shapes_of(output)}") from problem


def shapes_of(output):
    """What a model returned, in words: the shapes of its tensors."""
    if isinstance(output, torch.Tensor):
        return f"a tensor of shape {tuple(output.shape)}"
    if isinstance(output, Mapping):
        return f"{{{', '.join(f'{name!r}: {shapes_of(part)}' for name, part in output.items())}}}"
    if isinstance(output, (tuple, list)):
        return f"({', '.join(map(shapes_of, output))})"
    return type(output).__name__


def size_of(inputs):
    """How many samples there are in the inputs of a batch."""
    first = next(_tensors(inputs), None)
    if first is None or first.ndim == 0:
        raise ValueError("the inputs hold no tensor with samples in its first axis")
    return len(first)


def rows_of(inputs, rows):
    """The inputs of some of the samples of a batch."""
    count = size_of(inputs)
    return _each(lambda part: part[rows] if part.ndim and len(part) == count else part, inputs)


def to_device(inputs, device):
    """All tensors of some inputs on a device."""
    return _each(lambda part: part.to(device), inputs)


def device_of(model):
    """Where a model's parameters are, or its buffers; the CPU where it has neither."""
    check_model("the network", model)
    held = next(model.parameters(), next(model.buffers(), None))
    return torch.device("cpu") if held is None else held.device


def _is_path(layer):
    return isinstance(layer, str)


def _each(function, inputs):
    """A function of every tensor in some inputs; what is no tensor stays as it is."""
    if isinstance(inputs, torch.Tensor):
        return function(inputs)
    if isinstance(inputs, Mapping):
        return {name: _each(function, part) for name, part in inputs.items()}
    if isinstance(inputs, (tuple, list)):
        return tuple(_each(function, part) for part in inputs)
    return inputs


def _tensors(inputs):
    if isinstance(inputs, torch.Tensor):
        yield inputs
    elif isinstance(inputs, (Mapping, tuple, list)):
        for part in inputs.values() if isinstance(inputs, Mapping) else inputs:
            yield from _tensors(part)


def _numbers(inputs):
    return sum(
        part.numel() * (1 if part.is_floating_point() else _NUMBERS_A_TOKEN) for part in _tensors(inputs)
    )


def _parts(inputs, count, at_once):
    return (rows_of(inputs, slice(start, start + at_once)) for start in range(0, count, at_once))


def _moved(trace, device):
    features = {path: feature.to(device) for path, feature in trace.features.items()}
    return Trace(trace.logits.to(device), features)


def _device_of_inputs(inputs):
    first = next(_tensors(inputs), None)
    return torch.device("cpu") if first is None else first.device


def _first_weight(model):
    """The first weight that holds fractions: what comes in meets it, so it says in which precision."""
    return next((weight for weight in model.parameters() if weight.is_floating_point()), None)


def _copied(part, weight):
    other = weight is not None and part.is_floating_point() and part.dtype != weight.dtype
    return part.to(weight.dtype) if other else part.clone()


def _taken(model, inputs):
    """Of parts by name those that the model takes; the only tensor by itself where it takes no such name."""
    # torch.compile and its kin for several GPUs pass on what they get.
    inner = getattr(model, "_orig_mod", model)
    if isinstance(inner, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
        inner = inner.module
    try:
        asked = inspect.signature(inner.forward).parameters.values()
    except (TypeError, ValueError):
        return inputs
    if any(one.kind is one.VAR_KEYWORD for one in asked):
        return inputs
    taken = {one.name: inputs[one.name] for one in asked if one.name in inputs}
    needed = [
        one.name
        for one in asked
        if one.default is one.empty and one.kind is not one.VAR_POSITIONAL and one.name not in inputs
    ]
    tensors = [part for part in inputs.values() if isinstance(part, torch.Tensor)]
    if not taken and len(needed) <= 1 and len(tensors) == 1:
        return tensors[0]
    if needed or not taken:
        raise TypeError(
            f"the batch names {', '.join(map(repr, inputs))}, and the model's forward takes "
            f"{', '.join(one.name for one in asked)}: it lacks {', '.join(needed) or 'all of them'}. Rename "
            "the parts of the batch as the model does"
        )
    return taken


def _check_device(model, inputs):
    parameter, given = next(model.parameters(), None), next(_tensors(inputs), None)
    if parameter is not None and given is not None and parameter.device != given.device:
        raise ValueError(
            f"the model is on {parameter.device} and its inputs are on {given.device}; "
            "move one of them with .to(device)"
        )
