"""Notebook 08: a class of many peers, an early stop, the least agreement, and five schemes."""

import torch
from torch.nn.functional import cross_entropy

from kdviz.course.exercises.diagnosis import (
    AVERAGED_OVER_CLASSES,
    SUMMED_OVER_SAMPLES,
    LetterGrader,
    NumberGrader,
)
from kdviz.course.exercises.draws import normal
from kdviz.losses.response import reverse_kl, soft_targets

# --- 8.1 a class of many


def _lessons(logits, own, loss=soft_targets):
    """What each of the others teaches."""
    return torch.stack([loss(logits[own], other, 1.0) for other in _others(logits, own)])


def _others(logits, own):
    return [other for index, other in enumerate(logits) if index != own]


def _peer_loss(logits, labels, own):
    """What one of several peers of mutual learning minimises."""
    return cross_entropy(logits[own], labels) + _lessons(logits, own).mean()


_labels = torch.tensor([0, 2, 1, 1, 0])
grade_peer_loss = NumberGrader(
    _peer_loss,
    gradient_for="logits",
    # Whether the others are detached is not asked; in a training loop their step is another one.
    gradient_part=lambda gradient, call: gradient[call["own"]],
    calls=[
        {"logits": 2 * normal(3, 5, 3, seed=80), "labels": _labels, "own": 1},
        {"logits": 2 * normal(4, 5, 3, seed=81), "labels": _labels, "own": 0},
    ],
)


@grade_peer_loss.mistake
def lessons_added_up(logits, labels, own):
    """You add up what the others teach. Take their mean: K peers have K − 1 teachers each."""
    return cross_entropy(logits[own], labels) + _lessons(logits, own).sum()


@grade_peer_loss.mistake
def divided_by_all_peers(logits, labels, own):
    """You divide by the number of peers. Nobody is a teacher of its own, so there are K − 1 teachers."""
    return cross_entropy(logits[own], labels) + _lessons(logits, own).sum() / len(logits)


@grade_peer_loss.mistake
def lessons_averaged_over_classes(logits, labels, own):
    """What the others teach is averaged over the classes too, as torch's `kl_div` does unless told
    otherwise. Sum over the classes, mean over the samples."""
    return cross_entropy(logits[own], labels) + _lessons(logits, own).mean() / logits.shape[-1]


@grade_peer_loss.mistake
def reversed_divergence(logits, labels, own):
    """The divergence is the wrong way round: the teacher is the *other* peer, so the weights are its
    probabilities."""
    return cross_entropy(logits[own], labels) + _lessons(logits, own, reverse_kl).mean()


@grade_peer_loss.mistake
def taught_by_the_ensemble(logits, labels, own):
    """You average the others' probabilities first, and take one divergence. Here each of the others
    teaches alone: one divergence for each, then their mean. (For the gradient it makes no difference.)"""
    mean = torch.stack(_others(logits, own)).softmax(-1).mean(0)
    return cross_entropy(logits[own], labels) + soft_targets(logits[own], mean.log(), 1.0)


@grade_peer_loss.mistake
def no_labels(logits, labels, own):
    """The cross-entropy with the labels is missing."""
    return _lessons(logits, own).mean()


@grade_peer_loss.mistake
def no_peers(logits, labels, own):
    """That is the cross-entropy alone. What do the others teach?"""
    return cross_entropy(logits[own], labels)


grade_peer_loss.slip(lambda logits, labels, own: len(labels), SUMMED_OVER_SAMPLES)
grade_peer_loss.slip(lambda logits, labels, own: 1 / logits.shape[-1], AVERAGED_OVER_CLASSES)


# --- 8.2 a fair stop


def _best_steps(validation):
    return torch.nonzero(validation == validation.max())[:, 0]


def _stopped_at(validation, test):
    """The test accuracy at the step that validation chooses; the first such step."""
    return test[_best_steps(validation)[0]]


def _accuracies(validation, test):
    return {name: torch.tensor(each).double() for name, each in (("validation", validation), ("test", test))}


grade_stopped_at = NumberGrader(
    _stopped_at,
    calls=[
        _accuracies([70.0, 88.0, 91.5, 90.0, 84.0], test=[71.0, 87.0, 90.03, 91.0, 83.5]),
        # A tie: the earlier step costs less.
        _accuracies([60.0, 93.0, 92.0, 93.0], test=[61.0, 91.03, 93.0, 92.0]),
        # Nobody has to stop.
        _accuracies([60.0, 70.0, 80.0], test=[62.0, 69.0, 79.03]),
    ],
    samples_and_classes=False,
)


@grade_stopped_at.mistake
def chosen_on_test(validation, test):
    """You chose the step by its test accuracy. Then test is no longer unseen: choose by validation."""
    return test.max()


@grade_stopped_at.mistake
def last_step(validation, test):
    """That is the last step. Nobody has stopped."""
    return test[-1]


@grade_stopped_at.mistake
def validation_reported(validation, test):
    """That is the validation accuracy itself. It chose the step, so it is too good: report test."""
    return validation.max()


@grade_stopped_at.mistake
def later_of_two(validation, test):
    """Two steps are equally good on validation, and you took the later one. Whoever stops early has
    stopped by then."""
    return test[_best_steps(validation)[-1]]


@grade_stopped_at.mistake
def index_of_the_step(validation, test):
    """That is which step was chosen. What is the test accuracy there?"""
    return _best_steps(validation)[0]


# --- 8.3 the least agreement


def _least_agreement(first, second):
    """The smallest fraction of images on which two networks of these accuracies can say the same."""
    return max(0.0, first + second - 1)


grade_least_agreement = NumberGrader(
    _least_agreement,
    calls=[{"first": 0.96, "second": 0.95}, {"first": 0.9, "second": 0.72}, {"first": 0.3, "second": 0.4}],
)


@grade_least_agreement.mistake
def by_chance(first, second):
    """That is how often both are right if their mistakes have nothing to do with each other. It can be
    less: let each be wrong where the other is right."""
    return first * second


@grade_least_agreement.mistake
def most(first, second):
    """That is how often both are right at *most*. For the least, keep their mistakes apart."""
    return min(first, second)


@grade_least_agreement.mistake
def no_floor(first, second):
    """Nearly. A share is never below 0: think of two networks that are both mostly wrong."""
    return first + second - 1


@grade_least_agreement.mistake
def disagreement(first, second):
    """That is the largest possible *dis*agreement. What is left of 1?"""
    return min(1.0, 2 - first - second)


@grade_least_agreement.mistake
def largest_agreement(first, second):
    """That is the largest agreement possible: one is right wherever the other is, and they share the
    mistakes. You are asked for the smallest."""
    return 1 - abs(first - second)


# --- 8.4 five schemes

grade_schemes = LetterGrader(
    {"A": "codistillation", "B": "ONE", "C": "mutual learning", "D": "KDCL", "E": "OKDDip"},
    choices=("mutual learning", "codistillation", "KDCL", "ONE", "OKDDip"),
    questions={
        "A": "The teacher is up to an hour old. Which scheme has teachers that stand still for a while?",
        "B": "How many networks are there, if they share a trunk? Look for the scheme that has a gate.",
        "C": "There is no mixture and no delay here. Which is the plainest of the schemes?",
        "D": "The labels have a say in the teacher, and the images are distorted. Who does both?",
        "E": "Everybody has a teacher of its own, made by attention. Who has peers and a leader?",
    },
    one="scheme",
    each="group",
)
