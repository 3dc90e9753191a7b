"""Answers to exercises, as a learner would hand them in, and what must come back."""

import pytest
import torch

from kdviz.course.exercises import Feedback, exercise


def solve(name):
    """What the solution's text defines, run as a learner would run it."""
    # Notebook 01 has imported torch before it asks; the others' solutions import what they need.
    scope = {"torch": torch} if name.startswith("1.") else {}
    exec(exercise(name).source, scope)
    return scope[exercise(name).answer]


def mistakes(*names):
    """The mistakes that these exercises know, each with its exercise's name, for a test to run over."""
    return [
        pytest.param(name, mistake, id=f"{name} {mistake.function.__name__}")
        for name in names
        for mistake in getattr(exercise(name).grade, "mistakes", ())
    ]


def not_yet(message):
    return Feedback(False, message)
