"""Which layers of a model can be compared, and their outputs as one vector a sample."""

from contextlib import contextmanager

import torch

from kdviz.study.feeding import call, rows_of, size_of

# Modules whose pooled output is that of the layer before, or nearly so.
_PASS_ON = ("Dropout", "Flatten", "Identity", "Pool")
WIDEST = 4096


def choose_layers(model, inputs, most=8):
    """Paths of up to ``most`` layers spread evenly from input to output, the last one included.

    Taken from the modules without parts that run once, for a batch as this one, and give one row a
    sample, at most 4,096 wide once pooled.
    """
    leaves = {
        path: module
        for path, module in model.named_modules()
        if path and not any(module.children()) and not any(part in type(module).__name__ for part in _PASS_ON)
    }
    if not leaves:
        return []
    inputs = rows_of(inputs, slice(8))
    seen, size = _run(model, inputs, leaves), size_of(inputs)
    usable = [path for path, outputs in seen.items() if len(outputs) == 1 and _usable(outputs[0], size)]
    if len(usable) > most:
        usable = [usable[place] for place in torch.linspace(0, len(usable) - 1, most).round().long()]
    # With few layers watched, a transformer may take a faster way, past some of them.
    again = _run(model, inputs, {path: leaves[path] for path in usable})
    return [path for path in usable if len(again.get(path, ())) == 1]


def last_hidden(paths):
    """Of layers in their order, the last but the logits; the only one where there is no other."""
    return paths[-2 if len(paths) > 1 else -1]


def check_layers(model, inputs, paths, who):
    """Layers that a reader named: there, running once, and of a shape that can be compared."""
    modules = dict(model.named_modules())
    unknown = [path for path in paths if path not in modules]
    if unknown:
        raise ValueError(
            f"the {who} has no layer {unknown[0]!r}; it has {', '.join(path for path in modules if path)}"
        )
    seen = _run(model, inputs, {path: modules[path] for path in paths})
    for path in paths:
        times = len(seen.get(path, ()))
        if times != 1:
            raise ValueError(
                f"layer {path!r} of the {who} runs {times} times in a forward pass; name one that runs once, "
                "such as the block around it"
            )
        if not _usable(seen[path][0], size_of(inputs)):
            raise ValueError(
                f"layer {path!r} of the {who} does not give one row of at most {WIDEST} numbers a sample, "
                "pooled over places or tokens; name another"
            )


@contextmanager
def features(model, paths):
    """A dictionary that each forward pass fills with the pooled output of the layers named."""
    found, modules = {}, dict(model.named_modules())

    def keep(path):
        return lambda module, inputs, output: found.__setitem__(path, pooled(output, module))

    handles = [modules[path].register_forward_hook(keep(path)) for path in paths]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def pooled(output, module=None):
    """The mean over places or tokens: (N, C, H, W), (N, L, D), or after a 1d layer (N, C, L)."""
    if output.ndim <= 2:
        return output
    if output.ndim == 3:
        return output.mean(2 if type(module).__name__.endswith("1d") else 1)
    return output.flatten(2).mean(2)


def _run(model, inputs, modules):
    seen = {}

    def note(path):
        return lambda module, arguments, output: seen.setdefault(path, []).append(
            pooled(output, module) if isinstance(output, torch.Tensor) else None
        )

    handles = [module.register_forward_hook(note(path)) for path, module in modules.items()]
    try:
        with torch.no_grad():
            call(model, inputs)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _usable(output, size):
    return (
        output is not None
        and output.is_floating_point()
        and output.ndim == 2
        and len(output) == size
        and 2 <= output.shape[1] <= WIDEST
    )
