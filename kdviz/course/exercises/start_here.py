"""The exercise of notebook 00: small, and there to show how exercises work."""

import torch

from kdviz.course.exercises.base import Exercise
from kdviz.course.exercises.diagnosis import Mistake, Slip, check_numbers
from kdviz.measure import agreement


def _calls():
    """A student whose logits are the teacher's with noise, so that the two often agree."""
    generator = torch.Generator().manual_seed(0)
    calls = []
    for shape in ((40, 3), (60, 4)):
        teacher = torch.randn(shape, generator=generator)
        student = teacher + 0.5 * torch.randn(shape, generator=generator)
        calls.append({"student_logits": student, "teacher_logits": teacher})
    return calls


def _right(student_logits, teacher_logits):
    return agreement(student_logits, teacher_logits)


def _down_the_samples(student_logits, teacher_logits):
    return (student_logits.argmax(0) == teacher_logits.argmax(0)).float().mean()


AGREEMENT_MISTAKES = (
    Mistake(
        "disagreement",
        "That is the share of images on which they differ.",
        lambda **call: 1 - _right(**call),
    ),
    Mistake(
        "dimension",
        "You took the largest over the images, which is dimension 0. Each image has its own answer: the "
        "largest over its classes.",
        _down_the_samples,
    ),
    Mistake(
        "logits",
        "You asked whether the logits are equal. Two networks can agree on the answer with different "
        "logits: first turn each row of logits into an answer.",
        lambda student_logits, teacher_logits: (student_logits == teacher_logits).float().mean(),
    ),
)
AGREEMENT_SLIPS = (
    Slip(
        "count",
        "That is a count of images. A share runs from 0 to 1.",
        lambda student_logits, teacher_logits: len(student_logits),
    ),
    Slip("percent", "That is in percent. A share runs from 0 to 1.", lambda **call: 100),
)


def _grade_agreement(answer):
    check_numbers(answer, _right, _calls(), AGREEMENT_MISTAKES, AGREEMENT_SLIPS)
    return "Your number is the one that `kdviz.measure.agreement` gives."


EXERCISES = (
    Exercise(
        name="0.1",
        title="Do they agree?",
        question=(
            "Write `agreement(student_logits, teacher_logits)`: the share of images on which student and "
            "teacher give the same answer, right or wrong. Both tensors have one row for each image and "
            "one column for each class. A network's answer is the class with the largest logit."
        ),
        answer="agreement",
        minutes=3,
        difficulty="easy",
        hints=(
            "`tensor.argmax(-1)` gives, for each row, the column with the largest value.",
            "Comparing two tensors of answers with `==` gives true or false for each image. Turn that into "
            "0 and 1 with `.float()`; its mean is a share.",
        ),
        source="""
def agreement(student_logits, teacher_logits):
    same = student_logits.argmax(-1) == teacher_logits.argmax(-1)
    return same.float().mean()
""",
        grade=_grade_agreement,
    ),
)
