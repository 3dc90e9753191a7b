"""Soft targets: the student matches the teacher's probabilities at a temperature."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.response.logits import (
    ResponseLoss,
    check_settings,
    divergence,
    soft_cross_entropy,
    soft_gradient,
    soft_latex,
    tempered,
)

FORMS = ("scaled", "paper", "divergence", "mean")


def soft_targets(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 4.0, form: str = "scaled"
) -> Tensor:
    r"""Soft targets: the student matches the teacher's probabilities at a temperature.

    With :math:`p = \mathrm{softmax}(z_S / T)` and :math:`q = \mathrm{softmax}(z_T / T)`

    form="scaled"
        :math:`\frac{T^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)`: RepDistiller, mdistiller, torchdistill and
        most others. :math:`T^2` is Hinton's advice for the sum with hard labels: it keeps the gradient's
        size when T changes. As T grows it tends to ``logit_matching(form="limit")``.
    form="paper"
        :math:`-\frac{1}{N} \sum_{nc} q_{nc} \log p_{nc}`, the cross-entropy that Hinton, Vinyals and Dean
        print. It is larger than the divergence by the entropy of q, which does not depend on the student.
    form="divergence"
        :math:`\frac{1}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)`, without :math:`T^2`; its gradient is the
        paper's.
    form="mean"
        The scaled form divided by C: ``KLDivLoss(reduction="mean")`` averages over the classes too.

    In nats, 0 or more; all forms but the paper's are 0 if and only if both give the same probabilities.

    Source: Hinton, Vinyals and Dean 2015, *Distilling the Knowledge in a Neural Network*, section 2.
    """
    check_settings(FORMS, form=form)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    return reduced(log_p, log_q, temperature, form)


def reduced(log_p, log_q, temperature, form):
    """The loss of log-probabilities at a temperature, in one of its forms."""
    compare = soft_cross_entropy if form == "paper" else divergence
    return _scale(temperature, form, log_p.shape[-1]) * compare(log_q, log_p).mean(-1)


def _scale(temperature, form, classes):
    square = temperature**2 if form in ("scaled", "mean") else 1.0
    return square / classes if form == "mean" else square


@dataclass(frozen=True)
class SoftTargets(ResponseLoss):
    """:func:`soft_targets` as a term of an objective.

    >>> SoftTargets(temperature=1)(torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -1.0]]))
    tensor(0.3278)
    """

    temperature: float = 4.0
    form: str = "scaled"
    forms = FORMS
    function = staticmethod(soft_targets)
    name = "soft_targets"
    paper = "Hinton et al. 2015, section 2; KL times T² as RepDistiller has it"
    formula = r"\frac{T^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)"
    scale = "nats times T²; its gradient keeps its size over T"
    cost = "two softmaxes"

    def logit_gradient(self, student, teacher, labels):
        direction = soft_gradient(student, teacher, self.temperature)
        factor = self.temperature if self.form in ("scaled", "mean") else 1 / self.temperature
        samples, classes = direction.shape[-2:]
        return direction, factor / (samples * classes if self.form == "mean" else samples)

    def __repr__(self):
        form = "" if self.form == "scaled" else f", form={self.form!r}"
        return f"{type(self).__name__}(temperature={self.temperature!r}{form})"

    def latex(self):
        if self.form == "paper":
            return rf"\mathrm{{CE}}(q^{{T={self.temperature:g}}},\, p^{{T={self.temperature:g}}})"
        return soft_latex(self.temperature, scaled=self.form == "scaled")
