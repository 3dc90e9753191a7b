"""Divergences other than that of soft targets: reverse KL, and Jensen-Shannon between the two."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_form, check_share, check_temperature
from kdviz.losses.objective import Loss
from kdviz.losses.response._labels import as_tensor
from kdviz.losses.response.logits import (
    for_each_student,
    log_softmax,
    mean_over_samples,
    soft_latex,
    tempered,
)

FORMS = ("normalised", "paper")


def reverse_kl(student_logits, teacher_logits, temperature=1.0):
    r"""Reverse KL: the student puts no probability where the teacher has none.

    .. math:: \mathrm{RKL} = \frac{T^2}{N} \sum_n \sum_c p_{nc} \log \frac{p_{nc}}{q_{nc}}, \qquad
              p = \mathrm{softmax}(z_S / T), \quad q = \mathrm{softmax}(z_T / T)

    Soft targets are the forward direction, KL(q ‖ p). The forward one punishes a student that misses a
    class the teacher believes in; this one punishes a student that believes in a class the teacher does
    not. Both are 0 if and only if p = q, and both tend to ``logit_matching(form="limit")`` as T grows.
    In nats times :math:`T^2`, without an upper bound. Adding a constant to a sample's logits changes
    nothing. Memory N × C.

    Source: Gu et al. 2024, *MiniLLM: Knowledge Distillation of Large Language Models*, section 2, who
    take it over whole texts and at T = 1; and Agarwal et al. 2024, *On-Policy Distillation of Language
    Models*, over each token as here.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C)
    temperature : float above 0, or a tensor with one value for each student of a stack
    """
    log_p, log_q, temperature = tempered(student_logits, teacher_logits, temperature)
    return mean_over_samples(log_p.exp() * (log_p - log_q), temperature)


def jensen_shannon(student_logits, teacher_logits, beta=0.5, temperature=1.0, form="normalised"):
    r"""Generalised Jensen-Shannon: from forward KL at beta = 0 to reverse KL at beta = 1, without a jump.

    With the mixture :math:`m = \beta q + (1 - \beta) p`, p and q as in :func:`reverse_kl`, and

    .. math:: \mathrm{JS}_\beta = \frac{T^2}{N} \sum_n
              \big[ \beta\, \mathrm{KL}(q_n \Vert m_n) + (1 - \beta)\, \mathrm{KL}(p_n \Vert m_n) \big]

    form="normalised"
        :math:`\mathrm{JS}_\beta / (\beta (1 - \beta))`. At β = 0 it is forward KL (``soft_targets``), at
        β = 1 reverse KL, and it moves continuously between them. For a student close to the teacher all
        β give the same value, so a weight keeps its meaning. At β = 1/2 it is 4 times the usual
        Jensen-Shannon divergence.
    form="paper"
        :math:`\mathrm{JS}_\beta` itself (Agarwal et al. 2024, *On-Policy Distillation of Language Models*).
        It vanishes at both ends, and so does its gradient. Published code returns the full KL at β = 0
        and β = 1 exactly, so that a slider jumps by a factor of a thousand in its last step.

    0 if and only if p = q. At most :math:`T^2 H(\beta)` nats in the paper's form, with the entropy
    :math:`H(\beta) \le \log 2`; without a bound at the ends of the normalised one. Adding a constant to a
    sample's logits changes nothing. Memory N × C.

    Parameters
    ----------
    student_logits, teacher_logits : (..., N, C)
    beta : float from 0 to 1, or a tensor with one value for each student of a stack
    temperature : float above 0, or a tensor with one value for each student of a stack
    form : "normalised" or "paper"
    """
    check_share("beta", beta)
    check_form(form, FORMS)
    log_p, log_q, temperature = tempered(student_logits, teacher_logits, temperature)
    beta = as_tensor(beta, student_logits)
    pulls = _pull(log_p, log_q, beta, beta.log(), torch.log1p(-beta))
    pulls = pulls + _pull(log_q, log_p, 1 - beta, torch.log1p(-beta), beta.log())
    divergence = -pulls.sum(-1, keepdim=True)
    if form == "paper":
        divergence = beta * (1 - beta) * divergence
    return (temperature**2 * divergence).mean((-2, -1))


def _pull(log_a, log_b, share, log_share, log_rest):
    """a log(m / a) / share for the mixture m = share b + (1 - share) a; at share 0 its limit, b - a."""
    smallest = torch.finfo(log_a.dtype).tiny
    a = log_a.exp()
    # The logarithm is small where the share is: as a sum of powers it keeps its digits, as log m - log a
    # it would lose them, and the division would bring the loss to light.
    log_ratio = torch.logaddexp(log_share + (log_b - log_a), log_rest)
    return torch.where(share < smallest, log_b.exp() - a, a * log_ratio / share.clamp(min=smallest))


@dataclass(frozen=True)
class ReverseKL(Loss):
    """:func:`reverse_kl` as a term of an objective."""

    temperature: float = 1.0
    name = "reverse_kl"
    kind = "response"
    paper = "Gu et al. 2024 (MiniLLM), section 2"
    formula = r"\frac{T^2}{N} \sum_n \mathrm{KL}(p_n \Vert q_n)"
    scale = "nats times T²; its gradient keeps its size over T"
    memory = "N × C"
    cost = "two softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_temperature(self.temperature)

    def __call__(self, student, teacher, labels, learned=None):
        return reverse_kl(student.logits, teacher.logits, self.temperature)

    def logit_gradient(self, student, teacher, labels):
        temperature = for_each_student(self.temperature, student.logits)
        log_p = log_softmax(student.logits / temperature)
        p = log_p.exp()
        surprise = log_p - log_softmax(teacher.logits / temperature)
        surprise = surprise - (p * surprise).sum(-1, keepdim=True)
        return p.mul_(surprise), temperature / p.shape[-2]

    def latex(self):
        return soft_latex(self.temperature, target="p_S", guess="p_T")


@dataclass(frozen=True)
class JensenShannon(Loss):
    """:func:`jensen_shannon` as a term of an objective."""

    beta: float = 0.5
    temperature: float = 1.0
    form: str = "normalised"
    name = "jensen_shannon"
    kind = "response"
    paper = "Agarwal et al. 2024 (on-policy distillation)"
    formula = (
        r"\frac{T^2}{N} \sum_n \left[ \frac{\mathrm{KL}(q_n \Vert m_n)}{1 - \beta} + "
        r"\frac{\mathrm{KL}(p_n \Vert m_n)}{\beta} \right], \quad m = \beta q + (1 - \beta) p"
    )
    scale = "nats times T²; its gradient keeps its size over T and, near the teacher, over β"
    memory = "N × C"
    cost = "two softmaxes"
    invariant_to = ("shift",)

    def __post_init__(self):
        check_share("beta", self.beta)
        check_temperature(self.temperature)
        check_form(self.form, FORMS)

    def __call__(self, student, teacher, labels, learned=None):
        return jensen_shannon(student.logits, teacher.logits, self.beta, self.temperature, self.form)

    def logit_gradient(self, student, teacher, labels):
        temperature = for_each_student(self.temperature, student.logits)
        log_p = log_softmax(student.logits / temperature)
        log_q = log_softmax(teacher.logits / temperature)
        beta = as_tensor(self.beta, student.logits)
        # By each probability the derivative is -log(m / p) / beta: that of KL(q ‖ m) by the mixture and
        # the rest of that of KL(p ‖ m) add up to a constant.
        pull = _pull(log_p, log_q, beta, beta.log(), torch.log1p(-beta))
        factor = temperature / log_p.shape[-2]
        if self.form == "paper":
            factor = factor * beta * (1 - beta)
        return log_p.exp().mul_(pull.sum(-1, keepdim=True)).sub_(pull), factor

    def latex(self):
        return rf"\mathrm{{JS}}_{{\beta={self.beta:g}}}(p_T^{{T={self.temperature:g}}},\, p_S)"
