"""A static page as it is read: what is folded, what is kept, and what stands on a phone."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import kdviz as kd
from kdviz.course import site
from kdviz.course.pages import Page
from kdviz.explorers import guess, tally
from kdviz.explorers.base import allowed

pytestmark = pytest.mark.browser
PAGE = Page("01_one", "One", teaches="what one is", minutes=5, difficulty="easy")
ASKED = ("Which is more?", ["one", "two"])


def shown_by(source, widget):
    allows = {"text/html": {"script": allowed(widget.static_script())}}
    shown = {"data": {"text/html": widget.static_html()}, "metadata": allows}
    return new_code_cell(source, outputs=[new_output("execute_result", **shown, execution_count=1)])


def cells():
    source = 'kd.explorers.prediction("Which is more?", ["one", "two"], answer="two", because="2 > 1.")'
    asked = guess(*ASKED, answer="two", because="It is <b>2</b> > 1.")
    return [
        new_markdown_cell("# One"),
        shown_by(source, asked),
        new_markdown_cell("So it is two, as one sees."),
        shown_by(
            'kd.explorers.prediction("And who?", ["you", "I"])',
            guess("And who?", ["you", "I"], answer="I", because="I said so."),
        ),
        new_markdown_cell("It was I."),
        new_markdown_cell("## The next thing\n\n" + "Words. " * 900),
        new_markdown_cell("## The last thing\n\n" + "Words. " * 900),
        shown_by('tally("01")', tally([asked])),
    ]


@pytest.fixture(scope="module")
def text():
    return site.render(new_notebook(cells=cells()), PAGE, [PAGE])


def test_what_follows_a_prediction_is_folded_until_it_is_committed(text, offline):
    page = offline(text)
    assert "kd.explorers.prediction" not in page.locator("main").inner_text(), "the code tells the answer"
    follows = page.locator(".follows").first
    assert follows.evaluate("(one) => one.inert && one.clientHeight === 0")
    # The next question and the next section are no part of it.
    assert page.locator(".follows").count() == 2 and page.locator("h2").first.is_visible()
    page.get_by_label("one").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    said = page.locator(".answer").first
    assert said.get_attribute("role") == "status"
    assert said.inner_text() == "✘ Not this time. You said “one”; it is “two”. It is <b>2</b> > 1."
    assert follows.evaluate("(one) => !one.inert && one.clientHeight > 10")
    assert page.locator(".follows.folded").count() == 1


def test_one_may_go_on_without_a_guess(text, offline):
    page = offline(text)
    go = page.get_by_role("button", name="Go on without a guess").first
    go.press("Enter")
    assert page.locator(".follows").first.evaluate("(one) => !one.inert && one === document.activeElement")
    assert page.get_by_role("button", name="Go on without a guess").count() == 1
    assert page.locator(".answer").first.inner_text() == ""


def test_guesses_are_counted_and_kept_in_this_browser(text, offline):
    page = offline(text)
    score = page.locator(".kdviz-tally")
    assert "none committed yet" in score.inner_text()
    page.get_by_label("two").check()
    page.get_by_role("button", name="Commit").first.press("Enter")
    assert page.locator(".answer").first.inner_text().startswith("✔ Right.")
    assert "1 of 1 right" in score.inner_text()
    page.reload()
    assert page.get_by_label("two").is_checked() and page.get_by_label("two").is_disabled()
    assert "1 of 1 right" in score.inner_text()
    assert page.locator(".follows.folded").count() == 1
    page.get_by_role("button", name="Forget my guesses").press("Enter")
    page.wait_for_function(
        "() => document.querySelector('.kdviz-tally')?.innerText.includes('none committed')"
    )


def test_the_contents_follow_the_reader(text, offline):
    page = offline(text, width=1366)
    here = page.locator(".contents a[aria-current]")
    assert here.count() == 0 and page.locator(".contents a").all_inner_texts() == [
        "The next thing",
        "The last thing",
    ]
    page.locator(".contents a").last.click()
    page.wait_for_function(
        "() => document.querySelector('.contents [aria-current]')?.textContent === 'The last thing'"
    )
    assert page.locator(".contents").bounding_box()["y"] >= 0
    phone = offline(text, width=390)
    assert not phone.locator(".contents ol").is_visible()
    phone.locator(".contents summary").press("Enter")
    assert phone.locator(".contents ol").is_visible()


TABLE = "| loss | formula | in a sentence |\n|---|---|---|\n| one | " + "x" * 40 + " | " + "y" * 40 + " |"


def narrow(offline, *shown):
    text = site.render(new_notebook(cells=[new_markdown_cell("# One"), *shown]), PAGE, [PAGE])
    page = offline(text, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    return page


def test_a_wide_table_becomes_blocks_on_a_phone_and_a_small_one_stays(offline):
    page = narrow(offline, new_markdown_cell(TABLE), new_markdown_cell("| a | b |\n|---|---|\n| 1 | 2 |"))
    wide, small = page.locator("table").all()
    assert wide.get_attribute("class") == "stacked" and small.get_attribute("class") is None
    last = wide.locator("td").last
    assert last.get_attribute("data-name") == "in a sentence"
    assert last.bounding_box()["x"] < 40 and last.bounding_box()["width"] > 300


def test_the_rows_of_a_figure_have_their_names_above_them_on_a_phone(offline):
    rows = [
        {"seed": seed, "arm": arm, "accuracy": 80 + 3 * high + seed % 3}
        for seed in range(6)
        for high, arm in enumerate(["hard labels", "soft targets", "permuted dark knowledge"])
    ]
    arms = ["soft targets", "permuted dark knowledge"]
    figure = kd.figures.paired_dots(
        kd.figures.seed_plots.pd.DataFrame(rows), "hard labels", arms, title="T " * 40
    )
    output = new_output("display_data", {site.PLOTLY: figure.to_plotly_json()})
    page = narrow(offline, new_code_cell("1", outputs=[output]))
    page.wait_for_selector(".points path")
    edges = page.evaluate(
        """() => [...document.querySelectorAll(".annotation-text, .gtitle, .xtitle")].map((text) => {
          const { left, right } = text.getBoundingClientRect();
          return [text.textContent, left, right];
        })"""
    )
    assert {"soft targets", "permuted dark knowledge"} <= {words for words, *_ in edges}
    assert all(0 <= left and right <= 390 for _, left, right in edges), edges
    assert page.locator(".ytick").count() == 0
