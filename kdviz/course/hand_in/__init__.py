"""Hand-ins: the pages that learners saved, judged as the pages themselves judge them.

A hand-in is a notebook of the course with the learner's answers in its cells. ``grade`` reads a folder of
them; each answer is judged in a process of its own, under watch (:mod:`kdviz.course.hand_in.child`), with
limits of time and memory. The child may read Python's own files and kdviz's, and nothing else; it may write
nothing, start nothing and reach no network. That keeps the teacher's machine from careless and curious
answers. It is no wall against an expert who forges a verdict inside the child: read what is handed in.
"""

import ast
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import nbformat
import pandas as pd

from kdviz.course.exercises import exercises, exercises_of
from kdviz.course.hand_in.watch import Limits, watched
from kdviz.course.pages import pages
from kdviz.course.paths import course_folder

# No page of the course comes near it.
_LARGEST = 20e6


@dataclass(frozen=True)
class Grade:
    """The outcome of one exercise of one learner."""

    learner: str
    page: str
    exercise: str
    verdict: str
    message: str = ""
    seconds: float = 0.0


def grade(folder: Path, limits: Limits | None = None, workers: int = 2) -> pd.DataFrame:
    """Judge all notebooks in a folder and those below it: a row for each exercise of each page.

    The learner is the folder that her pages lie in, or, where they lie side by side, the file's own name.
    The verdict is *right* or *not yet*, as on the page; *not begun*; *error*, where the answer does not run;
    *stopped*, where it took too much time or memory; *refused*, where it asked for what is none of its
    business; and *unreadable*, where the file is no notebook of the course.

    Errors: ValueError for a folder that is none, or has no notebook.
    """
    folder = Path(folder)
    paths = sorted(path for path in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
    if not paths:
        raise ValueError(
            f"there is no notebook (.ipynb) in {folder}; give the folder with what was handed in"
        )
    tasks = [task for path in paths for task in _tasks(path, folder)]
    with ThreadPoolExecutor(workers) as pool:
        grades = list(pool.map(lambda task: _judged(*task, limits or Limits()), tasks))
    return pd.DataFrame([asdict(one) for one in grades])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Of each learner, how many exercises are right, out of those of the pages handed in."""
    right = (table.verdict == "right").groupby(table.learner)
    return pd.DataFrame({"right": right.sum(), "of": right.size()})


def answers_in(notebook) -> dict[str, str]:
    """The source of each answer by the name of its exercise: all that was imported, then its own cell."""
    imports, found = imports_of(notebook), {}
    for source in _sources(notebook):
        for name in exercises():
            if f'exercise("{name}").check(' in source.replace("'", '"'):
                found[name] = f"{imports}\n{source}"
    return found


def imports_of(notebook) -> str:
    """The statements by which the cells of a notebook import what they need."""
    found = []
    for source in _sources(notebook):
        with suppress(SyntaxError):
            found += [one for one in ast.parse(source).body if isinstance(one, (ast.Import, ast.ImportFrom))]
    return "\n".join(map(ast.unparse, found))


def _sources(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@cache
def _course_imports(number):
    """What the course's own page with that number imports."""
    (page,) = (one for one in pages() if int(one.number) == int(number))
    return imports_of(nbformat.read(course_folder() / "notebooks" / page.notebook, as_version=4))


def _tasks(path, folder):
    """What is to be judged in a file: the grade so far, and the source where there is one to run."""
    alone = path.parent == folder
    learner = path.stem if alone else path.parent.relative_to(folder).as_posix()
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            raise ValueError(f"the file is a link, or larger than {_LARGEST / 1e6:.0f} MB")
        answers = answers_in(nbformat.read(path, as_version=4))
        if not answers:
            raise ValueError("no cell checks an exercise of the course")
    except Exception as problem:  # whatever a learner hands in
        message = " ".join(str(problem).split())[:200]
        return [(Grade(learner, path.stem, "", "unreadable", message), None)]
    page = next(iter(answers)).split(".")[0]
    return [
        (Grade(learner, path.stem, one.name, "not begun"), answers.get(one.name))
        for one in exercises_of(page)
    ]


def _judged(so_far, source, limits):
    if source is None:
        return so_far
    page = _course_imports(so_far.exercise.split(".")[0])
    verdict, message, seconds = watched(so_far.exercise, page, source, limits)
    return Grade(so_far.learner, so_far.page, so_far.exercise, verdict, message, round(seconds, 1))
