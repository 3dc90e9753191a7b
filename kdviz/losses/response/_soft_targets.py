"""Soft targets: the student matches the teacher's probabilities at a temperature."""

from dataclasses import dataclass

from kdviz.losses.checks import check_temperature
from kdviz.losses.objective import Loss
from kdviz.losses.response.logits import mean_over_samples, soft_gradient, soft_latex, tempered


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
    log_p, log_q, temperature = tempered(student_logits, teacher_logits, temperature)
    return mean_over_samples(log_q.exp() * (log_q - log_p), temperature)


@dataclass(frozen=True)
class SoftTargets(Loss):
    """:func:`soft_targets` as a term of an objective."""

    temperature: float = 4.0
    name = "soft_targets"
    kind = "response"
    paper = "Hinton et al. 2015, section 2"
    formula = r"\frac{T^2}{N} \sum_n \mathrm{KL}(q_n \Vert p_n)"
    scale = "nats times T²; its gradient keeps its size over T"
    memory = "N × C"
    cost = "two softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_temperature(self.temperature)

    def __call__(self, student, teacher, labels, learned=None):
        return soft_targets(student.logits, teacher.logits, self.temperature)

    def logit_gradient(self, student, teacher, labels):
        direction, temperature = soft_gradient(student, teacher, self.temperature)
        return direction, temperature / direction.shape[-2]

    def latex(self):
        return soft_latex(self.temperature)
