"""The explorers on a page opened from the file system: no kernel, every request refused."""

import numpy as np
import pytest
from waits import rest

from kdviz.explorers import SoftTargetExplorer, guess

pytestmark = pytest.mark.browser


def explorer(**changes):
    random = np.random.default_rng(0)
    logits = 3 * random.normal(size=(40, 10))
    given = {
        "images": random.random((40, 8, 8)),
        "labels": np.repeat(np.arange(10), 4),
        "teacher_logits": logits,
        "student_logits": logits + random.normal(size=(40, 10)),
        "classes": "0123456789",
    }
    return SoftTargetExplorer.from_logits(**{**given, **changes})


class Opened:
    """A page of explorers, as a reader sees it."""

    def __init__(self, page):
        self.page = page

    def settle(self):
        """Wait until the sentence, which rests for 200 ms before it speaks, has spoken."""
        rest(self.page, 300)

    def sentence(self):
        self.settle()
        return self.page.locator(".sentence").first.inner_text()

    def picture(self):
        return self.page.locator(".kdviz-soft-targets").first.screenshot()


@pytest.fixture
def opened(page):
    return lambda *shown, width=900: Opened(page(*shown, width=width, height=1000))


def tab_to(page, selector):
    page.locator("body").press("Home")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached with the tab key")


CONTROLS = {
    "image": (".thumbnail", "ArrowRight"),
    "temperature": ("input[type=range]", "ArrowRight"),
    "step": (".buttons button:nth-child(2)", "Enter"),
    "permute": (".switch:nth-child(2) input", " "),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_moves_text_and_picture_by_keyboard(opened, name):
    shown = opened(explorer())
    before = shown.sentence(), shown.picture()
    selector, key = CONTROLS[name]
    tab_to(shown.page, selector)
    assert shown.page.evaluate("document.activeElement.dataset.lmSuppressShortcuts") == "true"
    shown.page.keyboard.press(key)
    assert shown.sentence() != before[0]
    assert shown.picture() != before[1]


def test_the_log_scale_moves_the_bars(opened):
    shown = opened(explorer())
    bar = shown.page.locator(".teacher.bar").first
    before = float(bar.get_attribute("width"))
    tab_to(shown.page, ".switch:nth-child(1) input")
    shown.page.keyboard.press(" ")
    shown.settle()
    assert float(bar.get_attribute("width")) > before
    assert "10⁻²" in shown.page.locator(".bars .axis").text_content()


def test_a_class_chosen_by_keyboard_lights_up_in_bars_and_formula(opened):
    shown = opened(explorer())
    tab_to(shown.page, ".row")
    shown.page.keyboard.press("Home")
    shown.page.keyboard.press("ArrowDown")
    shown.settle()
    row = shown.page.locator(".row[aria-checked=true]")
    assert row.count() == 1
    assert row.get_attribute("aria-label").startswith("class 1:")
    numbers = row.locator(".number").all_text_contents()
    marks = shown.page.locator(".formula mark").all_text_contents()
    assert marks == ["1", numbers[0], "1", numbers[1]]


def test_play_moves_the_temperature_pause_holds_it_and_reset_brings_it_back(opened):
    shown = opened(explorer())
    value = shown.page.locator(".temperature .value")
    tab_to(shown.page, "input[type=range]")
    shown.page.keyboard.press(" ")
    shown.page.wait_for_function("Number(document.querySelector('.value').textContent) > 5")
    shown.page.keyboard.press(" ")
    # What was moved before the pause is drawn with the next frame.
    shown.page.evaluate("() => new Promise(requestAnimationFrame)")
    held = value.inner_text()
    rest(shown.page, 200)
    assert value.inner_text() == held
    tab_to(shown.page, ".buttons button:nth-child(3)")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert value.inner_text() == "4"


def test_the_slider_reaches_both_ends_and_stops_at_round_numbers(opened):
    shown = opened(explorer())
    value = shown.page.locator(".temperature .value")
    tab_to(shown.page, "input[type=range]")
    seen = []
    for key in ("End", "ArrowRight", "Home", "ArrowLeft", "ArrowRight", "PageUp"):
        shown.page.keyboard.press(key)
        shown.settle()
        seen.append(value.inner_text())
    assert seen == ["100", "100", "0.5", "0.5", "0.6", "1.2"]


def test_the_sentence_says_what_python_computes(opened):
    shown_explorer = explorer()
    shown = opened(shown_explorer)
    z = np.array(shown_explorer.teacher_logits[0]) / 4
    q = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    entropy = -(q * np.log2(q)).sum()
    sentence = shown.sentence()
    assert sentence.startswith(f"T = 4: the teacher gives 0 (true) {q[0]:.3f}")
    assert f"{q[1:].max():.3f}" in sentence
    assert f"entropy is {entropy:.2f} bits" in sentence


def test_several_on_a_page_do_not_meet(opened):
    shown = opened(explorer(), guess("Which?", ["a", "b"]), explorer(temperature=8))
    values = shown.page.locator(".temperature .value")
    assert values.all_inner_texts() == ["4", "8"]
    shown.page.locator("input[type=range]").first.press("End")
    shown.settle()
    assert values.all_inner_texts() == ["100", "8"]
    patterns = shown.page.locator("pattern").evaluate_all("all => all.map((each) => each.id)")
    assert len(set(patterns)) == 2


def test_a_sheet_overrules_what_all_share_whatever_else_is_on_the_page(opened):
    question = guess("Which?", ["a", "b"])
    look = """(panel) => [panel, panel.querySelector("button")].map((each) => {
      each.focus();
      const { font, borderRadius, outlineWidth, padding } = getComputedStyle(each);
      return [font, borderRadius, outlineWidth, padding].join(" ");
    })"""
    alone = opened(explorer()).page.locator(".kdviz-soft-targets").evaluate(look)
    shown = opened(question, explorer(), question).page
    assert shown.locator(".kdviz-soft-targets").evaluate(look) == alone
    assert shown.locator(".kdviz-guess").first.evaluate(look) != alone


@pytest.mark.parametrize("width", [320, 450, 900, 1920])
def test_fits_its_page_without_scrolling_sideways(opened, width):
    shown = opened(explorer(), guess("Which?", ["a", "b"]), width=width)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scale", [0.0, 1e-9, 1000.0])
def test_draws_whatever_the_logits(opened, scale):
    random = np.random.default_rng(1)
    teacher, student = scale * random.normal(size=(2, 40, 10))
    shown = opened(explorer(teacher_logits=teacher, student_logits=student))
    for temperature in ("Home", "End"):
        shown.page.locator("input[type=range]").press(temperature)
        shown.settle()
        assert shown.page.locator(".trouble").inner_text() == ""
        assert "NaN" not in shown.page.locator(".panel").inner_text()


def test_an_error_shows_in_the_panel(opened):
    broken = explorer()
    broken.set_trait("student_logits", np.zeros((2, 10)))
    broken.index = 5
    shown = opened(broken)
    assert "could not be drawn" in shown.page.locator(".trouble").inner_text()


def test_a_frame_is_drawn_once_and_moves_what_is_there(opened, work_of):
    shown = opened(explorer())
    work_of(shown.page, [0])
    once = work_of(shown.page, [1])
    assert work_of(shown.page, [0])["changes"] > 0
    # However often the slider moves within a frame, the picture is drawn for the last place only.
    assert work_of(shown.page, [place / 20 for place in range(21)]) == once
    # The formula is written anew, five elements a class. Bars and curves are not.
    assert once["made"] <= 5 * 10


def test_a_prediction_is_committed_by_keyboard(opened):
    shown = opened(guess("Which?", ["left", "right"], because="It is left."))
    commit = shown.page.get_by_role("button", name="Commit")
    assert commit.is_disabled()
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press(" ")
    shown.page.keyboard.press("ArrowDown")
    assert shown.page.locator(".answer").inner_text() == ""
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Enter")
    assert shown.page.locator(".answer").inner_text() == "You said: right. It is left."
    assert shown.page.locator("input:enabled").count() == 0
