"""What a model costs: parameters, bytes, multiply-accumulates."""

from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True)
class Cost:
    """Parameters, bytes of parameters and buffers, multiply-accumulates (MACs) for one input."""

    parameters: int
    bytes: int
    macs: int

    def __str__(self):
        return f"{self.parameters:,} parameters, {self.bytes:,} bytes, {self.macs:,} MACs an input"


def cost(model, inputs):
    """Count a model's parameters, bytes and MACs, the last by running it on one of ``inputs``.

    The count is torch's own (``torch.utils.flop_counter``, which sees matrix products and
    convolutions and counts two operations for each multiply-accumulate).
    """
    held = [*model.parameters(), *model.buffers()]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs[:1])
    return Cost(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        bytes=sum(tensor.numel() * tensor.element_size() for tensor in held),
        macs=counter.get_total_flops() // 2,
    )
