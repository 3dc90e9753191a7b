"""Distillation by singular value decomposition (KDSVD): how two layers' main directions relate."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kdviz.losses.checks import check_whole
from kdviz.losses.feature.features import AdaptedLayers, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import unit

MORE_VECTORS = 3  # that the student has to offer for each of the teacher's
NEARLY_EQUAL = 1e-4  # fraction of the largest eigenvalue below which a gap counts as none
WIDTH = 8.0


def singular_vectors(students: list[Tensor], teachers: list[Tensor], vectors: int = 1) -> Tensor:
    r"""Distillation by singular value decomposition: from layer to layer, the main directions turn alike.

    A sample's map, as a matrix of HW positions by C channels, has right singular vectors :math:`v`. Of each
    layer the teacher's first k are taken, times its first k singular values scaled to length 1. Each takes
    the student's vector, of the first k + 3, whose angle to it is smallest, with its sign turned to it, times
    the same singular values. For two neighbouring layers a and b

    .. math:: R_{cc'} = e^{-(v^a_c - v^b_{c'})^2 / 8}, \qquad
              \frac{1}{N} \sum_n \sum_{k c c'} (R^S_{kcc'} - R^T_{kcc'})^2

    added up over all neighbours. Source: Lee et al. 2018, *Self-supervised Knowledge Distillation using
    Singular Value Decomposition*, section 3, as RepDistiller has it. mdistiller takes the matrix of CH by W,
    which is another method.

    A decomposition leaves the sign of a vector open, and the loss depends on the teacher's from one layer to
    the next. Here the entry of the teacher's that is largest in size is positive, so the value belongs to the
    maps alone. Published code leaves it to the library.

    Blind to a positive or negative scale of the student's maps, and to the order of the positions. The
    gradient takes directions of nearly equal strength as no different: the gap between two squared singular
    values counts as at least about 1e-4 of the largest.

    Parameters
    ----------
    students, teachers : lists of at least two (N, C, H, W), shallow to deep; channels must be the same
        for a layer of both, heights and widths may differ
    vectors : k

    Memory: N × C × C' × k for each pair of neighbours, N × min(C, HW)² to decompose. On a GPU the
    decomposition waits for its result. Errors: ValueError for other samples or channels, or NaN.
    """
    if len(students) != len(teachers) or len(students) < 2:
        raise ValueError(
            "as many layers of the student as of the teacher are needed, at least two; got "
            f"{len(students)} and {len(teachers)}"
        )
    ours, theirs = [], []
    for student, teacher in zip(students, teachers, strict=True):
        check_maps(student, teacher, positions=False)
        goal, strengths = _main_directions(teacher.detach(), vectors)
        offered, _ = _main_directions(student, vectors + MORE_VECTORS)
        goal = goal * _largest_sign(goal)
        ours.append(_aligned(offered, goal) * strengths)
        theirs.append(goal * strengths)
    return sum(
        (_relation(*mine) - _relation(*goal)).square().sum() / len(student)
        for mine, goal in zip(pairwise(ours), pairwise(theirs), strict=True)
    )


def _main_directions(maps, vectors):
    """The first right singular vectors as columns, (N, C, k), and their values scaled to length 1."""
    by_channel = maps.flatten(2)
    wide = by_channel.shape[1] > by_channel.shape[2]
    # The product on the shorter side has the same eigenvalues, and is cheaper to decompose.
    gram = by_channel.mT @ by_channel if wide else by_channel @ by_channel.mT
    directions, squares = _FirstEigenvectors.apply(gram, min(vectors, gram.shape[2]))[:2]
    if wide:
        directions = unit((by_channel @ directions).mT).mT
    squares = squares.clamp(min=0)
    # A direction without strength is arbitrary; it counts as none.
    rounding = gram.shape[2] * torch.finfo(gram.dtype).eps * squares[:, :1]
    exists = (squares > rounding).unsqueeze(1)
    return torch.where(exists, directions, 0.0), unit(squares.sqrt()).unsqueeze(1)


class _FirstEigenvectors(torch.autograd.Function):
    """The eigenvectors of the largest eigenvalues, with a slope that stays finite where two are equal."""

    @staticmethod
    def vmap(info, in_dims, symmetric, vectors):
        # More matrices in front are decomposed as those of a batch are.
        return _FirstEigenvectors.apply(symmetric.movedim(in_dims[0], 0), vectors), (0, 0, 0, 0)

    @staticmethod
    def forward(symmetric, vectors):
        try:
            values, every = torch.linalg.eigh(symmetric)
        except torch.linalg.LinAlgError as problem:
            raise ValueError(
                "singular vectors cannot be found of features that are not finite; look for NaN or infinity "
                f"in the layers of student and teacher ({problem})"
            ) from problem
        values, every = values.flip(-1), every.flip(-1)
        return every[..., :vectors].contiguous(), values[..., :vectors].contiguous(), values, every

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*output[2:])
        ctx.mark_non_differentiable(*output[1:])

    @staticmethod
    def backward(ctx, slopes, *_):
        values, every = ctx.saved_tensors
        first = every[..., : slopes.shape[-1]]
        gaps = values[..., None, : slopes.shape[-1]] - values.unsqueeze(-1)
        least = NEARLY_EQUAL * values[..., :1].unsqueeze(-1).abs()
        squares = gaps.square() + least.square()
        turned = (every.mT @ slopes) * gaps / torch.where(squares == 0, 1.0, squares)
        slope = every @ turned @ first.mT
        return (slope + slope.mT) / 2, None


def _largest_sign(directions):
    largest = directions.abs().argmax(1, keepdim=True)
    return directions.gather(1, largest).sign()


def _aligned(offered, goal):
    """For each of the teacher's vectors the student's of the smallest angle, turned to it."""
    cosines = offered.mT @ goal
    nearest = cosines.abs().argmax(1, keepdim=True)
    signs = cosines.gather(1, nearest).detach().sign()
    return offered.gather(2, nearest.expand(-1, offered.shape[1], -1)) * signs


def _relation(shallow, deep):
    return torch.exp(-(shallow.unsqueeze(2) - deep.unsqueeze(1)).square() / WIDTH)


@dataclass(frozen=True)
class SingularVectors(AdaptedLayers, Loss):
    """:func:`singular_vectors` as a term of an objective, with layers named from shallow to deep.

    ``adapter="convolution"`` brings each of the student's maps to the teacher's channels.

    >>> maps = [torch.randn(2, 3, 4, 4), torch.randn(2, 5, 2, 2)]
    >>> SingularVectors()(maps, [-4 * maps[0], maps[1]]).round(decimals=6)
    tensor(0.)
    """

    vectors: int = 1
    name = "singular_vectors"
    paper = "KDSVD, Lee et al. 2018, section 3"
    formula = (
        r"\frac{1}{N} \sum_{nkcc'} (R^S_{kcc'} - R^T_{kcc'})^2, \quad R_{cc'} = e^{-(v^a_c - "
        r"v^b_{c'})^2 / 8}"
    )
    symbol = r"\mathrm{KDSVD}(V_S,\, V_T)"
    reads = "maps"
    scale = "squared differences of similarities, summed over pairs of channels"
    memory = "N × C × C for each pair of layers"
    cost = "a decomposition for each sample and layer"
    invariant_to = ("scale", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_whole("vectors", self.vectors, 1)

    def value(self, student, teacher, labels, learned):
        return singular_vectors(*self.adapted(student, teacher, learned), self.vectors)
