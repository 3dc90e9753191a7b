"""The exercises of notebook 04: an attention map, and what a regressor does by itself."""

import torch
from torch.nn.functional import normalize

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, Slip, check_numbers


def _drawn(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- 4.1 attention transfer


def _attention_calls():
    return [
        {"student": _drawn((3, 2, 4, 4), 0), "teacher": _drawn((3, 5, 4, 4), 1)},
        {"student": _drawn((4, 3, 2, 3), 2), "teacher": 3 * _drawn((4, 2, 2, 3), 3)},
    ]


def attention_loss(student, teacher):
    """The mean distance of the attention maps, each of length 1."""
    return _distances(student, teacher).mean()


def _distances(student, teacher, attend=lambda maps: maps.square().sum(1)):
    ours, theirs = (normalize(attend(maps).flatten(1), dim=1) for maps in (student, teacher))
    return (ours - theirs).norm(dim=1)


def _with(attend):
    return lambda student, teacher: _distances(student, teacher, attend).mean()


def _without_length(student, teacher):
    ours, theirs = (maps.square().sum(1).flatten(1) for maps in (student, teacher))
    return (ours - theirs).norm(dim=1).mean()


def _shares(student, teacher):
    ours, theirs = (normalize(maps.square().sum(1).flatten(1), p=1, dim=1) for maps in (student, teacher))
    return (ours - theirs).norm(dim=1).mean()


def _authors(student, teacher):
    return _distances(student, teacher).square().mean() / student[0, 0].numel()


ATTENTION_MISTAKES = (
    Mistake(
        "no length",
        "Your maps keep their size, so a layer with large values has a large loss. Divide each image's map "
        "by its length first.",
        _without_length,
    ),
    Mistake(
        "shares",
        "You divide each map by its sum. Divide it by its length, the root of the sum of its squares.",
        _shares,
    ),
    Mistake(
        "signed",
        "You sum the values over the channels, so that positive and negative ones cancel. Square them first.",
        _with(lambda maps: maps.sum(1)),
    ),
    Mistake(
        "absolute",
        "You sum absolute values over the channels; squares are asked.",
        _with(lambda maps: maps.abs().sum(1)),
    ),
    Mistake(
        "squared",
        "You average squared distances. Here the distance itself is asked, as in the paper.",
        lambda student, teacher: _distances(student, teacher).square().mean(),
    ),
    Mistake(
        "authors",
        "That is the form of the authors' code: squared, and averaged over the places too. The paper's "
        "distance is asked.",
        _authors,
    ),
)
ATTENTION_SLIPS = (
    Slip("sum", "You sum over the images; take their mean.", lambda student, teacher: len(student)),
    Slip("half", "There is a factor 1/2 in front that was not asked for.", lambda **call: 0.5),
)


def _grade_attention(answer):
    check_numbers(answer, attention_loss, _attention_calls(), ATTENTION_MISTAKES, ATTENTION_SLIPS)
    return 'It is `kdviz.losses.feature.attention_transfer` in its form "paper".'


# --- 4.2 what the regressor does by itself


def _regressor_calls():
    return [
        {"student": _drawn((9, 2), 4) + 1, "teacher": _drawn((9, 3), 5) + 2},
        {"student": _drawn((12, 4), 6), "teacher": 2 * _drawn((12, 2), 7) - 1},
    ]


def explained(student, teacher):
    """The share of the teacher's variance that the best regressor gets out of the student's features."""
    return 1 - _left(student, teacher) / _variance(teacher)


def _left(student, teacher, constant=True):
    known = torch.cat([student, torch.ones_like(student[:, :1])], 1) if constant else student
    return (teacher - known @ torch.linalg.lstsq(known, teacher).solution).square().sum()


def _variance(features):
    return (features - features.mean(0)).square().sum()


def _around_zero(student, teacher):
    return 1 - _left(student, teacher) / teacher.square().sum()


def _no_constant(student, teacher):
    return 1 - _left(student, teacher, constant=False) / _variance(teacher)


def _mean_of_units(student, teacher):
    known = torch.cat([student, torch.ones_like(student[:, :1])], 1)
    left = (teacher - known @ torch.linalg.lstsq(known, teacher).solution).square().sum(0)
    return (1 - left / (teacher - teacher.mean(0)).square().sum(0)).mean()


def _one_mean(student, teacher):
    return 1 - _left(student, teacher) / (teacher - teacher.mean()).square().sum()


REGRESSOR_MISTAKES = (
    Mistake(
        "not explained",
        "That is the share that is left over. The share that is explained is asked.",
        lambda student, teacher: 1 - explained(student, teacher),
    ),
    Mistake(
        "the other way",
        "You predict the student from the teacher. The regressor goes from the student to the teacher.",
        lambda student, teacher: explained(teacher, student),
    ),
    Mistake(
        "no constant",
        "Your regressor has no constant. Give the student a column of ones.",
        _no_constant,
    ),
    Mistake(
        "around zero",
        "You compare with a regressor that says 0. One that knows nothing of the student still can say each "
        "unit's mean: compare with that.",
        _around_zero,
    ),
    Mistake(
        "one mean",
        "You subtract one mean of all values. Each of the teacher's units has a mean of its own.",
        _one_mean,
    ),
    Mistake(
        "mean of units",
        "You average the shares of the units, so that a unit that hardly moves counts as much as the others. "
        "Sum over the units first, then divide.",
        _mean_of_units,
    ),
)
REGRESSOR_SLIPS = (Slip("percent", "That is in percent; a share is asked.", lambda **call: 100.0),)


def _grade_regressor(answer):
    check_numbers(answer, explained, _regressor_calls(), REGRESSOR_MISTAKES, REGRESSOR_SLIPS)
    return "Use it on an untrained student before you credit a hint with what its regressor does."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="4.1",
        title="Where do both look?",
        question=(
            "Write `attention_loss(student, teacher)`. Both are maps of shape (N, C, H, W), with different "
            "numbers of channels. An image's *attention map* is the sum over the channels of the squared "
            "values, divided by its length, so that its squares sum to 1. Return the mean over the images of "
            "the distance (not squared) between the student's and the teacher's map."
        ),
        answer="attention_loss",
        minutes=5,
        difficulty="easy",
        hints=(
            "Channels are dimension 1. After the sum over them one map of shape (H, W) is left for each "
            "image; flatten it to a vector.",
            "`torch.nn.functional.normalize(maps, dim=1)` makes vectors of length 1, and `.norm(dim=1)` of a "
            "difference is a distance. The mean comes last.",
        ),
        source="""
from torch.nn.functional import normalize

def attention(maps):
    return normalize(maps.square().sum(1).flatten(1), dim=1)

def attention_loss(student, teacher):
    return (attention(student) - attention(teacher)).norm(dim=1).mean()
""",
        grade=_grade_attention,
    ),
    Exercise(
        name="4.2",
        title="What the regressor does by itself",
        question=(
            "Write `explained_share(student, teacher)`. Both hold features of the same images, of shape "
            "(N, width). Find the best linear regressor with a constant from the student's features to the "
            "teacher's, in the sense of least squares, and return the share of the teacher's variance that "
            "it explains: 1 minus what is left of the squares, over the squares around each unit's mean. Sum "
            "both over all units."
        ),
        answer="explained_share",
        minutes=10,
        difficulty="medium",
        hints=(
            "The best regressor has a closed form; no training is needed. A column of ones beside the "
            "student's features gives it a constant.",
            "`torch.linalg.lstsq(known, teacher).solution` holds its weights, and `known @ weights` what it "
            "says.",
        ),
        source="""
import torch

def explained_share(student, teacher):
    known = torch.cat([student, torch.ones_like(student[:, :1])], dim=1)
    said = known @ torch.linalg.lstsq(known, teacher).solution
    left = (teacher - said).square().sum()
    return 1 - left / (teacher - teacher.mean(0)).square().sum()
""",
        grade=_grade_regressor,
    ),
)
