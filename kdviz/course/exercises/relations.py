"""The exercises of notebook 05: the angle at an image, and what a relation cannot see."""

import torch

from kdviz.course.exercises.base import Exercise, NotYet
from kdviz.course.exercises.diagnosis import Mistake, Slip, check_numbers

# --- 5.1 the angle at an image


def _embeddings(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _angle_calls():
    return [{"student": _embeddings((4, 3), 0), "teacher": _embeddings((4, 6), 1)}] + [
        {"student": 2 * _embeddings((5, 2), 2) + 1, "teacher": _embeddings((5, 3), 3)}
    ]


def angle_loss(student, teacher):
    """The mean over all triples of the squared difference of the cosines at the first image."""
    return (_cosines(student) - _cosines(teacher)).square().mean()


def _cosines(embeddings):
    sides = _unit(embeddings.unsqueeze(0) - embeddings.unsqueeze(1))
    return sides @ sides.mT


def _unit(vectors):
    return torch.nn.functional.normalize(vectors, dim=-1)


def _with(cosines):
    def loss(student, teacher):
        return (cosines(student) - cosines(teacher)).square().mean()

    return loss


def _from_origin(embeddings):
    return _unit(embeddings) @ _unit(embeddings).mT


def _products(embeddings):
    sides = embeddings.unsqueeze(0) - embeddings.unsqueeze(1)
    return sides @ sides.mT


def _angles(embeddings):
    return _cosines(embeddings).clamp(-1, 1).acos()


def _degrees(embeddings):
    return torch.rad2deg(_angles(embeddings))


def _absolute(student, teacher):
    return (_cosines(student) - _cosines(teacher)).abs().mean()


def _distinct(student, teacher):
    """The mean over triples of three different images only."""
    number = len(student)
    squares = (_cosines(student) - _cosines(teacher)).square()
    one = torch.eye(number, dtype=torch.bool)
    apart = ~(one.unsqueeze(0) | one.unsqueeze(1) | one.unsqueeze(2))
    return squares[apart].mean()


def _rooted(student, teacher):
    return angle_loss(student, teacher).sqrt()


ANGLE_MISTAKES = (
    Mistake(
        "from the origin",
        "That is the cosine between two embeddings, seen from the origin. The angle of a triangle is seen "
        "from its corner: subtract the corner from both first.",
        _with(_from_origin),
    ),
    Mistake(
        "products",
        "You compare inner products of the sides; a cosine also divides by both lengths.",
        _with(_products),
    ),
    Mistake("angles", "You compare the angles; their cosines are asked.", _with(_angles)),
    Mistake("degrees", "You compare angles in degrees; their cosines are asked.", _with(_degrees)),
    Mistake("absolute", "You average absolute differences; squared ones are asked.", _absolute),
    Mistake(
        "distinct",
        "You leave out the triples in which an image occurs twice. Here the mean is over all N³, as in the "
        "authors' code.",
        _distinct,
    ),
    Mistake("root", "You took the root of the mean; the mean of the squares is asked.", _rooted),
)
ANGLE_SLIPS = (
    Slip("sum", "You sum over the triples; take the mean.", lambda student, teacher: len(student) ** 3),
    Slip("half", "There is a factor 1/2 in front that was not asked for.", lambda **call: 0.5),
)


def _grade_angle(answer):
    check_numbers(answer, angle_loss, _angle_calls(), ANGLE_MISTAKES, ANGLE_SLIPS)
    return "For differences up to 1, half of it is `kdviz.losses.relation.angle_relation`."


# --- 5.2 what a relation cannot see

CHANGES = {
    "A": "a constant is added to every embedding",
    "B": "all embeddings are doubled",
    "C": "all embeddings are turned by the same rotation",
    "D": "the embeddings of two images are exchanged",
    "E": "the first of the 8 numbers of every embedding is doubled",
}
BLIND = {"distances": {"A", "B", "C"}, "similarities": {"B", "C"}}
_QUESTIONS = {
    "A": "A distance is taken between two images, an inner product from the origin. Which of them notices "
    "that the origin has moved?",
    "B": "Both losses divide by something. What does that do to a factor that all embeddings share?",
    "C": "Think of a map on a table that you turn. What do lengths and angles on it do?",
    "D": "Two images have changed places, the others have not. Is each still as far from the others as "
    "the teacher says?",
    "E": "The space is stretched along one axis only. Do all distances grow by the same factor?",
}


def _grade_blind(answer):
    if not isinstance(answer, dict) or set(answer) != set(BLIND):
        raise NotYet('Hand in a dictionary with two entries: {"distances": "…", "similarities": "…"}.')
    for loss, letters in answer.items():
        given = set(letters) if isinstance(letters, (str, set, list, tuple)) else None
        if given is None or not given <= set(CHANGES):
            raise NotYet(f'Write letters from A to E for {loss!r}, for example "AE"; got {letters!r}.')
        wrong = sorted(given ^ BLIND[loss])
        if wrong:
            right, first = len(CHANGES) - len(wrong), wrong[0]
            raise NotYet(f"{loss}: {right} of {len(CHANGES)}. Look at {first} again: {_QUESTIONS[first]}")
    return "What a loss cannot see, the student is free to choose. So its width need not be the teacher's."


# --- what the learner sees

EXERCISES = (
    Exercise(
        name="5.1",
        title="The angle at an image",
        question=(
            "RKD has a second term. For three images $a, b, c$ it compares $\\cos \\angle\\, b\\,a\\,c$, the "
            "cosine of the angle at $a$ in the triangle of their embeddings. Write "
            "`angle_loss(student, teacher)`: the mean over all $N^3$ triples of the squared difference of "
            "the student's and the teacher's cosine. Both are tensors of shape (N, width) of other widths. "
            "Where two of the images are the same, a side has length 0: let its cosine be 0."
        ),
        answer="angle_loss",
        minutes=10,
        difficulty="medium",
        hints=(
            "Make all sides first: `sides[a, b]` is the embedding of b minus that of a; the shape is "
            "(N, N, width). Two sides that start at the same image form the angle there.",
            "`torch.nn.functional.normalize(sides, dim=-1)` gives every side length 1 and leaves zeros "
            "alone; `sides @ sides.mT` then holds the cosines, of shape (N, N, N).",
        ),
        source="""
import torch

def cosines(embeddings):
    sides = embeddings.unsqueeze(0) - embeddings.unsqueeze(1)
    sides = torch.nn.functional.normalize(sides, dim=-1)
    return sides @ sides.mT

def angle_loss(student, teacher):
    return (cosines(student) - cosines(teacher)).square().mean()
""",
        grade=_grade_angle,
    ),
    Exercise(
        name="5.2",
        title="What a relation cannot see",
        question="\n".join(
            [
                "The student's embeddings are changed in one of these ways. Which changes leave the loss on "
                "*distances* of section 2 as it was, whatever the embeddings are? Which leave the loss on "
                "*similarities* of section 4?",
                "",
                *(f"- **{letter}**: {change}" for letter, change in CHANGES.items()),
                "",
                'Hand in `{"distances": "…", "similarities": "…"}` with the letters of the changes that do '
                "nothing.",
            ]
        ),
        answer="blind",
        minutes=5,
        difficulty="easy",
        hints=(
            "Try it: `relation.distance_relation(changed, taught)` against the value before the change, with "
            "the embeddings of this page.",
            "Ask of each change what it does to all distances, and what to all inner products; then what the "
            "loss divides them by.",
        ),
        source="""
blind = {"distances": "ABC", "similarities": "BC"}
""",
        grade=_grade_blind,
    ),
)
