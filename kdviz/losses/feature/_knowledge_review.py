"""Knowledge review (ReviewKD): deep layers of the student help shallow ones to say what the teacher's do."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses import adapters
from kdviz.losses.feature.features import ManyLayers, check_maps
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded

MOST_CHANNELS = 512
LEVELS = (4, 2, 1)


def hierarchical_context(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Hierarchical context loss: the squared difference of two maps, as they are and at coarser sizes.

    .. math:: \frac{\sum_k 2^{-k}\, \mathrm{mse}(P_k(s), P_k(t))}{\sum_k 2^{-k}}

    where :math:`P_0` leaves a map as it is, and the next ones average it down to 4 × 4, 2 × 2 and 1 × 1 as
    far as these are smaller. 0 if and only if the maps are equal; in squared features. Source: Chen et al.
    2021, *Distilling Knowledge via Knowledge Review*, section 3.4; the weights are those of the authors'
    code, which mdistiller and torchdistill share. Since averaging is linear, only the difference is
    averaged.

    Shapes: student and teacher (N, C, H, W). Memory: N × C × HW. Errors: ValueError for unequal shapes.
    """
    check_maps(student, teacher)
    difference = student - teacher.detach()
    total, weight, weights = difference.square().mean(), 1.0, 1.0
    for size in LEVELS:
        if size < difference.shape[2]:
            weight /= 2
            weights += weight
            total = total + weight * adapters.pool(difference, size, size).square().mean()
    return total / weights


def review(maps: list[Tensor], sizes: list[tuple[int, int]], weights: dict[str, Tensor]) -> list[Tensor]:
    """The student's maps, each fused with all deeper ones and brought to the teacher's shape.

    From the deepest on: a convolution of size 1 with batch normalisation brings a map to the common
    channels; it is mixed with what the deeper ones left, enlarged to its size, by two gates that look at
    both; the mixture goes on to the next map, and through a convolution of size 3 with batch normalisation
    to the loss. It is the fusion of the authors' code.

    Parameters
    ----------
    maps : list of (N, C, H, W), shallow to deep
    sizes : list of (height, width) of the teacher's
    weights : as :meth:`KnowledgeReview.initial` gives them
    """
    fused, carried = [], None
    for level in reversed(range(len(maps))):
        mixed = _normalised(maps[level], weights, f"in{level}")
        if carried is not None:
            carried = adapters.resize(carried, *mixed.shape[2:])
            gate = adapters.under(f"gate{level}", weights)
            gates = adapters.convolution(torch.cat([mixed, carried], 1), **gate)
            ours, theirs = gates.sigmoid().split(1, 1)
            mixed = mixed * ours + carried * theirs
        carried = adapters.resize(mixed, *sizes[level])
        fused.insert(0, _normalised(carried, weights, f"out{level}"))
    return fused


def _normalised(maps, weights, name):
    return adapters.adapt("convolution_batch_norm", maps, adapters.under(name, weights))


@dataclass(frozen=True)
class KnowledgeReview(ManyLayers, Loss):
    """:func:`hierarchical_context` of the maps that :func:`review` makes, summed over the layers.

    ``student_layers`` and ``teacher_layers`` are named from shallow to deep and as many; embeddings count as
    maps of one position. It learns the fusion. The authors let its weight grow over the first 20 epochs.

    >>> KnowledgeReview()([torch.randn(4, 2, 3, 3)], [torch.ones(4, 1, 3, 3)]) > 0
    tensor(True)
    """

    name = "knowledge_review"
    paper = "ReviewKD, Chen et al. 2021, section 3"
    formula = r"\sum_l \frac{\sum_k 2^{-k}\, \mathrm{mse}(P_k(s_l), P_k(t_l))}{\sum_k 2^{-k}}"
    symbol = r"\mathrm{HCL}(\mathrm{ABF}(s),\, t)"
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

    def maps(self, student, teacher):
        """The maps of both; an embedding is a map of one position."""
        return [
            [features[..., None, None] if features.ndim == 2 else features for features in layers]
            for layers in self.layers(student, teacher)
        ]

    def initial(self, student, teacher):
        ours, theirs = self.maps(student, teacher)
        common, generator = min(MOST_CHANNELS, ours[-1].shape[1]), seeded(self.seed)
        weights = {}

        def begin(start, name, *sizes):
            weights.update(adapters.named(name, start(*sizes[:2], generator, ours[0], sizes[2])))

        for level, (mine, goal) in enumerate(zip(ours, theirs, strict=True)):
            begin(adapters.initial_normalised, f"in{level}", mine.shape[1], common, 1)
            begin(adapters.initial_normalised, f"out{level}", common, goal.shape[1], 3)
            if level < len(ours) - 1:
                begin(adapters.initial_convolution, f"gate{level}", 2 * common, 2, 1)
        return weights

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.maps(student, teacher)
        fused = review(ours, [goal.shape[2:] for goal in theirs], learned)
        return sum(hierarchical_context(mine, goal) for mine, goal in zip(fused, theirs, strict=True))
