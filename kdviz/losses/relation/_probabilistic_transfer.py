"""Probabilistic knowledge transfer (PKT): whom each sample would pick as its neighbour."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples, gram
from kdviz.losses.vectors import unit

FORMS = ("paper", "authors")
EPSILON = 1e-7  # of the authors' code


def probabilistic_transfer(student: Tensor, teacher: Tensor, form: str = "paper") -> Tensor:
    r"""Probabilistic knowledge transfer (PKT): the chance that sample i picks sample j as its neighbour.

    .. math:: k_{ij} = \tfrac{1}{2} (\cos(x_i, x_j) + 1), \qquad
              p_{j|i} = \frac{k_{ij}}{\sum_l k_{il}}

    form="paper"
        :math:`\frac{1}{N} \sum_i \sum_{j \ne i} q_{j|i} \log \frac{q_{j|i}}{p_{j|i}}`, q the teacher's, with
        sums over :math:`l \ne i`: no sample picks itself (Passalis and Tefas 2018, *Learning Deep
        Representations with Probabilistic Knowledge Transfer*, section 3; they write the sum over i, here
        it is the mean). In nats a sample.
    form="authors"
        :math:`\frac{1}{N^2} \sum_{i,j} q_{j|i} \log \frac{q_{j|i} + \epsilon}{p_{j|i} + \epsilon}` with
        :math:`\epsilon = 10^{-7}`, which is also added to the lengths: the authors' code, and RepDistiller's
        and mdistiller's. Here each sample also picks itself, with the same highest kernel value 1 on both
        sides. The mean over :math:`N^2` makes it some N times smaller, hence weights such as 30000.

    It is 0 where all angles agree up to a factor for each row of kernels, 0 or more else (form "authors": up
    to the effect of :math:`\epsilon`), and blind to a rotation and to the length of each sample. A sample of
    zeros has cosine 0 with all. Kernel values of form "paper" are at least the rounding error of 1, so that
    samples pointing opposite ways give a finite loss.

    Shapes: student and teacher (N, D), N of at least 2; the widths D may differ. Memory: some N × N matrices.
    Errors: ValueError for other samples, a batch of one or an unknown form.
    """
    check_form(form, FORMS)
    check_samples(student, teacher)
    if form == "authors":
        p, q = _with_itself(student), _with_itself(teacher.detach())
        return (q * ((q + EPSILON) / (p + EPSILON)).log()).mean()
    ours, theirs = _kernel(student), _kernel(teacher.detach())
    others, taught = _sum_of_others(ours), _sum_of_others(theirs)
    itself = torch.eye(len(student), dtype=torch.bool, device=student.device)
    q = theirs.masked_fill(itself, 0.0) / taught.unsqueeze(1)
    # The chances of the others add up to 1, so the logarithm of their sum stands by itself.
    return ((q * (theirs.log() - ours.log())).sum(1) + others.log() - taught.log()).mean()


def _with_itself(features):
    kernel = ((gram(unit(features, EPSILON)) + 1) / 2).clamp(min=0)
    return kernel / kernel.sum(1, keepdim=True)


def _kernel(features):
    return ((gram(unit(features)) + 1) / 2).clamp(min=torch.finfo(features.dtype).eps)


def _sum_of_others(kernel):
    # Added up without the diagonal, since with two samples that point opposite ways little else is left.
    itself = torch.eye(len(kernel), dtype=kernel.dtype, device=kernel.device)
    return (kernel * (1 - itself)).sum(1)


@dataclass(frozen=True)
class ProbabilisticTransfer(OneLayer, Loss):
    """:func:`probabilistic_transfer` as a term of an objective.

    >>> samples = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> ProbabilisticTransfer()(3 * samples, samples).abs()
    tensor(0.)
    """

    form: str = "paper"
    forms = FORMS
    name = "probabilistic_transfer"
    paper = "PKT, Passalis and Tefas 2018, section 3"
    formula = (
        r"\frac{1}{N} \sum_i \sum_{j \ne i} q_{j|i} \log \frac{q_{j|i}}{p_{j|i}}, \quad p_{j|i} = "
        r"\frac{k_{ij}}{\sum_{l \ne i} k_{il}}, \quad k = \frac{1 + \cos}{2}"
    )
    symbol = r"\mathrm{PKT}(s,\, t)"
    scale = "nats a sample"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def value(self, student, teacher, labels, learned):
        return probabilistic_transfer(*self.embeddings(student, teacher), self.form)
