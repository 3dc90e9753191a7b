"""Conditional targets: the teacher is heard only where it is right."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_labels
from kdviz.losses.response.logits import (
    ResponseLoss,
    at_label,
    check_settings,
    divergence,
    labelled_weights,
    log_softmax,
    mean_over_labelled,
    one_hot,
    soft_cross_entropy,
    soft_gradient,
    softmax,
    tempered,
)

FORMS = ("paper", "scaled")


def conditional_targets(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float = 1.0,
    form: str = "paper",
) -> Tensor:
    r"""Conditional targets: the teacher's probabilities where it is right, the label where it is wrong.

    .. math:: \frac{1}{N} \sum_n \begin{cases}
              \mathrm{soft}_n & \text{the teacher's largest logit is that of } y_n \\
              -\log \mathrm{softmax}(z_{S,n})_{y_n} & \text{otherwise} \end{cases}

    with p and q the student's and the teacher's probabilities at temperature T, and

    form="paper"
        :math:`\mathrm{soft}_n = -\sum_c q_{nc} \log p_{nc}`, a cross-entropy, as Meng et al. print it.
    form="scaled"
        :math:`\mathrm{soft}_n = T^2\, \mathrm{KL}(q_n \Vert p_n)`. At T = 1 its gradient is the paper's, its
        value is 0 where the student agrees with a teacher that is right; :math:`T^2` keeps the two cases
        comparable when T changes.

    A teacher whose logit of the label ties with the largest counts as right. Samples whose label is -1
    are left out, since nobody can say whether the teacher is right. In nats, 0 or more.

    Source: Meng et al. 2019, *Conditional Teacher-Student Learning*. They use T = 1.
    """
    check_settings(FORMS, form=form)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    check_labels(student_logits, labels)
    scaled = form == "scaled"
    soft = temperature**2 * divergence(log_q, log_p) if scaled else soft_cross_entropy(log_q, log_p)
    hard = -at_label(log_softmax(student_logits), labels)
    return mean_over_labelled(torch.where(_is_wrong(teacher_logits, labels), hard, soft), labels)


def _is_wrong(teacher_logits, labels):
    # Asked this way round, a teacher that is NaN passes as right and shows in the loss.
    return at_label(teacher_logits, labels) < teacher_logits.amax(-1)


@dataclass(frozen=True)
class ConditionalTargets(ResponseLoss):
    """:func:`conditional_targets` as a term of an objective.

    >>> right = torch.tensor([[1.0, -1.0]])
    >>> ConditionalTargets(form="scaled")(right, right, torch.tensor([0]))
    tensor(0.)
    """

    temperature: float = 1.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(conditional_targets)
    name = "conditional_targets"
    paper = "Meng et al. 2019"
    formula = (
        r"-\frac{1}{N} \sum_n \sum_c q_{nc} \log p_{nc} \text{ where the teacher is right, else "
        r"} -\log p_{n y_n}"
    )
    needs_labels = True
    scale = "nats"
    cost = "three softmaxes"

    def logit_gradient(self, student, teacher, labels):
        soft = soft_gradient(student, teacher, self.temperature)
        soft = soft * self.temperature if self.form == "scaled" else soft / self.temperature
        hard = softmax(student.logits)
        hard = hard.sub_(one_hot(labels, hard))
        wrong = _is_wrong(teacher.logits, labels).unsqueeze(-1)
        return torch.where(wrong, hard, soft), labelled_weights(labels, hard.dtype).unsqueeze(-1)

    def latex(self):
        return rf"\mathrm{{CE}}(q^{{T={self.temperature:g}}} \text{{ where right, else }} y,\, p)"
