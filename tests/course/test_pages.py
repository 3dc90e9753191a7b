"""A page is declared once, in pages.toml; these tests name what belongs to it and is not there."""

import re

import nbformat
import pytest

from kdviz.course.exercises import exercises
from kdviz.course.minutes import Time, time_of, with_minutes
from kdviz.course.pages import following, page, pages, regions
from kdviz.course.paths import course_folder

FOLDER = course_folder() / "notebooks"
TABLES = {path.stem for path in (course_folder() / "data" / "results").glob("*.csv")}
EVERY = pages(planned=True)
WRITTEN = [one for one in pages() if (FOLDER / one.notebook).exists()]


@pytest.fixture(params=WRITTEN, ids=lambda one: one.name)
def written(request):
    """A page and its notebook."""
    return request.param, nbformat.read(FOLDER / request.param.notebook, as_version=4)


def text_of(notebook, kind):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == kind)


def test_every_notebook_is_declared():
    undeclared = {path.stem for path in FOLDER.glob("*.ipynb")} - {one.name for one in EVERY}
    assert not undeclared, f"declare in kdviz/course/pages.toml: {sorted(undeclared)}"


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_a_page_has_a_notebook_or_is_planned(one):
    there = (FOLDER / one.notebook).exists()
    todo = "take away 'planned = true'" if one.planned else f"write notebooks/{one.notebook}"
    assert there != one.planned, f"{todo}, or change its entry in pages.toml"


def test_pages_are_numbered_in_order_and_the_walk_comes_first():
    assert [one.number for one in EVERY] == [f"{i:02}" for i in range(len(EVERY))]
    kinds = [one.kind for one in EVERY]
    assert set(kinds) == {"walk", "gallery"} and kinds == sorted(kinds, reverse=True)


@pytest.mark.parametrize("one", EVERY, ids=lambda one: one.name)
def test_a_page_has_its_place_on_the_map(one):
    there = [topic for region in regions() for topic in region.topics]
    assert one.topics, f"give {one.name} a topic of the map in pages.toml: {there}"
    unknown = {*one.topics, *one.sections} - set(there)
    assert not unknown, f"add {unknown} to a region of the map in pages.toml, or choose from {there}"


def test_a_section_on_the_map_is_a_heading_of_its_page(written):
    one, notebook = written
    headings = re.findall(r"^##+ (.+)$", text_of(notebook, "markdown"), re.MULTILINE)
    missing = set(one.sections.values()) - set(headings)
    assert not missing, f"{one.name} has no section {missing}; it has {headings}"
    assert not set(one.sections) & set(one.topics), "a page is about a topic, or a section of it is"


def test_a_page_begins_as_it_is_declared(written):
    one, notebook = written
    heading, about, *_ = notebook.cells[0].source.split("\n\n")
    assert heading == f"# {one.label}", "heading and pages.toml differ"
    assert str(time_of(one)) in about, f"run 'make pages', which says so under the heading: {time_of(one)}"
    assert one.minutes == time_of(one).total, "run 'make pages', which writes its minutes into pages.toml"
    assert re.search(rf"\b{one.difficulty}\b", about, re.IGNORECASE), f"say that it is {one.difficulty}"
    for field in ("teaches", "minutes", "seconds", "difficulty"):
        assert getattr(one, field), f"{field} of {one.name} is missing in pages.toml"
    links = [f"[{page(name).label}]({name}.ipynb)" for name in one.needs]
    assert re.findall(r"\[.*?\]\(\w+\.ipynb\)", about) == links, f"link what it needs: {links}"


def test_a_page_leads_to_the_next(written):
    one, notebook = written
    after = following(one)
    link = (
        f"Next: [{after.label}]({after.notebook})." if after else "[map of the course](00_start_here.ipynb)"
    )
    assert link in notebook.cells[-1].source, f"the last cell of {one.name} must say: {link}"


def test_the_gallery_is_read_in_any_order():
    assert {following(one) for one in EVERY if one.kind == "gallery"} == {None}
    walk = [one for one in EVERY if one.kind == "walk"]
    assert [following(one) for one in walk] == [*walk[1:], None]
    assert [following(one, -1) for one in walk] == [None, *walk[:-1]]


def test_a_page_asks_for_each_of_its_exercises(written):
    one, notebook = written
    asked = set(re.findall(r'exercise\("([\d.]+)"\)', text_of(notebook, "code")))
    there = {name for name in exercises() if name.split(".")[0] == str(int(one.number))}
    assert asked == there, f"{one.name} asks for {sorted(asked)}; kdviz/course/exercises has {sorted(there)}"
    assert len(there) == one.exercises, f"write into its entry in pages.toml: exercises = {len(there)}"


def test_a_page_loads_the_tables_that_are_declared(written):
    one, notebook = written
    loaded = list(dict.fromkeys(re.findall(r'\bload\("(\w+)"\)', text_of(notebook, "code"))))
    assert loaded == list(one.results), f"write into its entry in pages.toml: results = {loaded}"
    missing = set(loaded) - TABLES
    assert not missing, f"declare {missing} in kdviz/course/experiments, and run 'make results'"


def test_every_table_is_shown_on_a_page():
    unused = TABLES - {name for one in pages() for name in one.results}
    assert not unused, f"load them in a notebook, or delete them: {sorted(unused)}"


def test_an_unknown_page_is_answered_with_those_there_are():
    with pytest.raises(ValueError, match="no page is named '99_none'; .*12_your_own_models"):
        page("99_none")


def test_the_parts_of_a_time_add_up_to_it():
    said = str(Time(total=45, run=1, exercises=20))
    whole, *parts = map(int, re.findall(r"\d+", said))
    assert whole == sum(parts) == 45


def test_minutes_are_written_into_the_entry_of_their_page_only():
    first, second, *_ = pages()
    declared = "".join(
        f'name = "{one.name}"\nkind = "walk"\nminutes = 1\nseconds = 2\n\n' for one in (first, second)
    )
    there = with_minutes(declared, second)
    assert re.findall(r"minutes = (\d+)", there) == ["1", str(time_of(second).total)]
