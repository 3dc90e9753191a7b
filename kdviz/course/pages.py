"""The pages of the course and the regions of its map, as ``pages.toml`` declares them.

>>> page("01_soft_targets").label, following(page("01_soft_targets")).name
('01 Soft targets', '02_temperature_and_weight')
"""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

TABLE_BEGINS = "<!-- The pages, made from kdviz/course/pages.toml by 'make pages' -->\n"
TABLE_ENDS = "<!-- end of the pages -->\n"


@dataclass(frozen=True)
class Page:
    """One page; ``pages.toml`` says what its fields mean."""

    name: str
    title: str
    kind: str = "walk"
    topics: tuple[str, ...] = ()
    sections: dict[str, str] = field(default_factory=dict, hash=False)
    teaches: str = ""
    minutes: int = 0
    seconds: int = 0
    difficulty: str = ""
    needs: tuple[str, ...] = ()
    exercises: int = 0
    results: tuple[str, ...] = ()
    planned: bool = False

    @property
    def number(self) -> str:
        return self.name[:2]

    @property
    def label(self) -> str:
        """Its number and title, which is also its notebook's heading."""
        return f"{self.number} {self.title}"

    @property
    def notebook(self) -> str:
        return f"{self.name}.ipynb"


@dataclass(frozen=True)
class Region:
    """A part of the map: its question, its section of the survey, and what is said of each topic."""

    title: str
    layout: str
    topics: dict[str, str]
    section: str = ""
    question: str = ""


@cache
def _declared():
    return tomllib.loads(files("kdviz.course").joinpath("pages.toml").read_text(encoding="utf-8"))


def regions() -> list[Region]:
    """The regions of the map."""
    return [Region(**region) for region in _declared()["regions"]]


def left_out() -> dict[str, str]:
    """What the surveys name and no page teaches: methods by topic."""
    return {one["topic"]: one["methods"] for one in _declared()["left_out"]}


def pages(planned: bool = False) -> list[Page]:
    """The pages in order; those that are only planned too, if asked for."""
    tuples = [
        {key: tuple(value) if isinstance(value, list) else value for key, value in one.items()}
        for one in _declared()["pages"]
    ]
    return [Page(**one) for one in tuples if planned or not one.get("planned")]


def page(name: str) -> Page:
    """The page of that name, for instance "01_soft_targets"."""
    every = {one.name: one for one in pages(planned=True)}
    if name not in every:
        raise ValueError(f"no page is named {name!r}; pages.toml declares: {', '.join(every)}")
    return every[name]


def following(here: Page, step: int = 1, course: list[Page] | None = None) -> Page | None:
    """The next page of the walk, or with ``step=-1`` the one before. The gallery is read in any order."""
    walk = [one for one in (pages() if course is None else course) if one.kind == "walk"]
    if here not in walk or not 0 <= (index := walk.index(here) + step) < len(walk):
        return None
    return walk[index]


def with_table(readme: str) -> str:
    """The README's text with the table of pages that is declared today."""
    before, rest = readme.split(TABLE_BEGINS)
    _, after = rest.split(TABLE_ENDS)
    return f"{before}{TABLE_BEGINS}\n{_table()}\n{TABLE_ENDS}{after}"


def _table():
    rows = [
        f"| [{one.label}](notebooks/{one.notebook}) | {one.teaches} | {one.minutes} minutes "
        f"| {one.seconds} s |\n"
        for one in pages()
    ]
    head = "| page | what you will understand | time | all cells, on 2 cores |\n|---|---|---|---|\n"
    return head + "".join(rows)
