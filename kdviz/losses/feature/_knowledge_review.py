"""Knowledge review (ReviewKD): deep layers of the student help shallow ones to say what the teacher's do."""

from dataclasses import dataclass

import torch

from kdviz.losses import adapters
from kdviz.losses.feature.features import ManyLayers, check_maps, feature_axes
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded

MOST_CHANNELS = 512
LEVELS = (4, 2, 1)


def hierarchical_context(student, teacher):
    r"""Hierarchical context loss: the squared difference of two maps, as they are and at coarser sizes.

    .. math:: \frac{\sum_k 2^{-k}\, \mathrm{mse}(P_k(s), P_k(t))}{\sum_k 2^{-k}}

    where :math:`P_0` leaves a map as it is, and the next ones average it down to 4 × 4, 2 × 2 and 1 × 1 as
    far as these are smaller. 0 if and only if the maps are equal; in squared features. Source: Chen et al.
    2021, *Distilling Knowledge via Knowledge Review*, section 3.4; the weights are those of the authors'
    code, which mdistiller and torchdistill share. Since averaging is linear, only the difference is
    averaged.

    Parameters
    ----------
    student, teacher : (..., N, C, H, W)

    Memory: N × C × HW. Errors: ValueError for unequal shapes.
    """
    check_maps(student, teacher)
    difference = student - teacher.detach()
    total, weight, weights = _mean_square(difference), 1.0, 1.0
    for size in LEVELS:
        if size < difference.shape[-2]:
            weight /= 2
            weights += weight
            total = total + weight * _mean_square(adapters.pool(difference, size, size))
    return total / weights


def _mean_square(maps):
    return maps.square().mean((-4, -3, -2, -1))


def review(maps, sizes, weights):
    """The student's maps, each fused with all deeper ones and brought to the teacher's shape.

    From the deepest on: a convolution of size 1 with batch normalisation brings a map to the common
    channels; it is mixed with what the deeper ones left, enlarged to its places, by two gates that look at
    both; the mixture goes on to the next map, and through a convolution of size 3 with batch normalisation
    to the loss. It is the fusion of the authors' code.

    Parameters
    ----------
    maps : list of (..., N, C, H, W), shallow to deep
    sizes : list of (height, width) of the teacher's
    weights : as :meth:`KnowledgeReview.initial` gives them
    """
    fused, carried = [], None
    for level in reversed(range(len(maps))):
        mixed = _normalised(maps[level], weights, f"in{level}")
        if carried is not None:
            carried = adapters.resize(carried, *mixed.shape[-2:])
            both = torch.cat([mixed, carried], -3)
            gates = adapters.convolution(both, weights[f"gate{level}_weight"], weights[f"gate{level}_bias"])
            ours, theirs = gates.sigmoid().split(1, -3)
            mixed = mixed * ours + carried * theirs
        carried = adapters.resize(mixed, *sizes[level])
        fused.insert(0, _normalised(carried, weights, f"out{level}"))
    return fused


def _normalised(maps, weights, name):
    convolved = adapters.convolution(maps, weights[f"{name}_weight"])
    return adapters.batch_norm(convolved, weights[f"{name}_gain"], weights[f"{name}_bias"])


@dataclass(frozen=True)
class KnowledgeReview(ManyLayers, Loss):
    """:func:`hierarchical_context` of the maps that :func:`review` makes, summed over the layers.

    ``student_layers`` and ``teacher_layers`` are named from shallow to deep and as many; embeddings count as
    maps of one place. It learns the fusion. The authors let its weight grow over the first 20 epochs.
    """

    name = "knowledge_review"
    kind = "feature"
    paper = "ReviewKD, Chen et al. 2021, section 3"
    formula = r"\sum_l \frac{\sum_k 2^{-k}\, \mathrm{mse}(P_k(s_l), P_k(t_l))}{\sum_k 2^{-k}}"
    reads = "embeddings or maps"
    scale = "squared features, averaged, summed over layers"
    memory = "N × C × H W for each layer"
    cost = "three convolutions for each layer"
    # The batch normalisation of its fusion takes away what is added to a channel.
    invariant_to = ("shift",)

    def __post_init__(self):
        super().__post_init__()
        if len(self.student_layers) != len(self.teacher_layers):
            raise ValueError(
                "knowledge review needs as many layers of the student as of the teacher; got "
                f"{self.student_layers} and {self.teacher_layers}"
            )

    def initial(self, student, teacher):
        ours, theirs = _as_maps(student, self.student_layers), _as_maps(teacher, self.teacher_layers)
        common, generator = min(MOST_CHANNELS, ours[-1].shape[-3]), seeded(self.seed)
        weights = {}

        def begin(name, inputs, outputs, size):
            start = adapters.initial_convolution(inputs, outputs, generator, ours[0], size)
            weights[f"{name}_weight"], weights[f"{name}_bias"] = start["weight"], start["bias"]

        for level, (mine, goal) in enumerate(zip(ours, theirs, strict=True)):
            begin(f"in{level}", mine.shape[-3], common, 1)
            begin(f"out{level}", common, goal.shape[-3], 3)
            for name in (f"in{level}", f"out{level}"):
                weights[f"{name}_gain"] = torch.ones_like(weights[f"{name}_bias"])
                weights[f"{name}_bias"].zero_()
            if level < len(ours) - 1:
                begin(f"gate{level}", 2 * common, 2, 1)
        return weights

    def __call__(self, student, teacher, labels, learned=None):
        ours, theirs = _as_maps(student, self.student_layers), _as_maps(teacher, self.teacher_layers)
        fused = review(ours, [goal.shape[-2:] for goal in theirs], learned)
        return sum(hierarchical_context(mine, goal) for mine, goal in zip(fused, theirs, strict=True))

    def latex(self):
        return r"\mathrm{HCL}(\mathrm{ABF}(s),\, t)"


def _as_maps(trace, layers):
    features = [trace.features[layer] for layer in layers]
    axes = [feature_axes(trace, layer) for layer in layers]
    return [
        feature[..., None, None] if count == 2 else feature
        for feature, count in zip(features, axes, strict=True)
    ]
