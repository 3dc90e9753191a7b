"""Judges a test that a learner wrote: by what it says of right and of wrong functions."""

import inspect
from collections.abc import Callable
from typing import Any

from kdviz.course.exercises.asking import line_of
from kdviz.course.exercises.base import NotYet
from kdviz.seeding import seeded

# A test may draw its numbers, and must not depend on which.
_SEEDS = (0, 1, 2)


class PropertyGrader:
    """Hands a learner's test to functions that it must pass, and to others that it must catch.

    A test passes a function by returning, and catches it by stopping, with ``assert`` or any other error.
    The docstring of each function is what is said to the learner whose test is wrong about it.
    """

    def __init__(self) -> None:
        self.right: list[Callable] = []
        self.wrong: list[Callable] = []

    def passes(self, function: Callable) -> Callable:
        """Register a right function; its docstring says what it is."""
        self.right.append(function)
        return function

    def catches(self, function: Callable) -> Callable:
        """Register a wrong function; its docstring says what is wrong with it, and what would show it."""
        self.wrong.append(function)
        return function

    def __call__(self, test: Any) -> dict[str, float]:
        if not callable(test):
            raise NotYet("Hand in the test itself, without calling it.")
        for function in self.right:
            if problem := next((found for seed in _SEEDS if (found := _run(test, function, seed))), None):
                raise NotYet(_refused(function, problem))
        caught = [function for function in self.wrong if all(_run(test, function, seed) for seed in _SEEDS)]
        if not caught:
            raise NotYet("Your test passes whatever it is given, right or wrong. Does it `assert` something?")
        missed = [function for function in self.wrong if function not in caught]
        if missed:
            raise NotYet(
                f"It passes all right losses and catches {len(caught)} of {len(self.wrong)} wrong ones. One "
                f"that slips through: {_said_of(missed[0])}"
            )
        return {"right": len(self.right), "wrong": len(self.wrong)}


def _run(test: Callable, function: Callable, seed: int) -> Exception | None:
    """What stopped the test, if anything did."""
    with seeded(seed):
        try:
            returned = test(function)
        except Exception as problem:
            return problem
    if returned is not None:
        raise NotYet(
            f"Your test returned {returned!r:.40}, and nobody looks at what a test returns. It says no by "
            "`assert`, and says nothing if all is well."
        )
    return None


def _refused(function: Callable, problem: Exception) -> str:
    kind = type(problem).__name__
    stopped = kind if isinstance(problem, AssertionError) else f"{kind}: {problem}"
    return (
        f"Your test refuses a right loss: {_said_of(function)} It stopped with `{stopped}`{line_of(problem)}."
    )


def _said_of(function: Callable) -> str:
    return " ".join(inspect.getdoc(function).split())
