"""Which layers of a model can be compared, and their outputs as one vector a sample."""

from contextlib import contextmanager

import torch

from kdviz.tracing import call, device_of, hooked, rows_of, size_of, to_device

# Modules whose pooled output is that of the layer before, or nearly so.
_PASS_ON = ("Dropout", "Flatten", "Identity", "Pool")
WIDEST = 4096


def choose_layers(model, inputs, most=8):
    """Paths of up to ``most`` layers spread evenly from input to output, the last one included.

    Taken from the modules without parts that run once, for a batch as this one, and give one row a
    sample, at most 4,096 wide once pooled.
    """
    leaves = [
        path
        for path, module in model.named_modules()
        if path and not any(module.children()) and not any(part in type(module).__name__ for part in _PASS_ON)
    ]
    if not leaves:
        return []
    inputs = rows_of(inputs, slice(8))
    seen, size = _outputs(model, inputs, leaves), size_of(inputs)
    usable = [path for path, outputs in seen.items() if len(outputs) == 1 and _usable(outputs[0], size)]
    if len(usable) > most:
        usable = [usable[index] for index in torch.linspace(0, len(usable) - 1, most).round().long()]
    # With few layers watched, a transformer may take a faster way, past some of them.
    again = _outputs(model, inputs, usable)
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
    seen = _outputs(model, inputs, paths)
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
                "pooled over positions or tokens; name another"
            )


@contextmanager
def pooled_features(model, paths):
    """A dictionary that each forward pass fills with the pooled output of the layers named."""
    found = {}
    with hooked(model, lambda path, module, output: found.update({path: pooled(output, module)}), paths):
        yield found


def pooled(output, module=None):
    """The mean over positions or tokens: (N, C, H, W), (N, L, D), or after a 1d layer (N, C, L); a copy."""
    if output.ndim <= 2:
        return output.clone()
    if output.ndim == 3:
        return output.mean(2 if type(module).__name__.endswith("1d") else 1)
    return output.flatten(2).mean(2)


def _outputs(model, inputs, paths):
    """By path the pooled outputs of one forward pass, in the order of the layers; None for no tensor."""
    seen = {}

    def note(path, module, output):
        tensor = isinstance(output, torch.Tensor)
        seen.setdefault(path, []).append(pooled(output, module) if tensor else None)

    with torch.no_grad(), hooked(model, note, paths):
        call(model, to_device(inputs, device_of(model)))
    return seen


def _usable(output, size):
    return (
        output is not None
        and output.is_floating_point()
        and output.ndim == 2
        and len(output) == size
        and 2 <= output.shape[1] <= WIDEST
    )
