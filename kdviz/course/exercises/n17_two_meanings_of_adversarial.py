"""Notebook 17: by how much an answer is right, and the worst that an attack can do to it."""

import torch

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 17.1 the margin


def _own(logits, labels):
    return logits[torch.arange(len(labels)), labels]


def _others(logits, labels):
    own = torch.nn.functional.one_hot(labels, logits.shape[-1]).bool()
    return logits.masked_fill(own, -torch.inf)


def _mean_margin(logits, labels):
    return (_own(logits, labels) - _others(logits, labels).amax(-1)).mean()


def _images(images, classes, seed):
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (images,), generator=draws)
    return {"logits": 2 * normal(images, classes, seed=seed), "labels": labels}


grade_mean_margin = NumberGrader(
    _mean_margin, calls=[_images(5, 4, 171), _images(7, 3, 172), _images(6, 5, 173)]
)


@grade_mean_margin.mistake
def largest_of_all(logits, labels):
    """You subtract the largest of all logits. Leave the label's out, else a right answer has margin 0."""
    return (_own(logits, labels) - logits.amax(-1)).mean()


@grade_mean_margin.mistake
def mean_of_the_others(logits, labels):
    """You subtract the mean of the others. Take the largest of them: that is the one that would win."""
    others = (logits.sum(-1) - _own(logits, labels)) / (logits.shape[-1] - 1)
    return (_own(logits, labels) - others).mean()


@grade_mean_margin.mistake
def the_other_way_round(logits, labels):
    """Your sign is turned round. The label's logit comes first: a right answer has a margin above 0."""
    return -_mean_margin(logits, labels)


@grade_mean_margin.mistake
def of_probabilities(logits, labels):
    """You take probabilities. The margin is of logits, which no softmax has flattened."""
    return _mean_margin(logits.softmax(-1), labels)


@grade_mean_margin.mistake
def first_and_second(logits, labels):
    """You take the largest minus the second largest. That is never below 0: it does not ask for the label."""
    best = logits.topk(2).values
    return (best[:, 0] - best[:, 1]).mean()


@grade_mean_margin.mistake
def zero_in_place_of_the_label(logits, labels):
    """You put 0 in the label's place. Where all others are below 0 that 0 wins; put minus infinity there."""
    own = torch.nn.functional.one_hot(labels, logits.shape[-1]).bool()
    return (_own(logits, labels) - logits.masked_fill(own, 0.0).amax(-1)).mean()


@grade_mean_margin.mistake
def without_the_wrong(logits, labels):
    """You put margins below 0 to 0. A wrong answer counts with what it is short of."""
    return (_own(logits, labels) - _others(logits, labels).amax(-1)).clamp(min=0).mean()


@grade_mean_margin.mistake
def summed_up(logits, labels):
    """You add the margins up. Their mean is asked."""
    return _mean_margin(logits, labels) * len(labels)


@grade_mean_margin.mistake
def the_smallest_other(logits, labels):
    """You subtract the smallest of the others. The largest is the one that would win."""
    own = torch.nn.functional.one_hot(labels, logits.shape[-1]).bool()
    return (_own(logits, labels) - logits.masked_fill(own, torch.inf).amin(-1)).mean()


@grade_mean_margin.mistake
def share_of_right_answers(logits, labels):
    """You count right answers. By how much they are right is asked."""
    return (logits.argmax(-1) == labels).double().mean()


# --- 17.2 the worst case of a linear network


def _parts(weight, bias, x, label):
    apart = weight[label] - weight[1 - label]
    return apart, apart @ x + bias[label] - bias[1 - label]


def _worst_margin(weight, bias, x, label, epsilon):
    apart, margin = _parts(weight, bias, x, label)
    return margin - epsilon * apart.abs().sum()


def _network(inputs, label, epsilon, seed):
    drawn = normal(2, inputs, seed=seed), normal(2, seed=seed + 1), normal(inputs, seed=seed + 2)
    return dict(zip(("weight", "bias", "x"), drawn, strict=True)) | {"label": label, "epsilon": epsilon}


grade_worst_margin = NumberGrader(
    _worst_margin,
    calls=[_network(4, 0, 0.3, 174), _network(6, 1, 0.2, 177), _network(3, 1, 0.7, 180)],
    samples_and_classes=False,
)


@grade_worst_margin.mistake
def before_the_attack(weight, bias, x, label, epsilon):
    """That is the margin before the attack. Each number of x now moves by epsilon against you."""
    return _parts(weight, bias, x, label)[1]


@grade_worst_margin.mistake
def for_you(weight, bias, x, label, epsilon):
    """Your attack makes the answer surer. It takes away: a minus sign."""
    apart, margin = _parts(weight, bias, x, label)
    return margin + epsilon * apart.abs().sum()


@grade_worst_margin.mistake
def signs_cancel(weight, bias, x, label, epsilon):
    """You move every number of x the same way. Each goes against the sign of its own weight."""
    apart, margin = _parts(weight, bias, x, label)
    return margin - epsilon * apart.sum()


@grade_worst_margin.mistake
def the_largest_only(weight, bias, x, label, epsilon):
    """You move one number of x. All of them may move, each by epsilon."""
    apart, margin = _parts(weight, bias, x, label)
    return margin - epsilon * apart.abs().max()


@grade_worst_margin.mistake
def along_the_gradient(weight, bias, x, label, epsilon):
    """Your whole step is epsilon long, along the gradient. Here each number may move by epsilon."""
    apart, margin = _parts(weight, bias, x, label)
    return margin - epsilon * apart.norm()


@grade_worst_margin.mistake
def without_the_bias(weight, bias, x, label, epsilon):
    """You left the biases out. They are part of the logits, and no attack moves them."""
    apart, _ = _parts(weight, bias, x, label)
    return apart @ x - epsilon * apart.abs().sum()


@grade_worst_margin.mistake
def of_class_0(weight, bias, x, label, epsilon):
    """You take class 0 for the right one. The label says which is."""
    return _worst_margin(weight, bias, x, 0, epsilon)


@grade_worst_margin.mistake
def each_row_for_itself(weight, bias, x, label, epsilon):
    """You attack both logits apart. One x cannot do both: take the difference of the rows first."""
    _, margin = _parts(weight, bias, x, label)
    return margin - epsilon * weight.abs().sum()


@grade_worst_margin.mistake
def the_label_alone(weight, bias, x, label, epsilon):
    """You attack the label's logit alone. The other one rises as well: take the difference of the rows."""
    _, margin = _parts(weight, bias, x, label)
    return margin - epsilon * weight[label].abs().sum()


@grade_worst_margin.mistake
def mean_of_the_weights(weight, bias, x, label, epsilon):
    """You average over the inputs. Each of them takes its own share away: add them up."""
    apart, margin = _parts(weight, bias, x, label)
    return margin - epsilon * apart.abs().mean()


@grade_worst_margin.mistake
def no_lower_than_zero(weight, bias, x, label, epsilon):
    """You stop at 0. Below it the answer is wrong, and by how much is asked."""
    return _worst_margin(weight, bias, x, label, epsilon).clamp(min=0)
