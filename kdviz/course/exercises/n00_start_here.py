"""Notebook 00: a share, an objective and the three ingredients; easy, to show how exercises work."""

import math
from collections.abc import Callable

from kdviz.course.exercises.asking import ask, kind_of
from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import Grader, LetterGrader, NumberGrader
from kdviz.course.exercises.draws import normal
from kdviz.measure import agreement

# --- 0.1 agreement


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


# --- 0.2 an objective

_WEIGHTS = {"cross_entropy": 0.25, "soft_targets": 0.75}


@Grader
def grade_my_objective(answer: Callable) -> None:
    if hasattr(answer, "terms"):
        raise NotYet("That is an objective itself. Hand in the function that returns it.")
    objective = ask(answer)
    if objective is None:
        raise NotYet("Your function returned `None`. Does it end with `return`?")
    if not hasattr(objective, "terms"):
        raise NotYet(
            "Your function should return an objective: a sum of losses, each with a weight in front. It "
            f"returned {kind_of(objective)}."
        )
    terms = objective.terms()
    found = {term.loss.name: term for term in terms}
    for name, what in (("cross_entropy", "hears no labels"), ("soft_targets", "hears no teacher")):
        if name not in found:
            raise NotYet(f"Your student {what}: a term is missing, one of two.")
    if len(terms) > len(_WEIGHTS):
        raise NotYet(f"Your objective has {len(terms)} terms. Two are asked for.")
    _check_weights({name: term.weight for name, term in found.items()})
    temperature = found["soft_targets"].loss.temperature
    if temperature != 2:
        raise NotYet(f"The weights are right. The temperature is {temperature:g}, and should be 2.")


def _check_weights(weights: dict[str, float]) -> None:
    labels, teacher = (weights[name] for name in _WEIGHTS)
    if (labels, teacher) == (0.75, 0.25):
        raise NotYet("Your two weights have changed places: the teacher is to be heard more than the labels.")
    if math.isclose(teacher, 3 * labels) and labels != 0.25:
        raise NotYet(
            f"The teacher is heard three times as much as the labels, as it should be, but your weights are "
            f"{labels:g} and {teacher:g}. Quarters of one are asked."
        )
    if weights != _WEIGHTS:
        raise NotYet(f"Your weights are {labels:g} for the labels and {teacher:g} for the teacher.")


# --- 0.3 the three ingredients

grade_ingredients = LetterGrader(
    {
        "A": "architecture",
        "B": "knowledge",
        "C": "scheme",
        "D": "architecture",
        "E": "knowledge",
    },
    choices=("architecture", "knowledge", "scheme"),
    questions={
        "A": "The lesson is the same, and so is the time at which it is given. What has changed?",
        "B": "The same two networks, one after the other. Which of the three questions has another answer?",
        "C": "The networks and the lesson can stay as they are. When does the teacher learn?",
        "D": "Five in the place of one. Is that about who teaches, what is taught, or when?",
        "E": "The same two networks, one after the other. What does the student get to hear?",
    },
    one="ingredient",
    each="change",
)
