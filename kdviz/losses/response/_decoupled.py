"""Decoupled distillation (DKD): soft targets taken apart into the label's class and all the others."""

from dataclasses import dataclass

from kdviz.losses.checks import check_temperature, check_weight
from kdviz.losses.objective import Loss
from kdviz.losses.response._labels import (
    at_own_label,
    check_other_classes,
    for_each_sample,
    is_label,
    tempered_with_labels,
)
from kdviz.losses.response.logits import (
    for_each_student,
    log_softmax,
    mean_over_labelled,
    one_hot,
    shares_of_labelled,
    softmax,
)


def decoupled(student_logits, teacher_logits, labels, target_weight=1.0, other_weight=8.0, temperature=4.0):
    r"""Decoupled distillation (DKD): how hard a sample is, and which wrong classes it resembles, apart.

    .. math:: \mathrm{DKD} = \alpha\, \mathrm{TCKD} + \beta\, \mathrm{NCKD}

    with :func:`target_class` (TCKD), its weight α ``target_weight``, and :func:`other_classes` (NCKD), its
    weight β ``other_weight``. For each sample soft targets are
    :math:`\mathrm{TCKD}_n + (1 - q_{n,y_n})\, \mathrm{NCKD}_n`, where q is the teacher at temperature T:
    they hear the least about the wrong classes where the teacher is surest. So α = β = 1 is not soft
    targets. Published recipes use α = 1 and β from 0.5 (ImageNet, T = 1) to 8 (CIFAR-100, T = 4).

    In nats times :math:`T^2`, 0 or more. Adding a constant to a sample's logits changes nothing. Samples
    whose label is -1 are left out. Memory N × C.

    Everything is computed from log-probabilities, so a student that is very sure of a wrong class has a
    finite loss and gradient. Code that takes the logarithm of the probability itself gives infinity there.

    Source: Zhao et al. 2022, *Decoupled Knowledge Distillation*, section 3. Their code also raises the
    whole term linearly over the first epochs; do that with its weight.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C) with two classes or more
    labels : (..., N) whole numbers, 0 to C - 1, or -1 for unlabelled
    target_weight, other_weight : float from 0 up, or a tensor with one value for each student
    temperature : float above 0, or a tensor with one value for each student of a stack
    """
    check_weight(target_weight)
    check_weight(other_weight)
    log_p, log_q, square = _prepared(student_logits, teacher_logits, labels, temperature)
    target = for_each_sample(target_weight, student_logits) * _target_class(log_p, log_q, labels)
    others = for_each_sample(other_weight, student_logits) * _other_classes(log_p, log_q, labels)
    return mean_over_labelled(square * (target + others), labels)


def target_class(student_logits, teacher_logits, labels, temperature=4.0):
    r"""The first half of DKD (TCKD): is it the label's class or not?

    .. math:: \mathrm{TCKD} = \frac{T^2}{N} \sum_n
              \Big[ q_{ny} \log \frac{q_{ny}}{p_{ny}} + (1 - q_{ny}) \log \frac{1 - q_{ny}}{1 - p_{ny}} \Big]

    with p and q the student's and the teacher's probabilities at temperature T and y the label. The KL
    divergence of two outcomes; it says how hard the teacher finds the sample. See :func:`decoupled`.
    """
    log_p, log_q, square = _prepared(student_logits, teacher_logits, labels, temperature)
    return mean_over_labelled(square * _target_class(log_p, log_q, labels), labels)


def other_classes(student_logits, teacher_logits, labels, temperature=4.0):
    r"""The second half of DKD (NCKD): if it were not the label's class, which would it be?

    .. math:: \mathrm{NCKD} = \frac{T^2}{N} \sum_n \sum_{c \ne y_n}
              \hat q_{nc} \log \frac{\hat q_{nc}}{\hat p_{nc}}, \qquad \hat p_{nc} = \frac{p_{nc}}{1 - p_{ny}}

    The logit of the label plays no part. With two classes only one other is left, and it is always 0.
    See :func:`decoupled`.
    """
    log_p, log_q, square = _prepared(student_logits, teacher_logits, labels, temperature)
    return mean_over_labelled(square * _other_classes(log_p, log_q, labels), labels)


def _prepared(student_logits, teacher_logits, labels, temperature):
    prepared = tempered_with_labels(student_logits, teacher_logits, labels, temperature)
    check_other_classes(student_logits, "decoupled distillation")
    return prepared


def _target_class(log_p, log_q, labels):
    log_p_label, log_q_label = at_own_label(log_p, labels), at_own_label(log_q, labels)
    log_p_rest, log_q_rest = _without_label(log_p, labels), _without_label(log_q, labels)
    log_p_rest, log_q_rest = log_p_rest.logsumexp(-1), log_q_rest.logsumexp(-1)
    label = log_q_label.exp() * (log_q_label - log_p_label)
    return label + log_q_rest.exp() * (log_q_rest - log_p_rest)


def _other_classes(log_p, log_q, labels):
    hidden = is_label(labels, log_p.shape[-1])
    log_p_hat = log_softmax(_without_label(log_p, labels)).masked_fill(hidden, 0.0)
    log_q_hat = log_softmax(_without_label(log_q, labels))
    q_hat = log_q_hat.exp()
    return (q_hat * (log_q_hat.masked_fill(hidden, 0.0) - log_p_hat)).sum(-1)


def _without_label(logits, labels):
    """Logits in which the label's class is impossible."""
    return logits.masked_fill(is_label(labels, logits.shape[-1]), -float("inf"))


@dataclass(frozen=True)
class Decoupled(Loss):
    """:func:`decoupled` as a term of an objective."""

    target_weight: float = 1.0
    other_weight: float = 8.0
    temperature: float = 4.0
    name = "decoupled"
    kind = "response"
    paper = "Zhao et al. 2022 (DKD), section 3"
    formula = r"\alpha\, \mathrm{TCKD} + \beta\, \mathrm{NCKD}"
    needs_labels = True
    scale = "nats times T²; its gradient keeps its size over T"
    memory = "N × C"
    cost = "four softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_weight(self.target_weight)
        check_weight(self.other_weight)
        check_temperature(self.temperature)

    def __call__(self, student, teacher, labels, learned=None):
        weights = self.target_weight, self.other_weight
        return decoupled(student.logits, teacher.logits, labels, *weights, self.temperature)

    def logit_gradient(self, student, teacher, labels):
        temperature = for_each_student(self.temperature, student.logits)
        z_student, z_teacher = student.logits / temperature, teacher.logits / temperature
        p_label = at_own_label(softmax(z_student), labels).unsqueeze(-1)
        q_label = at_own_label(softmax(z_teacher), labels).unsqueeze(-1)
        p_hat = softmax(_without_label(z_student, labels))
        q_hat = softmax(_without_label(z_teacher, labels))
        # Whether it is the label's class hangs on one number, its logit less the softmax's logarithm of
        # the others, whose derivative by the logits is the one-hot label less p_hat.
        target = (one_hot(labels, p_hat) - p_hat) * (p_label - q_label)
        direction = for_each_student(self.target_weight, p_hat) * target
        direction = direction + for_each_student(self.other_weight, p_hat) * (p_hat - q_hat)
        return direction, temperature * shares_of_labelled(labels, p_hat.dtype).unsqueeze(-1)

    def latex(self):
        target = rf"{self.target_weight:g}\, \mathrm{{TCKD}}"
        return rf"\big({target} + {self.other_weight:g}\, \mathrm{{NCKD}}\big)_{{T={self.temperature:g}}}"
