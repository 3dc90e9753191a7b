"""The teacher's guide says of each page what the page says of itself."""

import re
from urllib.parse import unquote

import nbformat
import pytest

from kdviz.course import guide, site
from kdviz.course.guide import chapters, plans, section
from kdviz.course.pages import page, pages
from kdviz.course.paths import course_folder


@pytest.fixture(params=chapters(), ids=lambda chapter: chapter.page.name)
def chapter(request):
    return request.param


def test_every_page_has_its_chapter(chapter):
    assert [one.page for one in chapters()] == pages()
    assert len(chapter.misconceptions) == 3 and chapter.ask.endswith("?") and chapter.good.endswith(".")
    assert len(chapter.exercises) == chapter.page.exercises and chapter.predictions
    assert str(chapter.page.minutes) in chapter.time


def test_its_aims_are_those_of_the_page(chapter):
    notebook = nbformat.read(course_folder() / "notebooks" / chapter.page.notebook, 4)
    # Page 00 says them in one sentence.
    listed = len(re.findall(r"^- \*\*", notebook.cells[0].source, re.MULTILINE)) or 1
    assert len(chapter.aims) == listed and (listed > 3 or chapter.page.number == "00")


def test_its_links_lead_to_sections_of_the_static_page(chapter):
    notebook = nbformat.read(course_folder() / "notebooks" / chapter.page.notebook, 4)
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    text = site.render(nbformat.v4.new_notebook(cells=texts), chapter.page)
    for one in [*chapter.left_out, *(where for _, where in chapter.misconceptions)]:
        assert f'id="{unquote(one.link.partition("#")[2])}"' in text


def test_lessons_fit_and_leave_time_to_talk():
    for plan in plans():
        for lesson in plan.lessons:
            assert plan.minutes * 0.3 <= plan.lasts(lesson) <= plan.minutes * 0.85, plan.name


def test_the_term_has_every_page_of_the_walk():
    (term,) = [plan for plan in plans() if "term" in plan.name]
    assert {one for one in pages() if one.kind == "walk"} <= {
        part.page for one in term.lessons for part in one
    }


def test_a_section_holds_those_below_it_and_a_wrong_one_is_named():
    whole = section(page("01_soft_targets"), "3. The loss, by hand")
    below = section(page("01_soft_targets"), "The loop, by hand")
    assert whole.cells[-len(below.cells) :] == below.cells and whole.minutes > below.minutes > 0
    with pytest.raises(ValueError, match="01_soft_targets has no section '3. The los'; it has: The cast, "):
        section(page("01_soft_targets"), "3. The los")


def test_a_page_without_a_chapter_is_named(monkeypatch):
    monkeypatch.setattr(guide, "_declared", lambda: {"pages": {}})
    with pytest.raises(ValueError, match=r"nothing on 00_start_here, .*\[pages.00_start_here\]"):
        chapters()


@pytest.mark.browser
def test_a_teacher_opens_a_chapter_by_keyboard(offline):
    page = offline(site.guide_page())
    chapter = page.locator("details.chapter").nth(2)
    chapter.locator("summary", has_text="02 Temperature and weight").press("Enter")
    assert chapter.get_by_text("Ask for a show of hands").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
