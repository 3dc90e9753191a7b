"""Which layers of a model can be compared, and their outputs as one vector a sample."""

from contextlib import contextmanager

import pandas as pd
import torch

from kdviz.inputs.batches import Batch, as_tensors
from kdviz.inputs.models import outputs_of
from kdviz.tracing import check_model, evaluating, hooked, rows_of, size_of

# Modules whose pooled output is that of the layer before, or nearly so.
_PASS_ON = ("Dropout", "Flatten", "Identity", "Pool")
WIDEST = 4096


def layers(model: torch.nn.Module, inputs, blocks: bool = False) -> pd.DataFrame:
    """The layers of a model by their path: what each is, the shape of its output, and how often it runs.

    ``inputs`` is a batch as the model takes it. ``blocks`` lists only those that :func:`kdviz.compare` would
    choose by itself. A shape of several tensors, as recurrent layers give them, is that of the first.

    >>> import kdviz as kd
    >>> kd.layers(kd.models.mlp(64, 16, 10), torch.zeros(2, 1, 8, 8)).type.to_dict()
    {'flatten': 'Flatten', 'hidden1': 'Linear', 'activation1': 'ReLU', 'logits': 'Linear'}
    """
    check_model("the model", model)
    inputs = as_tensors(inputs)
    modules = {path: module for path, module in model.named_modules() if path}
    with evaluating(model):
        paths = choose_layers(model, inputs) if blocks else list(modules)
        seen = _outputs(model, inputs, paths, lambda output, module: output)
    rows = {
        path: {
            "type": type(modules[path]).__name__,
            "shape": None if outputs[0] is None else tuple(outputs[0].shape),
            "runs": len(outputs),
        }
        for path, outputs in ((path, seen.get(path, [None])) for path in paths)
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["type", "shape", "runs"])
    table.loc[[path for path in paths if path not in seen], "runs"] = 0
    return table.rename_axis("path")


def choose_layers(model, inputs, most=8, pick=None):
    """Paths of up to ``most`` layers spread evenly from input to output, the last one included.

    Where a network is a row of blocks of one kind, as a transformer or a ResNet, these are chosen, and the
    layer after them; else modules without parts. All run once, for a batch as this one, and give one row a
    sample, at most 4,096 wide once pooled.
    """
    if isinstance(model, torch.jit.ScriptModule):
        # Nothing can be hooked there.
        return []
    leaves = [
        path
        for path, module in model.named_modules()
        if path and not any(module.children()) and not any(part in type(module).__name__ for part in _PASS_ON)
    ]
    if not leaves:
        return []
    inputs = rows_of(inputs, slice(8))
    blocks = _blocks(model)
    seen, size = _outputs(model, inputs, [*blocks, *leaves], pick=pick), size_of(inputs)
    usable = [path for path, outputs in seen.items() if len(outputs) == 1 and _usable(outputs[0], size)]
    ends = [path for path in usable if path in blocks]
    if ends:
        inside = tuple(f"{path}." for path in blocks)
        rest = [path for path in usable if path not in blocks and not path.startswith(inside)]
        after = rest[-1:] if rest and usable.index(rest[-1]) > usable.index(ends[-1]) else []
        usable = [*_spread(ends, most - len(after)), *after]
    else:
        usable = _spread([path for path in usable if path not in blocks], most)
    # With few layers watched, a transformer may take a faster way, past some of them.
    again = _outputs(model, inputs, usable, pick=pick)
    return [path for path in usable if len(again.get(path, ())) == 1]


def _blocks(model):
    """Modules with parts in a list, as transformers keep theirs, or in a row beside one more of their
    kind.
    """
    found = []
    for path, module in model.named_modules():
        if isinstance(module, (torch.nn.ModuleList, torch.nn.Sequential)):
            kinds = [type(child) for child in module.children() if any(child.children())]
            least = 1 if isinstance(module, torch.nn.ModuleList) and len(set(kinds)) == 1 else 2
            found += [
                f"{path}.{name}".lstrip(".")
                for name, child in module.named_children()
                if any(child.children()) and kinds.count(type(child)) >= least
            ]
    # Of blocks inside blocks the outer ones.
    return [path for path in found if not any(path.startswith(f"{other}.") for other in found)]


def _spread(paths, most):
    if len(paths) <= most:
        return paths
    return [paths[index] for index in torch.linspace(0, len(paths) - 1, most).round().long()]


def last_hidden(paths):
    """Of layers in their order, the last but the logits; the only one where there is no other."""
    return paths[-2 if len(paths) > 1 else -1]


def check_layers(model, inputs, paths, who, pick=None):
    """Layers that a reader named: there, running once, and of a shape that can be compared."""
    modules = dict(model.named_modules())
    unknown = [path for path in paths if path not in modules]
    if unknown:
        there = "\n  ".join(path for path in modules if path)
        known = f"kdviz.layers lists those it has:\n  {there}"
        raise ValueError(f"the {who} has no layer {unknown[0]!r}; {known}")
    seen = _outputs(model, inputs, paths, pick=pick)
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


class Pooling(dict):
    """Pooled outputs by path, which each forward pass fills; ``mask`` says which tokens of it count."""

    mask = None


@contextmanager
def pooled_features(model, paths):
    """A :class:`Pooling` that each forward pass fills with the pooled output of the layers named."""
    found = Pooling()

    def note(path, module, output):
        found[path] = pooled(first_tensor(output), module, found.mask)

    with hooked(model, note, paths):
        yield found


def pooled(output, module=None, mask=None):
    """The mean over positions or tokens: (N, C, H, W), (N, L, D), or after a 1d layer (N, C, L); a copy.

    Of tokens those count that ``mask`` (N, L) has, so that padding changes nothing.
    """
    if output.ndim <= 2:
        return output.clone()
    if output.ndim > 3:
        return output.flatten(2).mean(2)
    if type(module).__name__.endswith("1d"):
        return output.mean(2)
    if mask is None or mask.shape != output.shape[:2]:
        return output.mean(1)
    weight = mask.to(output).unsqueeze(2)
    return (output * weight).sum(1) / weight.sum(1).clamp(min=1)


def first_tensor(output):
    """The output of a layer, of several tensors the first; None where there is none."""
    if isinstance(output, (tuple, list)):
        output = next((part for part in output if isinstance(part, torch.Tensor)), None)
    return output if isinstance(output, torch.Tensor) else getattr(output, "last_hidden_state", None)


def _outputs(model, inputs, paths, take=pooled, pick=None):
    """By path what ``take`` makes of the outputs in one forward pass, in the order of the layers."""
    seen = {}

    def note(path, module, output):
        tensor = first_tensor(output)
        seen.setdefault(path, []).append(None if tensor is None else take(tensor, module))

    with torch.no_grad(), hooked(model, note, paths):
        outputs_of(
            model, Batch(inputs, None, None, None), pick=pick or (lambda output: _anything(output, inputs))
        )
    return seen


def _anything(output, inputs):
    """Here only the layers are asked about, so any output will do."""
    return torch.empty(size_of(inputs), 1)


def _usable(output, size):
    return (
        output is not None
        and output.is_floating_point()
        and output.ndim == 2
        and len(output) == size
        and 2 <= output.shape[1] <= WIDEST
    )
