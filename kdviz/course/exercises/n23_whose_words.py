"""Notebook 23: the divergences between forward and reverse KL, and the words of a text that are learned."""

import math

import torch

from kdviz.course.exercises.diagnosis import AVERAGED_OVER_CLASSES, NumberGrader
from kdviz.course.exercises.draws import logits_of_both, normal

# --- 23.1 between the two directions


def _logs(student_logits, teacher_logits):
    return student_logits.log_softmax(-1), teacher_logits.detach().log_softmax(-1)


def _each(log_a, log_b):
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def _kl(log_a, log_b):
    return _each(log_a, log_b).mean()


def _mixture(log_p, log_q, beta):
    """The logarithm of β q + (1 - β) p."""
    return torch.logaddexp(log_q + math.log(beta), log_p + math.log(1 - beta))


def _between(log_p, log_q, beta):
    log_m = _mixture(log_p, log_q, beta)
    return beta * _kl(log_q, log_m) + (1 - beta) * _kl(log_p, log_m)


def _ends(log_p, log_q, beta, between):
    """Forward KL at 0, reverse KL at 1, and between them what is asked."""
    if beta in (0, 1):
        return _kl(log_p, log_q) if beta else _kl(log_q, log_p)
    return between(log_p, log_q, beta)


def _generalised(student_logits, teacher_logits, beta):
    return _ends(*_logs(student_logits, teacher_logits), beta, _between)


grade_generalised = NumberGrader(
    _generalised,
    gradient_for="student_logits",
    no_gradient_for="teacher_logits",
    calls=[
        {**logits_of_both(4, 5, seed=231), "beta": 0.3},
        {**logits_of_both(4, 5, seed=232), "beta": 0.0},
        {**logits_of_both(3, 6, seed=233), "beta": 1.0},
        {**logits_of_both(3, 4, seed=234), "beta": 0.9},
    ],
)


@grade_generalised.mistake
def ends_are_zero(student_logits, teacher_logits, beta):
    """Between the ends you are right. At β = 0 and β = 1 the formula is zero; there forward and reverse KL
    are asked."""
    return _between(*_logs(student_logits, teacher_logits), beta) if 0 < beta < 1 else torch.zeros(())


@grade_generalised.mistake
def ends_exchanged(student_logits, teacher_logits, beta):
    """Your ends are exchanged: at β = 0 it is forward KL, KL(q ‖ p), at β = 1 reverse KL."""
    log_p, log_q = _logs(student_logits, teacher_logits)
    return _between(log_p, log_q, beta) if 0 < beta < 1 else _ends(log_q, log_p, beta, _between)


@grade_generalised.mistake
def beta_for_the_student(student_logits, teacher_logits, beta):
    """You give β to the student and 1 − β to the teacher. It is the other way round, in the mixture and in
    the weights; the ends are fine."""
    log_p, log_q = _logs(student_logits, teacher_logits)
    return _ends(log_p, log_q, beta, lambda p, q, share: _between(q, p, share))


@grade_generalised.mistake
def other_mixture(student_logits, teacher_logits, beta):
    """Your mixture has β of the student. The teacher has the share β of it."""

    def between(log_p, log_q, beta):
        log_m = _mixture(log_q, log_p, beta)
        return beta * _kl(log_q, log_m) + (1 - beta) * _kl(log_p, log_m)

    return _ends(*_logs(student_logits, teacher_logits), beta, between)


@grade_generalised.mistake
def weights_exchanged(student_logits, teacher_logits, beta):
    """You weigh KL(q ‖ m) by 1 − β. Its weight is β, that of KL(p ‖ m) is 1 − β."""

    def between(log_p, log_q, beta):
        log_m = _mixture(log_p, log_q, beta)
        return (1 - beta) * _kl(log_q, log_m) + beta * _kl(log_p, log_m)

    return _ends(*_logs(student_logits, teacher_logits), beta, between)


@grade_generalised.mistake
def no_weights(student_logits, teacher_logits, beta):
    """Between the ends you add the two divergences without their weights β and 1 − β."""

    def between(log_p, log_q, beta):
        log_m = _mixture(log_p, log_q, beta)
        return _kl(log_q, log_m) + _kl(log_p, log_m)

    return _ends(*_logs(student_logits, teacher_logits), beta, between)


@grade_generalised.mistake
def from_the_mixture(student_logits, teacher_logits, beta):
    """You take KL(m ‖ q) and KL(m ‖ p). The mixture stands behind: KL(q ‖ m) and KL(p ‖ m)."""

    def between(log_p, log_q, beta):
        log_m = _mixture(log_p, log_q, beta)
        return beta * _kl(log_m, log_q) + (1 - beta) * _kl(log_m, log_p)

    return _ends(*_logs(student_logits, teacher_logits), beta, between)


@grade_generalised.mistake
def no_mixture(student_logits, teacher_logits, beta):
    """You weigh forward and reverse KL by β. Each is to be measured from the *mixture* of the two."""
    log_p, log_q = _logs(student_logits, teacher_logits)
    return (1 - beta) * _kl(log_q, log_p) + beta * _kl(log_p, log_q)


@grade_generalised.mistake
def mixture_of_logits(student_logits, teacher_logits, beta):
    """You mix the logits, or their logarithms. Mix the probabilities: β q + (1 − β) p."""

    def between(log_p, log_q, beta):
        log_m = (beta * log_q + (1 - beta) * log_p).log_softmax(-1)
        return beta * _kl(log_q, log_m) + (1 - beta) * _kl(log_p, log_m)

    return _ends(*_logs(student_logits, teacher_logits), beta, between)


@grade_generalised.mistake
def teachers_half_only(student_logits, teacher_logits, beta):
    """You have β KL(q ‖ m) and nothing of the student's half, (1 − β) KL(p ‖ m)."""
    return _ends(
        *_logs(student_logits, teacher_logits),
        beta,
        lambda p, q, share: share * _kl(q, _mixture(p, q, share)),
    )


@grade_generalised.mistake
def normalised(student_logits, teacher_logits, beta):
    """You divide by β (1 − β). That has no jump at the ends, and is the better slider; asked is the plain
    form."""
    return _ends(
        *_logs(student_logits, teacher_logits),
        beta,
        lambda p, q, share: _between(p, q, share) / (share * (1 - share)),
    )


@grade_generalised.mistake
def sum_over_the_words(student_logits, teacher_logits, beta):
    """You take the sum over the words. Take their mean."""
    return len(student_logits) * _generalised(student_logits, teacher_logits, beta)


grade_generalised.slip(lambda student, teacher, beta: 1 / student.shape[-1], AVERAGED_OVER_CLASSES)


# --- 23.2 which words are learned


def _tokens(rows):
    return torch.tensor(rows)


def _learned(tokens, stop=True):
    stops = (tokens[:, 2:] == 0).long()
    before = stops.cumsum(1) - stops if stop else stops.cumsum(1)
    return before == 0


def _mean_of_learned(losses, tokens):
    return losses[:, 2:][_learned(tokens)].mean()


grade_mean_of_learned = NumberGrader(
    _mean_of_learned,
    calls=[
        {
            "losses": normal(3, 8, seed=235) ** 2,
            "tokens": _tokens(
                [[31, 44, 5, 9, 0, 0, 0, 0], [33, 50, 7, 0, 0, 0, 0, 0], [40, 42, 3, 2, 8, 1, 6, 0]]
            ),
        },
        {
            "losses": normal(2, 6, seed=236) ** 2,
            "tokens": _tokens([[31, 44, 5, 0, 0, 0], [39, 47, 2, 9, 4, 0]]),
        },
    ],
    samples_and_classes=False,
)


@grade_mean_of_learned.mistake
def without_the_stop(losses, tokens):
    """You leave the stop out. It is a word like the others: a student has to learn when to end."""
    return losses[:, 2:][_learned(tokens, stop=False)].mean()


@grade_mean_of_learned.mistake
def with_the_padding(losses, tokens):
    """You take the padding in. What stands behind the *first* stop is no part of the text."""
    return losses[:, 2:].mean()


@grade_mean_of_learned.mistake
def with_the_prompt(losses, tokens):
    """You take the prompt in. It is given; only what follows is learned."""
    stops = (tokens == 0).long()
    return losses[stops.cumsum(1) - stops == 0].mean()


@grade_mean_of_learned.mistake
def everything(losses, tokens):
    """You take all tokens: the prompt, which is given, and the padding, which is no text."""
    return losses.mean()


@grade_mean_of_learned.mistake
def of_each_text(losses, tokens):
    """You average within each text, and then over the texts. So the words of a short text count more; take
    the mean over all words together."""
    learned = _learned(tokens)
    return ((losses[:, 2:] * learned).sum(1) / learned.sum(1)).mean()


@grade_mean_of_learned.mistake
def by_all_places(losses, tokens):
    """The right words are added up, and divided by the number of all places. Divide by how many there are."""
    return (losses[:, 2:] * _learned(tokens)).mean()


@grade_mean_of_learned.mistake
def every_word_but_no_zero(losses, tokens):
    """You take every token that is not 0, the prompt too. The prompt is given, the first 0 is the stop."""
    return losses[tokens != 0].mean()


@grade_mean_of_learned.mistake
def the_sum(losses, tokens):
    """You take the sum of the right words. Take their mean."""
    return losses[:, 2:][_learned(tokens)].sum()


@grade_mean_of_learned.mistake
def sum_of_each_text(losses, tokens):
    """You take the loss of each text and the mean over the texts. The mean over all words is asked."""
    return (losses[:, 2:] * _learned(tokens)).sum(1).mean()
