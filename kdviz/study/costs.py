"""What each model costs; what cannot be counted is NaN, with the reason."""

import math

import torch

from kdviz.inputs.models import Answers, OnnxModel, SklearnTeacher, StoredAnswers
from kdviz.models._cost import Cost, cost
from kdviz.tracing import call, device_of, rows_of, to_device

_ELSEWHERE = {
    SklearnTeacher: "a scikit-learn model has no weights of torch",
    OnnxModel: "it runs in onnxruntime",
    StoredAnswers: "only its answers are here",
}


class _Bound(torch.nn.Module):
    """A model with its inputs, which may have several parts, as a module of one tensor."""

    def __init__(self, model, inputs):
        super().__init__()
        self.model, self.inputs = model, to_device(inputs, device_of(model))

    def forward(self, nothing):
        return call(self.model, self.inputs)


def cost_of(model, inputs, teacher=None):
    """The cost of a model for one sample, and for what of it was not counted the reason, by column."""
    nothing = Cost(math.nan, math.nan, math.nan)
    for kind, reason in _ELSEWHERE.items():
        if isinstance(model, kind):
            return nothing, {"parameters": reason, "bytes": reason, "macs": reason}
    hidden = sorted({type(part).__name__ for part in model.modules() if _hides_weights(part)})
    if hidden or (isinstance(model, Answers) and not any(True for _ in model.parameters())):
        reason = "a function shows no weights"
        if hidden:
            reason = f"{', '.join(hidden)} keeps its weights out of sight"
        return nothing, {"parameters": reason, "bytes": reason, "macs": reason}
    found = _counted(model, rows_of(inputs, slice(1)))
    # A training module may hold its teacher, which is not deployed with it.
    if teacher is not None and teacher is not model:
        theirs = {id(part): part for part in (*teacher.parameters(), *teacher.buffers())}
        inside = [part for part in (*model.parameters(), *model.buffers()) if id(part) in theirs]
        weights = sum(part.numel() for part in model.parameters() if id(part) in theirs)
        if 0 < weights < found.parameters:
            held = sum(part.numel() * part.element_size() for part in inside)
            found = Cost(found.parameters - weights, found.bytes - held, found.macs)
    cells = sorted({type(part).__name__ for part in model.modules() if isinstance(part, torch.nn.RNNBase)})
    reason = f"torch does not count what {', '.join(cells)} does" if cells else ""
    if not found.macs and found.parameters:
        reason = reason or "torch counted no matrix product in it"
    macs = {"macs": reason} if reason else {}
    return Cost(found.parameters, found.bytes, math.nan if macs else found.macs), macs


def _counted(model, inputs):
    # torch's shortcut for encoder layers in eval mode hides their matrix products from the count.
    shortcut = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        return cost(_Bound(model, inputs), torch.zeros(1))
    finally:
        torch.backends.mha.set_fastpath_enabled(shortcut)


def _hides_weights(part):
    return "quantized" in type(part).__module__ and not any(True for _ in part.parameters())
