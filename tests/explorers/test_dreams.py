"""The dreams: what is shown is what was made, for the terms that are switched on."""

import numpy as np
import pytest

from kdviz import explorers
from kdviz.explorers.base import STATIC_PAGES
from kdviz.explorers.wire import unpack

STEPS, WANTED = [0, 5], ["0", "1", "2"]


def film():
    """Two terms: at each step a choice is as dark as its number and the step say."""
    for late in (0, 1):
        shades = [late * choice / 3 for choice in range(4)]
        images = np.stack([np.full((3, 4, 4), shade) for shade in shades])
        yield images, np.array([0.1, 0.2, 0.4, 0.8 if late else 0.3])


def opened(frames=None):
    return explorers.dreams(film() if frames is None else frames, ["class", "smooth"], STEPS, WANTED)


def test_the_images_are_those_given_up_to_half_a_shade():
    shown = opened()
    for text, (images, _) in zip(shown.frames, film(), strict=True):
        np.testing.assert_allclose(unpack(text), images, atol=0.5 / 15 + 1e-9)
    assert shown.sure[1] == [0.1, 0.2, 0.4, 0.8] and shown.snapshot == 1


def test_it_is_displayed_before_the_film_unless_the_page_is_static(monkeypatch):
    seen = []
    module = explorers.dreams_explorer
    monkeypatch.setattr(module, "display", lambda shown: seen.append(len(shown.frames)))
    opened()
    monkeypatch.setenv(STATIC_PAGES, "1")
    opened()
    assert seen == [0, 2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"terms": []}, "one to 4 names"),
        ({"terms": list("abcde")}, "one to 4 names"),
        ({"steps": [5, 5]}, "that rise"),
        ({"film": [(np.zeros((2, 3, 4, 4)), np.zeros(2))]}, r"must have shape \(4, 3"),
        ({"film": [(np.full((4, 3, 4, 4), 1.5), np.zeros(4))]}, "from 0 to 1"),
        ({"film": [(np.zeros((4, 3, 4, 4)), np.full(4, -1))]}, "from 0 to 1"),
        ({"film": [*film(), *film()]}, "of all 2 steps already"),
    ],
)
def test_bad_input_is_explained(given, message):
    usual = {"film": film(), "terms": ["class", "smooth"], "steps": STEPS, "wanted": WANTED}
    with pytest.raises(ValueError, match=message):
        explorers.dreams(**usual | given)


def test_what_a_reader_sets_cannot_break_it():
    shown = opened()
    with pytest.raises(ValueError, match="chosen must be from 0 to 3"):
        shown.chosen = 4
    with pytest.raises(ValueError, match="snapshot must be"):
        shown.snapshot = 2


def shade(page):
    """How dark the first image is, from 0 to 255."""
    return page.evaluate("""() => { const canvas = document.querySelector(".gallery canvas");
      return canvas.getContext("2d").getImageData(0, 0, 1, 1).data[0]; }""")


@pytest.mark.browser
def test_each_choice_and_step_is_drawn_and_told(page):
    shown = page(opened())
    assert shade(shown) == 34  # ink
    assert "class, smooth" in shown.locator(".said").inner_text()
    assert "80 %" in shown.locator(".said").inner_text()
    shown.get_by_label("smooth").uncheck()
    assert 34 < shade(shown) < 255
    assert "20 %" in shown.locator(".said").inner_text()
    shown.get_by_role("button", name="Reset").click()
    assert shade(shown) == 255 and "After 0 steps" in shown.locator(".said").inner_text()
    # A loss has at least one term.
    assert shown.get_by_label("class").is_disabled()
    shown.get_by_label("smooth").check()
    assert shown.get_by_label("class").is_enabled()


@pytest.mark.browser
def test_without_any_term_it_says_that_nothing_moves(page):
    explorer = opened()
    explorer.chosen = 0
    assert "nothing moves" in page(explorer).locator(".said").inner_text()


@pytest.mark.browser
def test_frames_that_are_still_to_come_are_waited_for(page):
    shown = page(opened([next(film())]))
    shown.get_by_role("button", name="Step").click()
    assert "After 0 steps" in shown.locator(".said").inner_text()
