"""Logit matching: the student regresses on the teacher's logits."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.checks import check_same_shape
from kdviz.losses.response.logits import ResponseLoss, check_settings

FORMS = ("paper", "mean", "limit")


def logit_matching(student_logits: Tensor, teacher_logits: Tensor, form: str = "paper") -> Tensor:
    r"""Logit matching: the student regresses on the teacher's logits.

    form="paper"
        :math:`\frac{1}{2N} \sum_n \lVert z_S - z_T \rVert^2`
        (Ba and Caruana 2014, *Do Deep Nets Really Need to be Deep?*, section 2.2, equation 1).
    form="mean"
        :math:`\frac{1}{CN} \sum_n \lVert z_S - z_T \rVert^2`, torch's ``mse_loss``, as much code has it.
    form="limit"
        :math:`\frac{1}{2CN} \sum_n \lVert \tilde z_S - \tilde z_T \rVert^2` with each sample's logits
        centred (:math:`\tilde z = z - \bar z`): the limit of scaled soft targets as T grows
        (Hinton et al. 2015, section 2.1). It alone is blind to a constant added to all logits.
    """
    check_settings(FORMS, form=form)
    check_same_shape(student_logits, teacher_logits)
    difference = _difference(student_logits, teacher_logits.detach(), form)
    return _scale(form, difference) * difference.square().sum(-1).mean(-1)


def _difference(student_logits, teacher_logits, form):
    difference = student_logits - teacher_logits
    return difference - difference.mean(-1, keepdim=True) if form == "limit" else difference


def _scale(form, difference):
    classes = difference.shape[-1]
    return {"paper": 1 / 2, "mean": 1 / classes, "limit": 1 / (2 * classes)}[form]


@dataclass(frozen=True)
class LogitMatching(ResponseLoss):
    """:func:`logit_matching` as a term of an objective.

    >>> LogitMatching()(torch.tensor([[3.0, 0.0]]), torch.tensor([[1.0, 0.0]]))
    tensor(2.)
    """

    form: str = "paper"
    forms = FORMS
    function = staticmethod(logit_matching)
    name = "logit_matching"
    paper = "Ba and Caruana 2014, section 2.2"
    formula = r"\frac{1}{2N} \sum_n \lVert z_S - z_T \rVert^2"
    scale = "squared logits"
    cost = "one difference"
    invariant_to = ()

    def logit_gradient(self, student, teacher, labels):
        difference = _difference(student.logits, teacher.logits, self.form)
        return difference, 2 * _scale(self.form, difference) / difference.shape[-2]

    def latex(self):
        return r"\mathrm{LM}(z_S,\, z_T)"
