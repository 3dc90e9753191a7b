"""Notebook 22: the overlap of one class, and a loss in which the background weighs less."""

import torch

from kdviz.course.exercises.diagnosis import NumberGrader

# --- 22.1 intersection over union


def _maps(seed, *shape, classes):
    random = torch.Generator().manual_seed(seed)
    return [torch.randint(classes, shape, generator=random).double() for _ in range(2)]


def _call(maps, name):
    return {"answers": maps[0], "labels": maps[1], "name": name}


def _overlap(answers, labels, name):
    said, there = answers == name, labels == name
    return (said & there).sum() / (said | there).sum()


grade_overlap = NumberGrader(
    _overlap,
    calls=[
        _call(_maps(221, 6, 6, classes=3), 2),
        _call(_maps(222, 2, 5, 5, classes=4), 1),
        _call([torch.tensor([1.0, 1, 1, 0, 2]), torch.tensor([1.0, 0, 0, 0, 1])], 1),
    ],
    samples_and_classes=False,
)


@grade_overlap.mistake
def of_the_labels(answers, labels, name):
    """You divide by the pixels that are labelled: that is the recall, and a network that calls everything
    by this name would have 1. Divide by those that are answered *or* labelled with it."""
    there = labels == name
    return ((answers == name) & there).sum() / there.sum()


@grade_overlap.mistake
def of_the_answers(answers, labels, name):
    """You divide by the pixels that are answered: that is the precision. Divide by those that are answered
    *or* labelled with it."""
    said = answers == name
    return (said & (labels == name)).sum() / said.sum()


@grade_overlap.mistake
def counted_twice(answers, labels, name):
    """You add the two numbers of pixels, and so count twice those that are both. Take the pixels that are
    one *or* the other."""
    said, there = answers == name, labels == name
    return (said & there).sum() / (said.sum() + there.sum())


@grade_overlap.mistake
def dice(answers, labels, name):
    """That is Dice's measure: twice the intersection by the sum of both. Divide the intersection by the
    union."""
    said, there = answers == name, labels == name
    return 2 * (said & there).sum() / (said.sum() + there.sum())


@grade_overlap.mistake
def of_all_pixels(answers, labels, name):
    """You divide by all pixels. Those that neither are nor are called this class do not count."""
    return ((answers == name) & (labels == name)).double().mean()


@grade_overlap.mistake
def right_pixels(answers, labels, name):
    """That is the share of right pixels, of all classes. Only one class is asked."""
    return (answers == labels).double().mean()


@grade_overlap.mistake
def not_divided(answers, labels, name):
    """That is how many pixels are both. Divide it by how many are one or the other."""
    return ((answers == name) & (labels == name)).sum()


# --- 22.2 a weighted mean

BACKGROUND = 10


def _weighted_loss(losses, classes, background_weight):
    weights = torch.where(classes == BACKGROUND, background_weight, 1.0)
    return (weights * losses).sum() / weights.sum()


def _losses(seed, count):
    random = torch.Generator().manual_seed(seed)
    classes = torch.randint(4, (count,), generator=random)
    classes[: 2 * count // 3] = BACKGROUND
    losses = torch.rand(count, generator=random, dtype=torch.float64) * torch.where(classes == 10, 1.0, 3.0)
    return {"losses": losses, "classes": classes}


grade_weighted_loss = NumberGrader(
    _weighted_loss,
    calls=[
        {**_losses(223, 12), "background_weight": 0.3},
        {**_losses(224, 9), "background_weight": 0.1},
        {**_losses(225, 15), "background_weight": 0.5},
    ],
    samples_and_classes=False,
)


@grade_weighted_loss.mistake
def by_the_pixels(losses, classes, background_weight):
    """You divide by the number of pixels. In a weighted mean the weights must sum to 1: divide by their
    sum."""
    return (torch.where(classes == BACKGROUND, background_weight, 1.0) * losses).mean()


@grade_weighted_loss.mistake
def weights_exchanged(losses, classes, background_weight):
    """You weigh the digits. It is the background, class 10, that weighs less."""
    weights = torch.where(classes == BACKGROUND, 1.0, background_weight)
    return (weights * losses).sum() / weights.sum()


@grade_weighted_loss.mistake
def no_weights(losses, classes, background_weight):
    """That is the plain mean. Give each background pixel its weight."""
    return losses.mean()


@grade_weighted_loss.mistake
def background_left_out(losses, classes, background_weight):
    """You leave the background out. It weighs less, but it counts."""
    return losses[classes != BACKGROUND].mean()


@grade_weighted_loss.mistake
def summed(losses, classes, background_weight):
    """You take the weighted sum. Divide it by the sum of the weights."""
    return (torch.where(classes == BACKGROUND, background_weight, 1.0) * losses).sum()


@grade_weighted_loss.mistake
def of_two_means(losses, classes, background_weight):
    """You weigh the mean of the background against the mean of the digits. Each *pixel* has a weight."""
    nothing = classes == BACKGROUND
    total = background_weight * losses[nothing].mean() + losses[~nothing].mean()
    return total / (1 + background_weight)
