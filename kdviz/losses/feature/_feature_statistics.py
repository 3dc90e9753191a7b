"""Statistics and lengths: each channel's mean and deviation, and features without their length."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_above_zero, check_form, check_same_shape
from kdviz.losses.feature.features import AdaptedPair, FeaturePair, check_maps, check_same_features
from kdviz.losses.objective import Loss
from kdviz.losses.response.logits import divergence, log_softmax
from kdviz.losses.vectors import unit

STATISTICS_FORMS = ("sample", "batch")
LENGTH_FORMS = ("paper", "authors")


def feature_statistics(student: Tensor, teacher: Tensor, form: str = "sample") -> Tensor:
    r"""Statistics matching: each channel has the mean and the deviation that the teacher's has.

    .. math:: \frac{1}{C} \sum_c \left[ (\mu^S_c - \mu^T_c)^2 + (\sigma^S_c - \sigma^T_c)^2 \right]

    form="sample"
        mean and deviation over the positions of each sample's map, averaged over the samples: the statistics
        of instance normalisation. The plain form that Yang et al. 2020, *Knowledge Distillation via Adaptive
        Instance Normalization*, start from; their own goes on to put the student's statistics into the
        teacher and to compare its answers.
    form="batch"
        mean and deviation over the samples and positions together: those of batch normalisation. It depends
        on which samples are in a batch.

    Deviations divide by the count. In squared features; blind to where in the map a value stands.

    Shapes: student and teacher (N, C, H, W) with the same channels; heights and widths may differ. Memory: N
    × C × HW. Errors: ValueError for other samples or channels, or an unknown form.
    """
    check_form(form, STATISTICS_FORMS)
    check_maps(student, teacher, positions=False)
    mean, deviation = _moments(student, form)
    mean_taught, deviation_taught = _moments(teacher.detach(), form)
    return ((mean - mean_taught).square() + (deviation - deviation_taught).square()).mean()


def _moments(maps, form):
    values = maps.flatten(2) if form == "sample" else maps.transpose(0, 1).flatten(1)
    mean = values.mean(-1, keepdim=True)
    # The length of a vector has slope 0 where it is 0; a square root's has none.
    length = torch.linalg.vector_norm(values - mean, dim=-1)
    return mean.squeeze(-1), length / values.shape[-1] ** 0.5


def normalised_hint(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Hints without lengths: the direction of a sample's features is the teacher's.

    .. math:: \frac{1}{N} \sum_n \left\lVert \frac{s_n}{\lVert s_n \rVert_2}
              - \frac{t_n}{\lVert t_n \rVert_2} \right\rVert_2^2

    It is 2 less twice the cosine, from 0 to 4. Blind to a positive scale of a sample's features. Source: Sun
    et al. 2019, *Patient Knowledge Distillation for BERT Model Compression*, section 3.2, where it is summed
    over layers. Features of zeros have length 0.

    Shapes: student and teacher (N, D) or (N, C, H, W). Memory: N × D. Errors: ValueError for unequal shapes.
    """
    check_same_features(student, teacher)
    difference = unit(student.flatten(1)) - unit(teacher.detach().flatten(1))
    return difference.square().sum() / len(student)


def feature_normalised(
    student_logits: Tensor,
    teacher_logits: Tensor,
    student_features: Tensor,
    teacher_features: Tensor,
    length: float = 2.0,
    form: str = "paper",
) -> Tensor:
    r"""Feature-normalised distillation: soft targets whose temperature is the length of the features.

    .. math:: \frac{1}{N} \sum_n \mathrm{KL}(\mathrm{softmax}(a^T_n z^T_n) \,\Vert\,
              \mathrm{softmax}(a^S_n z^S_n))

    form="paper"
        :math:`a = \tau / \lVert f \rVert_2` for the features f that the logits are computed from (Xu et al.
        2020, *Feature Normalized Knowledge Distillation for Image Classification*).
    form="authors"
        :math:`a = \min(1, \tau / \lVert f \rVert_2)`: longer features are cut to the length :math:`\tau`,
        shorter ones stay, as in the authors' code. It cuts them before the last layer, and so leaves that
        layer's bias as it is; from logits alone the bias is scaled with the rest. They weigh it with 9.

    In nats, 0 or more, with no factor for the temperature; a cross-entropy in the paper, which differs by the
    teacher's entropy. Blind to a constant added to a sample's logits. Features of zeros count as of length 1.

    Parameters
    ----------
    student_logits, teacher_logits : (N, C)
    student_features, teacher_features : (N, D), of any widths
    length : :math:`\tau`, above 0

    Memory: N × C and N × D. Errors: ValueError for unequal logits or samples, an unknown form or a length of
    0 or below.
    """
    check_form(form, LENGTH_FORMS)
    check_above_zero("length", length)
    check_same_shape(student_logits, teacher_logits)
    log_p = log_softmax(student_logits * _shrinking(student_features, student_logits, length, form))
    teacher_logits, teacher_features = teacher_logits.detach(), teacher_features.detach()
    log_q = log_softmax(teacher_logits * _shrinking(teacher_features, teacher_logits, length, form))
    return divergence(log_q, log_p).mean()


def _shrinking(features, logits, length, form):
    if features.ndim != 2 or len(features) != len(logits):
        raise ValueError(
            f"the features must be those of the logits' samples; they have shape {tuple(features.shape)}, "
            f"the logits {tuple(logits.shape)}. Name the layer just before the logits"
        )
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    shrinking = length / torch.where(lengths == 0, 1.0, lengths)
    return shrinking.clamp(max=1) if form == "authors" else shrinking


@dataclass(frozen=True)
class FeatureStatistics(AdaptedPair, Loss):
    """:func:`feature_statistics` as a term of an objective.

    >>> FeatureStatistics()(torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[[[3.0, 3.0]]]]))
    tensor(5.)
    """

    form: str = "sample"
    forms = STATISTICS_FORMS
    name = "feature_statistics"
    paper = "Yang et al. 2020, the plain form"
    formula = (
        r"\frac{1}{N C} \sum_{nc} \left[ (\mu^S_{nc} - \mu^T_{nc})^2 + (\sigma^S_{nc} - "
        r"\sigma^T_{nc})^2 \right]"
    )
    symbol = r"\lVert (\mu,\sigma)_S - (\mu,\sigma)_T \rVert^2"
    reads = "maps"
    scale = "squared features"
    memory = "N × C × H W"
    cost = "mean and deviation of each channel"

    def value(self, student, teacher, labels, learned):
        return feature_statistics(*self.adapted(student, teacher, learned), self.form)


@dataclass(frozen=True)
class NormalisedHint(AdaptedPair, Loss):
    """:func:`normalised_hint` as a term of an objective.

    >>> NormalisedHint()(torch.tensor([[3.0, 4.0]]), torch.tensor([[5.0, 0.0]]))
    tensor(0.8000)
    """

    name = "normalised_hint"
    paper = "Patient KD, Sun et al. 2019, section 3.2"
    formula = (
        r"\frac{1}{N} \sum_n \left\lVert \frac{s_n}{\lVert s_n \rVert} - \frac{t_n}{\lVert t_n "
        r"\rVert} \right\rVert^2"
    )
    symbol = r"\lVert \hat s - \hat t \rVert^2"
    reads = "embeddings or maps"
    scale = "squared distance of vectors of length 1, 0 to 4"
    memory = "N × D"
    cost = "one difference, and the adapter"
    invariant_to = ("scale",)

    def value(self, student, teacher, labels, learned):
        return normalised_hint(*self.adapted(student, teacher, learned))


@dataclass(frozen=True)
class FeatureNormalised(FeaturePair, Loss):
    """:func:`feature_normalised` as a term of an objective; the layers must be those before the logits.

    Since it reads logits too, it is called on traces:

    >>> trace = Trace(torch.tensor([[0.0, 4.0]]), {"hidden": torch.tensor([[0.0, 4.0]])})
    >>> FeatureNormalised("hidden")(trace, trace)
    tensor(0.)
    """

    length: float = 2.0
    form: str = "paper"
    forms = LENGTH_FORMS
    name = "feature_normalised"
    paper = "FNKD, Xu et al. 2020"
    formula = (
        r"\frac{1}{N} \sum_n \mathrm{KL}\left( \mathrm{softmax} \frac{\tau z^T_n}{\lVert f^T_n "
        r"\rVert} \Vert\, \mathrm{softmax} \frac{\tau z^S_n}{\lVert f^S_n \rVert} \right)"
    )
    symbol = r"\mathrm{KL}(q^{\lVert f_T \rVert} \,\Vert\, p^{\lVert f_S \rVert})"
    reads = "embeddings and logits"
    scale = "nats"
    memory = "N × C"
    cost = "two softmaxes"
    # Of the features only the length counts; a scale of them is a temperature.
    invariant_to = ("channel permutation", "rotation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_above_zero("length", self.length)

    def value(self, student, teacher, labels, learned):
        features = self.features(student, teacher)
        return feature_normalised(student.logits, teacher.logits, *features, self.length, self.form)
