"""The playback: what it shows is what it was given, and it moves."""

import re

import numpy as np
import pytest
from controls import move_every_control

from kdviz import explorers
from kdviz.explorers.wire import unpack

STEPS = [10, 20, 40]


def given():
    """One panel whose points rise from below the diagonal to above it, and one that stays on it."""
    rising = np.array([[[0.5, 0.1], [0.8, 0.2]], [[0.5, 0.5], [0.8, 0.9]], [[0.5, 0.9], [0.8, 1.0]]])
    x = np.linspace(0, 1, 5)
    still = np.stack([np.stack([x, x], -1)] * 3)
    return {"rising": rising, "still": still}


def opened(panels=None, steps=STEPS):
    return explorers.playback(panels or given(), steps, x_axis="one", y_axis="other")


def test_the_points_are_those_given_up_to_half_a_byte():
    for text, values in zip(opened().points, given().values(), strict=True):
        found = unpack(text)
        np.testing.assert_allclose(found, values, atol=0.5 / 255 + 1e-9)


@pytest.mark.parametrize(
    ("panels", "steps", "message"),
    [
        ({}, STEPS, "one to three names"),
        ({"a": np.zeros((2, 5, 2))}, STEPS, r"shape \(3, points, 2\)"),
        ({"a": np.zeros((3, 5))}, STEPS, r"got \(3, 5\)"),
        ({"a": np.full((3, 5, 2), 1.5)}, STEPS, "from 0 to 1"),
        ({"a": np.full((3, 5, 2), np.nan)}, STEPS, "from 0 to 1|finite numbers only"),
        ({"a": np.zeros((3, 401, 2))}, STEPS, "would not move smoothly"),
        ({"a": np.zeros((3, 5, 2))}, [10, 10, 20], "that rise"),
    ],
)
def test_bad_input_is_explained(panels, steps, message):
    with pytest.raises(ValueError, match=message):
        explorers.playback(panels, steps, x_axis="one", y_axis="other")


def test_what_a_reader_sets_cannot_break_it():
    explorer = opened()
    with pytest.raises(ValueError, match="snapshot must be a whole number from 0 to 2"):
        explorer.snapshot = 3


def test_a_page_is_small():
    panels = {name: np.random.default_rng(0).random((30, 200, 2)) for name in ("one", "two")}
    assert len(opened(panels, range(30)).static_html()) < 60_000


@pytest.fixture
def shown(page):
    return page(opened())


def places(page):
    """Where the points of the first panel are drawn, in the numbers of its axes."""
    frame = page.evaluate("""() => { const box = document.querySelector(".frame");
      return ["x", "y", "width"].map((name) => Number(box.getAttribute(name))); }""")
    dots = page.evaluate("""() => [...document.querySelector("svg").querySelectorAll("circle")].map(
      (dot) => [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))])""")
    left, top, size = frame
    return [[(x - left) / size, 1 - (y - top) / size] for x, y in dots]


@pytest.mark.browser
def test_each_step_is_drawn_and_told(shown):
    for snapshot, values in enumerate(given()["rising"]):
        np.testing.assert_allclose(places(shown), values, atol=0.004)
        said = shown.locator(".said").inner_text()
        gaps = values[:, 1] - values[:, 0]
        assert f"After {STEPS[snapshot]} steps." in said
        told = float(re.search(r"rising: (\d\.\d\d) from the diagonal", said)[1])
        assert told == pytest.approx(np.abs(gaps).mean(), abs=0.008)
        assert "still: 0.00 from the diagonal on average, 0 of 5 points above it" in said
        shown.get_by_role("button", name="Step").click()
    np.testing.assert_allclose(places(shown), given()["rising"][0], atol=0.004)


@pytest.mark.browser
def test_playing_moves_between_the_steps_and_pause_keeps_the_place(shown):
    play = shown.locator("button").first
    play.click()
    shown.wait_for_function("() => document.querySelector('input').value === '1'", timeout=15_000)
    play.click()
    assert play.inner_text() == "Play"
    np.testing.assert_allclose(places(shown), given()["rising"][1], atol=0.004)


@pytest.mark.browser
def test_every_control_works_by_keyboard(shown):
    moved = move_every_control(shown, shown.locator("[data-kdviz-explorer]"))
    assert moved == ["Training step", "Play", "Step", "Reset"]
