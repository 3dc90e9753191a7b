"""The explorer of privileged information: its students are Python's, and its use."""

import numpy as np
import pytest
from controls import frame_times, move_every_control

from kdviz import explorers
from kdviz.course.experiments import n18_what_only_the_teacher_sees as experiments
from kdviz.explorers.wire import unpack

FITTED = """async ([url, inputs, targets, rules, shape]) => {
  const m = await import(url), start = new Float64Array(inputs.length / targets.length);
  const weights = m.fitted(Float64Array.from(inputs), Float64Array.from(targets), 1e-3, start);
  return [[...weights], m.exactAccuracy(weights, { values: Float64Array.from(rules), shape })];
}"""


@pytest.fixture(scope="module")
def worlds():
    return experiments.drawn(0)


@pytest.fixture
def view(worlds):
    return explorers.privileged(worlds)


@pytest.mark.browser
@pytest.mark.parametrize("name", experiments.WORLDS)
def test_the_browser_finds_the_student_that_python_finds(browser, module_url, view, name):
    world = view.worlds[name]
    inputs, rules, labels, teacher = (
        unpack(text) for text in (world["inputs"], world["rules"], world["labels"], world["teachers"][0])
    )
    targets = experiments.blended(labels, teacher, 0.7, 4.0)
    page = browser.new_page()
    given = [module_url(view), inputs.ravel().tolist(), targets.tolist(), rules.ravel().tolist(), rules.shape]
    weights, right = page.evaluate(FITTED, given)
    page.close()
    ours = experiments.logistic(inputs, targets, 1e-3)
    assert np.abs(ours - weights).max() < 1e-8
    assert right == pytest.approx(experiments.exact_accuracy(ours, rules), abs=1e-8)


def test_what_does_not_fit_is_named(worlds, view):
    world = worlds["clean labels"]
    with pytest.raises(TypeError, match="a dictionary with at least one world"):
        explorers.privileged({})
    with pytest.raises(ValueError, match="'x' must be a dictionary; it lacks teacher, shuffled"):
        explorers.privileged({"x": {key: world[key] for key in ("inputs", "labels", "rules", "says")}})
    with pytest.raises(ValueError, match=r"rules \(rules, features\); got \(200, 50\) and \(1, 3\)"):
        explorers.privileged({"x": world | {"rules": [[1, 0, 0]]}})
    with pytest.raises(ValueError, match="teacher must be one number for each of the 200 samples"):
        explorers.privileged({"x": world | {"teacher": (np.zeros(3), 50.0)}})
    with pytest.raises(ValueError, match="labels of 'x' must be 0 or 1; got .*2"):
        explorers.privileged({"x": world | {"labels": 2 * world["labels"]}})
    with pytest.raises(TypeError, match="teacher of 'x' must be its logits and its accuracy"):
        explorers.privileged({"x": world | {"teacher": world["teacher"][0]}})
    with pytest.raises(ValueError, match="penalty must be above 0"):
        explorers.privileged(worlds, penalty=0)
    with pytest.raises(ValueError, match="world must be one of clean labels, .*; got 'a fifth'"):
        view.world = "a fifth"
    with pytest.raises(ValueError, match="temperature must be one of 0.5, .*; got 3"):
        view.temperature = 3


@pytest.mark.browser
def test_tells_the_accuracy_of_python(page, view, worlds):
    name, world = "relevant features", worlds["relevant features"]
    view.world, view.soft_weight, view.temperature = name, 1.0, 8.0
    said = page(view).locator(".read-out").inner_text()
    targets = experiments.blended(world["labels"], world["teacher"][0], 1.0, 8.0)
    right, labels = (
        experiments.exact_accuracy(experiments.logistic(world["inputs"], each, 1e-3), world["rules"])
        for each in (targets, world["labels"])
    )
    assert f"right in {right:.1f} %, {right - labels:.1f} points more than with labels alone" in said
    assert f"The teacher is right in {world['teacher'][1]:.1f} %." in said


@pytest.mark.browser
def test_a_shuffled_teacher_takes_away_what_labels_give(page, view):
    view.soft_weight, view.shuffled = 1.0, True
    assert "points less than with labels alone" in page(view).locator(".read-out").inner_text()
    view.soft_weight = 0.0
    assert "learns from labels alone" in page(view).locator(".read-out").inner_text()


@pytest.mark.browser
def test_every_control_moves_by_keyboard(page, view):
    shown = page(view)
    assert len(move_every_control(shown, shown.locator(".kdviz-privileged"))) == 4


@pytest.mark.browser
def test_nothing_spills_on_a_phone(page, view):
    shown = page(view, width=390, height=900)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.locator("[role=alert]").inner_text() == ""


@pytest.mark.browser
@pytest.mark.complete
def test_a_move_of_the_temperature_takes_about_a_frame(page, view):
    shown = page(view)
    slider = shown.get_by_label("Temperature, T").first
    assert np.median(frame_times(shown, slider, moves=24)) < 50
