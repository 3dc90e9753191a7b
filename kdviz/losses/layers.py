"""Which layers a loss compares, and how tensors that are handed to it become the traces that it reads."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_form, check_numbers_of
from kdviz.tracing import Trace


class LayerLoss:
    """What all losses of layers share: their form is checked, and they can be called on tensors alone.

    ``forms`` are the forms that a loss offers, the default first; ``symbol`` is how it stands in a formula.
    """

    forms: tuple[str, ...] = ()
    symbol: str

    def __post_init__(self):
        if self.forms:
            check_form(self.form, self.forms)

    def latex(self):
        return self.symbol


class NamedLayers(LayerLoss):
    """Layers that are named one by one; the teacher's have the names of the student's by default."""

    def names(self):
        """The names of the student's layers and of the teacher's, None where there is none."""
        raise NotImplementedError

    @property
    def student_layers(self):
        return self._named(0)

    @property
    def teacher_layers(self):
        return self._named(1)

    def read(self, student, teacher):
        """The features of the student's layers and of the teacher's, as two lists."""
        return [
            [feature_of(trace, path) for path in paths]
            for trace, paths in zip((student, teacher), self._paths(), strict=True)
        ]

    def traces(self, student, teacher):
        """Traces of tensors that are handed over without one."""
        return tuple(map(trace_of, self._paths(), (student, teacher)))

    def _paths(self):
        # A layer without a name is known by its number.
        mine, theirs = self.names()
        mine = tuple(number if name is None else name for number, name in enumerate(mine))
        return mine, tuple(name or own for name, own in zip(theirs, mine, strict=True))

    def _named(self, side):
        paths = self._paths()[side]
        if not all(isinstance(path, str) for path in paths):
            loss = type(self).__name__
            raise ValueError(
                f"{loss} must know which layers it compares: name them as in model.named_modules(), for "
                f"example {loss}({', '.join(repr(f'layer{number + 1}') for number in range(len(paths)))})"
            )
        return paths


@dataclass(frozen=True)
class LayerPair(NamedLayers):
    """A layer of the student and the one of the teacher it is compared with: by default that of its path."""

    student_layer: str | None = None
    teacher_layer: str | None = None

    def names(self):
        return (self.student_layer,), (self.teacher_layer,)

    def features(self, student, teacher):
        """The student's features and the teacher's."""
        (ours,), (theirs,) = self.read(student, teacher)
        return ours, theirs


def feature_of(trace, path):
    """The features of a layer in a trace."""
    if path not in trace.features:
        there = ", ".join(map(repr, trace.features)) or "none"
        raise ValueError(
            f"the layer {path!r} is not in the trace, which has {there}; name it for "
            "kdviz.trace(..., layers=[...])"
        )
    check_numbers_of(f"the features of layer {path!r}", trace.features[path])
    return trace.features[path]


def trace_of(paths, given):
    """A trace of features alone, whose samples are those of a data set in their order.

    They are one tensor, a list with one for each layer, or a dictionary by layer.
    """
    if isinstance(given, torch.Tensor):
        given = [given]
    features = given if isinstance(given, Mapping) else dict(zip(paths, given, strict=False))
    if len(given) != len(paths) or any(path not in features for path in paths):
        raise ValueError(
            f"this loss compares {len(paths)} layers of each network; give a list with the features of each, "
            f"or a dictionary with the keys {', '.join(map(repr, paths))}"
        )
    for path, feature in features.items():
        check_numbers_of(f"the features of layer {path!r}", feature)
    first = next(iter(features.values()))
    return Trace(first, dict(features), torch.arange(len(first), device=first.device))
