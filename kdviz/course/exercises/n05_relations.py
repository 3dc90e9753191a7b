"""Notebook 05: the angle at an image, and what a relation cannot see."""

import torch
from torch.nn.functional import normalize

from kdviz.course.exercises.base import NotYet
from kdviz.course.exercises.diagnosis import NumberGrader
from kdviz.course.exercises.draws import normal

# --- 5.1 the angle at an image


def _sides(embeddings):
    return embeddings.unsqueeze(0) - embeddings.unsqueeze(1)


def _cosines(embeddings):
    sides = normalize(_sides(embeddings), dim=-1)
    return sides @ sides.mT


def _angle_loss(student, teacher, cosines=_cosines):
    """The mean over all triples of the squared difference of the cosines at the first image."""
    return (cosines(student) - cosines(teacher)).square().mean()


grade_angle_loss = NumberGrader(
    _angle_loss,
    gradient_for="student",
    calls=[
        {"student": normal(4, 3, seed=0), "teacher": normal(4, 6, seed=1)},
        {"student": 2 * normal(5, 2, seed=2) + 1, "teacher": normal(5, 3, seed=3)},
    ],
)


@grade_angle_loss.mistake
def from_the_origin(student, teacher):
    """That is the cosine between two embeddings, seen from the origin. The angle of a triangle is seen
    from its corner: subtract the corner from both first."""
    return _angle_loss(student, teacher, lambda each: normalize(each, dim=-1) @ normalize(each, dim=-1).mT)


@grade_angle_loss.mistake
def inner_products(student, teacher):
    """You compare inner products of the sides; a cosine also divides by both lengths."""
    return _angle_loss(student, teacher, lambda each: _sides(each) @ _sides(each).mT)


def _angles(embeddings):
    return _cosines(embeddings).clamp(-1, 1).acos()


@grade_angle_loss.mistake
def angles(student, teacher):
    """You compare the angles; their cosines are asked."""
    return _angle_loss(student, teacher, _angles)


@grade_angle_loss.mistake
def degrees(student, teacher):
    """You compare angles in degrees; their cosines are asked."""
    return _angle_loss(student, teacher, lambda each: torch.rad2deg(_angles(each)))


@grade_angle_loss.mistake
def absolute(student, teacher):
    """You average absolute differences; squared ones are asked."""
    return (_cosines(student) - _cosines(teacher)).abs().mean()


@grade_angle_loss.mistake
def distinct_images(student, teacher):
    """You leave out the triples in which an image occurs twice. Here the mean is over all N³, as in the
    authors' code."""
    same = torch.eye(len(student), dtype=torch.bool)
    apart = ~(same.unsqueeze(0) | same.unsqueeze(1) | same.unsqueeze(2))
    return (_cosines(student) - _cosines(teacher)).square()[apart].mean()


@grade_angle_loss.mistake
def root_of_the_mean(student, teacher):
    """You took the root of the mean; the mean of the squares is asked."""
    return _angle_loss(student, teacher).sqrt()


grade_angle_loss.slip(lambda student, teacher: len(student) ** 3, "You sum over the triples; take the mean.")
grade_angle_loss.slip(0.5, "There is a factor 1/2 in front that was not asked for.")


# --- 5.2 what a relation cannot see

BLIND = {"distances": {"A", "B", "C"}, "similarities": {"B", "C"}}
QUESTIONS = {
    "A": "A distance is taken between two images, an inner product from the origin. Which of them notices "
    "that the origin has moved?",
    "B": "Both losses divide by something. What does that do to a factor that all embeddings share?",
    "C": "Think of a map on a table that you turn. What do lengths and angles on it do?",
    "D": "Two images have changed places, the others have not. Is each still as far from the others as "
    "the teacher says?",
    "E": "The space is stretched along one axis only. Do all distances grow by the same factor?",
}


def grade_blind(answer: dict[str, str]) -> None:
    if not isinstance(answer, dict) or set(answer) != set(BLIND):
        raise NotYet('Hand in a dictionary with two entries: {"distances": "…", "similarities": "…"}.')
    for loss, letters in answer.items():
        given = None
        if isinstance(letters, (str, set, list, tuple)):
            given = {str(letter).upper() for letter in letters} - set(" ,;")
        if given is None or not given <= set(QUESTIONS):
            raise NotYet(f'Write letters from A to E for {loss!r}, for example "AE"; got {letters!r}.')
        wrong = sorted(given ^ BLIND[loss])
        if wrong:
            right, first = len(QUESTIONS) - len(wrong), wrong[0]
            raise NotYet(f"{loss}: {right} of {len(QUESTIONS)}. Look at {first} again: {QUESTIONS[first]}")
