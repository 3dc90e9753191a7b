"""What the losses on features share: the layers that they compare, the checks, and vectors of length 1."""

from dataclasses import dataclass

import torch

from kdviz.losses import adapters
from kdviz.losses.checks import check_choice
from kdviz.losses.layers import LayerPair
from kdviz.losses.vectors import seeded

ADAPTERS = (None, "linear", "convolution")


@dataclass(frozen=True)
class FeaturePair(LayerPair):
    """Two layers whose features are compared, and those that must be maps."""

    def maps(self, student, teacher):
        """Both features, which must be maps."""
        for trace, layer in ((student, self.student_layer), (teacher, self.teacher_layers[0])):
            if feature_axes(trace, layer) != 4:
                raise ValueError(
                    f"{self.name} compares feature maps, of shape (samples, channels, height, width); layer "
                    f"{layer!r} gives {tuple(trace.features[layer].shape)}. Name a layer before the pooling"
                )
        return self.features(student, teacher)


@dataclass(frozen=True)
class AdaptedPair(FeaturePair):
    """Two layers and how their features are brought to the same shape.

    ``pool`` averages the larger map down to the smaller. ``adapter`` is learned with the student:
    ``"linear"`` brings its embeddings to the teacher's width, ``"convolution"`` (of size 1) its maps to the
    teacher's channels. ``seed`` draws its first weights.
    """

    adapter: str | None = None
    pool: bool = False
    seed: int = 0

    def __post_init__(self):
        check_choice("adapter", self.adapter, ADAPTERS)

    def adapted(self, student, teacher, learned):
        """Both features after pooling, the student's also through its adapter."""
        ours, theirs = self.features(student, teacher)
        self._check_adapter_fits(student, ours)
        if self.pool:
            ours, theirs = adapters.pool_to_smaller(*self.maps(student, teacher))
        if self.adapter is not None:
            ours = getattr(adapters, self.adapter)(ours, learned["weight"], learned["bias"])
        return ours, theirs

    def initial(self, student, teacher):
        if self.adapter is None:
            return {}
        ours, theirs = self.features(student, teacher)
        self._check_adapter_fits(student, ours)
        axis = -1 if self.adapter == "linear" else -3
        start = getattr(adapters, f"initial_{self.adapter}")
        return start(ours.shape[axis], theirs.shape[axis], seeded(self.seed), like=ours)

    def _check_adapter_fits(self, student, features):
        wanted = "convolution" if feature_axes(student, self.student_layer) == 4 else "linear"
        if self.adapter not in (None, wanted):
            raise ValueError(
                f"the adapter {self.adapter!r} does not fit layer {self.student_layer!r}, whose features "
                f"have shape {tuple(features.shape)}; use adapter={wanted!r}"
            )


@dataclass(frozen=True)
class ManyLayers:
    """Layers of the student and of the teacher, not necessarily as many."""

    student_layers: tuple[str, ...]
    teacher_layers: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "student_layers", tuple(self.student_layers))
        object.__setattr__(self, "teacher_layers", tuple(self.teacher_layers) or self.student_layers)
        if not self.student_layers:
            raise ValueError(f"{self.name} needs at least one layer of the student")

    def layers(self, student, teacher, axes):
        """The features of both, each of so many axes for one student."""
        found = []
        for trace, paths in ((student, self.student_layers), (teacher, self.teacher_layers)):
            for path in paths:
                if feature_axes(trace, path) != axes:
                    wanted = {2: "embeddings (samples, width)", 4: "maps (samples, channels, height, width)"}
                    raise ValueError(
                        f"{self.name} compares {wanted[axes]}; layer {path!r} gives "
                        f"{tuple(trace.features[path].shape)}"
                    )
            found.append([trace.features[path] for path in paths])
        return found


def feature_axes(trace, layer):
    """How many axes one student's features have: 2 for embeddings (N, D), 4 for maps (N, C, H, W)."""
    return trace.features[layer].ndim - stack_axes(trace)


def stack_axes(trace):
    """How many leading axes hold a stack of students."""
    return trace.logits.ndim - 2


def for_each_student(value, features, axes):
    """A value for each student of a stack, shaped so that it multiplies features of so many axes."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(features)[(..., *[None] * axes)]


def check_same_features(student, teacher, stack=0):
    """Both must be the same but for the stack's leading axes."""
    axes = student.ndim - stack
    if axes < 2 or teacher.ndim < axes or student.shape[-axes:] != teacher.shape[-axes:]:
        raise ValueError(
            f"the student's features have shape {tuple(student.shape)} and the teacher's "
            f"{tuple(teacher.shape)}; all but a stack's leading axes must be the same. Let the loss learn "
            'adapter="linear" for embeddings of another width or adapter="convolution" for maps with other '
            "channels; pool=True averages the larger of two maps down to the smaller"
        )


def check_maps(student, teacher, channels=True, places=True):
    """Both must be maps of the same samples and, where asked, have the same channels and places."""
    problem = None
    if min(student.ndim, teacher.ndim) < 4:
        problem = "feature maps must have shape (..., samples, channels, height, width)"
    elif student.shape[-4] != teacher.shape[-4]:
        problem = "the samples must be the same. Check that both saw the same batch"
    elif places and student.shape[-2:] != teacher.shape[-2:]:
        problem = "height and width must be the same: pool=True averages the larger map down to the smaller"
    elif channels and student.shape[-3] != teacher.shape[-3]:
        problem = 'the channels must be the same: adapter="convolution" learns to bring the student\'s there'
    if problem:
        raise ValueError(
            f"{problem}; the student's maps have shape {tuple(student.shape)}, the teacher's "
            f"{tuple(teacher.shape)}"
        )
