"""Attention across layers: each layer of the student learns from all of the teacher's, as far as they fit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses import adapters
from kdviz.losses.feature.features import AdaptedLayers, ManyLayers, check_maps, check_same_features
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded, unit

FRACTION_OF_BATCH = 4


def layer_projection(students: list[Tensor], teachers: list[Tensor]) -> Tensor:
    r"""Attention-based layer projection (ALP-KD): each layer regresses on a mixture of the teacher's layers.

    .. math:: \frac{1}{N D} \sum_{ni} \Big\lVert s_{ni} - \sum_j \varepsilon_{nij} t_{nj} \Big\rVert^2, \qquad
              \varepsilon_{ni} = \mathrm{softmax}_j \langle s_{ni}, t_{nj} \rangle

    In squared features, 0 or more; with one layer of the teacher it is a hint to each of the student's. The
    attention is on the features as they are: large ones make it all or nothing. The gradient goes through it
    too. Source: Passban et al. 2021, *ALP-KD: Attention-Based Layer Projection for Knowledge Distillation*,
    section "Methodology", with the teacher's layers in one bucket; there the features are those of BERT's
    first token.

    Parameters
    ----------
    students, teachers : lists of (N, D), all of the same width

    Memory: N × D × layers. Errors: ValueError for unequal shapes.
    """
    for features in (*students, *teachers):
        check_same_features(students[0], features)
    ours, theirs = torch.stack(students, 1), torch.stack(teachers, 1).detach()
    return (ours - layer_attention(ours, theirs) @ theirs).square().mean(2).sum(1).mean()


def layer_attention(students: Tensor, teachers: Tensor) -> Tensor:
    """How much each layer of the student (N, S, D) listens to each of the teacher's (N, T, D): (N, S, T).

    The softmax, over the teacher's layers, of the inner products of their features (ALP-KD).

    >>> layer_attention(torch.zeros(1, 1, 2), torch.ones(1, 4, 2))
    tensor([[[0.2500, 0.2500, 0.2500, 0.2500]]])
    """
    return torch.softmax(students @ teachers.mT, 2)


def semantic_calibration(
    projected: list[list[Tensor]], teachers: list[list[Tensor]], attention: Tensor
) -> Tensor:
    r"""Semantic calibration (SemCKD): squared differences of all pairs of layers, weighed by attention.

    .. math:: \frac{1}{N S} \sum_n \sum_{ij} \alpha_{nij}\, \mathrm{mse}(r_{ij}(s_{ni}), t_{nj})

    with S layers of the student, and the attention of each sample and student's layer adding up to 1 over the
    teacher's (:func:`similarity_attention`). In squared features. Source: Chen et al. 2021, *Cross-Layer
    Distillation with Semantic Calibration*, section 3; the division by S is that of the authors' code.

    Parameters
    ----------
    projected : list for each student's layer of lists for each teacher's of (N, C_j, H_ij, W_ij)
    teachers : likewise, the teacher's maps at those sizes
    attention : (N, S, T)

    Memory: N × C × HW for each pair. Errors: ValueError for unequal shapes.
    """
    costs = torch.stack(
        [
            torch.stack([_mean_squares(ours, theirs) for ours, theirs in zip(*row, strict=True)], 1)
            for row in zip(projected, teachers, strict=True)
        ],
        1,
    )
    return (attention * costs).sum((1, 2)).mean() / attention.shape[1]


def _mean_squares(ours, theirs):
    """The mean squared difference of each sample's maps, (N,)."""
    check_maps(ours, theirs)
    return (ours - theirs.detach()).square().mean((1, 2, 3))


def similarity_attention(
    students: list[Tensor], teachers: list[Tensor], weights: dict[str, Tensor]
) -> Tensor:
    """How well each of the teacher's layers fits each of the student's, (N, S, T).

    Two layers fit where the samples are as similar in one as in the other: the inner products of each
    sample's features with all the batch's, through a small network to a vector of length 1, are a query for
    a layer of the student and a key for one of the teacher. The softmax of their products is over the
    teacher's layers. Since the network reads N numbers a sample, all batches must be as large.
    """
    queries = [_embedded(maps, weights, f"query{number}") for number, maps in enumerate(students)]
    keys = [_embedded(maps.detach(), weights, f"key{number}") for number, maps in enumerate(teachers)]
    return torch.softmax(torch.stack(queries, 1) @ torch.stack(keys, 1).mT, 2)


def _embedded(maps, weights, name):
    features = maps.flatten(1)
    similarities = features @ features.T
    known = weights[f"{name}_weight1"].shape[1]
    if len(similarities) != known:
        raise ValueError(
            f"semantic calibration has learned from batches of {known} samples and cannot read one of "
            f"{len(similarities)}; keep the batch size and leave out the last, smaller batch"
        )
    hidden = adapters.linear(similarities, weights[f"{name}_weight1"], weights[f"{name}_bias1"]).relu()
    return unit(adapters.linear(hidden, weights[f"{name}_weight2"], weights[f"{name}_bias2"]))


def _projected(maps, weights, name):
    """Convolutions of size 1, 3 and 1, with batch normalisation and ReLU between them."""
    for layer in (1, 2):
        maps = adapters.convolution(maps, weights[f"{name}_weight{layer}"])
        maps = adapters.batch_norm(
            maps, weights[f"{name}_gain{layer}"], weights[f"{name}_bias{layer}"]
        ).relu()
    return adapters.convolution(maps, weights[f"{name}_weight3"])


@dataclass(frozen=True)
class LayerProjection(AdaptedLayers, Loss):
    """:func:`layer_projection` as a term of an objective.

    ``adapter="linear"`` brings each of the student's layers to the width of the teacher's.

    >>> LayerProjection()([torch.zeros(1, 2)], [torch.ones(1, 2), 3 * torch.ones(1, 2)])
    tensor(4.)
    """

    name = "layer_projection"
    paper = "ALP-KD, Passban et al. 2021"
    formula = (
        r"\frac{1}{N D} \sum_{ni} \lVert s_{ni} - \sum_j \varepsilon_{nij} t_{nj} \rVert^2, \quad "
        r"\varepsilon_{ni} = \mathrm{softmax}_j \langle s_{ni}, t_{nj} \rangle"
    )
    symbol = r"\sum_i \mathrm{mse}\big(s_i,\, \textstyle\sum_j \varepsilon_{ij} t_j\big)"
    reads = "embeddings"
    scale = "squared features, averaged, summed over layers"
    memory = "N × D × layers"
    cost = "inner products of all pairs of layers"

    def value(self, student, teacher, labels, learned):
        return layer_projection(*self.adapted(student, teacher, learned))


@dataclass(frozen=True)
class SemanticCalibration(ManyLayers, Loss):
    """:func:`semantic_calibration` as a term of an objective.

    It learns the queries and keys of the attention, and for each pair of layers the convolutions that bring
    the student's map to the teacher's channels. The larger map of a pair is averaged down to the smaller.
    Its first batch sets the size of all.

    >>> SemanticCalibration()([torch.zeros(4, 2, 3, 3)], [torch.ones(4, 1, 3, 3)]) >= 0
    tensor(True)
    """

    name = "semantic_calibration"
    paper = "SemCKD, Chen et al. 2021, section 3"
    formula = r"\frac{1}{N S} \sum_{nij} \alpha_{nij}\, \mathrm{mse}(r_{ij}(s_{ni}), t_{nj})"
    symbol = r"\sum_{ij} \alpha_{ij}\, \mathrm{mse}(r_{ij}(s_i),\, t_j)"
    reads = "maps"
    scale = "squared features, averaged"
    memory = "N × C × H W for each pair of layers"
    cost = "three convolutions for each pair of layers"

    def initial(self, student, teacher):
        ours, theirs = self.layers(student, teacher)
        samples, generator = len(ours[0]), seeded(self.seed)
        width = max(1, samples // FRACTION_OF_BATCH)
        weights = {}
        for name in [f"query{i}" for i in range(len(ours))] + [f"key{j}" for j in range(len(theirs))]:
            for layer, widths in ((1, (samples, 2 * width)), (2, (2 * width, width))):
                start = adapters.initial_linear(*widths, generator, like=ours[0])
                weights |= {f"{name}_{key}{layer}": value for key, value in start.items()}
        for i, mine in enumerate(ours):
            for j, goal in enumerate(theirs):
                weights |= _initial_projection(f"pair{i}_{j}", mine, goal, generator)
        return weights

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.layers(student, teacher)
        attention = similarity_attention(ours, theirs, learned)
        projected, goals = [], []
        for i, mine in enumerate(ours):
            pairs = [adapters.pool_to_smaller(mine, goal) for goal in theirs]
            projected.append([_projected(maps, learned, f"pair{i}_{j}") for j, (maps, _) in enumerate(pairs)])
            goals.append([goal for _, goal in pairs])
        return semantic_calibration(projected, goals, attention)


def _initial_projection(name, student, teacher, generator):
    inputs, outputs = student.shape[1], teacher.shape[1]
    sizes = ((inputs, 2 * outputs, 1), (2 * outputs, 2 * outputs, 3), (2 * outputs, outputs, 1))
    weights = {}
    for layer, (entering, leaving, size) in enumerate(sizes, start=1):
        start = adapters.initial_normalised(entering, leaving, generator, student, size)
        kept = start if layer < 3 else {"weight": start["weight"]}
        weights |= {f"{name}_{key}{layer}": value for key, value in kept.items()}
    return weights
