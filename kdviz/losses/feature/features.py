"""What the losses on features share: the layers that they compare, their adapters, and the checks."""

from dataclasses import dataclass

from kdviz.losses import adapters
from kdviz.losses.checks import check_choice
from kdviz.losses.layers import LayerLoss, LayerPair, feature_of, trace_of
from kdviz.losses.vectors import seeded

# How many axes the features must have that a loss says it reads, and how that is put.
AXES = {"maps": (4,), "embeddings": (2,), "embeddings and logits": (2,), "embeddings or maps": (2, 4)}
SHAPES = {2: "embeddings (samples, width)", 4: "feature maps (samples, channels, height, width)"}


@dataclass(frozen=True)
class FeaturePair(LayerPair):
    """Two layers whose features are compared."""

    kind = "feature"
    pool = False

    def features(self, student, teacher):
        ours, theirs = super().features(student, teacher)
        for features, layer in (
            (ours, self.student_layer),
            (theirs, self.teacher_layer or self.student_layer),
        ):
            check_axes(self, features, layer)
        return ours, theirs

    def pooled(self, student, teacher):
        """Both features; with ``pool`` the larger map is averaged down to the smaller."""
        ours, theirs = self.features(student, teacher)
        return adapters.pool_to_smaller(ours, theirs) if self.pool else (ours, theirs)


@dataclass(frozen=True)
class AdaptedPair(FeaturePair):
    """Two layers and how their features are brought to the same shape.

    ``pool`` averages the larger map down to the smaller. ``adapter`` is learned with the student:
    ``"linear"`` brings its embeddings to the teacher's width, ``"convolution"`` (of size 1) its maps to the
    teacher's channels; ``"convolution_batch_norm"`` and ``"convolution_batch_norm_relu"`` go on as
    they say. ``seed`` draws its first weights.
    """

    adapter: str | None = None
    pool: bool = False
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        check_choice("adapter", self.adapter, (None, *adapters.ADAPTERS))

    def adapted(self, student, teacher, learned):
        """Both features after pooling, the student's also through its adapter."""
        ours, theirs = self.pooled(student, teacher)
        self._check_adapter_fits(ours)
        return adapters.adapt(self.adapter, ours, learned), theirs

    def initial(self, student, teacher):
        ours, theirs = self.features(student, teacher)
        self._check_adapter_fits(ours)
        return adapters.initial_adapter(self.adapter, ours, theirs, seeded(self.seed))

    def _check_adapter_fits(self, features):
        is_map = features.ndim == 4
        if self.adapter is not None and (self.adapter in adapters.MAP_ADAPTERS) != is_map:
            raise ValueError(
                f"the adapter {self.adapter!r} does not fit layer {self.student_layer!r}, whose features "
                f"have shape {tuple(features.shape)}; use adapter={'convolution' if is_map else 'linear'!r}"
            )


@dataclass(frozen=True)
class ManyLayers(LayerLoss):
    """Layers of the student and of the teacher, not necessarily as many."""

    student_layers: tuple[str, ...] = ()
    teacher_layers: tuple[str, ...] = ()
    seed: int = 0
    kind = "feature"

    def __post_init__(self):
        super().__post_init__()
        for name in ("student_layers", "teacher_layers"):
            layers = getattr(self, name)
            if not isinstance(layers, (tuple, list)) or not all(isinstance(path, str) for path in layers):
                raise TypeError(
                    f"{name} must be a tuple of paths, such as ('layer1', 'layer2'); got {layers!r}"
                )
        object.__setattr__(self, "student_layers", tuple(self.student_layers))
        object.__setattr__(self, "teacher_layers", tuple(self.teacher_layers) or self.student_layers)

    def layers(self, student, teacher):
        """The features of both, as two lists."""
        found = []
        for trace, paths in ((student, self.student_layers), (teacher, self.teacher_layers)):
            # Tensors that are handed over without names are all to be read.
            paths = paths or tuple(path for path in trace.features if isinstance(path, int))
            if not paths:
                raise ValueError(f"{type(self).__name__} needs at least one layer of the student")
            for path in paths:
                check_axes(self, feature_of(trace, path), path)
            found.append([feature_of(trace, path) for path in paths])
        return found

    def traces(self, student, teacher):
        """Traces of lists of tensors that are handed over without one."""
        return tuple(
            trace_of(paths or range(len(features)), features)
            for paths, features in ((self.student_layers, student), (self.teacher_layers, teacher))
        )


@dataclass(frozen=True)
class AdaptedLayers(ManyLayers):
    """Many layers, each of the student's with an adapter of its own to the width of the teacher's."""

    adapter: str | None = None

    def __post_init__(self):
        super().__post_init__()
        fitting = ("linear",) if self.reads == "embeddings" else adapters.MAP_ADAPTERS
        check_choice("adapter", self.adapter, (None, *fitting))

    def adapted(self, student, teacher, learned):
        """The features of both, the student's through their adapters."""
        ours, theirs = self.layers(student, teacher)
        through = [
            adapters.adapt(self.adapter, features, adapters.under(f"layer{number}", learned or {}))
            for number, features in enumerate(ours)
        ]
        return through, theirs

    def initial(self, student, teacher):
        ours, theirs = self.layers(student, teacher)
        weights, generator = {}, seeded(self.seed)
        for number, features in enumerate(ours):
            # Where the teacher has fewer layers, all have one width.
            goal = theirs[min(number, len(theirs) - 1)]
            start = adapters.initial_adapter(self.adapter, features, goal, generator)
            weights |= adapters.named(f"layer{number}", start)
        return weights


def check_axes(loss, features, layer):
    """The features of a layer must be what the loss says it reads."""
    axes = AXES[loss.reads]
    if features.ndim not in axes:
        wanted = " or ".join(SHAPES[count] for count in axes)
        where = {(4,): "before the pooling", (2,): "after the pooling"}.get(axes, "that gives one of them")
        raise ValueError(
            f"{loss.name} compares {wanted}; layer {layer!r} gives {tuple(features.shape)}. "
            f"Name a layer {where}"
        )


def check_same_features(student, teacher):
    """Both must have one shape, with the samples first."""
    if student.ndim < 2 or student.shape != teacher.shape:
        raise ValueError(
            f"the student's features have shape {tuple(student.shape)} and the teacher's "
            f"{tuple(teacher.shape)}; they must be the same. Let the loss learn "
            'adapter="linear" for embeddings of another width or adapter="convolution" for maps with other '
            "channels; pool=True averages the larger of two maps down to the smaller"
        )


def check_maps(student, teacher, channels=True, positions=True):
    """Both must be maps of the same samples and, where asked, have the same channels, height and width."""
    problem = None
    if min(student.ndim, teacher.ndim) != 4:
        problem = "feature maps must have shape (samples, channels, height, width)"
    elif len(student) != len(teacher):
        problem = "the samples must be the same. Check that both saw the same batch"
    elif positions and student.shape[2:] != teacher.shape[2:]:
        problem = "height and width must be the same: pool=True averages the larger map down to the smaller"
    elif channels and student.shape[1] != teacher.shape[1]:
        problem = 'the channels must be the same: adapter="convolution" learns to bring the student\'s there'
    if problem:
        raise ValueError(
            f"{problem}; the student's maps have shape {tuple(student.shape)}, the teacher's "
            f"{tuple(teacher.shape)}"
        )
