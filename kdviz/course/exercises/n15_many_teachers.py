"""Notebook 15: how much a teacher is believed, and what travels."""

import torch

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 15.1 weights by loss


def _losses(logits, labels):
    return -logits.log_softmax(-1)[:, torch.arange(len(labels)), labels].mean(1)


def _shares(losses):
    return (1 - losses.softmax(0)) / (len(losses) - 1)


def _first_weight(logits, labels):
    return _shares(_losses(logits, labels))[0]


def _call(teachers, images, classes, seed):
    draws = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (images,), generator=draws)
    return {"logits": 2 * normal(teachers, images, classes, seed=seed), "labels": labels}


grade_first_weight = NumberGrader(
    _first_weight,
    calls=[_call(3, 5, 4, 151), _call(2, 6, 3, 152), _call(4, 3, 5, 153)],
    samples_and_classes=False,
)


@grade_first_weight.mistake
def softmax_of_the_loss(logits, labels):
    """You take the softmax of the losses as the weight. That listens to the worst; take 1 minus it."""
    return _losses(logits, labels).softmax(0)[0]


@grade_first_weight.mistake
def not_shared(logits, labels):
    """Your weights sum to K - 1. Divide by it."""
    return 1 - _losses(logits, labels).softmax(0)[0]


@grade_first_weight.mistake
def over_all_teachers(logits, labels):
    """You divide by K. The sum of all 1 - softmax is K - 1."""
    losses = _losses(logits, labels)
    return (1 - losses.softmax(0)[0]) / len(losses)


@grade_first_weight.mistake
def softmax_of_the_negative_loss(logits, labels):
    """You take the softmax of the negative losses. With two teachers that is the same, not with more."""
    return (-_losses(logits, labels)).softmax(0)[0]


@grade_first_weight.mistake
def summed(logits, labels):
    """You sum the cross-entropy over the images. Take its mean: else a few images decide all."""
    return _shares(_losses(logits, labels) * len(labels))[0]


@grade_first_weight.mistake
def probabilities(logits, labels):
    """You average the probability of the label. The loss is minus its logarithm."""
    said = logits.softmax(-1)[:, torch.arange(len(labels)), labels]
    return _shares(-said.mean(1))[0]


@grade_first_weight.mistake
def mean_inside_the_logarithm(logits, labels):
    """You average probabilities and then take the logarithm. Take each logarithm, then the mean."""
    said = logits.softmax(-1)[:, torch.arange(len(labels)), labels]
    return _shares(-said.mean(1).log())[0]


@grade_first_weight.mistake
def no_softmax_of_the_logits(logits, labels):
    """You take the logits themselves for log-probabilities. They need a log_softmax over the classes."""
    return _shares(-logits[:, torch.arange(len(labels)), labels].mean(1))[0]


@grade_first_weight.mistake
def each_image_for_itself(logits, labels):
    """You weigh for each image and average the weights. Average the losses first, then weigh once."""
    each = -logits.log_softmax(-1)[:, torch.arange(len(labels)), labels]
    return _shares(each)[0].mean()


@grade_first_weight.mistake
def the_last_teacher(logits, labels):
    """That is the weight of the last teacher. The first is asked."""
    return _shares(_losses(logits, labels))[-1]


@grade_first_weight.mistake
def the_most_believed(logits, labels):
    """That is the largest weight. The first teacher's is asked."""
    return _shares(_losses(logits, labels)).max()


@grade_first_weight.mistake
def by_accuracy(logits, labels):
    """You weigh by errors. By the cross-entropy: it also asks how sure a wrong teacher is."""
    return _shares((logits.argmax(-1) != labels).double().mean(1))[0]


# --- 15.2 what travels


def _times_as_many(parameters, rounds, images, classes):
    return 2 * rounds * parameters / (images * classes)


grade_times_as_many = NumberGrader(
    _times_as_many,
    calls=[
        {"parameters": 2410, "rounds": 10, "images": 200, "classes": 10},
        {"parameters": 500, "rounds": 3, "images": 40, "classes": 7},
        {"parameters": 1000, "rounds": 1, "images": 50, "classes": 100},
    ],
    samples_and_classes=False,
)


@grade_times_as_many.mistake
def one_round(parameters, rounds, images, classes):
    """You count one round. The weights travel in every round."""
    return 2 * parameters / (images * classes)


@grade_times_as_many.mistake
def one_number_an_image(parameters, rounds, images, classes):
    """You count one number an image. There is a logit for each class."""
    return 2 * rounds * parameters / images


@grade_times_as_many.mistake
def the_other_way_round(parameters, rounds, images, classes):
    """You divide the answers by the weights. How many times as many does *FedAvg* take?"""
    return images * classes / (2 * rounds * parameters)


@grade_times_as_many.mistake
def the_difference(parameters, rounds, images, classes):
    """That is how many bytes more. How many *times* as many?"""
    return 4 * (2 * rounds * parameters - images * classes)


@grade_times_as_many.mistake
def bytes_of_weights_only(parameters, rounds, images, classes):
    """You count bytes of the weights and numbers of the answers. Both take 4 bytes a number."""
    return 8 * rounds * parameters / (images * classes)


@grade_times_as_many.mistake
def weights_alone(parameters, rounds, images, classes):
    """Those are the bytes of FedAvg. Divide by those of the answers."""
    return 8 * rounds * parameters


grade_times_as_many.slip(
    0.5, "You count the weights one way, or the answers both ways: weights go both ways."
)
