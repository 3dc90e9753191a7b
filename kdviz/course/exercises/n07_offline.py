"""Notebook 07: a short cache, a cache at another temperature, a learned lie, and missing controls."""

import torch

from kdviz.course.exercises.diagnosis import LetterGrader, NumberGrader
from kdviz.course.exercises.draws import logits

# --- 7.1 what a short cache loses


def _lost(logits, k, temperature, largest=True):
    """The mean probability outside the k largest."""
    return 1 - (logits / temperature).softmax(-1).topk(k, largest=largest).values.sum(-1).mean()


grade_lost = NumberGrader(
    _lost,
    calls=[
        {"logits": logits(6, 10, seed=70), "k": 3, "temperature": 4.0},
        {"logits": logits(4, 5, seed=71), "k": 2, "temperature": 2.0},
    ],
)


@grade_lost.mistake
def kept(logits, k, temperature):
    """That is what the k classes keep. What is lost?"""
    return 1 - _lost(logits, k, temperature)


@grade_lost.mistake
def temperature_forgotten(logits, k, temperature):
    """That is at temperature 1. The student learns at T, so divide the logits by it first."""
    return _lost(logits, k, 1.0)


@grade_lost.mistake
def multiplied_by_the_temperature(logits, k, temperature):
    """You multiply the logits by the temperature. Divide."""
    return _lost(logits, k, 1 / temperature)


@grade_lost.mistake
def smallest(logits, k, temperature):
    """You take away the k smallest probabilities. The cache keeps the largest."""
    return _lost(logits, k, temperature, largest=False)


@grade_lost.mistake
def one_fewer(logits, k, temperature):
    """One class is missing from what you keep: k of them, the first choice included."""
    return _lost(logits, k - 1, temperature)


@grade_lost.mistake
def not_summed(logits, k, temperature):
    """You average over the k classes too. Add them up, then take the mean over the images."""
    return 1 - (logits / temperature).softmax(-1).topk(k).values.mean()


# --- 7.2 another temperature


def _first_choice_at(probabilities, temperature):
    """The mean probability of the first choice at T, from probabilities at temperature 1."""
    return (probabilities.log() / temperature).softmax(-1).amax(-1).mean()


grade_first_choice_at = NumberGrader(
    _first_choice_at,
    calls=[
        {"probabilities": logits(5, 10, seed=72).softmax(-1), "temperature": 4.0},
        {"probabilities": logits(3, 4, seed=73).softmax(-1), "temperature": 2.0},
    ],
)


@grade_first_choice_at.mistake
def softmax_of_probabilities(probabilities, temperature):
    """You treat the probabilities as if they were logits. Their logarithms are logits, up to a constant
    that the softmax does not see."""
    return (probabilities / temperature).softmax(-1).amax(-1).mean()


@grade_first_choice_at.mistake
def not_renormalised(probabilities, temperature):
    """You take the power 1/T, but the numbers of an image no longer add up to 1."""
    return (probabilities ** (1 / temperature)).amax(-1).mean()


@grade_first_choice_at.mistake
def normalised_over_all_images(probabilities, temperature):
    """You divide by the sum over all images. Each image's probabilities must add up to 1."""
    powers = probabilities ** (1 / temperature)
    return (powers / powers.sum()).amax(-1).mean()


@grade_first_choice_at.mistake
def sharper(probabilities, temperature):
    """Your answer gets sharper with T, not softer: the power is 1/T, not T."""
    return _first_choice_at(probabilities, 1 / temperature)


@grade_first_choice_at.mistake
def unchanged(probabilities, temperature):
    """That is the first choice at temperature 1. Nothing was heated."""
    return probabilities.amax(-1).mean()


@grade_first_choice_at.mistake
def divided(probabilities, temperature):
    """You divide the probabilities by T. Dividing the *logits* by T is something else."""
    return probabilities.amax(-1).mean() / temperature


# --- 7.3 a learned lie


def _at(logits, classes):
    return logits.gather(1, classes[:, None])[:, 0]


def _believed(logits, given, truth):
    """For each image, whether the given label has a larger logit than the right one."""
    return (_at(logits, given) > _at(logits, truth)).double()


def _share_believed(logits, given, truth):
    """Of the images with a wrong label, the fraction on which that label has the larger logit."""
    return _believed(logits, given, truth)[given != truth].mean()


def _tied(logits):
    """Equal logits for the given and the right class of the second image, which has a wrong label."""
    logits[1, 1] = logits[1, 2]
    return logits


_labels = {
    "given": torch.tensor([0, 2, 1, 1, 0, 2, 2, 0]),
    "truth": torch.tensor([0, 1, 1, 2, 2, 0, 1, 1]),
}
grade_share_believed = NumberGrader(
    _share_believed,
    calls=[
        {"logits": _tied(logits(8, 3, seed=88))} | _labels,
        {"logits": _tied(logits(8, 5, seed=62))} | _labels,
    ],
)


@grade_share_believed.mistake
def of_all_images(logits, given, truth):
    """You divide by all images. Only those with a wrong label can tell a lie from the truth."""
    return _believed(logits, given, truth).mean()


@grade_share_believed.mistake
def truth_wins(logits, given, truth):
    """That is how often the *right* class wins. You are asked for the other share."""
    return 1 - _share_believed(logits, given, truth)


@grade_share_believed.mistake
def ties_believed(logits, given, truth):
    """You count an image whose two logits are equal. The given label's must be *larger*."""
    return (_at(logits, given) >= _at(logits, truth))[given != truth].double().mean()


@grade_share_believed.mistake
def first_choice(logits, given, truth):
    """You count images whose first choice is the given label. Here only two classes are compared: the
    given and the right one. A third may be larger than both."""
    return (logits.argmax(-1) == given)[given != truth].double().mean()


@grade_share_believed.mistake
def fit(logits, given, truth):
    """That is how well the teacher fits all given labels, the right ones included."""
    return (logits.argmax(-1) == given).double().mean()


@grade_share_believed.mistake
def counted(logits, given, truth):
    """That is a number of images. Which share of those with a wrong label is it?"""
    return _believed(logits, given, truth).sum()


# --- 7.4 five claims

grade_controls = LetterGrader(
    {
        "A": "no teacher",
        "B": "as many steps",
        "C": "a baseline that stops too",
        "D": "the answers permuted",
        "E": "the same stages, one teacher",
    },
    choices=(
        "as many steps",
        "no teacher",
        "a baseline that stops too",
        "the answers permuted",
        "the same stages, one teacher",
    ),
    questions={
        "A": "Better than a bad teacher. What would the student have reached by itself?",
        "B": "Count: for how long is each of the two trained in all, the assistant's time included?",
        "C": "One side was looked at in its best moment, the other one at the very end.",
        "D": "A fine story. Which experiment would have made this student fail if the story were true?",
        "E": "Both sides take equally long. What else do four stages bring, apart from the checkpoints?",
    },
    one="control",
    each="claim",
)
