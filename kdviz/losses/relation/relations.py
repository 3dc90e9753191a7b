"""What the losses on relations share: samples as vectors, their angles and distances, and the checks."""

from dataclasses import dataclass

import torch

from kdviz.losses.layers import LayerPair, NamedLayers, feature_of
from kdviz.losses.vectors import unit


@dataclass(frozen=True)
class OneLayer(LayerPair):
    """A relation within one layer: the student's, and the teacher's, which has the same path by default."""

    kind = "relation"
    reads = "embeddings or maps"

    def embeddings(self, student, teacher):
        """One vector a sample, for both: maps are flattened, channels and positions alike."""
        ours, theirs = self.features(student, teacher)
        return flat(ours), flat(theirs)


@dataclass(frozen=True)
class TwoLayers(NamedLayers):
    """A relation between two layers of a network; the teacher's have the same paths by default."""

    student_first: str | None = None
    student_second: str | None = None
    teacher_first: str | None = None
    teacher_second: str | None = None
    kind = "relation"
    reads = "embeddings or maps"

    def names(self):
        return (self.student_first, self.student_second), (self.teacher_first, self.teacher_second)


def vectors(trace, layer):
    """The features of a layer with one vector a sample, (N, D)."""
    return flat(feature_of(trace, layer))


def flat(features):
    """Features with one vector a sample, (N, D)."""
    return features.unsqueeze(1) if features.ndim == 1 else features.flatten(1)


def gram(features):
    """The inner products of all pairs of rows."""
    return features @ features.mT


def unit_gram(features):
    """The inner products of all pairs of rows, each row of the result with length 1."""
    products = gram(features)
    # Its scale is not seen; of size 1, the products of small features keep their slopes in single precision.
    largest = products.detach().abs().amax((-2, -1), keepdim=True)
    return unit(products / torch.where(largest == 0, 1.0, largest))


def squared_distances(features):
    """The squared distances between all pairs of rows: 0 where rounding cannot tell it from 0."""
    # Distances do not feel a shift, and centred features lose fewer digits in the difference below.
    features = features - features.mean(-2, keepdim=True)
    products = gram(features)
    squares = products.diagonal(dim1=-2, dim2=-1)
    sums = squares.unsqueeze(-1) + squares.unsqueeze(-2)
    distances = sums - 2 * products
    return distances.masked_fill(distances <= 4 * torch.finfo(sums.dtype).eps * sums, 0.0)


def root(squares):
    """The square root, with gradient 0 where its value is 0."""
    nothing = squares == 0
    return torch.where(nothing, 0.0, torch.where(nothing, 1.0, squares).sqrt())


def mean_square(difference):
    """The mean of the squares."""
    return difference.square().mean()


def smooth_l1(difference):
    """Half the square up to 1, and the absolute value less one half from there on."""
    slope = difference.clamp(-1, 1)
    return slope * (difference - slope / 2)


def check_same_channels(student, teacher, advice, what="maps"):
    """Both must be maps of the same samples with as many channels."""
    if student.ndim != 4 or teacher.ndim != 4 or student.shape[:2] != teacher.shape[:2]:
        raise ValueError(
            f"the {what} must have shape (samples, channels, height, width) with the same samples and "
            f"channels; the student's has {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}. "
            f"{advice}"
        )


def check_samples(student, teacher, least=2, what="features"):
    """Both must have seen the same samples, and enough of them for a relation. Widths may differ."""
    if student.ndim != 2 or teacher.ndim != 2:
        raise ValueError(
            f"{what} must have shape (samples, width); the student's have {tuple(student.shape)}, "
            f"the teacher's {tuple(teacher.shape)}"
        )
    if len(student) != len(teacher):
        raise ValueError(
            f"the student's {what} have shape {tuple(student.shape)} and the teacher's "
            f"{tuple(teacher.shape)}; the samples must be the same. Check that both saw the same batch"
        )
    if len(student) < least:
        raise ValueError(
            f"this loss relates the samples of a batch to each other and needs at least {least}; the "
            f"student's {what} have shape {tuple(student.shape)}. Use larger batches"
        )
