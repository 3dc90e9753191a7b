import json
import threading
import time

import numpy as np
import pandas as pd
import pytest

from kdviz import explorers
from kdviz.measure import paired

SMALL = {"temperatures": (1.0, 8.0), "soft_weights": (0.5, 0.9), "steps": 20, "width": 4, "labels": 20}


def table_of(seeds=6, curves=True):
    """A sweep's table with a known landscape: the gain is the temperature, but nothing at weight 0.5."""
    random, rows = np.random.default_rng(0), []
    for seed in range(seeds):
        luck = 80 + random.normal(0, 5)
        for temperature, weight in [(1.0, 0.0), (1.0, 0.5), (8.0, 0.5), (1.0, 0.9), (8.0, 0.9)]:
            gain = temperature * (weight == 0.9) + random.normal(0, 0.3) * (weight > 0)
            curve = [(10, luck - 20), (20, luck + gain)]
            rows.append(
                {
                    "seed": seed,
                    "temperature": temperature,
                    "soft_weight": weight,
                    "test_accuracy": luck + gain,
                    **({"curve": curve} if curves else {}),
                }
            )
    return pd.DataFrame(rows)


def test_shows_the_paired_gains_of_a_table():
    table = table_of()
    explorer = explorers.landscape(table, labels=100)
    assert (explorer.temperatures, explorer.soft_weights) == ([1.0, 8.0], [0.5, 0.9])
    assert explorer.shown == {"labels": 100, "label_noise": 0.0, "seeds": 6, "total": 6}
    assert [round(cell["mean"]) for cell in explorer.cells] == [0, 0, 1, 8]
    hot = table.query("temperature == 8 and soft_weight == 0.9").test_accuracy.to_numpy()
    found = paired(hot, table.query("soft_weight == 0").test_accuracy.to_numpy())
    assert explorer.cells[3]["low"] == pytest.approx(found.low, abs=1e-3)
    assert (explorer.cells[3]["above"], explorer.cells[3]["sure"]) == (found.above, True)
    assert explorer.curves["steps"] == [10, 20]
    expected = table.query("temperature == 8 and soft_weight == 0.9").curve.map(lambda c: c[-1][1]).mean()
    assert explorer.curves["cells"][3][-1] == pytest.approx(expected, abs=0.01)


def test_few_seeds_have_a_mean_and_no_interval():
    explorer = explorers.landscape(table_of(seeds=3, curves=False))
    assert all("low" not in cell and len(cell["gains"]) == 3 for cell in explorer.cells)
    assert explorer.curves == {}


def test_trains_in_the_background_and_fills_in():
    explorer = explorers.landscape(seeds=6, **SMALL)
    assert explorer.cells == [None] * 4
    seen = []
    explorer.observe(lambda change: seen.append(change.new["seeds"]), "shown")
    explorer.train_wishes += 1
    assert explorer.running
    explorer.wait(60)
    assert not explorer.running and explorer.message == "Done: 6 seeds."
    assert seen == sorted(seen) and seen[-1] == 6
    assert all(len(cell["gains"]) == 6 for cell in explorer.cells)


def test_a_slider_never_trains():
    explorer = explorers.landscape(**SMALL)
    threads = threading.active_count()
    explorer.labels, explorer.label_noise = 200, 0.3
    assert not explorer.running and threading.active_count() == threads


def test_stop_answers_at_once_and_keeps_what_is_shown():
    explorer = explorers.landscape(seeds=200, **SMALL | {"steps": 3000})
    explorer.show(table_of(), 20, 0.0, 6)
    explorer.train_wishes += 1
    time.sleep(0.3)
    start = time.perf_counter()
    explorer.stop_wishes += 1
    assert time.perf_counter() - start < 0.5
    assert not explorer.running and explorer.message.startswith("Stopped.")
    before = explorer.cells
    # What trains in the background ends soon after, in the midst of its teachers or students.
    explorer.wait(5)
    assert not explorer._thread.is_alive()
    assert explorer.cells == before and explorer.message.startswith("Stopped.")


def test_what_goes_wrong_in_the_background_is_told():
    explorer = explorers.landscape(**SMALL | {"width": -1})
    explorer.train_wishes += 1
    explorer.wait(60)
    assert not explorer.running
    assert "ValueError" in explorer.message and "mlp" in explorer.message


@pytest.mark.parametrize(
    ("change", "message"),
    [({"labels": 33}, "labels must be one of 20, 50"), ({"label_noise": 0.9}, "label_noise must be from 0")],
)
def test_bad_input_is_told_what_was_expected(change, message):
    with pytest.raises(ValueError, match=message):
        explorers.landscape(**change)


def test_the_static_twin_is_small_and_knows_that_it_has_no_kernel():
    state = explorers.landscape(table_of(seeds=30)).static_state()
    assert state["live"] is False
    assert len(json.dumps(state)) < 60_000


@pytest.fixture
def page(browser, tmp_path):
    def opened(explorer):
        twin = tmp_path / "twin.html"
        twin.write_text(f"<meta charset='utf-8'>{explorer.static_html()}", encoding="utf-8")
        page = context.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(twin.as_uri())
        return page

    said, context = [], browser.new_context()
    yield opened
    context.close()
    assert said == []


@pytest.mark.browser
def test_arrow_keys_choose_a_cell_and_the_sentence_tells_it(page):
    view = page(explorers.landscape(table_of()))
    told = view.locator(".read-out")
    assert told.inner_text().startswith("T = 8, soft_weight 0.9: +8.")
    picture = view.locator(".behind").inner_html()
    view.locator("g[tabindex='0']").focus()
    view.keyboard.press("ArrowDown")
    assert told.inner_text().startswith("T = 8, soft_weight 0.5:")
    assert "Null: the interval holds zero." in told.inner_text()
    assert view.locator(".behind").inner_html() != picture
    view.keyboard.press("ArrowLeft")
    assert told.inner_text().startswith("T = 1, soft_weight 0.5:")
    view.keyboard.press("ArrowLeft")
    assert told.inner_text().startswith("T = 1, soft_weight 0.5:")
    view.locator(".cell").nth(2).click()
    assert told.inner_text().startswith("T = 1, soft_weight 0.9: +")


@pytest.mark.browser
def test_null_cells_are_marked_by_more_than_colour(page):
    view = page(explorers.landscape(table_of()))
    hatched = view.locator(".cell").evaluate_all(
        "(cells) => cells.map((cell) => cell.querySelectorAll('rect').length === 2)"
    )
    assert hatched == [not cell["sure"] for cell in explorers.landscape(table_of()).cells]
    assert True in hatched and False in hatched


@pytest.mark.browser
def test_without_a_kernel_nothing_pretends_to_train(page):
    view = page(explorers.landscape(table_of()))
    assert view.get_by_role("button", name="Train").is_disabled()
    assert view.get_by_label("Wrong labels").is_disabled()
    assert "needs a running kernel" in view.locator(".message").inner_text()


@pytest.mark.browser
def test_a_slider_makes_the_map_pale_and_says_what_train_would_do(page, monkeypatch):
    # As in a notebook, up to the button: the page has no kernel to train.
    monkeypatch.setattr(explorers.Landscape, "static_state", explorers.Explorer.static_state)
    view = page(explorers.landscape(table_of()))
    view.get_by_label("Labels", exact=True).press("ArrowRight")
    view.get_by_label("Wrong labels").press("ArrowRight")
    told = "Still 50 labels. Press Train for 100 labels, 10 % wrong."
    assert view.locator(".message").inner_text() == told
    assert view.locator(".map text").last.text_content() == told
    assert view.locator("g[tabindex='0']").get_attribute("opacity") == "0.5"
    view.get_by_label("Labels", exact=True).press("ArrowLeft")
    view.get_by_label("Wrong labels").press("ArrowLeft")
    assert view.locator("g[tabindex='0']").get_attribute("opacity") == "1"
