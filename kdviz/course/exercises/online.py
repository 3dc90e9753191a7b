"""The exercises of notebook 08: a class of many peers, an early stop, and the least agreement."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import (
    Mistake,
    averaged_over_classes,
    check_numbers,
    summed_over_samples,
)
from kdviz.losses.response import reverse_kl, soft_targets

# --- 8.1 a class of many


def _class_calls():
    labels = torch.tensor([0, 2, 1, 1, 0])
    generator = torch.Generator().manual_seed(80)
    return [
        {"logits": 2 * torch.randn(peers, 5, 3, generator=generator, dtype=torch.float64), "labels": labels}
        | {"own": own}
        for peers, own in ((3, 1), (4, 0))
    ]


def _hard(logits, labels, own):
    return torch.nn.functional.cross_entropy(logits[own], labels)


def _others(logits, own):
    return [other for place, other in enumerate(logits) if place != own]


def _taught(logits, own, loss=soft_targets):
    return sum(loss(logits[own], other, 1.0) for other in _others(logits, own))


def peer_loss(logits, labels, own):
    """What one of several peers of mutual learning minimises."""
    return _hard(logits, labels, own) + _taught(logits, own) / (len(logits) - 1)


def _by_the_ensemble(logits, labels, own):
    mean = torch.stack(_others(logits, own)).softmax(-1).mean(0)
    return _hard(logits, labels, own) + soft_targets(logits[own], mean.log(), 1.0)


CLASS_MISTAKES = (
    Mistake(
        "sum",
        "You add up what the others teach. Take their mean: K peers have K − 1 teachers each.",
        lambda logits, labels, own: _hard(logits, labels, own) + _taught(logits, own),
    ),
    Mistake(
        "divided by K",
        "You divide by the number of peers. Nobody is a teacher of its own, so there are K − 1 teachers.",
        lambda logits, labels, own: _hard(logits, labels, own) + _taught(logits, own) / len(logits),
    ),
    Mistake(
        "reverse",
        "The divergence is the wrong way round: the teacher is the *other* peer, so it takes the mean of the "
        "logarithms.",
        lambda logits, labels, own: (
            _hard(logits, labels, own) + _taught(logits, own, reverse_kl) / (len(logits) - 1)
        ),
    ),
    Mistake(
        "ensemble",
        "You average the others' probabilities first, and take one divergence. Here each of the others "
        "teaches alone: one divergence for each, then their mean. (For the gradient it makes no difference.)",
        _by_the_ensemble,
    ),
    Mistake(
        "no labels",
        "The cross-entropy with the labels is missing.",
        lambda logits, labels, own: _taught(logits, own) / (len(logits) - 1),
    ),
    Mistake(
        "no peers",
        "That is the cross-entropy alone. What do the others teach?",
        _hard,
    ),
)
CLASS_SLIPS = (summed_over_samples("labels"), averaged_over_classes("logits"))


def _grade_class(answer):
    check_numbers(answer, peer_loss, _class_calls(), CLASS_MISTAKES, CLASS_SLIPS)
    return "With two peers it is the loss that you built in section 1."


# --- 8.2 a fair stop


def _stop_calls():
    return [
        {
            "validation": torch.tensor([70.0, 88.0, 91.5, 90.0, 84.0], dtype=torch.float64),
            "test": torch.tensor([71.0, 87.0, 90.0, 91.0, 83.5], dtype=torch.float64),
        },
        # A tie: the earlier step costs less.
        {
            "validation": torch.tensor([60.0, 93.0, 92.0, 93.0], dtype=torch.float64),
            "test": torch.tensor([61.0, 91.0, 93.0, 92.0], dtype=torch.float64),
        },
    ]


def stopped(validation, test):
    """The test accuracy at the step that validation chooses; the first such step."""
    return test[torch.nonzero(validation == validation.max())[0, 0]]


STOP_MISTAKES = (
    Mistake(
        "peeked",
        "You chose the step by its test accuracy. Then test is no longer unseen: choose by validation.",
        lambda validation, test: test.max(),
    ),
    Mistake("last", "That is the last step. Nobody has stopped.", lambda validation, test: test[-1]),
    Mistake(
        "validation",
        "That is the validation accuracy itself. It chose the step, so it is too good: report test.",
        lambda validation, test: validation.max(),
    ),
    Mistake(
        "late tie",
        "Two steps are equally good on validation, and you took the later one. Whoever stops early has "
        "stopped by then.",
        lambda validation, test: test[torch.nonzero(validation == validation.max())[-1, 0]],
    ),
    Mistake(
        "place",
        "That is which step was chosen. What is the test accuracy there?",
        lambda validation, test: torch.nonzero(validation == validation.max())[0, 0],
    ),
)


def _grade_stop(answer):
    check_numbers(answer, stopped, _stop_calls(), STOP_MISTAKES)
    return "It is what the page did on each seed with `idxmax`."


# --- 8.3 the least agreement


def _agreement_calls():
    return [{"first": first, "second": second} for first, second in ((0.96, 0.95), (0.9, 0.72), (0.3, 0.4))]


def least_agreement(first, second):
    """The smallest share of images on which two networks of these accuracies can say the same."""
    return max(0.0, first + second - 1)


AGREEMENT_MISTAKES = (
    Mistake(
        "by chance",
        "That is how often both are right if their mistakes have nothing to do with each other. It can be "
        "less: let each be wrong where the other is right.",
        lambda first, second: first * second,
    ),
    Mistake(
        "most",
        "That is how often both are right at *most*. For the least, keep their mistakes apart.",
        lambda first, second: min(first, second),
    ),
    Mistake(
        "no floor",
        "Nearly. A share is never below 0: think of two networks that are both mostly wrong.",
        lambda first, second: first + second - 1,
    ),
    Mistake(
        "disagreement",
        "That is the largest possible *dis*agreement. What is left of 1?",
        lambda first, second: min(1.0, 2 - first - second),
    ),
    Mistake(
        "difference",
        "That is the largest agreement possible: one is right wherever the other is, and they share the "
        "mistakes. You are asked for the smallest.",
        lambda first, second: 1 - abs(first - second),
    ),
)


def _grade_agreement(answer):
    check_numbers(answer, least_agreement, _agreement_calls(), AGREEMENT_MISTAKES)
    return "So two networks with 97 % cannot agree on less than 94 %: an agreement is read beside accuracy."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="8.1",
        title="A class of many",
        question=(
            "Write `peer_loss(logits, labels, own)` for K peers: the cross-entropy of peer `own` with the "
            "labels, plus the mean over all *other* peers $l$ of $\\mathrm{KL}(p_l \\Vert p_{own})$ at "
            "temperature 1. `logits` has shape (K, N, C), `labels` shape (N,), `own` is a whole number. Sum "
            "over classes, mean over samples."
        ),
        answer="peer_loss",
        minutes=10,
        difficulty="medium",
        hints=(
            "Go through the peers with `enumerate(logits)`, and leave out the one whose place is `own`.",
            "`kl(p_l, p_own)` from section 1 is one lesson. There are `len(logits) - 1` of them.",
        ),
        source="""
import torch

def peer_loss(logits, labels, own):
    log_p = torch.log_softmax(logits, -1)
    hard = -log_p[own, torch.arange(len(labels)), labels].mean()
    others = [place for place in range(len(logits)) if place != own]
    lessons = [(log_p[l].exp() * (log_p[l] - log_p[own])).sum(-1).mean() for l in others]
    return hard + sum(lessons) / len(lessons)
""",
        grade=_grade_class,
    ),
    Exercise(
        name="8.2",
        title="A fair stop",
        question=(
            "A network was examined at several steps of its training. Write `stopped_at(validation, test)`: "
            "the test accuracy that an early-stopped network reports. Both are tensors with one accuracy for "
            "each examined step. Where several steps are equally good, the earliest counts."
        ),
        answer="stopped_at",
        minutes=5,
        difficulty="easy",
        hints=(
            "Two tensors, two jobs: one chooses the step, the other is read there.",
            "`torch.nonzero(validation == validation.max())` lists the steps that are best; take the first.",
        ),
        source="""
import torch

def stopped_at(validation, test):
    best = torch.nonzero(validation == validation.max())[0, 0]
    return test[best]
""",
        grade=_grade_stop,
    ),
    Exercise(
        name="8.3",
        title="The least they can agree",
        question=(
            "Two networks get the shares `first` and `second` of the images right. Write "
            "`least_agreement(first, second)`: the smallest possible share of images on which they give the "
            "same answer, with ten classes and as many images as you like."
        ),
        answer="least_agreement",
        minutes=5,
        difficulty="medium",
        hints=(
            "Draw the images as a bar. Mark the first network's mistakes at its left end, the second's at "
            "its right.",
            "Where do both have to be right? And where the marks overlap, they need not give the same "
            "wrong answer.",
        ),
        source="""
def least_agreement(first, second):
    return max(0, first + second - 1)
""",
        grade=_grade_agreement,
    ),
)
