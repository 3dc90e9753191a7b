"""Slides: what is on them, what is said beside them, and that they work without network."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import kdviz as kd
from kdviz import cli
from kdviz.course import site, slides
from kdviz.course.pages import Page, page
from kdviz.course.paths import course_folder
from kdviz.explorers.base import allowed

PAGE = Page("01_one", "One", teaches="what one is", minutes=5, difficulty="easy")
SECTION = "## First $T^2$\n\nOne is said. And another is told.\n\n$$a = b$$\n\n**Remember:** this."


def explorer(widget):
    data = {"text/html": widget.static_html()}
    kept = {"text/html": {"script": allowed(widget.static_script())}}
    return new_output("display_data", data, metadata=kept)


def deck():
    asked = kd.explorers.guess("Which?", ["left", "right"], answer="left", because="It is.")
    source = 'kd.explorers.guess("Which?", ["left", "right"], answer="left", because="It is.")'
    return new_notebook(
        cells=[
            new_markdown_cell("# 01 One\n\n*About 5 minutes.*\n\n- **see** it"),
            new_code_cell("import kdviz as kd"),
            new_markdown_cell(SECTION),
            new_code_cell("x = 1"),
            new_code_cell(source, outputs=[explorer(asked)]),
            new_code_cell('exercise("1.1").check(x)'),
        ]
    )


def test_prose_becomes_notes_and_the_rest_stays():
    cells = [(cell.metadata.slideshow.slide_type, cell.source) for cell in slides.cut(deck(), PAGE).cells]
    assert [kind for kind, _ in cells] == ["slide", "notes", "slide", "notes", "-", "subslide", "-", "notes"]
    shown = cells[2][1]
    assert "One is said." in shown and "another" not in shown and "$$a = b$$" in shown and "this." in shown
    assert "another is told" in cells[3][1] and cells[7][1] == "**Answer:** left. It is."
    assert "First T²" in cells[5][1] and not any("import" in text or ".check" in text for _, text in cells)


def test_notes_have_what_the_guide_says():
    one = page("01_soft_targets")
    notebook = new_notebook(
        cells=[new_markdown_cell("# 01 Soft targets"), new_markdown_cell("## 11. Which α?")]
    )
    notes = [cell.source for cell in slides.cut(notebook, one).cells if "notes" in str(cell.metadata)]
    assert notes[0].startswith("**For the room:** Two teachers are equally sure")
    assert notes[1].startswith("**Short of time?** Leave this section out")


@pytest.mark.browser
def test_a_small_deck_works_without_network(offline):
    page = offline(slides.slides(deck(), PAGE))
    page.wait_for_function("() => Reveal.isReady()")
    assert page.evaluate("Reveal.getTotalSlides()") == 3
    page.keyboard.press("n")
    assert "About 5 minutes." in page.locator(".speaker").inner_text()
    assert "Next: First" in page.locator(".speaker").inner_text()
    for _ in range(2):
        page.keyboard.press("Space")
    page.get_by_label("right").check()
    page.get_by_role("button", name="Commit").press("Enter")
    assert "You said “right”; it is “left”." in page.locator("section.present section.present").inner_text()
    assert "Answer: left" in page.locator(".speaker").inner_text()
    with page.expect_popup() as opened:
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("s")
    other = opened.value
    other.wait_for_function("() => Reveal.isReady() && Reveal.getIndices().v === 1")
    page.keyboard.press("Home")
    other.get_by_text("Next: First").wait_for()


@pytest.mark.parametrize("text", ["99", "0", ""])
def test_a_page_that_is_none_or_many_is_named(text, capsys):
    assert cli.main(["slides", text]) == 1
    assert "give one of: 0" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.complete
@pytest.mark.parametrize("name", ["01_soft_targets", "04_features"])
def test_the_slides_of_a_page_are_drawn_and_their_explorers_live(name, offline, executed_pages):
    notebook = site.execute_once(course_folder() / "notebooks" / f"{name}.ipynb", executed_pages)
    deck = offline(slides.slides(notebook, page(name)), width=1366, height=768)
    deck.wait_for_function("() => Reveal.isReady()")
    explorers = deck.locator("[data-kdviz-explorer]").count()
    assert explorers > 4
    deck.wait_for_function(f"() => document.querySelectorAll('[data-mounted]').length === {explorers}")
    for _ in range(deck.evaluate("Reveal.getTotalSlides()")):
        assert deck.evaluate("Reveal.getCurrentSlide().scrollHeight") < 3 * 768
        deck.evaluate("Reveal.next()")
    assert deck.evaluate("Reveal.isLastSlide()")
    deck.evaluate("() => { const slide = document.querySelector('input[type=range]').closest('section');"
                  " const { h, v } = Reveal.getIndices(slide); Reveal.slide(h, v); }")  # fmt: skip
    slider = deck.locator("section.present section.present input[type=range]").first
    explorer = deck.locator("section.present section.present [data-kdviz-explorer]").first
    before, h = explorer.inner_text(), deck.evaluate("Reveal.getIndices().h")
    slider.press("ArrowRight")
    changed = "([text, told]) => document.querySelector(text).innerText !== told"
    here = "section.present section.present [data-kdviz-explorer]"
    deck.wait_for_function(changed, arg=[here, before])
    assert deck.evaluate("Reveal.getIndices().h") == h, "the arrow moved the slider, and not the slides"
