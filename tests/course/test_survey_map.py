import re
from xml.etree import ElementTree

import pytest

from kdviz.course import survey_map
from kdviz.course.glossary import DEFINITIONS, glossary
from kdviz.course.references import REFERENCES, cite, reference

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with two notebooks; a test may add another."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    for name in ("00_start_here.ipynb", "01_soft_targets.ipynb"):
        (folder / name).write_text("{}")
    monkeypatch.setattr(survey_map, "course_folder", lambda: tmp_path)
    return folder


def texts():
    picture = ElementTree.fromstring(survey_map.survey_map_svg())
    return [element.text for element in picture.iter(f"{SVG}text")]


def links():
    return re.findall(r'<a href="([^"]*)"[^>]*aria-label="([^"]*)"', survey_map.survey_map()._repr_html_())


def test_links_to_the_notebooks_that_exist_and_to_no_other(course):
    assert links() == [
        ("00_start_here.ipynb", "Start here: open notebook 00"),
        ("01_soft_targets.ipynb", "Response: open notebook 01"),
    ]


def test_a_new_notebook_appears_on_the_map(course):
    before = texts().count("planned")
    (course / "05_relations.ipynb").write_text("{}")
    assert ("05_relations.ipynb", "Relation: open notebook 05") in links()
    assert "notebook 05 →" in texts() and texts().count("planned") == before - 1


def test_what_has_no_notebook_is_called_planned(course):
    topics = [topic for _, topic in survey_map._places()]
    assert len(topics) == 1 + 6 + 3 + 5 + 9 + 4
    assert texts().count("planned") == len(topics) - 2


def test_holds_the_sections_of_the_survey(course):
    shown = texts()
    for section in ["2.1", "2.2", "2.3", "3.1", "3.2", "3.3", *(f"5.{n}" for n in range(1, 10)), "6", "7"]:
        assert [words for words in shown if words.startswith(f"{section}  ")], section


def test_nothing_overlaps_and_all_is_inside(course):
    boxes = [box for box, _ in survey_map._places()]
    for i, (left, top, width, height) in enumerate(boxes):
        assert left >= 0 and left + width <= survey_map.WIDTH
        assert top >= 0 and top + height <= survey_map.HEIGHT
        for other_left, other_top, other_width, other_height in boxes[:i]:
            apart = left >= other_left + other_width or other_left >= left + width
            assert apart or top >= other_top + other_height or other_top >= top + height


def test_reads_aloud_and_prints_as_text(course):
    picture = ElementTree.fromstring(survey_map.survey_map_svg())
    assert picture.get("role") == "img"
    assert "2.1  Response (notebook 01)" in picture.get("aria-label")
    assert "3.2  Online (planned)" in repr(survey_map.survey_map())


def test_asks_nothing_of_the_network(course):
    addresses = re.findall(r"https?://[^\"' ]+", survey_map.survey_map()._repr_html_())
    assert set(addresses) == {"http://www.w3.org/2000/svg"}


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 1200])
def test_in_a_browser_it_is_legible_and_walked_by_keyboard(course, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_content(f"<!doctype html><html><body>{survey_map.survey_map()._repr_html_()}</body></html>")
    smallest = page.evaluate(
        """() => {
          const svg = document.querySelector("svg");
          const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
          const sizes = [...svg.querySelectorAll("text")].map(t => parseFloat(t.getAttribute("font-size")));
          return scale * Math.min(...sizes);
        }"""
    )
    assert smallest >= 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    spilled = page.evaluate(
        """() => [...document.querySelectorAll("svg text")].filter(text => {
          const box = text.getBBox();
          return [...document.querySelectorAll("svg text")].some(other => {
            const its = other.getBBox();
            return other !== text && box.x < its.x + its.width && its.x < box.x + box.width
              && box.y + 3 < its.y + its.height - 3 && its.y + 3 < box.y + box.height - 3;
          });
        }).map(text => text.textContent)"""
    )
    assert spilled == []
    walked = []
    for _ in range(3):
        page.keyboard.press("Tab")
        walked.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert walked == ["Map of the course", "Start here: open notebook 00", "Response: open notebook 01"]
    page.close()


def test_glossary_shows_all_words_or_those_asked_for():
    assert glossary()._repr_markdown_().count("\n") == len(DEFINITIONS) + 1
    assert repr(glossary("student")) == f"student: {DEFINITIONS['student']}"
    with pytest.raises(ValueError, match="the glossary has no 'pupil'"):
        glossary("pupil")


def test_citations_link_to_the_paper():
    assert cite("hinton2015") == "[Hinton, Vinyals and Dean (2015)](https://arxiv.org/abs/1503.02531)"
    assert all(key.endswith(str(paper.year)) for key, paper in REFERENCES.items())
    with pytest.raises(ValueError, match="no reference is named 'nobody1999'"):
        reference("nobody1999")
