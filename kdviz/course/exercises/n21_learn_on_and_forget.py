"""Notebook 21: what was forgotten and what was not asked, and the loss that keeps the old answers."""

import torch

from kdviz.course.exercises.diagnosis import (
    AVERAGED_OVER_CLASSES,
    SUMMED_OVER_SAMPLES,
    NumberGrader,
)
from kdviz.course.exercises.draws import normal

# --- 21.1 forgotten, or not asked?


def _missed(logits, labels, old):
    return (labels < old) & (logits.argmax(-1) != labels)


def _not_asked(logits, labels, old):
    missed = _missed(logits, labels, old)
    return (logits[missed, :old].argmax(-1) == labels[missed]).double().mean()


def _call(images, classes, old, seed):
    """Images that are mostly known, but for which a new class is louder."""
    labels = torch.randint(classes, (images,), generator=torch.Generator().manual_seed(seed))
    logits = normal(images, classes, seed=seed)
    logits[range(images), labels] += 1.0
    logits[:, old:] += 1.0
    return {"logits": logits, "labels": labels, "old": old}


grade_not_asked = NumberGrader(
    _not_asked, calls=[_call(90, 6, 3, 211), _call(80, 5, 2, 212), _call(100, 9, 5, 213)]
)


@grade_not_asked.mistake
def of_all_old(logits, labels, old):
    """You divide by all images of old classes. Only those count that are wrong when all logits may answer."""
    missed = _missed(logits, labels, old)
    hits = logits[missed, :old].argmax(-1) == labels[missed]
    return hits.sum() / (labels < old).sum().double()


@grade_not_asked.mistake
def of_all_images(logits, labels, old):
    """You divide by all images. Only those count that are old, and wrong when all logits may answer."""
    missed = _missed(logits, labels, old)
    return (logits[missed, :old].argmax(-1) == labels[missed]).sum() / float(len(labels))


@grade_not_asked.mistake
def old_head_of_every_old_image(logits, labels, old):
    """That is the accuracy of the old head on all old images. Take those that are wrong among all logits."""
    mine = labels < old
    return (logits[mine, :old].argmax(-1) == labels[mine]).double().mean()


@grade_not_asked.mistake
def new_images_too(logits, labels, old):
    """You take images of new classes too. Of these the old logits can name none; leave them out."""
    missed = logits.argmax(-1) != labels
    return (logits[missed, :old].argmax(-1) == labels[missed]).double().mean()


@grade_not_asked.mistake
def still_wrong(logits, labels, old):
    """That is the fraction that stays wrong. Which fraction becomes right?"""
    return 1 - _not_asked(logits, labels, old)


@grade_not_asked.mistake
def new_head(logits, labels, old):
    """You let the new logits answer: those from `old` on. The first `old` are yesterday's."""
    missed = _missed(logits, labels, old)
    return (logits[missed, old:].argmax(-1) == labels[missed]).double().mean()


@grade_not_asked.mistake
def right_among_all(logits, labels, old):
    """You choose the images that are right among all logits. Choose those that are wrong."""
    found = (labels < old) & (logits.argmax(-1) == labels)
    return (logits[found, :old].argmax(-1) == labels[found]).double().mean()


@grade_not_asked.mistake
def how_many_missed(logits, labels, old):
    """That is how many old images are missed. Which fraction of them does the old head still know?"""
    mine = labels < old
    return (logits[mine].argmax(-1) != labels[mine]).double().mean()


@grade_not_asked.mistake
def counted(logits, labels, old):
    """You count the images. A fraction is asked: divide by how many were missed."""
    missed = _missed(logits, labels, old)
    return (logits[missed, :old].argmax(-1) == labels[missed]).double().sum()


@grade_not_asked.mistake
def one_class_more(logits, labels, old):
    """You let one logit too many answer: the first `old` are 0 to old - 1."""
    missed = _missed(logits, labels, old)
    return (logits[missed, : old + 1].argmax(-1) == labels[missed]).double().mean()


# --- 21.2 kept answers


def _softened(logits, old, temperature=2.0):
    return (logits[:, :old] / temperature).log_softmax(-1)


def _cross(log_q, log_p):
    return -(log_q.exp() * log_p).sum(-1)


def _kept(student, teacher, old):
    return _cross(_softened(teacher, old), _softened(student, old)).mean()


def _pair(images, classes, old, seed):
    student, teacher = 2 * normal(2, images, classes, seed=seed)
    return {"student": student, "teacher": teacher, "old": old}


grade_kept = NumberGrader(
    _kept, calls=[_pair(6, 5, 3, 221), _pair(4, 7, 4, 222), _pair(9, 10, 2, 223)], gradient_for="student"
)


@grade_kept.mistake
def without_temperature(student, teacher, old):
    """You take the answers as they are. Divide both logits by 2 before the softmax."""
    return _cross(_softened(teacher, old, 1.0), _softened(student, old, 1.0)).mean()


@grade_kept.mistake
def teacher_as_it_is(student, teacher, old):
    """You soften the student and not the teacher. Both are divided by 2."""
    return _cross(_softened(teacher, old, 1.0), _softened(student, old)).mean()


@grade_kept.mistake
def student_as_it_is(student, teacher, old):
    """You soften the teacher and not the student. Both are divided by 2."""
    return _cross(_softened(teacher, old), _softened(student, old, 1.0)).mean()


@grade_kept.mistake
def all_classes(student, teacher, old):
    """You compare all classes. Of the new ones yesterday's network knows nothing: take the first `old`."""
    return _cross(_softened(teacher, None), _softened(student, None)).mean()


@grade_kept.mistake
def new_classes(student, teacher, old):
    """You compare the new classes, from `old` on. Yesterday's are the first `old`."""
    return _cross(*((each[:, old:] / 2).log_softmax(-1) for each in (teacher, student))).mean()


@grade_kept.mistake
def chosen_after_the_softmax(student, teacher, old):
    """You take the softmax over all classes and then the old ones: they do not sum to 1. Choose first."""
    return _cross(*((each / 2).log_softmax(-1)[:, :old] for each in (teacher, student))).mean()


@grade_kept.mistake
def the_other_way_round(student, teacher, old):
    """You have them the wrong way round: q is the teacher's, and the logarithm the student's."""
    return _cross(_softened(student, old), _softened(teacher, old)).mean()


@grade_kept.mistake
def the_divergence(student, teacher, old):
    """That is the KL divergence. Its gradient is the same; the paper's loss has no logarithm of q."""
    log_q = _softened(teacher, old)
    return (_cross(log_q, _softened(student, old)) - _cross(log_q, log_q)).mean()


def summed(student, teacher, old):
    return _cross(_softened(teacher, old), _softened(student, old)).sum()


grade_kept.mistake(summed, SUMMED_OVER_SAMPLES)


@grade_kept.mistake
def hard_answers(student, teacher, old):
    """You take the teacher's first choice for a label. Its probabilities say more: keep them soft."""
    first = teacher[:, :old].argmax(-1)
    return torch.nn.functional.cross_entropy(student[:, :old] / 2, first)


grade_kept.slip(4.0, "You multiply by T². Hinton does; this paper does not.")
grade_kept.slip(-1.0, "The sign is wrong: a cross-entropy is 0 or more.")
grade_kept.slip(lambda student, teacher, old: 1 / old, AVERAGED_OVER_CLASSES)
