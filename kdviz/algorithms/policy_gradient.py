"""Reverse KL of whole texts: what a word does to the words after it, by a policy gradient."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Unpack

import torch
import torch.nn.functional as F

from kdviz.algorithms.language import TextLesson, _as_list, _seeds
from kdviz.datasets.texts import Texts
from kdviz.losses import ReverseKL
from kdviz.losses.checks import check_from_zero, check_whole
from kdviz.losses.response.logits import ResponseLoss, log_softmax, mean_over_labelled
from kdviz.losses.tokens import OfTokens, over_tokens
from kdviz.training.loop import Run
from kdviz.training.options import Training


def policy_gradient(
    teacher,
    student,
    texts: Texts | Sequence[Texts],
    *,
    weight: float = 1.0,
    bound: float = 10.0,
    own: float = 1.0,
    words: int | None = None,
    stop: int = 0,
    evaluate: Callable = lambda student: {},
    seed: int | Sequence[int] = 0,
    **training: Unpack[Training],
) -> Run:
    r"""Distil a language model on its own texts by the reverse KL of whole texts.

    Word by word reverse KL, as ``distill(..., ReverseKL(), own=1.0)`` has it, asks of each word how well it
    fits where it stands, and not where it leads. The gradient of the divergence of whole texts has both:

    .. math:: \nabla \mathrm{KL}(p_S \Vert p_T) = \mathbb{E}_{y \sim p_S} \sum_t \big[
              \nabla \mathrm{KL}_t - A_t \nabla \log p_S(y_t | y_{<t}) \big], \qquad
              A_t = \sum_{u > t} \log \frac{p_T(y_u | y_{<u})}{p_S(y_u | y_{<u})}

    Here :math:`A_t` gets no gradient, the mean of the batch is taken from it, which leaves the expectation as
    it is up to the size of the batch, and it is clipped to ±``bound``. The sum is a mean over the words.

    Source: Gu et al. 2024, *MiniLLM: Knowledge Distillation of Large Language Models*, section 2.2, with its
    single-step decomposition. Their mixture with texts of the teacher and their normalisation by length are
    not here.

    Parameters
    ----------
    teacher, student, texts, words, stop, evaluate, seed and the settings of a training
        As in :func:`kdviz.algorithms.language.distill`; the texts give prompts alone. Begin with a student
        that has read texts: of a cold one's noise there is nothing to choose from.
    weight : float
        Of the second term; at 0 the run is that of ``distill(..., ReverseKL(), own=1.0)``.
    bound : float
        How large :math:`A_t` may be, in nats; above 0.
    own : float
        The share of the student's own texts, which must be 1: the expectation is over them.

    Returns
    -------
    Run

    Errors: ValueError for any other ``own``, a weight below 0 or a bound that is not above 0.

    >>> import kdviz as kd
    >>> data = kd.datasets.clock(texts=64, seed=0)
    >>> student, teacher = (kd.models.transformer(54, 30, length=8, seed=seed) for seed in (0, 1))
    >>> sorted(policy_gradient(teacher, student, data.texts, steps=3).finish().records[-1].losses)
    ['later_words', 'reverse_kl']
    """
    if own != 1:
        raise ValueError(
            "own must be 1: a policy gradient is an expectation over what the student says itself, and of "
            f"other texts it is another quantity; got own={own!r}. For other texts take "
            "kdviz.algorithms.language.distill with ReverseKL()"
        )
    check_from_zero("weight", weight)
    texts = _as_list(student, texts)
    seeds = _seeds(seed, len(texts))
    words = max(int((part.end - part.start).max()) for part in texts) if words is None else words
    check_whole("words", words, 1)
    speaking = {"own": 1.0, "temperature": 1.0, "words": words, "stop": stop}
    objective = over_tokens(ReverseKL()) + weight * LaterWords(bound)
    return Run(
        student, OwnTexts(teacher, texts, seeds, speaking), objective, evaluate, seed=seeds[0], **training
    )


class OwnTexts(TextLesson):
    """The student's own texts, with a token after each of which nothing is learned: there they part."""

    def with_own(self, student, tokens, start, end):
        tokens, end = super().with_own(student, tokens, start, end)
        return F.pad(tokens, (0, 1), value=self.speaking["stop"]), end


@dataclass(frozen=True)
class LaterWords(OfTokens, ResponseLoss):
    """The second term of :func:`policy_gradient`, on tokens; texts are parted by labels below 0.

    Its value is of no meaning, only its gradient.
    """

    bound: float = 10.0
    name = "later_words"
    needs_teacher = True
    paper = "MiniLLM, Gu et al. 2024"
    formula = r"-\frac{1}{|M|} \sum_{n \in M} A_n \log p_n(y_n)"
    scale = "none: only its gradient means something"
    cost = "two softmaxes"

    def __post_init__(self):
        if not self.bound > 0:
            raise ValueError(f"bound must be above 0, in nats; got {self.bound!r}")

    def value(self, student, teacher, labels, learned):
        said = labels.clamp(min=0).unsqueeze(-1)
        log_p, log_q = (
            log_softmax(logits).gather(-1, said).squeeze(-1)
            for logits in (student.logits, teacher.logits.detach())
        )
        later = later_sums((log_q - log_p).detach(), labels)
        later = (later - mean_over_labelled(later, labels)).clamp(-self.bound, self.bound)
        return -mean_over_labelled(later * log_p, labels)

    def latex(self):
        return r"-\frac{1}{|M|} \sum_{n \in M} A_n \log p_n(y_n)"


def later_sums(values, labels):
    """Of each token the sum of the values after it in its text; a label below 0 is between two texts.

    >>> later_sums(torch.tensor([1.0, 2.0, 9.0, 5.0]), torch.tensor([0, 0, -1, 0])).tolist()
    [2.0, 0.0, 0.0, 0.0]
    """
    values = values.masked_fill(labels < 0, 0.0)
    text = (labels < 0).cumsum(-1)
    whole = torch.zeros_like(values).scatter_add(-1, text, values).cumsum(-1)
    return (whole.gather(-1, text) - values.cumsum(-1)).masked_fill(labels < 0, 0.0)
