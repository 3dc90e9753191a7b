"""Notebook 04: an attention map, what a regressor does by itself, a weight, and a hint that is learned."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import normalize

from kdviz.course.exercises.asking import ask, kind_of
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import Grader, NumberGrader
from kdviz.course.exercises.draws import normal
from kdviz.seeding import seeded

# --- 4.1 attention transfer


def _distances(student, teacher, attend=lambda maps: maps.square().sum(1), power=2):
    """Each image's distance between the two attention maps, each of length 1."""
    student, teacher = (normalize(attend(maps).flatten(1), p=power, dim=1) for maps in (student, teacher))
    return (student - teacher).norm(dim=1)


def _attention_loss(student, teacher):
    return _distances(student, teacher).mean()


grade_attention_loss = NumberGrader(
    _attention_loss,
    gradient_for="student",
    calls=[
        {"student": normal(3, 2, 4, 4, seed=0), "teacher": normal(3, 5, 4, 4, seed=1)},
        {"student": normal(4, 3, 2, 3, seed=2), "teacher": 3 * normal(4, 2, 2, 3, seed=3)},
    ],
)


@grade_attention_loss.mistake
def not_divided_by_the_length(student, teacher):
    """Your maps keep their size, so a layer with large values has a large loss. Divide each image's map
    by its length first."""
    student, teacher = (maps.square().sum(1).flatten(1) for maps in (student, teacher))
    return (student - teacher).norm(dim=1).mean()


@grade_attention_loss.mistake
def divided_by_the_sum(student, teacher):
    """You divide each map by its sum. Divide it by its length, the root of the sum of its squares."""
    return _distances(student, teacher, power=1).mean()


@grade_attention_loss.mistake
def signed(student, teacher):
    """You sum the values over the channels, so that positive and negative ones cancel. Square them first."""
    return _distances(student, teacher, lambda maps: maps.sum(1)).mean()


@grade_attention_loss.mistake
def absolute(student, teacher):
    """You sum absolute values over the channels; squares are asked."""
    return _distances(student, teacher, lambda maps: maps.abs().sum(1)).mean()


@grade_attention_loss.mistake
def squared(student, teacher):
    """You average squared distances. Here the distance itself is asked, as in the paper."""
    return _distances(student, teacher).square().mean()


@grade_attention_loss.mistake
def form_of_the_authors_code(student, teacher):
    """That is the form of the authors' code: squared, and averaged over the places too. The paper's
    distance is asked."""
    return _distances(student, teacher).square().mean() / student[0, 0].numel()


grade_attention_loss.slip(lambda student, teacher: len(student), "You sum over the images; take their mean.")
grade_attention_loss.slip(0.5, "There is a factor 1/2 in front that was not asked for.")


# --- 4.2 what the regressor does by itself


def _residuals(student, teacher, constant=True):
    """What the best regressor leaves of the teacher's features."""
    known = torch.cat([student, torch.ones_like(student[:, :1])], 1) if constant else student
    return teacher - known @ torch.linalg.lstsq(known, teacher).solution


def _explained(student, teacher, constant=True):
    """The fraction of the teacher's variance that the best regressor gets out of the student's features."""
    left = _residuals(student, teacher, constant).square().sum()
    return 1 - left / (teacher - teacher.mean(0)).square().sum()


grade_explained_share = NumberGrader(
    _explained,
    calls=[
        {"student": normal(9, 2, seed=4) + 1, "teacher": normal(9, 3, seed=5) + 2},
        {"student": normal(12, 4, seed=6), "teacher": 2 * normal(12, 2, seed=7) - 1},
    ],
)


@grade_explained_share.mistake
def not_explained(student, teacher):
    """That is the share that is left over. The share that is explained is asked."""
    return 1 - _explained(student, teacher)


@grade_explained_share.mistake
def the_other_way(student, teacher):
    """You predict the student from the teacher. The regressor goes from the student to the teacher."""
    return _explained(teacher, student)


@grade_explained_share.mistake
def no_constant(student, teacher):
    """Your regressor has no constant. Give the student a column of ones."""
    return _explained(student, teacher, constant=False)


@grade_explained_share.mistake
def compared_with_zero(student, teacher):
    """You compare with a regressor that says 0. One that knows nothing of the student still can say each
    unit's mean: compare with that."""
    return 1 - _residuals(student, teacher).square().sum() / teacher.square().sum()


@grade_explained_share.mistake
def one_mean(student, teacher):
    """You subtract one mean of all values. Each of the teacher's units has a mean of its own."""
    left = _residuals(student, teacher).square().sum()
    return 1 - left / (teacher - teacher.mean()).square().sum()


@grade_explained_share.mistake
def mean_of_units(student, teacher):
    """You average the shares of the units, so that a unit that hardly moves counts as much as the others.
    Sum over the units first, then divide."""
    left = _residuals(student, teacher).square().sum(0)
    return (1 - left / (teacher - teacher.mean(0)).square().sum(0)).mean()


grade_explained_share.slip(100, "That is in percent; a share is asked.")


# --- 4.3 the weight of the same loss in another form


def _weight_in_the_paper(weight, units):
    """The mean over images and units is 2 / units times the paper's loss."""
    return 2 * weight / units


grade_weight_in_the_paper = NumberGrader(
    _weight_in_the_paper, calls=[{"weight": 100.0, "units": 256}, {"weight": 3.0, "units": 10}]
)
grade_weight_in_the_paper.praise_numbers = {"converted": _weight_in_the_paper(100, 256)}


@grade_weight_in_the_paper.mistake
def other_way_round(weight, units):
    """You convert the other way round: from the paper's weight to the repository's."""
    return weight * units / 2


@grade_weight_in_the_paper.mistake
def multiplied(weight, units):
    """Multiplying by the units makes the weight larger. But torch's mean is the *smaller* loss, so the same
    teaching needs a smaller weight where the loss is larger."""
    return 2 * weight * units


@grade_weight_in_the_paper.mistake
def no_half(weight, units):
    """The mean over the units is undone. The paper also has a factor of 1/2 in front."""
    return weight / units


@grade_weight_in_the_paper.mistake
def half_forgotten_twice(weight, units):
    """The 1/2 of the paper stands on the wrong side: its loss is half as large, so its weight is twice as
    large."""
    return weight / (2 * units)


@grade_weight_in_the_paper.mistake
def unchanged(weight, units):
    """The weight is the repository's. Which loss is larger, on the same features?"""
    return weight


# --- 4.4 a hint with its regressor


def _learners():
    """A student of 4 numbers that knows nothing, images, and a teacher's 12 numbers for them."""
    with seeded(4):
        images = torch.randn(120, 8)
        teacher = nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 12))
        student = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 4))
        with torch.no_grad():
            return student, images, 2 * teacher(images) + 1


@Grader
def grade_learn_by_hint(answer: Callable) -> dict[str, float]:
    student, images, theirs = _learners()
    before = copy.deepcopy(student.state_dict())
    with torch.no_grad():
        untrained = student(images)
    given = {"images": images.clone(), "theirs": theirs.clone()}
    with seeded(0):
        regressor = ask(answer, student=student, **given)
    if regressor is None:
        raise NotYet("Your function returned `None`. Does it end with `return regressor`?")
    _check_regressor(regressor)
    if not all(torch.equal(given[name], right) for name, right in (("images", images), ("theirs", theirs))):
        raise NotYet("Images and teacher's numbers are given; your function changed one of them.")
    stood_still = all(torch.equal(value, before[name]) for name, value in student.state_dict().items())
    with torch.no_grad():
        said, features = regressor(student(images)), student(images)
    learned = _of_the_variance(said, theirs)
    best, alone = (float(_explained(each.double(), theirs.double())) for each in (features, untrained))
    if stood_still:
        raise NotYet(_STOOD_STILL if learned > alone - 0.1 else _NOTHING_MOVED)
    _check_fit(learned, best, alone)
    return {"learned": 100 * learned, "untrained": 100 * alone}


_NOTHING_MOVED = "Neither student nor regressor has learned anything. What moves the parameters in a step?"
_STOOD_STILL = (
    "The student has not moved: only the regressor has learned. Its loss falls all the same, and says "
    "nothing about the student. Whose parameters does the optimizer hold, and does the gradient reach them?"
)


def _check_regressor(regressor: Any) -> None:
    if not isinstance(regressor, nn.Module):
        raise NotYet(
            f"Return the regressor, a `torch.nn.Linear`; your function returned {kind_of(regressor)}."
        )
    try:
        shape = tuple(regressor(torch.zeros(2, 4)).shape)
    except RuntimeError:
        shape = None
    if shape != (2, 12):
        raise NotYet("Return the regressor, which makes 12 numbers of the student's 4; yours does not.")


def _of_the_variance(said, theirs):
    return float(1 - (said - theirs).square().sum() / (theirs - theirs.mean(0)).square().sum())


def _check_fit(learned: float, best: float, alone: float) -> None:
    """How good the student got, and its regressor beside the best one for that student."""
    if not learned > -1000:
        raise NotYet("The loss has grown beyond all bounds. Is its sign right?")
    if best < alone:
        raise NotYet(
            f"The student has become worse than untrained: the best regressor now explains {best:.0%} of the "
            f"teacher, and did {alone:.0%} before. Are old gradients forgotten, and is each image beside its "
            "own numbers?"
        )
    if best < 0.7:
        raise NotYet(
            f"The student has learned little: even the best regressor explains only {best:.0%} of the "
            "teacher. 200 steps of Adam at 0.02 reach 90 % and more. Are there so many, all with the right "
            "pairs and with one and the same regressor?"
        )
    if learned < best - 0.2:
        raise NotYet(
            f"The student has learned: the best regressor would explain {best:.0%} of the teacher's "
            f"variance. The one you return explains {max(learned, 0):.0%}. Is it in the optimizer, and is it "
            "the one that learned?"
        )
    if learned < 0.85:
        raise NotYet(
            f"Nearly: student and regressor explain {learned:.0%} of the teacher's variance. 200 steps of "
            "Adam at 0.02 reach 90 %."
        )
