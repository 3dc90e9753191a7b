"""Notebook 00: one small exercise, there to show how exercises work."""

from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal
from kdviz.measure import agreement


def _call(images, classes, seed):
    """A student whose logits are the teacher's with noise, so that the two often agree."""
    teacher, noise = normal(2, images, classes, seed=seed)
    return {"student_logits": teacher + 0.5 * noise, "teacher_logits": teacher}


grade_agreement = NumberGrader(agreement, calls=[_call(40, 3, seed=0), _call(60, 4, seed=1)])
grade_agreement.mistake(
    lambda student, teacher: 1 - agreement(student, teacher),
    "That is the share of images on which they differ.",
)
grade_agreement.slip(
    lambda student, teacher: len(student), "That is a count of images. A share runs from 0 to 1."
)
grade_agreement.slip(100, "That is in percent. A share runs from 0 to 1.")


@grade_agreement.mistake
def down_the_samples(student, teacher):
    """You took the largest over the images, which is dimension 0. Each image has its own answer: the
    largest over its classes."""
    return (student.argmax(0) == teacher.argmax(0)).float().mean()


@grade_agreement.mistake
def equal_logits(student, teacher):
    """You asked whether the logits are equal. Two networks can agree on the answer with different
    logits: first turn each row of logits into an answer."""
    return (student == teacher).float().mean()
