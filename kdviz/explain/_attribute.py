"""What in an input an answer rests on: three methods of captum, with one call.

For classes of N inputs of any shape the result has the inputs' own shape, save that colours or the
dimensions of an embedding are summed: (N, H, W) for images, (N, D) for a table, (N, L) for tokens.
"""

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from captum.attr import (
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    LayerIntegratedGradients,
    Occlusion,
)
from torch import Tensor

from kdviz.losses.checks import check_choice, check_labels, check_numbers_of, check_whole
from kdviz.seeding import random_state_kept
from kdviz.tracing import call, device_of, evaluating, hooked, logits_of, to_device

METHODS = ("integrated_gradients", "grad_cam", "occlusion")
# How many values of inputs go through a model at once on the path of integrated gradients.
_AT_ONCE = 2**24


def attribute(
    model: torch.nn.Module,
    inputs: Tensor | Mapping[str, Tensor],
    targets: Tensor,
    method: str = "integrated_gradients",
    *,
    baseline: float | Tensor = 0,
    layer: str | None = None,
    steps: int = 64,
    window: int | None = None,
    logits: int | str | Callable | None = None,
) -> Tensor:
    r"""How much each position of an input speaks for a class.

    "integrated_gradients"
        :math:`(x - x_0) \odot \int_0^1 \nabla z_c(x_0 + a (x - x_0))\, da`: the logit's gradient, averaged on
        the straight way from the baseline, by ``steps`` points of Gauss and Legendre. Its sum over the
        positions is :math:`z_c(x) - z_c(x_0)` (Sundararajan et al. 2017, section 3). Of tokens it is taken at
        the embedding.
    "grad_cam"
        :math:`\mathrm{ReLU}(\sum_k \alpha_k A_k)` with :math:`\alpha_k` the logit's mean gradient over the
        positions of map :math:`A_k` (Selvaraju et al. 2017, section 3), spread bilinearly over the image. It
        is 0 or more, coarse, and needs feature maps.
    "occlusion"
        How far the logit falls where a window takes the baseline's value (Zeiler and Fergus 2014, section
        4.2); a position under several windows gets their mean.

    Parameters
    ----------
    model : torch.nn.Module; it answers in eval mode, and its mode and gradients are left as they are
    inputs : (N, channels, height, width), (N, features) or whole-number tokens (N, length)
        Or a dictionary of a batch by name, of which ``input_ids``, or else the first tensor that is no mask,
        is asked about. Tokens that its ``attention_mask`` leaves out get 0.
    targets : (N,) the class of each input that is asked about
    baseline : number, or tensor like one input
        The input that says nothing; for tokens the number of the padding token.
    layer : str
        Grad-CAM: the path of the layer whose maps are read, by default the last that has any.
    steps : int
    window : int
        Occlusion: height and width of the window, moved by half of it; by default a quarter of the image.
        In a table or a text one position is hidden at a time.
    logits : int, str or function
        Which part of what the model returns holds the logits, where that is not plain.

    Returns
    -------
    tensor (N, ...)

    Raises
    ------
    ValueError
        Inputs, targets, baseline or layer do not fit the model, or it has nothing that the method reads.

    >>> model = torch.nn.Linear(2, 2, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 0.0], [2.0, 3.0]]))
    >>> attribute(model, torch.tensor([[1.0, 10.0]]), torch.tensor([1]), "occlusion")
    tensor([[ 2., 30.]])
    """
    check_choice("method", method, METHODS)
    with answering(model, inputs, targets, logits) as asked:
        if method == "integrated_gradients":
            check_whole("steps", steps, 2)
            found = _integrated_gradients(asked, baseline, steps)
        elif method == "grad_cam":
            found = _grad_cam(asked, layer)
        else:
            found = _occlusion(asked, baseline, window)
        mask = asked.mask
        return found if mask is None or mask.shape != found.shape else found * mask.to(found)


@dataclass(frozen=True)
class Asked:
    """A model as captum asks it: ``function`` of ``inputs`` and ``others`` gives the logits and
    changes neither.
    """

    model: torch.nn.Module
    function: Callable
    inputs: Tensor
    others: tuple
    targets: Tensor
    mask: Tensor | None


@contextmanager
def answering(model, inputs, targets, pick=None):
    """Copies of inputs and targets where the model is, which is in eval mode meanwhile."""
    named = isinstance(inputs, Mapping)
    main = _main(inputs) if named else None
    parts = (
        {name: part for name, part in inputs.items() if isinstance(part, Tensor)} if named else {main: inputs}
    )
    _check_inputs(parts[main], targets)
    parts, targets = to_device(parts, device_of(model)), targets.detach().clone().to(device_of(model))
    parts = {name: part.detach().clone() for name, part in parts.items()}
    given, others = parts.pop(main), tuple(parts.values())

    def function(given, *others):
        rest = dict(zip(parts, others, strict=True))
        return logits_of(call(model, {main: given, **rest} if named else given), pick)

    with evaluating(model), random_state_kept():
        with torch.no_grad():
            logits = function(given[:1], *(part[:1] for part in others))
            check_numbers_of("the model's logits", logits)
            check_labels(logits, targets[:1])
        yield Asked(model, function, given, others, targets, parts.get("attention_mask"))


def _main(inputs):
    """The name of the part that is asked about."""
    if "input_ids" in inputs:
        return "input_ids"
    names = [name for name, part in inputs.items() if isinstance(part, Tensor) and "mask" not in name]
    if not names:
        raise ValueError(f"the inputs hold no tensor to ask about; they have {', '.join(map(repr, inputs))}")
    return names[0]


def map_layer(model: torch.nn.Module, inputs: Tensor) -> str:
    """The path of the last layer whose output is a feature map with more than one position."""
    found = _map_layers(model, inputs)
    if not found:
        raise ValueError(
            "Grad-CAM needs a layer with feature maps, and this model has none; use integrated gradients or "
            "occlusion"
        )
    return found[-1]


def methods_of(models, inputs: Tensor) -> list[str]:
    """The methods that all of these models can be asked with: Grad-CAM needs feature maps in each."""
    maps = isinstance(inputs, torch.Tensor) and all(_map_layers(model, inputs) for model in models)
    return [name for name in METHODS if maps or name != "grad_cam"]


def _map_layers(model, inputs):
    found = []

    def note(path, module, output):
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
            found.append(path)

    leaves = [path for path, module in model.named_modules() if not any(module.children())]
    with torch.no_grad(), hooked(model, note, leaves):
        call(model, inputs[:1])
    return found


def _integrated_gradients(asked, baseline, steps):
    inputs = asked.inputs
    settings = {"target": asked.targets, "n_steps": steps, "method": "gausslegendre"}
    settings |= {
        # Large photographs fewer at once, or a path of them would take gigabytes.
        "internal_batch_size": max(len(inputs), min(256, _AT_ONCE // inputs[0].numel())),
        "additional_forward_args": asked.others or None,
    }
    if inputs.is_floating_point():
        method = IntegratedGradients(asked.function)
        return _summed(method.attribute(inputs, baseline_of(baseline, inputs), **settings))
    method = LayerIntegratedGradients(asked.function, _embedding(asked.model))
    found = method.attribute(inputs, baseline_of(baseline, inputs), **settings)
    return found.detach().sum(-1)


def _grad_cam(asked, layer):
    if asked.others:
        raise ValueError("Grad-CAM needs a layer with feature maps, and inputs of a single tensor")
    inputs = asked.inputs
    path = layer or map_layer(asked.model, inputs)
    method = LayerGradCam(asked.function, module_at(asked.model, path))
    maps = method.attribute(inputs, target=asked.targets, relu_attributions=True)
    if not isinstance(maps, torch.Tensor) or maps.ndim != 4:
        raise ValueError(f"layer {path!r} gives no feature maps; name a layer before the pooling")
    return LayerAttribution.interpolate(maps, inputs.shape[-2:], "bilinear").detach()[:, 0]


def _occlusion(asked, baseline, window):
    inputs = asked.inputs
    if inputs.ndim == 4:
        channels, height, width = inputs.shape[1:]
        window = window or max(1, min(height, width) // 4)
        check_whole("window", window, 1)
        shape, stride = (channels, min(window, height), min(window, width)), max(1, window // 2)
        strides = (channels, stride, stride)
    else:
        shape, strides = (1,) * (inputs.ndim - 1), 1
    with torch.no_grad():
        found = Occlusion(asked.function).attribute(
            inputs,
            shape,
            strides=strides,
            baselines=baseline_of(baseline, inputs),
            target=asked.targets,
            additional_forward_args=asked.others or None,
            perturbations_per_eval=8,
        )
    # Each channel carries the whole fall of the logit, as the window hides them together.
    found = found.mean(1) if inputs.ndim == 4 else found
    return found.to(inputs.dtype) if inputs.is_floating_point() else found


def module_at(model, path):
    """The layer with this path."""
    modules = dict(model.named_modules())
    if path not in modules:
        raise ValueError(f"unknown layer {path!r}; the layers are: {', '.join(p for p in modules if p)}")
    return modules[path]


def _embedding(model):
    found = [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    if not found:
        raise ValueError(
            "integrated gradients of tokens are taken at an nn.Embedding, and this model has none; use "
            "occlusion, or pass floating-point inputs"
        )
    return found[0]


def baseline_of(baseline, inputs):
    if not isinstance(baseline, torch.Tensor):
        return baseline
    if baseline.shape not in (inputs.shape, inputs.shape[1:]):
        raise ValueError(
            f"the baseline must be a number or have the shape of one input, {tuple(inputs.shape[1:])}; got "
            f"{tuple(baseline.shape)}"
        )
    return baseline.to(inputs).expand_as(inputs)


def _summed(values):
    return values.detach().sum(1) if values.ndim == 4 else values.detach()


def _check_inputs(inputs, targets):
    if not isinstance(inputs, torch.Tensor) or inputs.ndim < 2 or not len(inputs):
        raise ValueError("inputs must be a tensor of at least one image, row or text, samples first")
    if not isinstance(targets, torch.Tensor) or targets.shape != (len(inputs),):
        raise ValueError(f"targets must be a tensor with one class for each of the {len(inputs)} inputs")
