import pytest
from markupsafe import escape

from kdviz.course import survey_map
from kdviz.course.pages import Page, left_out, pages, regions

START = Page("00_start_here", "Start here", topics=("Start here",))
SOFT = Page("01_soft_targets", "Soft targets", topics=("2.1 Response",))
PART = Page("10_who", "Who", topics=("Simplified",), sections={"5.2 Multi-teacher": "7. Several teachers"})
PLANNED = Page("15_many", "Many teachers", "gallery", topics=("5.2 Multi-teacher",), planned=True)


@pytest.fixture
def course(monkeypatch):
    """A course with two pages; a test may add another."""
    pages = [START, SOFT]
    monkeypatch.setattr(survey_map, "pages", lambda planned: pages)
    return pages


@pytest.fixture
def shown(course, browser):
    """The map in a browser, on a screen of some width, in light or dark."""
    opened = []

    def show(width=1200, theme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900})
        opened.append(page)
        light = str(theme == "light").lower()
        body = f"<body data-jp-theme-light='{light}'>{survey_map.survey_map()._repr_html_()}</body>"
        page.set_content(f"<!doctype html><html>{body}</html>")
        return page

    yield show
    for page in opened:
        page.close()


def chips():
    return [place for region in regions() for place in survey_map.places(region)]


@pytest.mark.browser
def test_links_to_the_notebooks_that_exist_and_to_no_other(shown):
    links = [(link.get_attribute("href"), link.inner_text()) for link in shown().locator("a").all()]
    assert [href for href, _ in links] == ["00_start_here.ipynb", "01_soft_targets.ipynb"]
    assert "Start here" in links[0][1] and "notebook 01" in links[1][1]


def kinds():
    return [place.kind for place in chips()]


def test_a_new_page_appears_on_the_map(course):
    before = kinds().count("left out")
    course.append(Page("05_relations", "Relations", topics=("2.3 Relation",)))
    statuses = {place.topic: place.status for place in chips()}
    assert statuses["2.3 Relation"] == "notebook 05"
    assert kinds().count("left out") == before - 1


def test_two_pages_about_one_topic_are_both_shown_by_their_titles(course):
    course.append(Page("14_which_layer", "Which layer?", "gallery", topics=("2.1 Response",)))
    both = [(place.says, place.link) for place in chips() if place.topic == "2.1 Response"]
    assert both == [("Soft targets", "01_soft_targets.ipynb"), ("Which layer?", "14_which_layer.ipynb")]


def test_a_part_leads_to_its_section_and_what_is_planned_to_nothing(course):
    course += [PART, PLANNED]
    part, planned = (place for place in chips() if place.topic == "5.2 Multi-teacher")
    assert (part.kind, part.link) == ("part", "10_who.ipynb#7.-Several-teachers")
    assert part.status == "part: notebook 10, section 7"
    assert (planned.kind, planned.status, planned.link) == ("planned", "planned: 15", "")


def test_what_no_page_declares_is_said_to_be_left_out_and_not_to_be_planned(course):
    assert len(chips()) == sum(len(region.topics) for region in regions())
    assert kinds() == ["whole" if place.link else "left out" for place in chips()]
    assert kinds().count("whole") == 2


def test_lists_what_the_surveys_name_and_the_course_leaves_out(course):
    drawn, text = survey_map.survey_map()._repr_html_(), repr(survey_map.survey_map())
    assert len(left_out()) > 5
    for topic, methods in left_out().items():
        assert f"<dt>{topic}</dt><dd>{escape(methods)}</dd>" in drawn and f"{topic}: {methods}" in text


def test_a_gallery_page_shows_its_picture(course):
    assert '<svg class="thumbnail' not in survey_map.survey_map()._repr_html_()
    course.append(next(one for one in pages() if one.kind == "gallery"))
    assert '<svg class="thumbnail"' in survey_map.survey_map()._repr_html_()


def test_holds_the_sections_of_the_survey(course):
    topics = [place.topic for place in chips()]
    for section in ["2.1", "2.2", "2.3", "3.1", "3.2", "3.3", *(f"5.{n}" for n in range(1, 10)), "6", "7"]:
        assert [topic for topic in topics if topic.startswith(f"{section} ")], section


def test_reads_as_text(course):
    text = repr(survey_map.survey_map())
    assert "2.1 Response (notebook 01)" in text and "3.2 Online (not in this course)" in text


def test_asks_nothing_of_the_network(course):
    assert "http" not in survey_map.survey_map()._repr_html_()


@pytest.mark.browser
def test_is_heard_as_regions_with_lists_of_topics(shown):
    page = shown()
    assert page.get_by_role("navigation", name="Map of the course").count() == 1
    region = page.get_by_role("region", name="What is transferred?")
    assert region.get_by_role("listitem").count() == 6
    assert page.get_by_role("img", name="passes its answer").count() == 1


SPILLED = """() => [...document.querySelectorAll(".topic, .topic *, .hero *")].filter((one) => {
  const box = one.getBoundingClientRect(), around = one.parentElement.getBoundingClientRect();
  return box.width
    && (box.right > around.right + 1 || box.bottom > around.bottom + 1 || box.left < around.left - 1);
}).map((one) => one.outerHTML)"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll(".kdviz-map *")]
  .filter((one) => one.textContent.trim()).map((one) => parseFloat(getComputedStyle(one).fontSize)))"""


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 390, 700, 1200])
def test_is_legible_on_every_screen_and_walked_by_keyboard(shown, width):
    page = shown(width)
    assert page.evaluate(SMALLEST) >= 12
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(SPILLED) == []
    walked = []
    for _ in range(2):
        page.keyboard.press("Tab")
        walked.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert walked == ["00_start_here.ipynb", "01_soft_targets.ipynb"]


CONTRASTS = """() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3)
      .map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = (one) => {
    const color = getComputedStyle(one).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? paper(one.parentElement) : color;
  };
  const texts = [...document.querySelectorAll(".kdviz-map *")].filter((one) =>
    [...one.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim()));
  return texts.map((one) => {
    const [dark, bright] = [light(getComputedStyle(one).color), light(paper(one))].sort((a, b) => a - b);
    return (bright + .05) / (dark + .05);
  });
}"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_stands_out_in_light_and_dark(shown, theme):
    page = shown(theme=theme)
    contrasts = page.evaluate(CONTRASTS)
    # The two words in the colours of teacher and student are large.
    assert len(contrasts) > 40 and sorted(contrasts)[0] >= 3 and sorted(contrasts)[2] >= 4.5
    bright = page.evaluate("getComputedStyle(document.querySelector('.kdviz-map')).backgroundColor")
    assert (bright == "rgb(255, 255, 255)") == (theme == "light")
