r"""Response-based knowledge: what the last layer of the teacher says.

Every function takes logits of shape (..., N, C), samples by classes, and returns the loss averaged
over the N samples, of shape (...). For one student that is a scalar; leading axes hold a stack of
students, each with its own value. All values are in nats and 0 or more. The teacher's logits never
receive a gradient.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import log_softmax

from kdviz.knowledge.checks import (
    check_labels,
    check_same_shape,
    check_share,
    check_temperature,
)
from kdviz.knowledge.objective import Loss


def cross_entropy(logits, labels):
    r"""Cross-entropy with the hard labels.

    .. math:: \mathrm{CE} = -\frac{1}{N} \sum_n \log p_{n, y_n}, \qquad p_n = \mathrm{softmax}(z_n)

    Samples whose label is -1 (unlabelled) are left out of the sum and of N; a batch without a
    single label gives 0.

    Parameters
    ----------
    logits : (..., N, C)
    labels : (..., N) whole numbers, 0 to C - 1, or -1 for unlabelled

    Raises
    ------
    ValueError
        Labels out of range, or not one a sample.
    """
    check_labels(logits, labels)
    return _mean_over_labelled(-_at_label(log_softmax(logits, -1), labels), labels)


def label_smoothing(logits, labels, amount=0.1):
    r"""Cross-entropy with labels of which a share is spread evenly over all classes.

    .. math:: -\frac{1}{N} \sum_n \sum_c q_{nc} \log p_{nc}, \qquad
              q_{nc} = (1 - \varepsilon)\,[c = y_n] + \frac{\varepsilon}{C}

    ``amount`` is :math:`\varepsilon`, from 0 (plain cross-entropy) to 1. Its minimum is the entropy
    of q, not 0. Source: Szegedy et al. 2016, *Rethinking the Inception Architecture*, section 7.
    """
    check_share("amount", amount)
    check_labels(logits, labels)
    log_p = log_softmax(logits, -1)
    amount = _for_each_student(amount, log_p)
    hard, even = -_at_label(log_p, labels), -log_p.mean(-1)
    amount = amount.squeeze(-1) if isinstance(amount, torch.Tensor) else amount
    return _mean_over_labelled((1 - amount) * hard + amount * even, labels)


def soft_targets(student_logits, teacher_logits, temperature=4.0):
    r"""Soft targets: the student matches the teacher's probabilities at a temperature.

    .. math:: \mathrm{ST} = \frac{T^2}{N} \sum_n \sum_c q_{nc} \log \frac{q_{nc}}{p_{nc}}, \qquad
              p = \mathrm{softmax}(z_S / T), \quad q = \mathrm{softmax}(z_T / T)

    The factor :math:`T^2` keeps the gradient's size comparable when T changes. As T grows, the loss
    tends to :math:`\frac{1}{2CN} \sum_n \lVert \tilde z_S - \tilde z_T \rVert^2` with centred logits:
    ``logit_matching(form="limit")``. It is 0 if and only if both give the same probabilities.

    Source: Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in a Neural Network*, section 2.
    They write a cross-entropy; it differs from this KL divergence by the entropy of q, which does not
    depend on the student, so the gradient is the same. Published code that averages over classes too
    (``KLDivLoss(reduction="mean")``) computes 1/C of this value.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C)
    temperature : float above 0, or a tensor with one value for each student of a stack
    """
    check_temperature(temperature)
    check_same_shape(student_logits, teacher_logits)
    temperature = _for_each_student(temperature, student_logits)
    log_p = log_softmax(student_logits / temperature, -1)
    log_q = log_softmax(teacher_logits.detach() / temperature, -1)
    divergence = (log_q.exp() * (log_q - log_p)).sum(-1, keepdim=True)
    return (temperature**2 * divergence).mean((-2, -1))


def logit_matching(student_logits, teacher_logits, form="paper"):
    r"""Logit matching: the student regresses on the teacher's logits.

    form="paper"
        :math:`\frac{1}{2N} \sum_n \lVert z_S - z_T \rVert^2`
        (Ba and Caruana 2014, *Do Deep Nets Really Need to be Deep?*, section 2.2, equation 1).
    form="mean"
        :math:`\frac{1}{CN} \sum_n \lVert z_S - z_T \rVert^2`, torch's ``mse_loss``, as much code has it.
    form="limit"
        :math:`\frac{1}{2CN} \sum_n \lVert \tilde z_S - \tilde z_T \rVert^2` with each sample's logits
        centred (:math:`\tilde z = z - \bar z`): the limit of soft targets as T grows
        (Hinton et al. 2015, section 2.1). It alone is blind to a constant added to all logits.
    """
    check_same_shape(student_logits, teacher_logits)
    difference = student_logits - teacher_logits.detach()
    classes = difference.shape[-1]
    if form == "limit":
        difference = difference - difference.mean(-1, keepdim=True)
    scale = {"paper": 1 / 2, "mean": 1 / classes, "limit": 1 / (2 * classes)}
    if form not in scale:
        raise ValueError(f"form must be one of {', '.join(map(repr, scale))}; got {form!r}")
    return scale[form] * difference.square().sum(-1).mean(-1)


def permute_dark_knowledge(teacher_logits, labels, seed=0):
    """A control that should fail: shuffle, for each sample, the teacher's logits of the wrong classes.

    The logit of the label stays in its place; the others are permuted by a random permutation that
    belongs to the sample and the seed. Each sample keeps its confidence and entropy; only the knowledge
    of which wrong class resembles it is destroyed.
    """
    check_labels(teacher_logits, labels)
    if teacher_logits.ndim != 2 or (labels < 0).any():
        raise ValueError("permuting needs logits of shape (N, C) and a label for each sample")
    generator = torch.Generator().manual_seed(seed)
    keys = torch.rand(teacher_logits.shape, generator=generator).to(teacher_logits.device)
    keys.scatter_(1, labels[:, None], 2.0)
    # Both orders end with the label, so it maps onto itself and the rest are shuffled.
    shuffled = keys.argsort(1)
    ordered = torch.zeros_like(keys).scatter_(1, labels[:, None], 1.0).argsort(dim=1, stable=True)
    return torch.empty_like(teacher_logits).scatter_(1, ordered, teacher_logits.gather(1, shuffled))


@dataclass(frozen=True)
class CrossEntropy(Loss):
    """:func:`cross_entropy` as a term of an objective."""

    name = "cross_entropy"
    needs_teacher = False

    def __call__(self, student, teacher, labels):
        return cross_entropy(student.logits, labels)

    def latex(self):
        return r"\mathrm{CE}(y,\, p_S)"


@dataclass(frozen=True)
class LabelSmoothing(Loss):
    """:func:`label_smoothing` as a term of an objective."""

    amount: float = 0.1
    name = "label_smoothing"
    needs_teacher = False

    def __post_init__(self):
        check_share("amount", self.amount)

    def __call__(self, student, teacher, labels):
        return label_smoothing(student.logits, labels, self.amount)

    def latex(self):
        return rf"\mathrm{{CE}}(y^{{\varepsilon={self.amount:g}}},\, p_S)"


@dataclass(frozen=True)
class SoftTargets(Loss):
    """:func:`soft_targets` as a term of an objective."""

    temperature: float = 4.0
    name = "soft_targets"

    def __post_init__(self):
        check_temperature(self.temperature)

    def __call__(self, student, teacher, labels):
        return soft_targets(student.logits, teacher.logits, self.temperature)

    def latex(self):
        temperature = f"{self.temperature:g}"
        return rf"{temperature}^2\, \mathrm{{KL}}(p_T^{{T={temperature}}} \,\Vert\, p_S^{{T={temperature}}})"


@dataclass(frozen=True)
class LogitMatching(Loss):
    """:func:`logit_matching` as a term of an objective."""

    form: str = "paper"
    name = "logit_matching"

    def __call__(self, student, teacher, labels):
        return logit_matching(student.logits, teacher.logits, self.form)

    def latex(self):
        return r"\mathrm{LM}(z_S,\, z_T)"


def _at_label(log_p, labels):
    where = labels.clamp(min=0).expand(log_p.shape[:-1])
    return log_p.gather(-1, where.unsqueeze(-1)).squeeze(-1)


def _mean_over_labelled(values, labels):
    known = (labels >= 0).to(values.dtype)
    return (values * known).sum(-1) / known.sum(-1).clamp(min=1)


def _for_each_student(value, logits):
    """A value for each student of a stack, shaped so that it multiplies (..., N, C)."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(logits)[..., None, None]
