"""The search of the static course: what it knows, and where it leads a reader who asks."""

import re
from urllib.parse import unquote

import nbformat
import pytest

from kdviz.course import site
from kdviz.course.pages import pages
from kdviz.course.paths import course_folder
from kdviz.course.references import references
from kdviz.course.search import places


@pytest.fixture(scope="module")
def course():
    return {
        page: nbformat.read(course_folder() / "notebooks" / page.notebook, as_version=4) for page in pages()
    }


@pytest.fixture(scope="module")
def found(course):
    return places(course, references(course))


def test_every_section_of_a_page_can_be_found_and_reached(course, found):
    page = next(iter(course))
    mine = [place for place in found if place.where == page.label]
    headings = [cell for cell in course[page].cells if cell.cell_type == "markdown"]
    text = site.render(nbformat.v4.new_notebook(cells=headings), page)
    anchors = {unquote(place.link.partition("#")[2]) for place in mine} - {""}
    assert len(anchors) == len(mine) - 1 == len(re.findall("<h[23]", text))
    assert all(f'id="{anchor}"' in text for anchor in anchors)
    assert {place.where for place in found} > {one.label for one in course}


def test_the_page_of_the_search_is_small(found):
    assert len(site.search_page(found).encode()) < 1e6


ASKED = {
    "how do I match two layers?": "14_which_layer.html#Every-pair-of-layers",
    "what temperature should I choose?": "02_temperature_and_weight.html",
    "how do I use my own model?": "12_your_own_models.html",
    "how many seeds do I need?": "api_measure.html#seeds_needed",
    "DKD": "loss_card.html#loss-Decoupled",
    "softmax temprature": "glossary.html#temperature",
}


@pytest.mark.browser
def test_a_question_leads_to_where_it_is_answered(offline, found):
    page = offline(site.search_page(found))
    for asked, link in ASKED.items():
        page.get_by_role("searchbox").fill(asked)
        page.locator(".found li").first.wait_for()
        first = [way.get_attribute("href") for way in page.locator(".found a").all()[:3]]
        assert link in first, (asked, first)
    assert page.get_by_role("status").inner_text().endswith("the best 20 of them here")


@pytest.mark.browser
def test_it_works_by_keyboard_and_says_when_nothing_is_found(offline, found):
    page = offline(site.search_page(found))
    page.keyboard.type("relations")
    page.locator(".found li").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement === document.querySelectorAll('.found a')[1]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+a")
    page.keyboard.type("qzxvwk")
    page.get_by_text("Nothing is found.").wait_for()
    assert page.locator(".found li").count() == 0
