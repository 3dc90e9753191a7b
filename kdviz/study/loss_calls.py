"""The softmaxes and losses that a step calls outside its models, and what each was given.

What a gradient cannot tell apart, the calls can: at small logits the soft term has the same gradient at any
temperature, and a forgotten logarithm looks like a forgotten division.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from kdviz.inputs.models import outputs_of
from kdviz.study.sandbox import fixed_seed
from kdviz.tracing import evaluating

_SOFTMAX = {F.softmax, torch.softmax, Tensor.softmax}
_LOG_SOFTMAX = {F.log_softmax, torch.log_softmax, Tensor.log_softmax}


@dataclass(frozen=True)
class Softmax:
    """A softmax of some logits of ``side``, divided by ``temperature``; None where they are another's."""

    side: str
    temperature: float | None
    over_classes: bool
    of_probabilities: bool
    width: int


@dataclass(frozen=True)
class Divergence:
    """A call of ``kl_div``: in what form both of its arguments came, and which of them can learn."""

    reduction: str
    log_target: bool
    inputs: str
    targets: str
    learns: str


@dataclass
class LossCalls(TorchFunctionMode):
    """Notes calls of softmax, ``kl_div`` and ``cross_entropy`` while it is entered.

    ``logits`` are those that teacher and student gave, by side, as they are known at the time of a call, with
    the classes on ``class_axis``; ``inside`` says whether a model is answering, whose own softmaxes are none
    of the loss.
    """

    class_axis: int = 1
    logits: dict = field(default_factory=lambda: {"student": [], "teacher": []})
    softmaxes: list[Softmax] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    cross_entropies: list[Softmax] = field(default_factory=list)
    inside: int = 0

    def __post_init__(self):
        super().__init__()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if not self.inside:
            try:
                self._note(function, args, kwargs)
            except (RuntimeError, TypeError, IndexError, ValueError):
                # A call that fails says so itself.
                pass
        return function(*args, **kwargs)

    def temperatures(self, side):
        """The temperatures at which a side's logits were softmaxed, 1 where they stood as they were."""
        found = [one for one in self.softmaxes if one.side == side and one.over_classes]
        return sorted({round(one.temperature, 4) for one in found if one.temperature is not None})

    def at_both(self):
        """Temperatures at which the logits of both sides were softmaxed; none where the calls do not tell."""
        ours, theirs = self.temperatures("student"), self.temperatures("teacher")
        return [t for t in ours if any(abs(t - other) < 1e-3 * t for other in theirs)]

    def cross_entropies_at(self, temperature):
        """Whether it is cross-entropy with the labels that is taken at this temperature."""
        found = (one for one in self.cross_entropies if one.temperature is not None)
        return any(abs(one.temperature - temperature) < 1e-3 * temperature for one in found)

    def _note(self, function, args, kwargs):
        if function in _SOFTMAX or function in _LOG_SOFTMAX:
            given = kwargs.get("input", args[0] if args else None)
            axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
            self.softmaxes.append(self._softmax(given, -1 if axis is None else axis))
        elif function is F.kl_div:
            given = dict(zip(("input", "target"), args, strict=False)) | kwargs
            inputs, targets = given["input"].detach(), given["target"].detach()
            learning = [name for name in ("input", "target") if given[name].requires_grad]
            self.divergences.append(
                Divergence(
                    given.get("reduction", "mean"),
                    given.get("log_target", False),
                    _form(inputs),
                    _form(targets),
                    learning[0] if len(learning) == 1 else "",
                )
            )
        elif function is F.cross_entropy:
            given = dict(zip(("input", "target"), args, strict=False)) | kwargs
            axis = 1 if given["input"].ndim > 1 else 0
            self.cross_entropies.append(self._softmax(given["input"], axis))
            if given["target"].is_floating_point():
                # Soft targets: the student's side of a soft term.
                self.softmaxes.append(self.cross_entropies[-1])

    def _softmax(self, given, axis):
        values = given.detach().double()
        side, temperature = "student" if given.requires_grad else "teacher", None
        over_classes = True
        for name, known in self.logits.items():
            for logits in known:
                class_axis, logits = self._laid_out(logits, values)
                found = _factor(values, logits)
                if found is not None:
                    side, temperature, over_classes = name, found, axis % given.ndim == class_axis
        return Softmax(side, temperature, over_classes, _are_probabilities(values, axis), given.shape[axis])

    def _laid_out(self, logits, values):
        """The axis of the classes, and logits as these values stand: tokens may be a row each."""
        if self.class_axis == logits.ndim - 1 and values.ndim == 2 and values.shape[-1] == logits.shape[-1]:
            return 1, logits.reshape(-1, logits.shape[-1])
        return self.class_axis, logits


def _factor(values, logits):
    """The temperature by which logits were divided to give these values, or None where they were not."""
    if values.shape != logits.shape or not values.numel():
        return None
    close = max(1e-3, torch.finfo(logits.dtype).eps)
    logits = logits.detach().to(values)
    finite = logits.isfinite() & values.isfinite()
    z, x = logits[finite], values[finite]
    scale = float((x @ z) / (z @ z).clamp(min=1e-300))
    rest = float((x - scale * z).norm() / x.norm().clamp(min=1e-300))
    return 1 / scale if scale > 0 and rest < close else None


def _are_probabilities(values, axis):
    """Whether these are probabilities, or those divided by one number: nobody's logits are."""
    if values.shape[axis] < 2 or not values.numel() or not values.isfinite().all() or values.min() < 0:
        return False
    sums = values.sum(axis)
    whole = float(sums.mean())
    return 0 < whole <= 1 + 1e-3 and float((sums - whole).abs().max()) < 1e-4 * whole and sums.numel() > 1


def _form(values):
    """Whether values are probabilities over some axis, their logarithms, or something else."""
    values = values.double()
    for axis in range(values.ndim):
        for name, p in (("probabilities", values), ("logarithms", values.exp())):
            if values.shape[axis] > 1 and p.min() >= -1e-6 and (p.sum(axis) - 1).abs().max() < 5e-3:
                # Of probabilities that are nearly even, the logarithms are all below 0.
                if name == "logarithms" and values.max() > 1e-3:
                    continue
                return name
    return "other"


class _Sigmoids(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.given = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if function in (torch.sigmoid, Tensor.sigmoid, F.sigmoid, torch.special.expit):
            self.given.append(found)
        return found


def watched_sigmoids(setup, model):
    """Whether a model's answer comes straight out of a sigmoid."""
    with torch.no_grad(), fixed_seed(), setup.kept, evaluating(model), _Sigmoids() as sigmoids:
        found = outputs_of(model, setup.batch, pick=setup.pick)
    return any(each is found for each in sigmoids.given)
