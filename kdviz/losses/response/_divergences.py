"""Divergences other than that of soft targets: reverse KL, and Jensen-Shannon between the two."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.response.logits import (
    ResponseLoss,
    as_tensor,
    check_settings,
    divergence,
    log_softmax,
    soft_latex,
    tempered,
)

FORMS = ("paper", "scaled")
MIXED_FORMS = ("paper", "scaled", "normalised")


def reverse_kl(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0, form: str = "paper"
) -> Tensor:
    r"""Reverse KL: the student puts no probability where the teacher has none.

    With :math:`p = \mathrm{softmax}(z_S / T)` and :math:`q = \mathrm{softmax}(z_T / T)`

    form="paper"
        :math:`\frac{1}{N} \sum_n \mathrm{KL}(p_n \Vert q_n)`, as MiniLLM and TRL have it.
    form="scaled"
        Times :math:`T^2`, as in ``soft_targets``: its gradient keeps its size when T changes.

    Soft targets are the forward direction, KL(q ‖ p). The forward one punishes a student that misses a
    class the teacher believes in; this one punishes a student that believes in a class the teacher does
    not. Both are 0 if and only if p = q, and both tend to ``logit_matching(form="limit")`` as T grows, in
    their scaled forms. In nats, without an upper bound.

    Source: Gu et al. 2024, *MiniLLM: Knowledge Distillation of Large Language Models*, section 2, who
    take it over whole texts and at T = 1; and Agarwal et al. 2024, *On-Policy Distillation of Language
    Models*, over each token as here.
    """
    check_settings(FORMS, form=form)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    return _square(temperature, form) * divergence(log_p, log_q).mean(-1)


def _square(temperature, form):
    return 1.0 if form == "paper" else temperature**2


def jensen_shannon(
    student_logits: Tensor,
    teacher_logits: Tensor,
    beta: float = 0.5,
    temperature: float = 1.0,
    form: str = "paper",
) -> Tensor:
    r"""Generalised Jensen-Shannon: what teacher and student each differ from a mixture of the two.

    With the mixture :math:`m = \beta q + (1 - \beta) p`, p and q as in :func:`reverse_kl`,

    form="paper"
        .. math:: \mathrm{JS}_\beta = \frac{1}{N} \sum_n
              \big[ \beta\, \mathrm{KL}(q_n \Vert m_n) + (1 - \beta)\, \mathrm{KL}(p_n \Vert m_n) \big]

        At most :math:`H(\beta) \le \log 2` nats, the entropy of β. It vanishes at both ends of β, and so does
        its gradient. Published code, TRL's too, returns the full KL at β = 0 and β = 1 exactly, so that a
        slider jumps by a factor of a thousand in its last step.
    form="scaled"
        Times :math:`T^2`.
    form="normalised"
        :math:`T^2\, \mathrm{JS}_\beta / (\beta (1 - \beta))`, our own. At β = 0 it is forward KL
        (``soft_targets``), at β = 1 reverse KL, and it moves continuously between them. For a student close
        to the teacher all β give the same value, so a weight keeps its meaning. At β = 1/2 and T = 1 it is
        4 times the usual Jensen-Shannon divergence; at the ends it has no bound.

    0 if and only if p = q, where β is above 0 and below 1.

    Source: Agarwal et al. 2024, *On-Policy Distillation of Language Models*.
    """
    check_settings(MIXED_FORMS, beta=beta, form=form)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    beta = as_tensor(beta, student_logits)
    pulls = _pull(log_p, log_q, beta, beta.log(), torch.log1p(-beta))
    pulls = pulls + _pull(log_q, log_p, 1 - beta, torch.log1p(-beta), beta.log())
    return -_mixed_scale(beta, temperature, form) * pulls.sum(-1).mean(-1)


def _mixed_scale(beta, temperature, form):
    return (1.0 if form == "normalised" else beta * (1 - beta)) * _square(temperature, form)


def _pull(log_a, log_b, share, log_share, log_rest):
    """a log(m / a) / share for the mixture m = share b + (1 - share) a; at share 0 its limit, b - a."""
    smallest = torch.finfo(log_a.dtype).tiny
    a = log_a.exp()
    # The logarithm is small where the share is: as a sum of powers it keeps its digits, as log m - log a
    # it would lose them, and the division would bring the loss to light.
    log_ratio = torch.logaddexp(log_share + (log_b - log_a).masked_fill(a == 0, 0.0), log_rest)
    return torch.where(share < smallest, log_b.exp() - a, a * log_ratio / share.clamp(min=smallest))


@dataclass(frozen=True)
class ReverseKL(ResponseLoss):
    """:func:`reverse_kl` as a term of an objective.

    >>> ReverseKL()(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]]))
    tensor(0.3278)
    """

    temperature: float = 1.0
    form: str = "paper"
    forms = FORMS
    function = staticmethod(reverse_kl)
    name = "reverse_kl"
    paper = "MiniLLM, Gu et al. 2024, section 2"
    formula = r"\frac{1}{N} \sum_n \mathrm{KL}(p_n \Vert q_n)"
    scale = "nats"
    cost = "two softmaxes"

    def logit_gradient(self, student, teacher, labels):
        log_p = log_softmax(student.logits / self.temperature)
        p = log_p.exp()
        surprise = log_p - log_softmax(teacher.logits / self.temperature)
        surprise = surprise.masked_fill(p == 0, 0.0)
        surprise = surprise - (p * surprise).sum(-1, keepdim=True)
        factor = 1 / self.temperature if self.form == "paper" else self.temperature
        return p.mul_(surprise), factor / p.shape[-2]

    def latex(self):
        return soft_latex(self.temperature, target="p", guess="q", scaled=self.form == "scaled")


@dataclass(frozen=True)
class JensenShannon(ResponseLoss):
    """:func:`jensen_shannon` as a term of an objective.

    >>> JensenShannon()(torch.tensor([[90.0, 0.0]]), torch.tensor([[0.0, 90.0]]))  # log 2
    tensor(0.6931)
    """

    beta: float = 0.5
    temperature: float = 1.0
    form: str = "paper"
    forms = MIXED_FORMS
    function = staticmethod(jensen_shannon)
    name = "jensen_shannon"
    paper = "GKD, Agarwal et al. 2024 (on-policy distillation)"
    formula = (
        r"\frac{1}{N} \sum_n \left[ \beta\, \mathrm{KL}(q_n \Vert m_n) + (1 - \beta)\, "
        r"\mathrm{KL}(p_n \Vert m_n) \right], \quad m = \beta q + (1 - \beta) p"
    )
    scale = "nats, at most log 2"
    cost = "two softmaxes"

    def logit_gradient(self, student, teacher, labels):
        log_p = log_softmax(student.logits / self.temperature)
        log_q = log_softmax(teacher.logits / self.temperature)
        beta = as_tensor(self.beta, student.logits)
        # By each probability the derivative is -log(m / p) / beta: that of KL(q ‖ m) by the mixture and
        # the rest of that of KL(p ‖ m) add up to a constant.
        pull = _pull(log_p, log_q, beta, beta.log(), torch.log1p(-beta))
        factor = _mixed_scale(beta, self.temperature, self.form) / self.temperature / log_p.shape[-2]
        return log_p.exp().mul_(pull.sum(-1, keepdim=True)).sub_(pull), factor

    def latex(self):
        return rf"\mathrm{{JS}}_{{\beta={self.beta:g}}}(q^{{T={self.temperature:g}}},\, p)"
