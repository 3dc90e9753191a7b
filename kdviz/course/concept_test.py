"""The concept test: what a learner believes before the course, and after it.

>>> test = questions()
>>> len(test), test[0].letter(test[0].answers[1])
(14, 'B')
"""

import csv
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from scipy.stats import bootstrap

from kdviz.course.guide import section
from kdviz.course.pages import page

UNKNOWN = "-"
"""The letter of *I don't know*."""


@dataclass(frozen=True)
class Question:
    """One question; ``concept_test.toml`` says what its fields mean."""

    asks: str
    answers: tuple[str, ...]
    right: str
    misconceptions: dict[str, str]
    page: str
    section: str
    rests_on: str

    def letter(self, answer: str) -> str:
        return "ABCD"[self.answers.index(answer)]

    @property
    def label(self) -> str:
        """The page that treats it."""
        return page(self.page).label

    @property
    def link(self) -> str:
        """To its section of the static page."""
        return section(page(self.page), self.section).link


@cache
def questions() -> list[Question]:
    """The fourteen questions, in their order."""
    declared = tomllib.loads(files("kdviz.course").joinpath("concept_test.toml").read_text(encoding="utf-8"))
    return [Question(**{**one, "answers": tuple(one["answers"])}) for one in declared["questions"]]


def read(path) -> tuple[list[str], list[str]]:
    """The answers of a class, before and after, from a file with a line for each learner.

    A line is what the page of the test shows: fourteen letters from before the course, a comma, fourteen
    from after it. ``-`` is a question without an answer. What stands before the two, such as a name, is
    not read.
    """
    before, after = [], []
    with open(path, newline="", encoding="utf-8-sig") as lines:
        for number, line in enumerate(csv.reader(lines), start=1):
            if not any(line):
                continue
            if len(line) < 2:
                raise ValueError(
                    f"line {number} of {path}: give the letters before, a comma, the letters after"
                )
            for letters, kept in zip(line[-2:], (before, after), strict=True):
                kept.append(_checked(letters.strip().upper(), f"line {number} of {path}"))
    if not before:
        raise ValueError(f"{path} holds no answers; a line is 'BADC...,BBDC...', one for each learner")
    return before, after


def _checked(letters, where):
    if len(letters) == len(questions()) and set(letters) <= {*"ABCD", UNKNOWN}:
        return letters
    raise ValueError(f"{where}: give {len(questions())} letters, each A, B, C, D or -; got {letters!r}")


def scores(answers: list[str]) -> np.ndarray:
    """How many of the answers of each learner are right."""
    key = [question.right for question in questions()]
    return np.array([sum(map(str.__eq__, letters, key)) for letters in answers])


def normalised_gain(before, after, best: float | None = None) -> tuple[float, float, float]:
    """What a class learned of what it could still learn, with its 95 % interval.

    ``g = (mean(after) - mean(before)) / (best - mean(before))`` of two scores of each learner: 1 is all of
    it, 0 nothing (Hake 1998, *American Journal of Physics* 66, 64). The interval is by the bootstrap over
    learners. ``best`` is the number of questions, if nothing else is said.

    >>> normalised_gain([4, 6, 8], [9, 10, 11])[0]
    0.5
    """
    best = len(questions()) if best is None else best
    before, after = np.asarray(before, float), np.asarray(after, float)
    if before.shape != after.shape or before.ndim != 1 or len(before) < 2:
        raise ValueError(f"give both scores of at least two learners; got {before.shape} and {after.shape}")
    if not before.mean() < best:
        raise ValueError("everybody knew everything before: nothing was left to learn")

    def of(earlier, later):
        room = best - earlier.mean()
        return (later.mean() - earlier.mean()) / room if room else 0.0

    found = bootstrap((before, after), of, paired=True, vectorized=False, method="percentile", rng=0)
    return float(of(before, after)), *map(float, found.confidence_interval)


def told(before: list[str], after: list[str]) -> str:
    """What a class knew before and after, by question, and which misconception is left most often."""
    gain, low, high = normalised_gain(scores(before), scores(after))
    lines = [
        f"{len(before)} learners, {scores(before).mean():.1f} of {len(questions())} right before, "
        f"{scores(after).mean():.1f} after",
        f"normalised gain {gain:.2f}, 95 % interval {low:.2f} to {high:.2f}",
    ]
    for number, (question, earlier, later) in enumerate(
        zip(questions(), zip(*before, strict=True), zip(*after, strict=True), strict=True), start=1
    ):
        right = (
            f"{100 * letters.count(question.right) / len(letters):.0f} %" for letters in (earlier, later)
        )
        lines.append(f"{number:2}. {' → '.join(right)} right  ({question.label}, {question.section})")
        wrong = Counter(letter for letter in later if letter in question.misconceptions)
        for letter, count in wrong.most_common(1):
            lines.append(f"    {count} × {letter}: {question.misconceptions[letter]}")
    return "\n".join(lines)
