"""The two distillation losses of DeiT: the teacher's probabilities, or only its answer."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_same_shape
from kdviz.losses.response._soft_targets import soft_targets
from kdviz.losses.response.logits import (
    ResponseLoss,
    check_settings,
    expected,
    log_softmax,
    one_hot,
    soft_gradient,
    soft_latex,
    softmax,
)

FORMS = ("paper", "authors")


def deit_soft(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 3.0, form: str = "paper"
) -> Tensor:
    r"""DeiT's soft distillation: soft targets, with the reductions of the paper and of its code.

    form="paper"
        :math:`\frac{T^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)`, which is ``soft_targets``. (The paper writes
        the student first; its code has the teacher's distribution as the target, as here.)
    form="authors"
        The same divided by C: the code divides the sum by the number of logits, N × C, on purpose and for
        the sake of old results. With 1000 classes the term all but vanishes beside cross-entropy at the
        same weight.

    The whole loss of the paper is :math:`(1 - \lambda)\, \mathrm{CE}` plus λ times this term.

    Source: Touvron et al. 2021, *Training data-efficient image transformers & distillation through
    attention*, section 4. A student with a distillation token gives the logits of that token here.
    """
    check_settings(FORMS, form=form)
    return soft_targets(student_logits, teacher_logits, temperature, "scaled" if form == "paper" else "mean")


def deit_hard(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    r"""DeiT's hard distillation: cross-entropy with the teacher's answer as if it were the label.

    .. math:: -\frac{1}{N} \sum_n \log \mathrm{softmax}(z_{S,n})_{t_n}, \qquad
              t_n = \mathrm{argmax}_c\, z_{T,nc}

    Nothing of the teacher's doubt is left, and no temperature: adding a constant to the teacher's logits
    or multiplying them by a positive number changes nothing. Of equal largest logits the first counts.
    In nats, 0 or more, but not 0 for a student that equals the teacher. Needs no labels.

    The whole loss of the paper is half the cross-entropy with the labels plus half of this term.

    Source: Touvron et al. 2021, as :func:`deit_soft`, section 4.
    """
    check_same_shape(student_logits, teacher_logits)
    answers = _answers(teacher_logits.detach())
    return -expected(answers, log_softmax(student_logits)).mean(-1)


def _answers(teacher_logits):
    """Rows of 0 with a 1 at the largest logit."""
    answers = one_hot(teacher_logits.argmax(-1), teacher_logits)
    # There is always an argmax, even of NaN; these must show.
    unknown = teacher_logits.amax(-1, keepdim=True).isnan()
    return answers.masked_fill(unknown, float("nan"))


@dataclass(frozen=True)
class DeiTSoft(ResponseLoss):
    """:func:`deit_soft` as a term of an objective.

    >>> DeiTSoft(1, form="authors")(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor(0.1639)
    """

    temperature: float = 3.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(deit_soft)
    name = "deit_soft"
    paper = "DeiT, Touvron et al. 2021, section 4"
    formula = r"\frac{T^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)"
    scale = "nats times T²; its gradient keeps its size over T"
    cost = "two softmaxes"

    def logit_gradient(self, student, teacher, labels):
        direction = soft_gradient(student, teacher, self.temperature)
        count = direction.shape[-2] * (direction.shape[-1] if self.form == "authors" else 1)
        return direction, self.temperature / count

    def latex(self):
        return soft_latex(self.temperature)


@dataclass(frozen=True)
class DeiTHard(ResponseLoss):
    """:func:`deit_hard` as a term of an objective.

    >>> DeiTHard()(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor(0.6931)
    """

    function = staticmethod(deit_hard)
    name = "deit_hard"
    paper = "DeiT, Touvron et al. 2021, section 4"
    formula = r"-\frac{1}{N} \sum_n \log p_{n t_n}, \quad t_n = \mathrm{argmax}_c\, z_{T,nc}"
    scale = "nats; log C for even answers"
    cost = "one softmax"

    def logit_gradient(self, student, teacher, labels):
        p = softmax(student.logits)
        return p.sub_(_answers(teacher.logits)), 1 / p.shape[-2]

    def latex(self):
        return r"\mathrm{CE}(\mathrm{argmax}\, z_T,\, p)"
