"""How long a page takes, computed of what is on it, so that it is said truthfully.

A learner reads 200 words a minute and ten lines of code, thinks a minute about each prediction, and plays
three with each explorer. To that come the seconds that the cells run, and what each exercise says of itself.
``make pages`` writes it under each heading and into ``pages.toml``.
"""

import json
import re
from dataclasses import dataclass

from kdviz.course.exercises import exercises_of
from kdviz.course.pages import Page
from kdviz.course.paths import course_folder

WORDS, LINES, PREDICTION, EXPLORER = 200, 10, 1, 3
SAID = re.compile(r"About \d+ minutes[^.]*\.")


@dataclass(frozen=True)
class Time:
    """The minutes of a page in all, rounded to five, and its parts, which add up to that."""

    total: int
    run: int
    exercises: int

    def __str__(self):
        """
        >>> print(Time(45, 1, 20))
        About 45 minutes: 24 to read, 1 to run, 20 for the exercises.
        """
        read = self.total - self.run - self.exercises
        parts = f"{read} to read, {self.run} to run, {self.exercises} for the exercises"
        return f"About {self.total} minutes: {parts}."


def time_of(page: Page) -> Time:
    """What a page takes, of its notebook, its exercises and the seconds that it declares."""
    notebook = json.loads((course_folder() / "notebooks" / page.notebook).read_text(encoding="utf-8"))
    run = -(-page.seconds // 60)
    at_exercises = sum(one.minutes for one in exercises_of(page.number))
    exact = reading(notebook["cells"]) + run + at_exercises
    return Time(5 * round(exact / 5), run, at_exercises)


def reading(cells: list[dict]) -> float:
    """The minutes for texts, code that is not folded, predictions and explorers.

    >>> text = {"cell_type": "markdown", "source": ["word " * 100]}
    >>> code = {"cell_type": "code", "source": ["kd.explorers.score()\\n", "a = 1"], "metadata": {}}
    >>> reading([text, code])
    3.7
    """
    minutes = 0.0
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            minutes += len(source.split()) / WORDS
        elif "explorers.prediction(" in source:
            minutes += PREDICTION
        elif not cell["metadata"].get("jupyter", {}).get("source_hidden"):
            minutes += sum(bool(line.strip()) for line in source.splitlines()) / LINES
            minutes += EXPLORER * source.count("kd.explorers.")
    return minutes


def with_minutes(declared: str, page: Page) -> str:
    """The text of ``pages.toml`` with the minutes of that page."""
    entry = rf'(name = "{page.name}"\n(?:\w.*\n)*?minutes = )\d+'
    return re.sub(entry, rf"\g<1>{time_of(page).total}", declared)


def with_heading(notebook: str, page: Page) -> str:
    """The text of a notebook that says under its heading how long it takes."""
    return SAID.sub(str(time_of(page)), notebook, count=1)
