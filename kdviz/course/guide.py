"""The teacher's guide: each page in short, and plans of lessons, made of the pages and ``guide.toml``.

>>> [plan.name for plan in plans()]
['A workshop of 90 minutes', 'One day', 'A term of ten weeks']
"""

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from urllib.parse import quote

from kdviz.course.claims.sentences import plain, predictions
from kdviz.course.exercises import exercises_of
from kdviz.course.minutes import reading, time_of
from kdviz.course.pages import Page, page, pages
from kdviz.course.paths import course_folder

_HEADING = re.compile(r"^(##+) (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """A part of a page, with the parts below it."""

    page: Page
    heading: str
    cells: tuple

    @property
    def label(self) -> str:
        return plain(self.heading).replace("^2", "²")

    @property
    def link(self) -> str:
        """To it on the static page."""
        return f"{self.page.name}.html#{quote(re.sub(r'[$^{}]', '', self.heading).replace(' ', '-'))}"

    @property
    def minutes(self) -> int:
        return round(reading(self.cells))

    @property
    def remember(self) -> str:
        """Its summary line, or nothing."""
        said = re.search(r"\*\*Remember:\*\* (.*)", "\n".join(map(_source, self.cells)))
        return plain(said[1]) if said else ""


@dataclass(frozen=True)
class Part:
    """A page of a lesson, or some sections of it."""

    page: Page
    sections: tuple[Section, ...]

    @property
    def minutes(self) -> int:
        """With its exercises where it is the whole page."""
        return sum(one.minutes for one in self.sections) if self.sections else self.page.minutes


@dataclass(frozen=True)
class Plan:
    """Lessons that fit into so many minutes each."""

    name: str
    minutes: int
    lessons: tuple[tuple[Part, ...], ...]

    def lasts(self, lesson) -> int:
        return sum(part.minutes for part in lesson)


@dataclass(frozen=True)
class Chapter:
    """What a teacher needs for one page; ``guide.toml`` says what the first four are."""

    believed: list
    ask: str
    good: str
    skip: list
    page: Page

    @property
    def time(self) -> str:
        return str(time_of(self.page))

    @property
    def needs(self) -> list[Page]:
        return [page(name) for name in self.page.needs]

    @property
    def aims(self) -> list[str]:
        """What a learner will be able to do, as the page begins."""
        first = _source(_notebook(self.page)[0])
        _, _, listed = first.partition("you will be able to")
        listed = " ".join(listed.split())
        return [plain(one).rstrip(",.") for one in re.split(r"(?:^|\s)- ", listed) if one.strip()]

    @property
    def misconceptions(self) -> list[tuple[str, Section]]:
        return [(belief, section(self.page, heading)) for belief, heading in self.believed]

    @property
    def left_out(self) -> list[Section]:
        """The sections to leave out when time is short."""
        return [section(self.page, heading) for heading in self.skip]

    @property
    def predictions(self) -> list[tuple]:
        """Of each prediction: question, right choice and why."""
        return [one for cell in _notebook(self.page) for one in predictions(_source(cell)) if one[1]]

    @property
    def exercises(self) -> list:
        return exercises_of(self.page.number)


@cache
def _declared():
    return tomllib.loads(files("kdviz.course").joinpath("guide.toml").read_text(encoding="utf-8"))


def chapters() -> list[Chapter]:
    """One for each page, in order."""
    missing = [one.name for one in pages() if one.name not in _declared()["pages"]]
    if missing:
        raise ValueError(f"guide.toml has nothing on {', '.join(missing)}; give it [pages.{missing[0]}]")
    return [Chapter(**_declared()["pages"][one.name], page=one) for one in pages()]


def plans() -> list[Plan]:
    """The plans, from the shortest."""
    return [
        Plan(one["name"], one["minutes"], tuple(tuple(map(_part, lesson)) for lesson in one["lessons"]))
        for one in _declared()["plans"]
    ]


def _part(text):
    name, _, headings = text.partition(": ")
    return Part(page(name), tuple(section(page(name), one) for one in headings.split(" | ") if one))


def section(of: Page, heading: str) -> Section:
    """The section of a page with that heading."""
    cells = _notebook(of)
    found = {m[2]: (place, len(m[1])) for place, cell in enumerate(cells) for m in headings(cell)}
    if heading not in found:
        raise ValueError(f"{of.name} has no section {heading!r}; it has: {', '.join(found)}")
    begin, level = found[heading]
    after = (place for place, deep in found.values() if place > begin and deep <= level)
    return Section(of, heading, tuple(cells[begin : min(after, default=len(cells))]))


def headings(cell):
    """The headings in a cell, with level and text."""
    return _HEADING.finditer(_source(cell)) if cell["cell_type"] == "markdown" else ()


def _source(cell):
    return "".join(cell["source"])


@cache
def _notebook(of: Page) -> list[dict]:
    path = course_folder() / "notebooks" / of.notebook
    return json.loads(path.read_text(encoding="utf-8"))["cells"]
