"""Conditional targets: the teacher is heard only where it is right."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_form, check_temperature
from kdviz.losses.objective import Loss
from kdviz.losses.response._labels import at_own_label, soft_loss, tempered_with_labels
from kdviz.losses.response.logits import (
    at_label,
    log_softmax,
    mean_over_labelled,
    one_hot,
    shares_of_labelled,
    soft_gradient,
    softmax,
)

FORMS = ("divergence", "paper")


def conditional_targets(student_logits, teacher_logits, labels, temperature=1.0, form="divergence"):
    r"""Conditional targets: the teacher's probabilities where it is right, the label where it is wrong.

    .. math:: \frac{1}{N} \sum_n \begin{cases}
              T^2\, \mathrm{KL}(q_n \Vert p_n) & \text{the teacher's largest logit is that of } y_n \\
              -\log \mathrm{softmax}(z_{S,n})_{y_n} & \text{otherwise} \end{cases}

    with p and q the student's and the teacher's probabilities at temperature T.

    form="divergence"
        As above: 0 where the student agrees with a teacher that is right.
    form="paper"
        The cross-entropy :math:`-T^2 \sum_c q_{nc} \log p_{nc}` in place of the KL divergence. It is larger
        by the teacher's entropy, which does not depend on the student: the gradient is the same.

    A teacher whose logit of the label ties with the largest counts as right. Samples whose label is -1
    are left out, since nobody can say whether the teacher is right. In nats, 0 or more. Adding a constant
    to a sample's logits changes nothing. Memory N × C.

    Source: Meng et al. 2019, *Conditional Teacher-Student Learning*. They use T = 1; the factor
    :math:`T^2` here keeps the two cases comparable when T changes.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C)
    labels : (..., N) whole numbers, 0 to C - 1, or -1 for unlabelled
    temperature : float above 0, or a tensor with one value for each student of a stack
    """
    check_form(form, FORMS)
    log_p, log_q, square = tempered_with_labels(student_logits, teacher_logits, labels, temperature)
    soft = square * soft_loss(log_p, log_q, form)
    hard = -at_label(log_softmax(student_logits), labels)
    return mean_over_labelled(torch.where(_is_wrong(teacher_logits, labels), hard, soft), labels)


def _is_wrong(teacher_logits, labels):
    # Asked this way round, a teacher that is not a number passes as right and shows in the loss.
    return at_own_label(teacher_logits, labels) < teacher_logits.amax(-1)


@dataclass(frozen=True)
class ConditionalTargets(Loss):
    """:func:`conditional_targets` as a term of an objective."""

    temperature: float = 1.0
    form: str = "divergence"
    name = "conditional_targets"
    kind = "response"
    paper = "Meng et al. 2019"
    formula = (
        r"\frac{1}{N} \sum_n T^2\, \mathrm{KL}(q_n \Vert p_n) \text{ where the teacher is right, else "
        r"} -\log p_{n y_n}"
    )
    needs_labels = True
    scale = "nats, times T² where the teacher is right"
    memory = "N × C"
    cost = "three softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_temperature(self.temperature)
        check_form(self.form, FORMS)

    def __call__(self, student, teacher, labels, learned=None):
        return conditional_targets(student.logits, teacher.logits, labels, self.temperature, self.form)

    def logit_gradient(self, student, teacher, labels):
        soft, temperature = soft_gradient(student, teacher, self.temperature)
        hard = softmax(student.logits)
        hard = hard.sub_(one_hot(labels, hard))
        wrong = _is_wrong(teacher.logits, labels).unsqueeze(-1)
        shares = shares_of_labelled(labels, hard.dtype).unsqueeze(-1)
        return torch.where(wrong, hard, temperature * soft), shares

    def latex(self):
        return rf"\mathrm{{KL}}(p_T^{{T={self.temperature:g}}} \text{{ where right, else }} y \,\Vert\, p_S)"
