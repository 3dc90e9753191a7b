"""Relational knowledge distillation (RKD): the distances between samples, and the angles they form."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from kdviz.losses.checks import check_form
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, root, smooth_l1, squared_distances
from kdviz.losses.vectors import unit

FORMS = ("authors", "paper", "mmrazor")
# How many numbers one step through the anchors works on: within the cache of a CPU, and enough for a GPU.
CHUNK = {"cpu": 2**18, "cuda": 2**23}


def distance_relation(student: Tensor, teacher: Tensor, form: str = "authors") -> Tensor:
    r"""RKD, distances: pairs that are far apart for the teacher should be so for the student.

    .. math:: \frac{1}{N^2} \sum_{i, j} h\!\left(\frac{\lVert s_i - s_j \rVert}{\mu_S} -
              \frac{\lVert t_i - t_j \rVert}{\mu_T}\right), \qquad
              h(d) = \tfrac{1}{2} d^2 \text{ up to } |d| = 1, \; |d| - \tfrac{1}{2} \text{ beyond}

    :math:`\mu` is the mean distance of the pairs that differ; the gradient runs through the student's.
    So the values are in units of the mean distance, the student may have another width and scale than
    the teacher, and 0.01 is a typical difference of 14 % of the mean distance.

    form="authors"
        As above: the authors' code, RepDistiller, mdistiller and torchdistill; the default.
    form="paper"
        The sum over pairs of distinct samples of Park et al. 2019, *Relational Knowledge Distillation*,
        section 3.2, as a mean over those N (N - 1) pairs: N / (N - 1) times the authors' value.
    form="mmrazor"
        The authors' value on embeddings of length 1, as mmrazor has it by default.

    It is 0 where all distances agree up to one common factor, and blind to a shift, a rotation and a
    scale of either embedding (form "mmrazor": not to a shift). Samples with equal features have distance 0
    and pass on no gradient. Other code adds 1e-7 to the mean; here a batch whose samples all agree has
    distances 0.

    Shapes: student and teacher (N, D), N of at least 2; the widths D may differ. Memory: some N × N matrices.
    Errors: ValueError for other samples, one sample or an unknown form.
    """
    check_form(form, FORMS)
    check_samples(student, teacher)
    difference = relative_distances(student, form) - relative_distances(teacher.detach(), form)
    samples = len(student)
    pairs = samples * (samples - 1) if form == "paper" else samples**2
    return smooth_l1(difference).sum() / pairs


def relative_distances(features: Tensor, form: str = "authors") -> Tensor:
    """The distances of all pairs of samples, (N, N), in units of the mean of those that differ."""
    distances = root(squared_distances(unit(features) if form == "mmrazor" else features))
    mean = distances.sum() / (distances > 0).sum().clamp(min=1)
    return distances / torch.where(mean == 0, 1.0, mean)


def angle_relation(student: Tensor, teacher: Tensor, form: str = "authors") -> Tensor:
    r"""RKD, angles: the angle that two samples form at a third should be the teacher's.

    .. math:: \frac{1}{N^3} \sum_{a, b, c} h(\cos \angle s_b s_a s_c - \cos \angle t_b t_a t_c), \qquad
              \cos \angle x_b x_a x_c = \frac{\langle x_b - x_a, x_c - x_a \rangle}
              {\lVert x_b - x_a \rVert \, \lVert x_c - x_a \rVert}

    h is as in :func:`distance_relation`. A cosine is 0 where two of the samples agree with the vertex.

    form="authors"
        As above: the authors' code, RepDistiller, mdistiller and torchdistill; the default.
    form="paper"
        The sum over triples of distinct samples of Park et al. 2019, section 3.2, as a mean over those
        N (N - 1) (N - 2) triples.
    form="mmrazor"
        The authors' value on embeddings of length 1, as mmrazor has it by default.

    From 0 to 1.5. It is 0 where the embeddings are similar figures: blind to a shift, a rotation and a
    scale of either (form "mmrazor": not to a shift).

    Memory: some N × N matrices and a few chunks of angles (1 MB each in float32 on a CPU), forward and
    backward, for any width D. The usual code keeps N × N × D differences and N × N × N angles. By the law of
    cosines the angles are functions of the squared distances q alone, :math:`(q_{ab} + q_{ac} - q_{bc}) / 2
    \sqrt{q_{ab} q_{ac}}`, so the loss and its gradient with respect to q are summed over a few vertices a at
    a time. Cost: N³ additions where the usual code multiplies N³ D numbers. Its gradient has no gradient of
    its own.

    Parameters
    ----------
    student, teacher : (N, D), N of at least 3; the widths D may differ

    Errors: ValueError for other samples, fewer than 3 of them or an unknown form.
    """
    check_form(form, FORMS)
    check_samples(student, teacher, least=3)
    if form == "mmrazor":
        student, teacher = unit(student), unit(teacher)
    samples = len(student)
    triples = samples * (samples - 1) * (samples - 2) if form == "paper" else samples**3
    squares = squared_distances(student), squared_distances(teacher.detach())
    return _AngleDifference.apply(*squares, torch.is_grad_enabled())[0] / triples


class _AngleDifference(torch.autograd.Function):
    """The sum of h over all triples, for squared distances; its gradient is found on the way.

    It works along the last two axes, so that many figures mapped over are one call, within the same chunks.
    """

    @staticmethod
    def forward(student, teacher, differentiated):
        student, teacher = torch.broadcast_tensors(student, teacher)
        total, gradient = student.new_zeros(student.shape[:-2]), torch.zeros_like(student)
        step = max(1, CHUNK.get(student.device.type, 2**18) // max(1, student.numel()))
        for first in range(0, student.shape[-1], step):
            vertices = slice(first, first + step)
            cosines, factors = _cosines(student, vertices)
            difference = cosines - _cosines(teacher, vertices)[0]
            slope = difference.clamp(-1, 1)
            total += difference.addcmul_(slope, slope.new_tensor(-0.5)).mul_(slope).sum((-3, -2, -1))
            if differentiated:
                _add_gradient(gradient, student, vertices, cosines, factors, slope)
        return total, gradient

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx, slope, _):
        (gradient,) = ctx.saved_tensors
        return slope[..., None, None] * gradient, None, None

    @staticmethod
    def vmap(info, in_dims, student, teacher, differentiated):
        parts = [
            part.unsqueeze(0) if axis is None else part.movedim(axis, 0)
            for part, axis in zip((student, teacher), in_dims, strict=False)
        ]
        # Where only the teacher is mapped, each of its figures needs a student's of its own.
        parts[0] = parts[0].expand(info.batch_size, *parts[0].shape[1:])
        return _AngleDifference.apply(*parts, differentiated), (0, 0)


def _cosines(squares, vertices):
    """The cosines at some vertices, (vertices, N, N), and the factor 1 / distance of each side."""
    sides = squares[..., vertices, :]
    factors = torch.where(sides == 0, 0.0, torch.where(sides == 0, 1.0, sides).rsqrt())
    cosines = sides.unsqueeze(-1) + sides.unsqueeze(-2)
    cosines.sub_(squares.unsqueeze(-3)).mul_(factors.unsqueeze(-1)).mul_((factors / 2).unsqueeze(-2))
    return cosines, factors


def _add_gradient(gradient, squares, vertices, cosines, factors, slope):
    """The gradient with respect to the squared distances, from the triples with these vertices.

    The cosine's derivative is (f_b f_c - cos f_b²) / 2 for the side b, and - f_b f_c / 2 for the side
    across, with f = 1 / distance. The two sides of an angle play the same part, so one stands for both.
    """
    turned = cosines.mul_(slope).sum(-1)
    across = slope.mul_(factors.unsqueeze(-1)).mul_(factors.unsqueeze(-2))
    gradient[..., vertices, :] += across.sum(-1) - turned * factors.square()
    gradient -= across.sum(-3) / 2


@dataclass(frozen=True)
class DistanceRelation(OneLayer, Loss):
    """:func:`distance_relation` as a term of an objective.

    >>> DistanceRelation()(torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [1.0], [0.0]]))
    tensor(0.2361)
    """

    form: str = "authors"
    forms = FORMS
    name = "distance_relation"
    paper = "RKD, Park et al. 2019, section 3.2"
    formula = (
        r"\frac{1}{N^2} \sum_{ij} h\left( \frac{\lVert s_i - s_j \rVert}{\mu_S} - \frac{\lVert t_i - "
        r"t_j \rVert}{\mu_T} \right)"
    )
    symbol = r"\mathrm{RKD}_{\mathrm{dist}}(s,\, t)"
    scale = "squared differences in units of the mean distance"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("shift", "scale", "rotation", "channel permutation", "sign")

    def value(self, student, teacher, labels, learned):
        return distance_relation(*self.embeddings(student, teacher), self.form)


@dataclass(frozen=True)
class AngleRelation(OneLayer, Loss):
    """:func:`angle_relation` as a term of an objective.

    >>> corner = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> AngleRelation()(4 * corner, corner)
    tensor(0.)
    """

    form: str = "authors"
    forms = FORMS
    name = "angle_relation"
    paper = "RKD, Park et al. 2019, section 3.2"
    formula = r"\frac{1}{N^3} \sum_{abc} h(\cos \angle s_b s_a s_c - \cos \angle t_b t_a t_c)"
    symbol = r"\mathrm{RKD}_{\mathrm{angle}}(s,\, t)"
    scale = "squared differences of cosines, 0 to 1.5"
    memory = "N × N"
    cost = "N × N × (N + D)"
    invariant_to = ("shift", "scale", "rotation", "channel permutation", "sign")

    def value(self, student, teacher, labels, learned):
        return angle_relation(*self.embeddings(student, teacher), self.form)
