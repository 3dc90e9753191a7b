"""Variational information distillation (VID): how well a Gaussian around the student tells the teacher."""

from dataclasses import dataclass
from math import expm1, log

import torch
from torch import Tensor
from torch.nn.functional import softplus

from kdviz.losses import adapters
from kdviz.losses.checks import check_above_zero, check_form
from kdviz.losses.feature.features import FeaturePair, check_same_features
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded

FORMS = ("paper", "repdistiller")
LEAST_VARIANCE = 1e-5


def variational_information(
    predicted: Tensor, teacher: Tensor, raw_variance: Tensor, form: str = "paper"
) -> Tensor:
    r"""Variational information distillation: minus the log-likelihood of the teacher's features.

    The teacher's features t are taken as Gaussian around :math:`\mu`, predicted from the student's, with a
    variance for each channel that is learned: :math:`\sigma_c^2 = \log(1 + e^{\alpha_c}) + 10^{-5}`. With

    .. math:: \ell = \frac{(t - \mu)^2}{2 \sigma_c^2} + \frac{1}{2} \log \sigma_c^2

    form="paper"
        the sum of :math:`\ell` over a sample's features, averaged over the samples (Ahn et al. 2019,
        *Variational Information Distillation for Knowledge Transfer*, section 3.1; the constant
        :math:`\frac{1}{2} \log 2\pi` is left out).
    form="repdistiller"
        the mean of :math:`\ell` over all features; torchdistill and KD-Zoo too.

    In nats for a feature. It has no least value: where :math:`\mu = t` it falls as the variance does. For a
    given :math:`\mu` it is least where :math:`\sigma_c^2` is the mean squared error of the channel. The
    variance must be handed to the optimiser: left out, this is a squared error divided by a constant.

    Parameters
    ----------
    predicted, teacher : (N, C) or (N, C, H, W)
    raw_variance : (C,), :math:`\alpha`

    Memory: N × C × HW. Errors: ValueError for unequal shapes or an unknown form.
    """
    check_form(form, FORMS)
    check_same_features(predicted, teacher)
    if raw_variance.shape != predicted.shape[1:2]:
        raise ValueError(
            f"there must be one variance a channel; there are {raw_variance.shape[-1]} for features of shape "
            f"{tuple(predicted.shape)}"
        )
    variance = softplus(raw_variance) + LEAST_VARIANCE
    variance = variance.view(-1, *[1] * (predicted.ndim - 2))
    costs = ((predicted - teacher.detach()).square() / variance + variance.log()) / 2
    return costs.mean() if form == "repdistiller" else costs.sum() / len(costs)


@dataclass(frozen=True)
class VariationalInformation(FeaturePair, Loss):
    """:func:`variational_information` as a term of an objective.

    It learns the variance of each of the teacher's channels, and three linear maps with ReLU between them
    (at each position of a map) that predict the teacher's features from the student's, as the authors' code
    does. ``pool=True`` averages the larger map down to the smaller.

    >>> VariationalInformation()(torch.zeros(1, 2), torch.ones(1, 3))
    tensor(2.7142)
    """

    pool: bool = False
    form: str = "paper"
    variance: float = 5.0
    seed: int = 0
    forms = FORMS
    name = "variational_information"
    paper = "VID, Ahn et al. 2019, section 3.1"
    formula = (
        r"\frac{1}{N} \sum_{nc} \left[ \frac{(t - \mu(s))^2}{2 \sigma_c^2} + \frac{1}{2} \log "
        r"\sigma_c^2 \right]"
    )
    symbol = r"-\log q(t \mid s)"
    reads = "embeddings or maps"
    scale = "nats, summed over a sample's features"
    memory = "N × C × H W"
    cost = "three linear maps of all features"

    def __post_init__(self):
        super().__post_init__()
        check_above_zero("variance", self.variance)

    def initial(self, student, teacher):
        ours, theirs = self.features(student, teacher)
        start = adapters.initial_convolution if ours.ndim == 4 else adapters.initial_linear
        inputs, outputs, generator = ours.shape[1], theirs.shape[1], seeded(self.seed)
        learned = {}
        for layer in (1, 2, 3):
            learned[f"weight{layer}"] = start(inputs, outputs, generator, like=ours)["weight"]
            inputs = outputs
        # What softplus makes the variance asked for.
        raw = log(expm1(float(self.variance) - LEAST_VARIANCE))
        learned["raw_variance"] = torch.full((outputs,), raw, dtype=ours.dtype, device=ours.device)
        return learned

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.pooled(student, teacher)
        through = adapters.convolution if ours.ndim == 4 else adapters.linear
        predicted = through(ours, learned["weight1"]).relu()
        predicted = through(predicted, learned["weight2"]).relu()
        predicted = through(predicted, learned["weight3"])
        return variational_information(predicted, theirs, learned["raw_variance"], self.form)
