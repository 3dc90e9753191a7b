"""Notebook 19: the lesson of wrong pairs on average, and the classes that still stand out in it."""

import torch
from torch.nn.functional import cross_entropy

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import logits_of_both, normal

# --- 19.1 the mean lesson


def _on_lesson(student_logits, teacher_logits, wrong):
    right = teacher_logits.softmax(-1)
    return cross_entropy(student_logits, (1 - wrong) * right + wrong * right.mean(0))


grade_mean_lesson_loss = NumberGrader(
    _on_lesson,
    calls=[
        logits_of_both(5, 4, seed=191) | {"wrong": 0.3},
        logits_of_both(6, 3, seed=192) | {"wrong": 0.8},
        logits_of_both(4, 5, seed=193) | {"wrong": 0.6},
    ],
    gradient_for="student_logits",
)


@grade_mean_lesson_loss.mistake
def fractions_exchanged(student_logits, teacher_logits, wrong):
    """Your fractions are exchanged: `wrong` belongs to the mean answer, and what is left to the right one."""
    return _on_lesson(student_logits, teacher_logits, 1 - wrong)


@grade_mean_lesson_loss.mistake
def mean_of_logits(student_logits, teacher_logits, wrong):
    """You blend the logits, and take the softmax last. Lessons are averaged as probabilities."""
    blend = (1 - wrong) * teacher_logits + wrong * teacher_logits.mean(0)
    return cross_entropy(student_logits, blend.softmax(-1))


@grade_mean_lesson_loss.mistake
def softmax_of_the_mean(student_logits, teacher_logits, wrong):
    """You take the softmax of the mean logits. Wanted is the mean of the probabilities."""
    mean = teacher_logits.mean(0).softmax(-1)
    return cross_entropy(student_logits, (1 - wrong) * teacher_logits.softmax(-1) + wrong * mean)


@grade_mean_lesson_loss.mistake
def even(student_logits, teacher_logits, wrong):
    """You take an even answer for the wrong pairs. The mean is over the samples: dimension 0."""
    right = teacher_logits.softmax(-1)
    return cross_entropy(student_logits, (1 - wrong) * right + wrong / right.shape[-1])


@grade_mean_lesson_loss.mistake
def right_pairs_only(student_logits, teacher_logits, wrong):
    """That is the loss with all pairs right. Where do the wrong ones come in?"""
    return _on_lesson(student_logits, teacher_logits, 0.0)


@grade_mean_lesson_loss.mistake
def wrong_pairs_only(student_logits, teacher_logits, wrong):
    """That is the loss with all pairs wrong. Some are right: a fraction 1 - wrong."""
    return _on_lesson(student_logits, teacher_logits, 1.0)


@grade_mean_lesson_loss.mistake
def both_added(student_logits, teacher_logits, wrong):
    """You give the right pairs the weight 1. Theirs is 1 - wrong."""
    right = teacher_logits.softmax(-1)
    return cross_entropy(student_logits, right + wrong * right.mean(0))


@grade_mean_lesson_loss.mistake
def hard_answers(student_logits, teacher_logits, wrong):
    """You take the class that the teacher decides for. Its *soft* answer is asked: the softmax."""
    hard = torch.nn.functional.one_hot(teacher_logits.argmax(-1), teacher_logits.shape[-1]).to(teacher_logits)
    return cross_entropy(student_logits, (1 - wrong) * hard + wrong * hard.mean(0))


grade_mean_lesson_loss.slip(
    lambda student_logits, *others: len(student_logits), "You sum over the samples; take their mean."
)


# --- 19.2 who stands out


def _lesson(stands_in, wrong):
    return (1 - wrong) * torch.eye(len(stands_in), dtype=stands_in.dtype) + wrong * stands_in


def _on_diagonal(lesson):
    return (lesson.argmax(1) == torch.arange(len(lesson))).double().mean()


def _still_right(stands_in, wrong):
    return _on_diagonal(_lesson(stands_in, wrong))


def _rows(classes, sharp, seed):
    """Rows that sum to 1: nearly even ones first, and last such as have nearly all in one other place."""
    scale = sharp * torch.linspace(0.1, 3, classes, dtype=torch.double)[:, None]
    drawn = scale * normal(classes, classes, seed=seed)
    return drawn.fill_diagonal_(-20).softmax(1)


grade_still_right = NumberGrader(
    _still_right,
    calls=[
        {"stands_in": _rows(7, 2, seed=194), "wrong": 0.7},
        {"stands_in": _rows(9, 3, seed=195), "wrong": 0.6},
        {"stands_in": _rows(5, 1, seed=196), "wrong": 0.75},
        {"stands_in": _rows(8, 1, seed=197), "wrong": 0.3},
    ],
    samples_and_classes=False,
)


@grade_still_right.mistake
def read_by_columns(stands_in, wrong):
    """You read `stands_in` by its columns. What stands beside a sound of class c is in row c."""
    return _still_right(stands_in.T, wrong)


@grade_still_right.mistake
def fractions_exchanged_here(stands_in, wrong):
    """Your fractions are exchanged: the right pairs are the fraction 1 - wrong."""
    return _still_right(stands_in, 1 - wrong)


@grade_still_right.mistake
def one_half(stands_in, wrong):
    """You let one half decide. The right class must only have the largest part of the lesson."""
    return torch.tensor(float(wrong < 0.5))


@grade_still_right.mistake
def any_right_pair(stands_in, wrong):
    """You take it that any right pair is enough. That is so where the wrong ones are spread evenly."""
    return torch.tensor(1.0)


@grade_still_right.mistake
def right_pairs(stands_in, wrong):
    """That is the fraction of right pairs. Asked are the classes that are the largest in their lesson."""
    return torch.tensor(1.0 - wrong)


@grade_still_right.mistake
def named_wrongly(stands_in, wrong):
    """You count the classes that are named wrongly. The right ones are asked."""
    return 1 - _still_right(stands_in, wrong)


grade_still_right.slip(
    lambda stands_in, wrong: len(stands_in), "That is how many classes; the fraction is asked."
)
grade_still_right.slip(100, "You give percent; a fraction is asked.")
