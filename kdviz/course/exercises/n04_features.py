"""Notebook 04: an attention map, and what a regressor does by itself."""

import torch
from torch.nn.functional import normalize

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

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
