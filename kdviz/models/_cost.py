"""What a model costs: parameters, bytes, multiply-accumulates, and the time of an answer."""

from dataclasses import dataclass
from math import ceil

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from kdviz.tracing import call, rows_of


@dataclass(frozen=True)
class Cost:
    """Parameters, bytes of parameters and buffers, multiply-accumulates (MACs) for one input."""

    parameters: int
    bytes: int
    macs: int

    def __str__(self):
        return f"{self.parameters:,} parameters, {self.bytes:,} bytes, {self.macs:,} MACs an input"


def cost(model: nn.Module, inputs) -> Cost:
    """Count a model's parameters, bytes and MACs, the last by running it on one of ``inputs``.

    The count is torch's own (``torch.utils.flop_counter``, which sees matrix products and
    convolutions and counts two operations for each multiply-accumulate). Weights of a quantised copy count
    with their bits.
    """
    # A compiled model is counted as what was compiled: torch warns of a counter around the compiled one.
    model = getattr(model, "_orig_mod", model)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        call(model, rows_of(inputs, slice(1)))
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        bytes=_bytes(model),
        macs=counter.get_total_flops() // 2,
    )


def latency(model: nn.Module, inputs, seconds: float = 0.2) -> float:
    """The median time in seconds of a forward pass over all of ``inputs``, measured for about ``seconds``.

    On one thread, in the mode the model is in. It belongs to this machine and this batch size.
    """
    # On first use: it is slow to import.
    from torch.utils.benchmark import Timer

    with torch.no_grad():
        timer = Timer("call(model, inputs)", globals={"call": call, "model": model, "inputs": inputs})
        return timer.blocked_autorange(min_run_time=seconds).median


def _bytes(model):
    bits = {
        id(module.original): part.bits
        for module in model.modules()
        if hasattr(module, "original")
        for part in module.children()
        if hasattr(part, "bits")
    }
    held = [*model.parameters(), *model.buffers()]
    return sum(ceil(part.numel() * bits.get(id(part), 8 * part.element_size()) / 8) for part in held)
