"""Variational information distillation (VID): how well a Gaussian around the student tells the teacher."""

from dataclasses import dataclass
from math import expm1, log

import torch
from torch.nn.functional import relu, softplus

from kdviz.losses import adapters
from kdviz.losses.checks import check_above_zero, check_form
from kdviz.losses.feature.features import FeaturePair, check_same_features, feature_axes, stack_axes
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded

FORMS = ("paper", "repdistiller")
LEAST_VARIANCE = 1e-5


def variational_information(predicted, teacher, raw_variance, form="paper", stack=0):
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
    predicted, teacher : (..., N, C) or (..., N, C, H, W)
    raw_variance : (..., C), :math:`\alpha`
    stack : how many leading axes hold a stack of students

    Memory: N × C × HW. Errors: ValueError for unequal shapes.
    """
    check_form(form, FORMS)
    check_same_features(predicted, teacher, stack)
    if raw_variance.shape[-1] != predicted.shape[stack + 1]:
        raise ValueError(
            f"there must be one variance a channel; there are {raw_variance.shape[-1]} for features of shape "
            f"{tuple(predicted.shape)}"
        )
    variance = softplus(raw_variance) + LEAST_VARIANCE
    variance = variance[(..., None, slice(None), *[None] * (predicted.ndim - stack - 2))]
    costs = (predicted - teacher.detach()).square() / variance + variance.log()
    costs = costs.flatten(stack + 1)
    return (costs.mean((-2, -1)) if form == "repdistiller" else costs.sum(-1).mean(-1)) / 2


@dataclass(frozen=True)
class VariationalInformation(FeaturePair, Loss):
    """:func:`variational_information` as a term of an objective.

    It learns the variance of each of the teacher's channels, and three linear maps with ReLU between them
    (at each place of a map) that predict the teacher's features from the student's, as the authors' code
    does. ``pool=True`` averages the larger map down to the smaller.
    """

    pool: bool = False
    form: str = "paper"
    variance: float = 5.0
    seed: int = 0
    name = "variational_information"
    kind = "feature"
    paper = "VID, Ahn et al. 2019, section 3.1"
    formula = (
        r"\frac{1}{N} \sum_{nc} \left[ \frac{(t - \mu(s))^2}{2 \sigma_c^2} + \frac{1}{2} \log "
        r"\sigma_c^2 \right]"
    )
    reads = "embeddings or maps"
    scale = "nats, summed over a sample's features"
    memory = "N × C × H W"
    cost = "three linear maps of all features"

    def __post_init__(self):
        check_form(self.form, FORMS)
        check_above_zero("variance", self.variance)

    def initial(self, student, teacher):
        ours, theirs = self.features(student, teacher)
        axis, start = -1, adapters.initial_linear
        if feature_axes(student, self.student_layer) == 4:
            axis, start = -3, adapters.initial_convolution
        inputs, outputs, generator = ours.shape[axis], theirs.shape[axis], seeded(self.seed)
        learned = {}
        for layer in (1, 2, 3):
            learned[f"weight{layer}"] = start(inputs, outputs, generator, like=ours)["weight"]
            inputs = outputs
        # What softplus makes the variance asked for.
        raw = log(expm1(float(self.variance) - LEAST_VARIANCE))
        learned["raw_variance"] = torch.full((outputs,), raw, dtype=ours.dtype, device=ours.device)
        return learned

    def __call__(self, student, teacher, labels, learned=None):
        ours, theirs = self.features(student, teacher)
        if self.pool:
            ours, theirs = adapters.pool_to_smaller(*self.maps(student, teacher))
        is_map = feature_axes(student, self.student_layer) == 4
        through = adapters.convolution if is_map else adapters.linear
        predicted = relu(through(ours, learned["weight1"]))
        predicted = relu(through(predicted, learned["weight2"]))
        predicted = through(predicted, learned["weight3"])
        raw_variance = learned["raw_variance"]
        return variational_information(predicted, theirs, raw_variance, self.form, stack_axes(student))

    def latex(self):
        return r"-\log q(t \mid s)"
