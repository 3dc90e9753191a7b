"""Notebook 05: the angle at an image, what a relation cannot see, the nearest image, and a control."""

from collections.abc import Callable

import torch
from scipy import stats
from torch.nn.functional import normalize

from kdviz.course.exercises.asking import ask, kind_of
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


# --- 5.3 the nearest labelled image


def _nearest_accuracy(known, known_labels, asked, labels):
    return (known_labels[torch.cdist(asked, known).argmin(1)] == labels).double().mean()


def _classes_of_points(known, asked, width, seed):
    """Points around three centres, so near each other that the nearest is often wrong."""
    centres = 1.2 * normal(3, width, seed=seed)
    known_labels, labels = torch.arange(known) % 3, torch.arange(asked) % 3
    return {
        "known": centres[known_labels] + normal(known, width, seed=seed + 1),
        "known_labels": known_labels,
        "asked": centres[labels] + normal(asked, width, seed=seed + 2),
        "labels": labels,
    }


grade_nearest_accuracy = NumberGrader(
    _nearest_accuracy,
    calls=[_classes_of_points(12, 50, 3, seed=53), _classes_of_points(20, 35, 2, seed=56)],
    samples_and_classes=False,
)


@grade_nearest_accuracy.mistake
def farthest(known, known_labels, asked, labels):
    """You take the farthest image. A distance is small where two are alike."""
    return (known_labels[torch.cdist(asked, known).argmax(1)] == labels).double().mean()


@grade_nearest_accuracy.mistake
def by_inner_product(known, known_labels, asked, labels):
    """You take the image with the largest inner product, which depends on the origin and on how long an
    embedding is. The *nearest* one is asked."""
    return (known_labels[(asked @ known.T).argmax(1)] == labels).double().mean()


@grade_nearest_accuracy.mistake
def by_cosine(known, known_labels, asked, labels):
    """You take the image in the nearest *direction*, by the cosine. The nearest one is asked."""
    cosines = normalize(asked, dim=1) @ normalize(known, dim=1).T
    return (known_labels[cosines.argmax(1)] == labels).double().mean()


@grade_nearest_accuracy.mistake
def nearest_class_mean(known, known_labels, asked, labels):
    """You take the nearest *mean* of a class. Here a single image speaks: the nearest one."""
    means = torch.stack([known[known_labels == label].mean(0) for label in known_labels.unique()])
    return (torch.cdist(asked, means).argmin(1) == labels).double().mean()


@grade_nearest_accuracy.mistake
def of_the_known(known, known_labels, asked, labels):
    """You ask for each *known* image which of the asked ones is nearest. The asked ones want a label."""
    return (labels[torch.cdist(asked, known).argmin(0)] == known_labels).double().mean()


@grade_nearest_accuracy.mistake
def mistakes(known, known_labels, asked, labels):
    """That is the share of mistakes. The share of right answers is asked."""
    return 1 - _nearest_accuracy(known, known_labels, asked, labels)


grade_nearest_accuracy.slip(
    lambda known, known_labels, asked, labels: len(asked), "That is a count. Which share of the images is it?"
)
grade_nearest_accuracy.slip(100, "That is in percent; a share is asked.")


# --- 5.4 another image of the same class

_LABELS = torch.tensor([2, 0, 1, 0, 2, 2, 0, 2, 1, 0, 2, 1, 2, 0, 0, 2, 1])


def grade_exchange_within_class(answer: Callable) -> None:
    order = _order_of(answer, seed=0)
    _check_order(order)
    if not torch.equal(_order_of(answer, seed=0), order):
        raise NotYet(
            "Two calls with equally seeded generators gave different orders. Draw from the generator that is "
            "handed in, and from nothing else."
        )
    draws = [_order_of(answer, seed) for seed in range(200)]
    for drawn in draws:
        _check_order(drawn)
    if all(torch.equal(drawn, order) for drawn in draws):
        raise NotYet("Generators with different seeds gave the same order. Draw from the generator.")
    _check_fair(torch.stack(draws), _LABELS)


def _order_of(answer: Callable, seed: int) -> torch.Tensor:
    labels = _LABELS.clone()
    order = ask(answer, labels=labels, generator=torch.Generator().manual_seed(seed))
    if order is None:
        raise NotYet("Your function returned `None`. Does it end with `return`?")
    if not torch.equal(labels, _LABELS):
        raise NotYet("Your function changed the labels it was given. Write into a tensor of its own.")
    if not isinstance(order, torch.Tensor) or order.shape != labels.shape or order.is_floating_point():
        raise NotYet(
            f"Return a tensor of {len(labels)} whole numbers, one row for each image; your function returned "
            f"{kind_of(order)}."
        )
    return order


def _check_order(order: torch.Tensor) -> None:
    """Another image of the same class for each, every image once."""
    places = torch.arange(len(order))
    if not torch.equal(order.sort().values, places):
        raise NotYet(
            "Some image is taken twice, and another one not at all. Take each once: an order, no lottery."
        )
    strangers = int((_LABELS[order] != _LABELS).sum())
    if strangers:
        raise NotYet(f"{strangers} of {len(order)} images get the features of another class.")
    kept = int((order == places).sum())
    if kept:
        raise NotYet(
            f"{kept} of {len(order)} images keep their own features. A random order leaves about one image "
            "of a class where it was; make sure that each gets another one's."
        )


def _check_fair(draws: torch.Tensor, labels: torch.Tensor) -> None:
    """Over many draws an image gets each of the others of its class about equally often."""
    for label in labels.unique():
        rows = (labels == label).nonzero().flatten()
        counts = torch.stack([(draws[:, rows] == row).sum(0) for row in rows]).double()
        others = ~torch.eye(len(rows), dtype=torch.bool)
        expected = len(draws) / (len(rows) - 1)
        surprise = ((counts - expected).square() / expected)[others].sum()
        # Draws of an order depend on each other a little, so the bound is a generous one.
        if surprise > 2 * stats.chi2.isf(1e-6, int(others.sum())):
            raise NotYet(
                "Over many generators an image gets some images of its class more often than others: from "
                f"{counts[others].min() / len(draws):.0%} to {counts[others].max() / len(draws):.0%} of the "
                f"time in a class of {len(rows)}, and fair is {1 / (len(rows) - 1):.0%} for each."
            )
