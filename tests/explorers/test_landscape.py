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
                    "accuracy": luck + gain,
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
    hot = table.query("temperature == 8 and soft_weight == 0.9").accuracy.to_numpy()
    found = paired(hot, table.query("soft_weight == 0").accuracy.to_numpy())
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
    explorer.train_commands += 1
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
    explorer = explorers.landscape(seeds=30, **SMALL | {"steps": 30_000})
    explorer.show(table_of(), 20, 0.0, 6)
    explorer.train_commands += 1
    time.sleep(0.3)
    start = time.perf_counter()
    explorer.stop_commands += 1
    assert time.perf_counter() - start < 0.5
    assert not explorer.running and explorer.message.startswith("Stopped.")
    before = explorer.cells
    # What trains in the background ends soon after, in the midst of its teachers or students.
    explorer.wait(60)
    assert not explorer._thread.is_alive()
    assert explorer.cells == before and explorer.message.startswith("Stopped.")


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_a_stop_before_the_first_map_is_heard(seconds):
    # Steps of their own, so that no other test's rows are found in the store.
    explorer = explorers.landscape(seeds=30, **SMALL | {"steps": 30_001})
    explorer.train()
    time.sleep(seconds)
    explorer.stop()
    explorer.wait(60)
    assert not explorer._thread.is_alive()
    assert explorer.message == "Stopped. The map shows 0 seeds."
    assert explorer.cells == [None] * 4


def test_training_again_leaves_the_first_behind():
    explorer = explorers.landscape(seeds=5, **SMALL | {"steps": 3002})
    explorer.train()
    first, explorer.labels = explorer._thread, 50
    explorer.train()
    assert explorer._thread is not first
    first.join(20)
    explorer.wait(60)
    assert explorer.message == "Done: 5 seeds."
    assert explorer.shown == {"labels": 50, "label_noise": 0.0, "seeds": 5, "total": 5}


def test_a_cell_that_cannot_be_trained_stays_empty_and_says_why():
    explorer = explorers.landscape(seeds=5, **SMALL | {"temperatures": (0.0, 4.0)})
    explorer.train()
    explorer.wait(60)
    assert [cell is None for cell in explorer.cells] == [True, False, True, False]
    assert "10 students could not be trained: temperature must be a finite number" in explorer.message
    assert json.dumps(explorer.static_state(), allow_nan=False)


def test_what_goes_wrong_in_the_background_is_told():
    explorer = explorers.landscape(**SMALL | {"width": -1})
    explorer.train_commands += 1
    explorer.wait(60)
    assert not explorer.running
    assert "ValueError" in explorer.message and "mlp" in explorer.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": 33}, "labels must be one of 20, 50"),
        ({"label_noise": 0.9}, "label_noise must be from 0"),
        ({"omit": "three"}, "omit must be a digit from 0 to 9"),
    ],
)
def test_bad_input_is_told_what_was_expected(change, message):
    with pytest.raises(ValueError, match=message):
        explorers.landscape(**change)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda table: table.drop(columns="seed"), "no column 'seed'"),
        (lambda table: table[table.soft_weight > 0], "their baseline with soft_weight 0"),
        (lambda table: table[table.soft_weight == 0], "students with soft_weight above 0"),
        (lambda table: table.assign(accuracy=np.nan), "their baseline with soft_weight 0"),
    ],
)
def test_a_table_that_holds_no_landscape_is_refused(spoil, message):
    with pytest.raises(ValueError, match=message):
        explorers.landscape(spoil(table_of()))


def test_a_sweep_is_no_table():
    with pytest.raises(TypeError, match="its .table; got list"):
        explorers.landscape([1, 2])


def test_the_static_twin_is_small_and_knows_that_it_has_no_kernel():
    state = explorers.landscape(table_of(seeds=30)).static_state()
    assert state["live"] is False
    assert len(json.dumps(state)) < 60_000


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


@pytest.fixture
def notebook(live):
    return Notebook(live)


class Notebook:
    def __init__(self, live):
        self._live = live

    def open(self, explorer, width=900):
        self.view = self._live(explorer, width=width, height=620)

    def receive(self, explorer, **state):
        """What the kernel would send: the state of an explorer, except for the wishes of the page."""
        state = {**explorers.Explorer.static_state(explorer), **state}
        for name in ("cells", "curves", "shown", "running", "message", "labels", "label_noise"):
            self.view.evaluate("([name, value]) => model.set(name, value)", [name, state[name]])

    def asked(self, name):
        return self.view.evaluate("(name) => model.get(name)", name)

    def told(self):
        return self.view.locator(".message").inner_text()

    def hatched(self):
        return self.view.locator(".cell rect[fill^=url]").count()

    def picture(self):
        return self.view.locator(".kdviz-landscape").screenshot()


@pytest.mark.browser
def test_a_training_from_the_first_press_to_the_last_seed(notebook):
    notebook.open(explorers.landscape(**SMALL))
    assert "Press Train" in notebook.told()
    assert "no student trained yet" in notebook.view.locator(".read-out").inner_text()
    assert notebook.view.locator(".behind").inner_text().count("Press Train to see them.") == 2
    empty = notebook.picture()
    notebook.view.get_by_role("button", name="Train").press("Enter")
    assert (notebook.asked("train_commands"), notebook.asked("stop_commands")) == (1, 0)

    first = explorers.landscape(table_of(seeds=3), labels=20)
    notebook.receive(first, running=True, message="3 of 30 seeds.")
    assert notebook.told() == "3 of 30 seeds." and notebook.picture() != empty
    assert notebook.hatched() == 4, "without an interval no cell may look sure"
    assert notebook.view.get_by_label("Labels", exact=True).is_disabled()

    notebook.receive(explorers.landscape(table_of(seeds=30), labels=20), running=True)
    assert 1 <= notebook.hatched() <= 2
    # The same button, so that whoever pressed Train has Stop under the same key.
    notebook.view.keyboard.press("Enter")
    assert (notebook.asked("train_commands"), notebook.asked("stop_commands")) == (1, 1)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "trait", "text"), [("Labels", "labels", "100"), ("Wrong labels", "label_noise", "10 %")]
)
def test_a_slider_moved_by_keyboard_asks_for_no_training(notebook, label, trait, text):
    notebook.open(explorers.landscape(table_of()))
    before, picture = notebook.asked(trait), notebook.picture()
    slider = notebook.view.get_by_label(label, exact=True)
    slider.press("ArrowRight")
    assert notebook.asked(trait) != before and notebook.asked("train_commands") == 0
    assert slider.get_attribute("aria-valuetext") == text
    assert "Press Train" in notebook.told() and notebook.picture() != picture


@pytest.mark.browser
def test_a_map_of_other_settings_hides_neither_errors_nor_that_it_trains(notebook):
    shown = explorers.landscape(table_of())
    notebook.open(shown)
    notebook.receive(shown, labels=100, message="ValueError: too wide")
    assert notebook.told() == "ValueError: too wide Still 50 labels. Press Train for 100 labels."
    notebook.receive(shown, labels=100, message="Training begins.", running=True)
    assert notebook.told() == "Training begins."
    assert "Still 50 labels. Now training: 100 labels." in notebook.view.locator(".map").text_content()


@pytest.mark.browser
def test_a_kernel_that_was_restarted_is_told_of_and_the_map_stays(notebook):
    shown = explorers.landscape(table_of())
    notebook.open(shown)
    notebook.receive(shown, running=True, message="3 of 30 seeds.")
    button, cells = notebook.view.get_by_role("button"), notebook.view.locator(".cell").count()
    assert button.inner_text() == "Stop" and button.is_enabled()
    notebook.view.evaluate("() => heard.comm_live_update()")
    assert notebook.told().startswith("The kernel was restarted")
    assert button.inner_text() == "Train" and button.is_disabled()
    assert notebook.view.locator(".cell").count() == cells > 0


@pytest.mark.browser
def test_a_slider_follows_python(notebook):
    shown = explorers.landscape(table_of())
    notebook.open(shown)
    notebook.receive(shown, labels=1200, label_noise=0.6)
    assert notebook.view.get_by_label("Labels", exact=True).input_value() == "5"
    assert notebook.view.locator("output").all_inner_texts() == ["1200", "60 %"]


@pytest.mark.browser
def test_a_picture_that_cannot_be_drawn_is_told(notebook):
    notebook.open(explorers.landscape(table_of()))
    notebook.view.evaluate("() => model.set('cells', [{}, {}, {}, {}])")
    assert "The map could not be drawn" in notebook.told()


@pytest.mark.browser
def test_equal_gains_and_wide_intervals_stay_within_their_panel(notebook):
    table = table_of(seeds=30)
    table["accuracy"] = 80.0
    for shown in (explorers.landscape(table), explorers.landscape(table_of(seeds=5))):
        notebook.open(shown)
        outside = notebook.view.evaluate(
            """() => {
              const panel = document.querySelector(".behind svg"), frame = panel.getBoundingClientRect();
              const title = panel.querySelector("text").getBoundingClientRect();
              return [...panel.querySelectorAll("circle, line")].filter((mark) => {
                const box = mark.getBoundingClientRect();
                return box.top < title.bottom || box.left < frame.left || box.right > frame.right;
              }).length;
            }"""
        )
        assert outside == 0


@pytest.mark.browser
@pytest.mark.parametrize("width", [820, 700])
def test_a_narrow_notebook_keeps_map_and_seeds_side_by_side(notebook, width):
    # JupyterLab with its file browser open leaves about 820 of 1280 pixels.
    notebook.open(explorers.landscape(table_of(seeds=30)), width=width)
    assert notebook.view.locator(".kdviz-landscape").bounding_box()["height"] <= 620
    side, beside = (notebook.view.locator(part).bounding_box() for part in (".map", ".behind"))
    assert side["y"] == beside["y"] and side["x"] + side["width"] <= beside["x"]


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 1920])
def test_never_scrolls_sideways(notebook, width):
    notebook.open(explorers.landscape(table_of(seeds=30)), width=width)
    assert notebook.view.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_fits_a_laptop_and_stands_still_while_cells_are_chosen(notebook):
    notebook.open(explorers.landscape(table_of(seeds=30), labels=1200, label_noise=0.6, omit=3))
    panel = notebook.view.locator(".kdviz-landscape")
    heights = set()
    for place in range(4):
        notebook.view.locator(".cell").nth(place).click()
        heights.add(panel.bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 620
    assert notebook.view.evaluate("document.documentElement.scrollWidth") <= 900
    title, behind = notebook.view.locator(".map text").last, notebook.view.locator(".behind")
    assert "1200 labels, 60 % wrong, no 3; 30 seeds" in title.text_content()
    box = title.bounding_box()
    assert box["x"] + box["width"] <= behind.bounding_box()["x"]
