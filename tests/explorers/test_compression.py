"""The compression explorer: its bins, bytes and accuracies against what it was given, and its use."""

import numpy as np
import pandas as pd
import pytest
from controls import move_every_control

from kdviz import explorers

LEVELS = {"quantise": ("3 bits", "2 bits"), "prune": ("80 % cut", "95 % cut")}


@pytest.fixture
def weights():
    whole = np.random.default_rng(0).normal(size=(32, 64))
    reach = np.abs(whole).max()
    rounded = {
        name: np.rint(whole / reach * most) * reach / most for name, most in (("3 bits", 3), ("2 bits", 1))
    }
    cut = {
        name: np.where(np.abs(whole) > least, whole, 0)
        for name, least in (("80 % cut", 1.28), ("95 % cut", 1.96))
    }
    return {"all of it": whole, "quantise": rounded, "prune": cut}


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "seed": seed,
            "student": family,
            "network": name,
            "arm": arm,
            "bytes": size,
            "accuracy": right + seed,
        }
        for seed in range(5)
        for family, names in LEVELS.items()
        for name, size, arm, right in [
            ("all of it", 9640, "all of it", 94.0),
            *(
                (name, 1000 - 300 * i, arm, 90.0 - 20 * i - gap)
                for i, name in enumerate(names)
                for arm, gap in (("as cut", 30), ("labels", 2), ("teacher", 1.5))
            ),
        ]
    )


def test_holds_means_bytes_and_every_weight(weights, table):
    view = explorers.compression(weights, table)
    assert list(view.families) == ["quantise", "prune"] and view.whole["arms"] == {"all of it": 96.0}
    step = view.families["prune"][1]
    assert (step["name"], step["bytes"]) == ("95 % cut", 700)
    assert step["arms"] == {"as cut": 42.0, "labels": 70.0, "teacher": 70.5}
    for one in (view.whole, *view.families["quantise"], *view.families["prune"]):
        assert sum(one["bins"]) == 32 * 64
    assert sum(count > 0 for count in view.families["quantise"][1]["bins"]) == 3


def test_what_does_not_fit_is_named(weights, table):
    with pytest.raises(ValueError, match="lacks the columns bytes"):
        explorers.compression(weights, table.drop(columns="bytes"))
    with pytest.raises(ValueError, match=r"no rows of \('prune', '80 % cut'\)"):
        explorers.compression(weights, table[table.network != "80 % cut"])
    view = explorers.compression(weights, table)
    with pytest.raises(ValueError, match="family must be one of quantise, prune; got 'distil'"):
        view.family = "distil"
    with pytest.raises(ValueError, match="from 0 .not cut. to 2; got 3"):
        view.strength = 3


@pytest.mark.browser
def test_tells_what_was_given(page, weights, table):
    view = explorers.compression(weights, table)
    view.family, view.strength = "quantise", 2
    said = page(view).locator(".read-out").inner_text()
    assert (
        "2 bits: 700 bytes, 1/13.8 of all" in said and "as cut 42.0 %, labels 70.0 %, teacher 70.5 %" in said
    )
    assert "in 3 of 61 bins" in said


@pytest.mark.browser
def test_every_control_moves_by_keyboard(page, weights, table):
    view = page(explorers.compression(weights, table))
    assert "3 bits: 1,000 bytes" in view.locator(".read-out").inner_text()
    assert len(move_every_control(view, view.locator(".kdviz-compression"))) == 2


@pytest.mark.browser
def test_nothing_spills_on_a_phone(page, weights, table):
    view = page(explorers.compression(weights, table), width=390, height=900)
    assert view.evaluate("document.documentElement.scrollWidth") <= 390
