"""Losses of images that are made, not found: what a teacher thinks of them, and what they look like.

Here it is images that learn, or a generator of them. So these losses stand beside those of student and
teacher, not among them: their first argument is what a teacher gives for the images (``kdviz.trace`` with a
gradient to its inputs), their second, where there is one, what that is held against. In
:mod:`kdviz.algorithms.data_free` they add up to objectives, and there the layer ``images`` is the images.

>>> objective = OneHot() + 5 * InformationEntropy() + 0.1 * Activation("activation1")
>>> objective.student_layers
('activation1',)
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form, check_numbers_of, check_same_shape
from kdviz.losses.layers import LayerLoss, feature_of, trace_of
from kdviz.losses.objective import Loss
from kdviz.losses.response.logits import divergence, log_softmax

ACTIVATION_FORMS = ("paper", "authors")
DISAGREEMENT_FORMS = ("kl", "absolute")


def one_hot(logits: Tensor) -> Tensor:
    r"""One-hot loss: how far a teacher is from being sure of its own first choice, in nats.

    .. math:: \frac{1}{N} \sum_n -\log \max_c p_{nc}, \qquad p_n = \mathrm{softmax}(z_n)

    From 0 to :math:`\log C`. Shape: logits (N, C). Source: Chen et al. 2019, *Data-Free Learning of Student
    Networks* (DAFL), section 3.

    >>> bool(one_hot(torch.zeros(3, 4)) == torch.tensor(4.0).log())
    True
    """
    return -log_softmax(_rows(logits)).amax(-1).mean()


def information_entropy(logits: Tensor) -> Tensor:
    r"""Information entropy: how unevenly a batch is spread over the classes, in nats.

    .. math:: \sum_c \bar{p}_c \log \bar{p}_c, \qquad \bar{p} = \frac{1}{N} \sum_n \mathrm{softmax}(z_n)

    From :math:`-\log C`, all classes alike, to 0, one class only. Shape: logits (N, C). Source: Chen et al.
    2019 (DAFL), section 3, whose code takes the logarithm to the base 10.

    >>> round(float(information_entropy(100 * torch.eye(4))), 4)
    -1.3863
    """
    log_p = log_softmax(_rows(logits))
    mean = log_p.logsumexp(0) - math.log(len(log_p))
    return (mean.exp() * mean).sum()


def activation(features: Tensor, form: str = "paper") -> Tensor:
    r"""Activation loss: it falls when a layer of the teacher is more active.

    form="paper"
        :math:`-\frac{1}{N} \sum_n \lVert f_n \rVert_1`, the sum over the units.
    form="authors"
        The mean over the units too.

    At most 0; in units of the features. Shape: (N, ...). Source: Chen et al. 2019 (DAFL), section 3.

    >>> activation(torch.ones(2, 3)), activation(torch.ones(2, 3), "authors")
    (tensor(-3.), tensor(-1.))
    """
    check_form(form, ACTIVATION_FORMS)
    size = _rows(features, "features").abs()
    return -(size.flatten(1).sum(1).mean() if form == "paper" else size.mean())


def stored_statistics(features: Tensor) -> Tensor:
    """Mean and variance of each unit, or of each channel of maps, over a batch: (2, D).

    The variance divides by the count. It is what batch normalisation keeps of the data.

    >>> stored_statistics(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    tensor([[2., 0.],
            [1., 0.]])
    """
    # (N, D), or (N, D, H, W) with each position as a sample.
    units = _rows(features, "features").unsqueeze(2).flatten(2).movedim(1, -1).flatten(0, -2)
    return torch.stack([units.mean(0), units.var(0, correction=0)])


def batch_norm_statistics(features: list[Tensor], stored: list[Tensor]) -> Tensor:
    r"""Feature statistics: the images have in each layer the mean and the variance that real data had.

    .. math:: \sum_l \lVert \mu_l - \hat{\mu}_l \rVert_2 + \lVert \sigma^2_l - \hat{\sigma}^2_l \rVert_2

    From 0 up. Source: Yin et al. 2020, *Dreaming to Distill: Data-free Knowledge Transfer via
    DeepInversion*, section 3, where the stored ones are those of batch normalisation. Kept on purpose they
    are the *metadata* of Lopes et al. 2017, *Data-Free Knowledge Distillation for Deep Neural Networks*.

    Shapes: for each layer features (N, D) or (N, D, H, W), and what :func:`stored_statistics` gave, (2, D).
    """
    if len(features) != len(stored):
        raise ValueError(f"there are {len(features)} layers, and stored statistics of {len(stored)}")
    found = [stored_statistics(own) for own in features]
    for own, kept in zip(found, stored, strict=True):
        if own.shape != kept.shape:
            raise ValueError(
                f"stored statistics must be mean and variance of each unit, shape {tuple(own.shape)}, as "
                f"stored_statistics gives; got {tuple(kept.shape)}"
            )
    gaps = [own - kept.detach() for own, kept in zip(found, stored, strict=True)]
    return torch.stack([torch.linalg.vector_norm(gap, dim=-1).sum() for gap in gaps]).sum()


def total_variation(images: Tensor) -> Tensor:
    r"""Total variation: how much neighbouring pixels differ, in squared pixels.

    .. math:: \frac{1}{N} \sum_n \sum_{ij} (x_{i+1,j} - x_{ij})^2 + (x_{i,j+1} - x_{ij})^2

    From 0, for plain images, up. Shape: (N, ..., H, W). Source: Mahendran and Vedaldi 2015, *Understanding
    Deep Image Representations by Inverting Them*, section 2.2 with β = 2; there the sum leaves out the last
    row and column.

    >>> total_variation(torch.tensor([[[0.0, 1.0], [0.0, 0.0]]]))
    tensor(2.)
    """
    check_numbers_of("images", images)
    if images.ndim < 3:
        raise ValueError(f"images must have shape (N, ..., height, width); got {tuple(images.shape)}")
    return sum(images.diff(dim=axis).square().sum() for axis in (-1, -2)) / len(images)


def adaptive_jensen_shannon(teacher_logits: Tensor, student_logits: Tensor) -> Tensor:
    r"""Competition: it falls where teacher and student disagree, 1 less their Jensen-Shannon divergence.

    .. math:: 1 - \tfrac{1}{2} \big[ \mathrm{KL}(q \Vert m) + \mathrm{KL}(p \Vert m) \big],
              \qquad m = \tfrac{1}{2} (q + p)

    From :math:`1 - \log 2` to 1, where the two agree. Shapes: logits (N, C). Source: Yin et al. 2020,
    section 3 (Adaptive DeepInversion); their code takes both divergences the other way round.
    """
    check_same_shape(student_logits, teacher_logits)
    # Written out, since the gradient goes to the images through both.
    log_q, log_p = log_softmax(teacher_logits), log_softmax(student_logits)
    middle = torch.logaddexp(log_q, log_p) - math.log(2)
    return 1 - (divergence(log_q, middle) + divergence(log_p, middle)).mean() / 2


def disagreement(teacher_logits: Tensor, student_logits: Tensor, form: str = "kl") -> Tensor:
    r"""What an adversary makes small: minus the distance of student and teacher. It has no lower bound.

    form="kl"
        :math:`-\frac{1}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)`. Source: Micaelli and Storkey 2019, *Zero-shot
        Knowledge Transfer via Adversarial Belief Matching* (ZSKT), section 3.
    form="absolute"
        Minus the mean absolute difference of the logits. Source: Fang et al. 2019, *Data-Free Adversarial
        Distillation* (DFAD), section 3.
    """
    check_form(form, DISAGREEMENT_FORMS)
    check_same_shape(student_logits, teacher_logits)
    if form == "absolute":
        return -(teacher_logits - student_logits).abs().mean()
    return -divergence(log_softmax(teacher_logits), log_softmax(student_logits)).mean()


def _rows(values, what="logits"):
    check_numbers_of(what, values)
    if values.ndim < 2:
        raise ValueError(f"{what} must have a row for each image; got shape {tuple(values.shape)}")
    return values


class ImageLoss(LayerLoss, Loss):
    """What these losses share. ``needs_teacher`` says whether there is a second argument."""

    kind = "images"
    needs_teacher = False
    memory = "N × C"
    cost = "one pass over its input"

    def traces(self, student, teacher):
        if not self.student_layers:
            return super().traces(student, teacher)
        held = None if teacher is None else trace_of(self.student_layers, teacher)
        return trace_of(self.student_layers, student), held


@dataclass(frozen=True)
class OneHot(ImageLoss):
    """:func:`one_hot` as a term of an objective."""

    name = "one_hot"
    paper = "Chen et al. 2019, section 3"
    formula = r"\frac{1}{N} \sum_n -\log \max_c p_{nc}"
    scale = "nats, from 0 to log C"
    symbol = r"\mathcal{L}_{\mathrm{oh}}"

    def value(self, student, teacher, labels, learned):
        return one_hot(student.logits)


@dataclass(frozen=True)
class InformationEntropy(ImageLoss):
    """:func:`information_entropy` as a term of an objective."""

    name = "information_entropy"
    paper = "Chen et al. 2019, section 3"
    formula = r"\sum_c \bar{p}_c \log \bar{p}_c"
    scale = "nats, from -log C to 0"
    symbol = r"\mathcal{L}_{\mathrm{ie}}"

    def value(self, student, teacher, labels, learned):
        return information_entropy(student.logits)


@dataclass(frozen=True)
class Activation(ImageLoss):
    """:func:`activation` of a layer of the teacher, as a term of an objective."""

    layer: str = "activation1"
    form: str = "paper"
    forms = ACTIVATION_FORMS
    name = "activation"
    paper = "Chen et al. 2019, section 3"
    formula = r"-\frac{1}{N} \sum_n \lVert f_n \rVert_1"
    reads = "a layer"
    scale = "units of the layer, at most 0"
    symbol = r"\mathcal{L}_{\mathrm{a}}"

    @property
    def student_layers(self):
        return (self.layer,)

    def value(self, student, teacher, labels, learned):
        return activation(feature_of(student, self.layer), self.form)


@dataclass(frozen=True)
class BatchNormStatistics(ImageLoss):
    """:func:`batch_norm_statistics` of some layers of the teacher, as a term of an objective."""

    layers: tuple[str, ...] = ("activation1",)
    name = "batch_norm_statistics"
    paper = "Yin et al. 2020, section 3"
    formula = r"\sum_l \lVert \mu_l - \hat{\mu}_l \rVert_2 + \lVert \sigma^2_l - \hat{\sigma}^2_l \rVert_2"
    reads = "layers"
    scale = "units of the layers, and their squares"
    symbol = r"\mathcal{L}_{\mathrm{bn}}"
    needs_teacher = True

    def __post_init__(self):
        if isinstance(self.layers, str) or not self.layers:
            raise TypeError(f"layers must be a tuple of paths, one at least; got {self.layers!r}")

    @property
    def student_layers(self):
        return tuple(self.layers)

    def value(self, student, teacher, labels, learned):
        found, stored = ([feature_of(one, path) for path in self.layers] for one in (student, teacher))
        return batch_norm_statistics(found, stored)


@dataclass(frozen=True)
class TotalVariation(ImageLoss):
    """:func:`total_variation` of the images, as a term of an objective."""

    name = "total_variation"
    paper = "Mahendran and Vedaldi 2015, section 2.2"
    formula = r"\frac{1}{N} \sum_n \sum_{ij} (x_{i+1,j} - x_{ij})^2 + (x_{i,j+1} - x_{ij})^2"
    reads = "images"
    scale = "squared pixels"
    symbol = r"\mathcal{L}_{\mathrm{tv}}"
    student_layers = ("images",)

    def value(self, student, teacher, labels, learned):
        return total_variation(feature_of(student, "images"))


@dataclass(frozen=True)
class AdaptiveJensenShannon(ImageLoss):
    """:func:`adaptive_jensen_shannon` of teacher and student, as a term of an objective."""

    name = "adaptive_jensen_shannon"
    paper = "Yin et al. 2020, section 3"
    formula = r"1 - \mathrm{JS}(q, p)"
    scale = "nats, from 1 - log 2 to 1"
    symbol = r"\mathcal{L}_{\mathrm{compete}}"
    needs_teacher = True

    def value(self, student, teacher, labels, learned):
        return adaptive_jensen_shannon(student.logits, teacher.logits)


@dataclass(frozen=True)
class Disagreement(ImageLoss):
    """:func:`disagreement` of teacher and student, as a term of an objective."""

    form: str = "kl"
    forms = DISAGREEMENT_FORMS
    name = "disagreement"
    paper = "Micaelli and Storkey 2019, section 3"
    formula = r"-\frac{1}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)"
    scale = "nats, at most 0"
    symbol = r"\mathcal{L}_{\mathrm{adv}}"
    needs_teacher = True

    def value(self, student, teacher, labels, learned):
        return disagreement(student.logits, teacher.logits, self.form)
