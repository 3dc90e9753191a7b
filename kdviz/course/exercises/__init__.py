"""The exercises: a question, a check that says what is wrong, two hints and a solution.

One file a notebook. Every check runs on this machine in a moment and needs no network.
"""

from importlib import import_module

from kdviz.course.exercises.base import Exercise, Feedback

__all__ = ["Exercise", "Feedback", "exercise", "exercises"]

_NOTEBOOKS = (
    "start_here",
    "soft_targets",
    "temperature_and_weight",
    "responses",
    "features",
    "relations",
    "offline",
    "online",
    "self_distillation",
    "who_teaches_whom",
)
