"""Distillation by singular value decomposition (KDSVD): how two layers' main directions relate."""

from dataclasses import dataclass
from itertools import pairwise

import torch

from kdviz.losses import adapters
from kdviz.losses.checks import check_choice
from kdviz.losses.feature.features import ManyLayers, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded, unit

MORE_VECTORS = 3  # that the student has to offer for each of the teacher's
NEARLY_EQUAL = 1e-4  # share of the largest eigenvalue below which a gap counts as none
WIDTH = 8.0


def singular_vectors(students, teachers, vectors=1):
    r"""Distillation by singular value decomposition: from layer to layer, the main directions turn alike.

    A sample's map, as a matrix of HW places by C channels, has right singular vectors :math:`v`, of length C.
    Of each layer the teacher's first k are taken, times its first k singular values scaled to length 1. Each
    takes the student's vector, of the first k + 3, whose angle to it is smallest, with its sign turned to it,
    times the same singular values. For two neighbouring layers a and b

    .. math:: R_{cc'} = e^{-(v^a_c - v^b_{c'})^2 / 8}, \qquad
              \frac{1}{N} \sum_n \sum_{k c c'} (R^S_{kcc'} - R^T_{kcc'})^2

    added up over all neighbours. Source: Lee et al. 2018, *Self-supervised Knowledge Distillation using
    Singular Value Decomposition*, section 3, as RepDistiller has it. mdistiller takes the matrix of CH by W,
    which is another method.

    A decomposition leaves the sign of a vector open, and the loss depends on the teacher's from one layer to
    the next. Here the entry of the teacher's that is largest in size is positive, so the value belongs to the
    maps alone. Published code leaves it to the library.

    Blind to a positive or negative scale of the student's maps, and to the places' order. The gradient takes
    directions of nearly equal strength as no different: the gap between two squared singular values counts as
    at least about 1e-4 of the largest.

    Parameters
    ----------
    students, teachers : lists of at least two (..., N, C, H, W), shallow to deep; channels must be the same
        for a layer of both, heights and widths may differ
    vectors : k

    Memory: N × C × C' × k for each pair of neighbours, N × min(C, HW)² to decompose. On a GPU the
    decomposition waits for its result. Errors: ValueError for other samples or channels; torch refuses what
    is not a number.
    """
    if len(students) != len(teachers) or len(students) < 2:
        raise ValueError(
            "as many layers of the student as of the teacher are needed, at least two; got "
            f"{len(students)} and {len(teachers)}"
        )
    ours, theirs = [], []
    for student, teacher in zip(students, teachers, strict=True):
        check_maps(student, teacher, places=False)
        goal, strengths = _main_directions(teacher.detach(), vectors)
        offered, _ = _main_directions(student, vectors + MORE_VECTORS)
        goal = goal * _largest_sign(goal)
        ours.append(_aligned(offered, goal) * strengths)
        theirs.append(goal * strengths)
    return sum(
        (_relation(*mine) - _relation(*goal)).square().sum((-3, -2, -1)).mean(-1)
        for mine, goal in zip(pairwise(ours), pairwise(theirs), strict=True)
    )


def _main_directions(maps, vectors):
    """The first right singular vectors as columns, (..., N, C, k), and their values scaled to length 1."""
    places_by_channels = maps.flatten(-2).mT
    wide = places_by_channels.shape[-2] < places_by_channels.shape[-1]
    # The product on the shorter side has the same eigenvalues, and is cheaper to decompose.
    gram = places_by_channels @ maps.flatten(-2) if wide else maps.flatten(-2) @ places_by_channels
    directions, squares = _FirstEigenvectors.apply(gram, min(vectors, gram.shape[-1]))
    if wide:
        directions = unit((maps.flatten(-2) @ directions).mT).mT
    squares = squares.clamp(min=0)
    # A direction without strength is arbitrary; it counts as none.
    rounding = gram.shape[-1] * torch.finfo(gram.dtype).eps * squares[..., :1]
    exists = (squares > rounding).unsqueeze(-2)
    return torch.where(exists, directions, 0.0), unit(squares.sqrt()).unsqueeze(-2)


class _FirstEigenvectors(torch.autograd.Function):
    """The eigenvectors of the largest eigenvalues, with a slope that stays finite where two are equal."""

    @staticmethod
    def forward(ctx, symmetric, vectors):
        values, every = torch.linalg.eigh(symmetric)
        values, every = values.flip(-1), every.flip(-1)
        ctx.save_for_backward(values, every)
        ctx.mark_non_differentiable(values)
        return every[..., :vectors].contiguous(), values[..., :vectors].contiguous()

    @staticmethod
    def backward(ctx, slopes, _):
        values, every = ctx.saved_tensors
        first = every[..., : slopes.shape[-1]]
        gaps = values[..., None, : slopes.shape[-1]] - values.unsqueeze(-1)
        least = NEARLY_EQUAL * values[..., :1].unsqueeze(-1).abs()
        squares = gaps.square() + least.square()
        turned = (every.mT @ slopes) * gaps / torch.where(squares == 0, 1.0, squares)
        slope = every @ turned @ first.mT
        return (slope + slope.mT) / 2, None


def _largest_sign(directions):
    largest = directions.abs().argmax(-2, keepdim=True)
    return directions.gather(-2, largest).sign()


def _aligned(offered, goal):
    """For each of the teacher's vectors the student's of the smallest angle, turned to it."""
    cosines = offered.mT @ goal
    nearest = cosines.abs().argmax(-2, keepdim=True)
    signs = cosines.gather(-2, nearest).detach().sign()
    shape = torch.broadcast_shapes(offered.shape[:-1], nearest.shape[:-2] + (1,))
    return offered.gather(-1, nearest.expand(*shape, nearest.shape[-1])) * signs


def _relation(shallow, deep):
    return torch.exp(-(shallow.unsqueeze(-2) - deep.unsqueeze(-3)).square() / WIDTH)


@dataclass(frozen=True)
class SingularVectors(ManyLayers, Loss):
    """:func:`singular_vectors` as a term of an objective, with layers named from shallow to deep.

    ``adapter="convolution"`` brings each of the student's maps to the teacher's channels.
    """

    adapter: str | None = None
    vectors: int = 1
    name = "singular_vectors"
    kind = "feature"
    paper = "KDSVD, Lee et al. 2018, section 3"
    formula = (
        r"\frac{1}{N} \sum_{nkcc'} (R^S_{kcc'} - R^T_{kcc'})^2, \quad R_{cc'} = e^{-(v^a_c - "
        r"v^b_{c'})^2 / 8}"
    )
    reads = "maps"
    scale = "squared differences of similarities, summed over pairs of channels"
    memory = "N × C × C for each pair of layers"
    cost = "a decomposition for each sample and layer"
    invariant_to = ("scale", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_choice("adapter", self.adapter, (None, "convolution"))
        if not isinstance(self.vectors, int) or self.vectors < 1:
            raise ValueError(f"vectors must be a whole number from 1 up; got {self.vectors!r}")

    def initial(self, student, teacher):
        if self.adapter is None:
            return {}
        weights, generator = {}, seeded(self.seed)
        for place, (mine, goal) in enumerate(zip(*self.layers(student, teacher, axes=4), strict=True)):
            start = adapters.initial_convolution(mine.shape[-3], goal.shape[-3], generator, like=mine)
            weights |= {f"{key}{place}": value for key, value in start.items()}
        return weights

    def __call__(self, student, teacher, labels, learned=None):
        ours, theirs = self.layers(student, teacher, axes=4)
        if self.adapter is not None:
            ours = [
                adapters.convolution(maps, learned[f"weight{place}"], learned[f"bias{place}"])
                for place, maps in enumerate(ours)
            ]
        return singular_vectors(ours, theirs, self.vectors)

    def latex(self):
        return r"\mathrm{KDSVD}(V_S,\, V_T)"
