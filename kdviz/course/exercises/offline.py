"""The exercises of notebook 07: what a short cache loses, a cache at another temperature, a learned lie."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, check_numbers


def _logits(samples, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)


# --- 7.1 what a short cache loses


def _lost_calls():
    return [
        {"logits": _logits(6, 10, 70), "k": 3, "temperature": 4.0},
        {"logits": _logits(4, 5, 71), "k": 2, "temperature": 2.0},
    ]


def lost(logits, k, temperature):
    """The mean probability outside the k largest."""
    return 1 - (logits / temperature).softmax(-1).topk(k).values.sum(-1).mean()


LOST_MISTAKES = (
    Mistake(
        "kept",
        "That is what the k classes keep. What is lost?",
        lambda logits, k, temperature: 1 - lost(logits, k, temperature),
    ),
    Mistake(
        "temperature forgotten",
        "That is at temperature 1. The student learns at T, so divide the logits by it first.",
        lambda logits, k, temperature: lost(logits, k, 1.0),
    ),
    Mistake(
        "multiplied",
        "You multiply the logits by the temperature. Divide.",
        lambda logits, k, temperature: lost(logits, k, 1 / temperature),
    ),
    Mistake(
        "smallest",
        "You take away the k smallest probabilities. The cache keeps the largest.",
        lambda logits, k, temperature: (
            1 - (logits / temperature).softmax(-1).topk(k, largest=False).values.sum(-1).mean()
        ),
    ),
    Mistake(
        "one fewer",
        "One class is missing from what you keep: k of them, the first choice included.",
        lambda logits, k, temperature: lost(logits, k - 1, temperature),
    ),
    Mistake(
        "not summed",
        "You average over the k classes too. Add them up, then take the mean over the images.",
        lambda logits, k, temperature: 1 - (logits / temperature).softmax(-1).topk(k).values.mean(),
    ),
)


def _grade_lost(answer):
    check_numbers(answer, lost, _lost_calls(), LOST_MISTAKES)
    return "The hotter the student learns, the more a short cache leaves out."


# --- 7.2 another temperature


def _reheat_calls():
    return [
        {"probabilities": torch.softmax(_logits(5, 10, 72), -1), "temperature": 4.0},
        {"probabilities": torch.softmax(_logits(3, 4, 73), -1), "temperature": 2.0},
    ]


def first_choice_at(probabilities, temperature):
    """The mean probability of the first choice at T, from probabilities at temperature 1."""
    return (probabilities.log() / temperature).softmax(-1).amax(-1).mean()


REHEAT_MISTAKES = (
    Mistake(
        "softmax of probabilities",
        "You treat the probabilities as if they were logits. Their logarithms are logits, up to a constant "
        "that the softmax does not see.",
        lambda probabilities, temperature: (probabilities / temperature).softmax(-1).amax(-1).mean(),
    ),
    Mistake(
        "not renormalised",
        "You take the power 1/T, but the numbers of an image no longer add up to 1.",
        lambda probabilities, temperature: (probabilities ** (1 / temperature)).amax(-1).mean(),
    ),
    Mistake(
        "colder",
        "Your answer gets sharper with T, not softer: the power is 1/T, not T.",
        lambda probabilities, temperature: (probabilities.log() * temperature).softmax(-1).amax(-1).mean(),
    ),
    Mistake(
        "unchanged",
        "That is the first choice at temperature 1. Nothing was heated.",
        lambda probabilities, temperature: probabilities.amax(-1).mean(),
    ),
    Mistake(
        "divided",
        "You divide the probabilities by T. Dividing the *logits* by T is something else.",
        lambda probabilities, temperature: probabilities.amax(-1).mean() / temperature,
    ),
)


def _grade_reheat(answer):
    check_numbers(answer, first_choice_at, _reheat_calls(), REHEAT_MISTAKES)
    return "A cache of probabilities is as good as one of logits, as long as none was rounded to 0."


# --- 7.3 a learned lie


def _lie_calls():
    given, truth = torch.tensor([0, 2, 1, 1, 0, 2, 2, 0]), torch.tensor([0, 1, 1, 2, 2, 0, 1, 0])
    return [
        {"logits": _logits(8, classes, seed), "given": given, "truth": truth}
        for classes, seed in ((3, 65), (5, 74))
    ]


def _at(logits, classes):
    return logits.gather(1, classes[:, None])[:, 0]


def share_believed(logits, given, truth):
    """Of the images with a wrong label, the share on which that label has the larger logit."""
    wrong = given != truth
    return (_at(logits, given) > _at(logits, truth))[wrong].double().mean()


LIE_MISTAKES = (
    Mistake(
        "all images",
        "You divide by all images. Only those with a wrong label can tell a lie from the truth.",
        lambda logits, given, truth: (_at(logits, given) > _at(logits, truth)).double().mean(),
    ),
    Mistake(
        "the truth",
        "That is how often the *right* class wins. You are asked for the other share.",
        lambda logits, given, truth: 1 - share_believed(logits, given, truth),
    ),
    Mistake(
        "first choice",
        "You count images whose first choice is the given label. Here only two classes are compared: the "
        "given and the right one. A third may be larger than both.",
        lambda logits, given, truth: (logits.argmax(-1) == given)[given != truth].double().mean(),
    ),
    Mistake(
        "fit",
        "That is how well the teacher fits all given labels, the right ones included.",
        lambda logits, given, truth: (logits.argmax(-1) == given).double().mean(),
    ),
    Mistake(
        "counted",
        "That is a number of images. Which share of those with a wrong label is it?",
        lambda logits, given, truth: (_at(logits, given) > _at(logits, truth)).double().sum(),
    ),
)


def _grade_lie(answer):
    check_numbers(answer, share_believed, _lie_calls(), LIE_MISTAKES)
    return "It is what the first picture counts: the points above its diagonal."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="7.1",
        title="What a short cache loses",
        question=(
            "A cache keeps the k largest probabilities of each image. Write `lost(logits, k, temperature)`: "
            "the probability that it leaves out at temperature T, on average over the images. `logits` has "
            "shape (N, C)."
        ),
        answer="lost",
        minutes=5,
        difficulty="easy",
        hints=(
            "Three steps: probabilities at T, the k largest of each row, what they leave of 1.",
            "`p.topk(k).values` are the k largest of each row; their sum is over the last dimension.",
        ),
        source="""
import torch

def lost(logits, k, temperature):
    p = torch.softmax(logits / temperature, -1)
    return 1 - p.topk(k).values.sum(-1).mean()
""",
        grade=_grade_lost,
    ),
    Exercise(
        name="7.2",
        title="Only probabilities were kept",
        question=(
            "Somebody kept the teacher's *probabilities* at temperature 1 and deleted the logits. Write "
            "`first_choice_at(probabilities, temperature)`: the probability of the first choice at another "
            "temperature, on average over the images. `probabilities` has shape (N, C), none is 0."
        ),
        answer="first_choice_at",
        minutes=10,
        difficulty="medium",
        hints=(
            "Which numbers, put through a softmax, give these probabilities again?",
            "The logarithm undoes the exponential of the softmax. Divide *it* by T.",
        ),
        source="""
import torch

def first_choice_at(probabilities, temperature):
    hotter = torch.softmax(probabilities.log() / temperature, -1)
    return hotter.max(-1).values.mean()
""",
        grade=_grade_reheat,
    ),
    Exercise(
        name="7.3",
        title="Has it learned the lie?",
        question=(
            "Some training labels are wrong, and you know which. Write `share_believed(logits, given, "
            "truth)`: of the images whose given label is wrong, the share on which the teacher's logit of "
            "the given label is larger than that of the right one. `logits` has shape (N, C), `given` and "
            "`truth` shape (N,)."
        ),
        answer="share_believed",
        minutes=5,
        difficulty="easy",
        hints=(
            "`given != truth` picks the images that count.",
            "`logits[torch.arange(len(given)), given]` takes from each row the entry of its given label.",
        ),
        source="""
import torch

def share_believed(logits, given, truth):
    rows = torch.arange(len(given))
    believed = logits[rows, given] > logits[rows, truth]
    return believed[given != truth].double().mean()
""",
        grade=_grade_lie,
    ),
)
