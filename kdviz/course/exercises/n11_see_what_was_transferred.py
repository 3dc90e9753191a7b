"""Notebook 11: mistakes in common, and the class that loses most."""

import torch
from torch.nn.functional import one_hot

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal


def _call(seed):
    """Student, teacher and labels of 60 images in 4 classes of very different sizes."""
    labels = torch.arange(4).repeat_interleave(torch.tensor([30, 18, 8, 4]))
    truth = 2.0 * one_hot(labels, 4)
    noise = normal(2, 60, 4, seed=seed)
    teacher = truth + noise[0]
    return {"student": truth / 2 + teacher / 2 + 1.5 * noise[1], "teacher": teacher, "labels": labels}


_CALLS = [_call(seed) for seed in (110, 111, 112)]


# --- 11.1 mistakes in common


def _shared_mistakes(student, teacher, labels):
    student, teacher = student.argmax(-1), teacher.argmax(-1)
    return (student == teacher)[teacher != labels].double().mean()


grade_shared_mistakes = NumberGrader(_shared_mistakes, _CALLS)


@grade_shared_mistakes.mistake
def of_all_images(student, teacher, labels):
    """You divide by all images. Ask only of those on which the teacher is wrong."""
    student, teacher = student.argmax(-1), teacher.argmax(-1)
    return ((student == teacher) & (teacher != labels)).double().mean()


@grade_shared_mistakes.mistake
def both_wrong(student, teacher, labels):
    """You count images on which both are wrong. Two networks can be wrong in different ways: the answers
    must be the same."""
    return (student.argmax(-1) != labels)[teacher.argmax(-1) != labels].double().mean()


@grade_shared_mistakes.mistake
def of_the_students_mistakes(student, teacher, labels):
    """You divide by the student's mistakes. The question is about the images on which the *teacher* is
    wrong."""
    return _shared_mistakes(teacher, student, labels)


@grade_shared_mistakes.mistake
def plain_agreement(student, teacher, labels):
    """That is the agreement on all images. Most of these are right answers, which need no teacher."""
    return (student.argmax(-1) == teacher.argmax(-1)).double().mean()


# --- 11.2 the class that loses most


def _recalls(logits, labels):
    right = (logits.argmax(-1) == labels).double()
    return torch.stack([right[labels == c].mean() for c in range(logits.shape[-1])])


def _gaps(student, teacher, labels):
    return _recalls(student, labels) - _recalls(teacher, labels)


def _worst_class(student, teacher, labels):
    return _gaps(student, teacher, labels).min()


grade_worst_class = NumberGrader(_worst_class, _CALLS)


@grade_worst_class.mistake
def mean_over_classes(student, teacher, labels):
    """That is the mean over the classes. Take the worst of them."""
    return _gaps(student, teacher, labels).mean()


@grade_worst_class.mistake
def wrong_sign(student, teacher, labels):
    """Right size, wrong sign: take student minus teacher, so that a loss is negative."""
    return -_worst_class(student, teacher, labels)


@grade_worst_class.mistake
def best_class(student, teacher, labels):
    """That is the class which gains most, not the one which loses most."""
    return _gaps(student, teacher, labels).max()


@grade_worst_class.mistake
def precision(student, teacher, labels):
    """You divide by the images that were *called* that class, which gives its precision. The recall
    divides by the images that *are* of the class."""
    gaps = [_recalls(one_hot(labels, 4), logits.argmax(-1)) for logits in (student, teacher)]
    return (gaps[0] - gaps[1]).min()


@grade_worst_class.mistake
def divided_by_all_images(student, teacher, labels):
    """You divide by all images. Then a rare class can lose everything and hardly show. Divide by the
    images of the class."""
    fractions = labels.bincount() / len(labels)
    return (_gaps(student, teacher, labels) * fractions).min()


@grade_worst_class.mistake
def two_different_classes(student, teacher, labels):
    """You subtract the teacher's worst class from the student's worst class, which may be two different
    classes. Subtract class by class first."""
    return _recalls(student, labels).min() - _recalls(teacher, labels).min()
