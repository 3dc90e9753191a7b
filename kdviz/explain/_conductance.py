"""How much of an answer flows through each unit of a layer, by captum's layer conductance."""

import numpy as np
import torch
from captum.attr import LayerConductance

from kdviz.explain.methods import answering, baseline_of
from kdviz.losses.checks import check_whole
from kdviz.tracing import logits_of


def conductance(model, inputs, targets, layer, *, baseline=0, steps=64):
    r"""The conductance of each unit of a layer for a class (Dhamdhere et al. 2019, section 3).

    It is the part of integrated gradients that flows through the unit :math:`y`,
    :math:`\int_0^1 \frac{\partial z_c}{\partial y} \frac{dy}{da}\, da` on the straight way from the baseline.
    All units of a layer through which everything flows sum to :math:`z_c(x) - z_c(x_0)`, up to an error that
    falls with 1 / ``steps``. Units of teacher and student have no partners, so compare how many carry an
    answer (:func:`units_for_half`), not which.

    Parameters
    ----------
    model, inputs, targets, baseline, steps : as in :func:`kdviz.explain.attribute`; no tokens
    layer : str, the path of a layer that gives a tensor; of a map each channel is a unit, its places summed

    Returns
    -------
    tensor (N, units)
    """
    check_whole("steps", steps, 2)
    modules = dict(model.named_modules())
    if layer not in modules:
        raise ValueError(f"unknown layer {layer!r}; the layers are: {', '.join(p for p in modules if p)}")
    with answering(model, inputs, targets) as (inputs, targets):
        if not inputs.is_floating_point():
            raise ValueError("conductance follows the inputs on a way, and tokens have none; pass floats")
        found = LayerConductance(lambda some: logits_of(model(some)), modules[layer]).attribute(
            inputs,
            baseline_of(baseline, inputs),
            targets,
            n_steps=steps,
            # Gauss and Legendre's points would leave out both ends of the way.
            method="riemann_trapezoid",
            internal_batch_size=max(256, len(inputs)),
        )
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"layer {layer!r} gives several tensors; name one that gives one")
    found = found.detach()
    return found.flatten(2).sum(2) if found.ndim > 2 else found


def units_for_half(values):
    """How many units carry half of an answer, largest first: (N,), from 1 to the units.

    ``values`` are conductances (N, units); for and against count alike. Not a number where all are 0.
    """
    sizes = -np.sort(-np.abs(np.asarray(torch.as_tensor(values).cpu(), float)), axis=1)
    whole = sizes.sum(1, keepdims=True)
    count = (sizes.cumsum(1) < whole / 2).sum(1) + 1.0
    return np.where(whole[:, 0] > 0, count, np.nan)
