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
    "see_what_was_transferred",
    "your_own_models",
)


def exercises():
    """All exercises by name, in the order of the course."""
    rooms = (import_module(f"{__name__}.{notebook}") for notebook in _NOTEBOOKS)
    return {one.name: one for room in rooms for one in room.EXERCISES}


def exercise(name):
    """The exercise of that name, for instance "1.1"; the same one each time, so it counts its hints."""
    every = exercises()
    if name not in every:
        raise ValueError(f"no exercise is named {name!r}; there are {', '.join(every)}")
    return every[name]
