"""How much of an answer flows through each unit of a layer, by captum's layer conductance."""

import numpy as np
import torch
from captum.attr import LayerConductance
from numpy.typing import ArrayLike
from torch import Tensor

from kdviz.explain._attribute import answering, baseline_of, module_at
from kdviz.losses.checks import check_whole


def conductance(
    model: torch.nn.Module,
    inputs: Tensor,
    targets: Tensor,
    layer: str,
    *,
    baseline: float | Tensor = 0,
    steps: int = 64,
) -> Tensor:
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

    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> found = conductance(model, torch.rand(5, 2), torch.zeros(5, dtype=torch.long), "1")
    >>> tuple(found.shape)
    (5, 3)
    """
    check_whole("steps", steps, 2)
    module = module_at(model, layer)
    with answering(model, inputs, targets) as asked:
        if not asked.inputs.is_floating_point():
            raise ValueError("conductance follows the inputs on a way, and tokens have none; pass floats")
        found = LayerConductance(asked.function, module).attribute(
            asked.inputs,
            baseline_of(baseline, asked.inputs),
            asked.targets,
            additional_forward_args=asked.others or None,
            n_steps=steps,
            # Gauss and Legendre's points would leave out both ends of the way.
            method="riemann_trapezoid",
            internal_batch_size=max(256, len(asked.inputs)),
        )
    if not isinstance(found, torch.Tensor):
        raise ValueError(f"layer {layer!r} gives several tensors; name one that gives one")
    found = found.detach()
    return found.flatten(2).sum(2) if found.ndim > 2 else found


def units_for_half(values: ArrayLike) -> np.ndarray:
    """How many units carry half of an answer, largest first: (N,), from 1 to the units.

    ``values`` are conductances (N, units); for and against count alike. NaN where all are 0.

    >>> units_for_half([[3.0, -1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    array([ 1.,  2., nan])
    """
    sizes = -np.sort(-np.abs(np.asarray(torch.as_tensor(values).cpu(), float)), axis=1)
    whole = sizes.sum(1, keepdims=True)
    count = (sizes.cumsum(1) < whole / 2).sum(1) + 1.0
    return np.where(whole[:, 0] > 0, count, np.nan)
