"""Soft targets of a teacher that shows its likeliest classes only, as an API does."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_form, check_temperature, check_whole
from kdviz.losses.response.logits import ResponseLoss, divergence, tempered

FORMS = ("renormalised", "tail")


def top_targets(
    student_logits: Tensor,
    teacher_logits: Tensor,
    k: int = 5,
    temperature: float = 1.0,
    form: str = "renormalised",
) -> Tensor:
    r"""Soft targets of the teacher's k likeliest classes; of the rest it tells nothing, or its sum.

    With p and q the student's and the teacher's probabilities at temperature T, and K the k classes of the
    largest q

    form="renormalised"
        .. math:: \frac{1}{N} \sum_n \sum_{c \in K_n} \tilde q_{nc} \log \frac{\tilde q_{nc}}{p_{nc}},
                  \qquad \tilde q_{nc} = \frac{q_{nc}}{\sum_{c' \in K_n} q_{nc'}}

        The others are taken to be impossible, so the student becomes surer than its teacher.
    form="tail"
        KL(q ‖ p) of k + 1 classes, the last of which is all others together. So the student learns how much
        the others have, not how they share it. It is never more than the KL of all classes.

    With k = C both are ``soft_targets(form="divergence")``; there is no factor T². With k = 1 the first is
    the cross-entropy of the teacher's choice. A k above C is C. In nats, 0 or more, without an upper bound.

    Source: the tail is that of TRL's self-distillation (``trl/experimental/sdpo/loss_utils.py``,
    f2cd57710); the other form is common practice with the log-probabilities that an API returns.
    """
    check_whole("k", k, 1)
    check_form(form, FORMS)
    log_p, log_q = tempered(student_logits, teacher_logits, temperature)
    classes = log_p.shape[-1]
    shown, where = log_q.topk(min(k, classes), -1)
    guessed = log_p.gather(-1, where)
    if k < classes and form == "renormalised":
        shown = shown - shown.logsumexp(-1, keepdim=True)
    elif k < classes:
        shown, guessed = _with_tail(shown, log_q, where), _with_tail(guessed, log_p, where)
    return divergence(shown, guessed).mean(-1)


def _with_tail(shown, every, where):
    """The log-probabilities that are shown, and behind them that of all others together."""
    others = every.scatter(-1, where, -torch.inf).logsumexp(-1, keepdim=True)
    return torch.cat([shown, others], -1)


@dataclass(frozen=True)
class TopTargets(ResponseLoss):
    """:func:`top_targets` as a term of an objective.

    >>> TopTargets(k=1)(torch.zeros(1, 4), torch.tensor([[2.0, 1.0, 0.0, 0.0]]))  # log 4
    tensor(1.3863)
    """

    k: int = 5
    temperature: float = 1.0
    form: str = "renormalised"
    forms = FORMS
    function = staticmethod(top_targets)
    name = "top_targets"
    paper = "common practice with an API's log-probabilities; the tail as TRL has it"
    formula = (
        r"\frac{1}{N} \sum_n \sum_{c \in K_n} \tilde q_{nc} \log \frac{\tilde q_{nc}}{p_{nc}}, \quad "
        r"\tilde q_{nc} = q_{nc} / \textstyle\sum_{c' \in K_n} q_{nc'}"
    )
    scale = "nats"
    cost = "two softmaxes and the k largest of C"

    def __post_init__(self):
        check_whole("k", self.k, 1)
        check_temperature(self.temperature)
        check_form(self.form, FORMS)

    def latex(self):
        return rf"\mathrm{{KL}}(q^{{T={self.temperature:g}}}_{{\text{{top }}{self.k}}} \,\Vert\, p)"
