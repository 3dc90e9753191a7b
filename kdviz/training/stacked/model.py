"""Many networks of one architecture as one network: their weights in one tensor, their sums in one go."""

import copy
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.func import functional_call, vmap

from kdviz.tracing import Trace, trace
from kdviz.training.stacked.layers import kind_of


class StackedModel(nn.Module):
    """S × K networks of one architecture: one row a seed, one column a setting.

    ``starts`` holds one network a seed; each of the ``settings`` students of that seed starts from its
    weights. Inputs have shape (S, 1, ..., B), samples last; logits come out as (S, K, B, C), and
    features with their leading (S, K, B).

    Networks made of Linear, Conv2d, ReLU, Flatten and an average over positions run on gradients that
    are written out. Any other network without buffers runs through ``torch.func.vmap``: right, and
    several times slower. Dropout leaves out other units of each student.
    """

    def __init__(self, starts, settings=1):
        super().__init__()
        _check_alike(starts)
        self.shape = (len(starts), settings)
        # In a list, so that torch does not take its weights for ours.
        self._template = [copy.deepcopy(starts[0])]
        self._shapes = [(*self.shape, *weight.shape) for weight in starts[0].parameters()]
        alike = zip(*(start.parameters() for start in starts), strict=True)
        stacked = [torch.stack([weight.detach() for weight in weights]) for weights in alike]
        self.weights = nn.Parameter(
            torch.cat(
                [
                    part.unsqueeze(1).expand(shape).reshape(-1)
                    for part, shape in zip(stacked, self._shapes, strict=True)
                ]
            )
        )
        self.chain = _Chain.of(self)

    def __deepcopy__(self, memo):
        twin = StackedModel.__new__(StackedModel)
        nn.Module.__init__(twin)
        twin.shape, twin._template, twin._shapes = self.shape, copy.deepcopy(self._template), self._shapes
        twin.weights = nn.Parameter(self.weights.detach().clone())
        twin.chain = _Chain.of(twin)
        return twin

    def train(self, mode=True):
        self._template[0].train(mode)
        return super().train(mode)

    def forward(self, inputs):
        return self.trace(inputs).logits

    def trace(self, inputs, layers=()):
        """Logits and the features named, as :func:`kdviz.trace` gives them for one network."""
        if self.chain is None or not set(layers) <= set(self.chain.layers):
            return self._trace_any(inputs, tuple(layers))
        if torch.is_grad_enabled():
            *features, logits = _Differentiable.apply(self.weights, inputs, self.chain, layers)
            features = dict(zip(layers, features, strict=True))
        else:
            features, logits = self.chain.forward(inputs, layers)
        named = {path: feature.movedim(-1, 2) for path, feature in features.items()}
        return Trace(logits.movedim(-1, 2), named)

    def student(self, seed, setting):
        """One of the networks, on its own."""
        single = copy.deepcopy(self._template[0]).to(self.weights.device)
        with torch.no_grad():
            for weight, stacked in zip(single.parameters(), self.split(self.weights), strict=True):
                weight.copy_(stacked[seed, setting])
        return single.eval()

    def split(self, flat):
        """Views of a tensor as long as the weights: one a parameter, shaped (S, K, ...)."""
        sizes = [torch.Size(shape).numel() for shape in self._shapes]
        return [part.view(shape) for part, shape in zip(flat.split(sizes), self._shapes, strict=True)]

    def spread(self, values):
        """A value for each student (S, K) as one for each of its weights, in the order of ``weights``."""
        return torch.cat(
            [values.view(*self.shape, *[1] * (len(s) - 2)).expand(s).reshape(-1) for s in self._shapes]
        )

    def _trace_any(self, inputs, layers):
        names = [name for name, _ in self._template[0].named_parameters()]
        stacked = [part.flatten(0, 1) for part in self.split(self.weights)]
        weights = {f"model.{name}": part for name, part in zip(names, stacked, strict=True)}
        samples = inputs.movedim(-1, 2)
        samples = samples.expand(*self.shape, *samples.shape[2:]).flatten(0, 1)
        caller = _Traced(self._template[0], layers)
        logits, features = vmap(
            lambda own, seen: functional_call(caller, own, (seen,)), randomness="different"
        )(weights, samples)
        return Trace(
            logits.unflatten(0, self.shape),
            {path: feature.unflatten(0, self.shape) for path, feature in features.items()},
        )


@dataclass
class _Chain:
    """A plain sequence of stacked layers. It keeps what its last forward pass saw, for the way back."""

    layers: dict
    gradients: torch.Tensor
    passed: list = field(default_factory=list)

    @classmethod
    def of(cls, model):
        """The chain of a stacked model, or None if one of its modules has no stacked layer."""
        single = model._template[0]
        if not isinstance(single, nn.Sequential) or not all(map(kind_of, single)):
            return None
        gradients = torch.zeros_like(model.weights.detach())
        weights, places = iter(model.split(model.weights.detach())), iter(model.split(gradients))
        layers = {}
        for path, module in single.named_children():
            count = len(list(module.parameters()))
            own = [next(weights) for _ in range(count)], [next(places) for _ in range(count)]
            layers[path] = kind_of(module)(module, *own)
        return cls(layers, gradients)

    def forward(self, inputs, wanted=()):
        self.passed, features, before = [], {}, None
        for path, layer in self.layers.items():
            if layer.in_place and before not in wanted:
                result = layer.forward_in_place(inputs)
            else:
                result = layer.forward(inputs)
            self.passed.append((path, layer, inputs, result))
            if path in wanted:
                features[path] = result
            inputs, before = result, path
        return {path: features[path] for path in wanted}, inputs

    def backward(self, gradient, extra=None):
        """The gradient of all weights, for that of the logits and of further features by path."""
        if gradient is None:
            self.gradients.zero_()
        with_weights = [hasattr(layer, "bias") or hasattr(layer, "linear") for _, layer, *_ in self.passed]
        first = with_weights.index(True)
        for place in range(len(self.passed) - 1, first - 1, -1):
            path, layer, inputs, result = self.passed[place]
            if extra and extra.get(path) is not None:
                gradient = extra[path] if gradient is None else gradient + extra[path]
            if gradient is not None:
                gradient = layer.backward(gradient, inputs, result, place == first)
        return self.gradients


class _Differentiable(torch.autograd.Function):
    """The chain as one step of automatic differentiation, for losses without a gradient written out."""

    @staticmethod
    def forward(ctx, weights, inputs, chain, layers):
        features, logits = chain.forward(inputs, layers)
        ctx.chain, ctx.layers, ctx.passed = chain, layers, chain.passed
        ctx.set_materialize_grads(False)
        # An output can be returned only once, and the logits may be asked for as a feature too.
        return *[feature.view_as(feature) for feature in features.values()], logits

    @staticmethod
    def backward(ctx, *pulls):
        *extra, gradient = pulls
        ctx.chain.passed = ctx.passed
        extra = dict(zip(ctx.layers, extra, strict=True))
        return ctx.chain.backward(gradient, extra).clone(), None, None, None


class _Traced(nn.Module):
    """A network that returns its logits and features as plain tensors."""

    def __init__(self, model, layers):
        super().__init__()
        self.model, self.layers = model, layers

    def forward(self, inputs):
        seen = trace(self.model, inputs, self.layers)
        return seen.logits, seen.features


def _check_alike(starts):
    if not starts:
        raise ValueError("a stack needs at least one network to start from")
    first = starts[0]
    shapes = {name: weight.shape for name, weight in first.named_parameters()}
    for start in starts:
        if {name: weight.shape for name, weight in start.named_parameters()} != shapes:
            raise ValueError(
                "the networks of a stack must have one architecture; got\n"
                f"{first}\nand\n{start}\nTrain each width in a stack of its own"
            )
        if list(start.buffers()):
            names = ", ".join(name for name, _ in start.named_buffers())
            raise ValueError(
                f"this network keeps running statistics ({names}), which a stack cannot hold apart. Use "
                "GroupNorm or LayerNorm instead of BatchNorm, or train its students one by one with "
                "kdviz.distill"
            )
        if not all(weight.requires_grad for weight in start.parameters()):
            raise ValueError(
                "a stack trains all weights of its networks; this one has frozen ones. Train its students "
                "one by one with kdviz.distill"
            )
