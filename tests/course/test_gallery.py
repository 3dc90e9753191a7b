"""What every page of the gallery has in common: it is short, has one prediction, and ends like the others."""

import re
import xml.etree.ElementTree as ElementTree

import nbformat
import pytest

from kdviz.course.claims.sentences import predictions
from kdviz.course.exercises import exercises
from kdviz.course.pages import page, pages
from kdviz.course.paths import course_folder
from kdviz.course.thumbnails import thumbnail

GALLERY = [one for one in pages() if one.kind == "gallery"]
ENDING = ["What holds", "Where it touches the walk", "Sources"]


@pytest.fixture(params=GALLERY, ids=lambda one: one.name)
def room(request):
    """A page of the gallery and its notebook."""
    path = course_folder() / "notebooks" / request.param.notebook
    return request.param, nbformat.read(path, as_version=4)


def of_kind(notebook, kind):
    return [cell.source for cell in notebook.cells if cell.cell_type == kind]


def test_it_is_short(room):
    one, notebook = room
    assert 20 <= one.minutes <= 25 and one.seconds <= 60
    assert len(of_kind(notebook, "code")) <= 20
    assert 2 <= one.exercises <= 3


def test_its_exercises_take_half_of_its_minutes(room):
    one, _ = room
    minutes = [each.minutes for name, each in exercises().items() if name.split(".")[0] == one.number]
    assert sum(minutes) <= one.minutes / 2 + 1


def test_it_asks_for_one_prediction_and_answers_it(room):
    _, notebook = room
    asked = [found for code in of_kind(notebook, "code") for found in predictions(code)]
    assert len(asked) == 1
    where = next(i for i, cell in enumerate(notebook.cells) if "prediction(" in cell.source)
    assert asked[0][1] is not None or "<details><summary>The answer" in notebook.cells[where + 1].source


def test_it_ends_like_the_others(room):
    _, notebook = room
    headings = re.findall(r"^## (.+)$", "\n\n".join(of_kind(notebook, "markdown")), re.MULTILINE)
    assert headings[-3:] == ENDING
    walk = notebook.cells[-2].source
    linked = re.findall(r"\]\((\w+)\.ipynb\)", walk)
    assert linked and all(page(name).kind == "walk" for name in linked)


def test_it_has_a_control_that_should_fail(room):
    _, notebook = room
    assert re.search(r"controls? that should fail", "\n".join(of_kind(notebook, "markdown")))


def test_it_has_a_picture_of_its_own(room):
    one, _ = room
    root = ElementTree.fromstring(thumbnail(one))
    assert root.get("aria-hidden") == "true" and len(root) > 3
    assert len(thumbnail(one)) < 12_000


def test_pages_of_the_walk_have_no_picture():
    assert {thumbnail(one) for one in pages() if one.kind == "walk"} == {""}
