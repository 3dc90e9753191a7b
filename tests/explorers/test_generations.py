"""The generations explorer: its closed form against fits made one after the other, and its use."""

import re

import numpy as np
import pytest
from controls import move_every_control

from kdviz import explorers

WIDTH = 0.05


def fitted(view, generations):
    """The curve of a generation on the grid, by solving for one fit after another."""
    x, said = np.array(view.points).T
    across = np.exp(-((x[:, None] - x) ** 2) / (2 * WIDTH**2))
    to_grid = np.exp(-((np.array(view.grid)[:, None] - x) ** 2) / (2 * WIDTH**2))
    for _ in range(generations + 1):
        weights = np.linalg.solve(across + view.ridge * np.eye(len(x)), said)
        said = across @ weights
    return to_grid @ weights


def calculated(view, generation):
    d, c = np.array(view.eigenvalues), np.array(view.targets)
    return np.array(view.directions) @ (c / (d + view.ridge) * (d / (d + view.ridge)) ** generation)


def error(view, curve):
    return float(np.sqrt(((curve - np.array(view.truth)) ** 2).mean()))


@pytest.mark.parametrize("generation", [0, 1, 5, 12])
def test_the_directions_give_what_the_fits_give_one_after_the_other(generation):
    view = explorers.generations(width=WIDTH, seed=2)
    # Points are rounded for the page to four digits.
    assert np.abs(calculated(view, generation) - fitted(view, generation)).max() < 2e-3


def test_self_distillation_helps_and_then_harms_and_a_single_fit_does_nearly_as_well():
    # What notebook 09 says of thirty draws.
    helped, harmed, beside = [], [], []
    for seed in range(30):
        view = explorers.generations(seed=seed)
        errors = [error(view, calculated(view, g)) for g in range(view.last + 1)]
        singles = []
        for ridge in view.ridges:
            view.ridge = ridge
            singles.append(error(view, calculated(view, 0)))
        helped.append(errors[0] - min(errors))
        harmed.append(errors[-1] - min(errors))
        beside.append(min(singles) - min(errors))
    assert np.mean(helped) > 0.05 and np.mean(harmed) > 0.1
    assert 0 < np.mean(beside) < 0.2 * np.mean(helped)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"points": 3}, "from 5 up"),
        ({"points": 9.5}, "whole number"),
        ({"width": 0}, "width must be above 0"),
        ({"ridge": -1}, "ridge must be above 0"),
    ],
)
def test_bad_settings_say_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        explorers.generations(**settings)


def test_states_that_the_page_cannot_show_are_refused():
    view = explorers.generations()
    with pytest.raises(ValueError, match="from 0 to 12"):
        view.generation = 13
    with pytest.raises(ValueError, match="ridge must be one of"):
        view.ridge = 0.1234


def test_is_small():
    assert len(explorers.generations().static_html()) < 60_000


@pytest.mark.browser
def test_the_words_tell_the_numbers_of_the_fits(page):
    explorer = explorers.generations(seed=4)
    view = page(explorer)
    for _ in range(3):
        view.get_by_role("button", name="Step").click()
    found = re.search(
        r"Generation 3, ridge \S+: (\S+) from the truth", view.locator(".read-out").inner_text()
    )
    assert float(found[1]) == pytest.approx(error(explorer, calculated(explorer, 3)), abs=6e-4)
    drawn = view.locator("path.now").get_attribute("d")
    view.get_by_role("button", name="Reset").click()
    assert view.locator("path.now").get_attribute("d") != drawn
    assert "taught by the noisy points" in view.locator(".read-out").inner_text()


@pytest.mark.browser
def test_playing_ends_at_the_last_generation_and_pauses(page):
    explorer = explorers.generations()
    explorer.generation = 10
    view = page(explorer)
    view.get_by_role("button", name="Play").click()
    view.get_by_role("button", name="Play").wait_for(timeout=5000)
    assert view.locator(".read-out").inner_text().startswith("Generation 12")


@pytest.mark.browser
def test_every_control_moves_by_keyboard(page):
    view = page(explorers.generations())
    moved = move_every_control(view, view.locator(".kdviz-generations"))
    assert {"Generation", "Ridge"} <= {re.sub(r"[\d.]+$", "", label) for label in moved}
    assert len(moved) == 5
