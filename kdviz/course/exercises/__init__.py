'''The exercises: a question, a check that says what is wrong, two hints and a solution.

Each page has two files: ``n04_features.md`` holds what the learner reads, ``n04_features.py`` what
judges her answer. Every check runs on this machine in a moment and needs no network.

To add an exercise to page 04, write into its Markdown file::

    ## 4.3 Half of it

    easy, 3 minutes, answer: `half`

    Write `half(value)`: ...

and below it the parts ``### Hint 1``, ``### Hint 2``, ``### Solution`` (one block of Python) and
``### When it is right``, as the other exercises have them. (``### Begin with``, above the hints, holds
the learner's cell where that is not an empty answer.) Into its Python file write the grader, named
``grade_`` and what the learner hands in::

    grade_half = NumberGrader(lambda value: value / 2, calls=[{"value": 3.0}, {"value": 5.0}])


    @grade_half.mistake
    def doubled(value):
        """You multiply by 2. Divide."""
        return 2 * value

The first argument is a right answer, ``calls`` what answers are called with; name the argument that
needs a gradient if the answer is a loss (``gradient_for="student"``). A mistake is a wrong answer,
and its docstring is what is said to the learner whose values are the same. An answer that does not
return one number has a function ``grade_...(answer)`` of its own, which raises :class:`NotYet`; a
choice for each letter has a ``LetterGrader``, and a test that the learner writes a ``PropertyGrader``.

Then add two cells to the notebook: ``exercise("4.3")`` shows the question, and
``print(exercise("4.3").cell)`` prints the other one. Nothing else: the tests find it, and hand its
solution, its mistakes and a zoo of other wrong answers to its grader.
'''

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.resources import files

from kdviz.course.exercises.base import Exercise, Feedback, NotYet
from kdviz.course.exercises.reading import read

__all__ = ["Exercise", "Feedback", "NotYet", "exercise", "exercises"]


def exercise(name: str) -> Exercise:
    """The exercise of that name, for instance "1.1"; the same one each time, so it counts its hints."""
    every = exercises()
    if name not in every:
        raise ValueError(f"no exercise is named {name!r}; there are {', '.join(every)}")
    return every[name]


@cache
def exercises() -> dict[str, Exercise]:
    """All exercises by name, in the order of the course."""
    texts = {
        file.name: file.read_text("utf-8") for file in files(__name__).iterdir() if file.name.endswith(".md")
    }
    return {
        known["name"]: Exercise(**known, grade=_grader(text, known))
        for text in sorted(texts)
        for known in read(texts[text], text)
    }


def exercises_of(page: str) -> list[Exercise]:
    """The exercises of the page with that number, in their order.

    >>> [one.name for one in exercises_of("00")]
    ['0.1', '0.2', '0.3']
    """
    return [one for name, one in exercises().items() if int(name.split(".")[0]) == int(page)]


def _grader(text: str, known: dict) -> Callable:
    page, name = text.removesuffix(".md"), f"grade_{known['answer']}"
    grader = getattr(import_module(f"{__name__}.{page}"), name, None)
    if grader is None:
        raise ValueError(
            f"{text}, exercise {known['name']}: the learner hands in `{known['answer']}`; write {name} in "
            f"{page}.py"
        )
    return grader
