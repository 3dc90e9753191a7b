"""The canvas explorer: its networks are torch's, its scores are Python's, and its use."""

import copy

import numpy as np
import pytest
import torch
from controls import move_every_control
from torch import nn

from kdviz import explorers
from kdviz.course.experiments import n22_answers_that_are_no_classes_canvases as experiments
from kdviz.datasets import digits
from kdviz.datasets._canvases import BACKGROUND, SIZE, placed
from kdviz.measure import class_iou

SAID = """async ([url, layers, ink, size]) => {
  const m = await import(url);
  return [...m.mapsOf(m.unpackedLayers(layers), Float64Array.from(ink), size)];
}"""


@pytest.fixture(scope="module")
def images():
    data = digits(seed=0)
    return data.pixels(data.test)[:6, 0].double().numpy(), data.test.labels[:6].numpy()


@pytest.fixture(scope="module")
def networks():
    """Untrained, with logits large enough to differ."""
    teacher, one, other = (experiments.segmenter(width, seed=width) for width in (6, 4, 5))
    with torch.no_grad():
        for network in (teacher, one, other):
            network.logits.weight *= 20
    return teacher, {"one": one, "other": other}


@pytest.fixture
def view(images, networks):
    return explorers.canvas(*images, *networks)


def as_kept(network):
    """A network with its weights in half precision, as the page has them."""
    kept = copy.deepcopy(network).double()
    for layer in kept:
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.half().double()
    return kept


def logits(network, ink):
    return network(torch.from_numpy(ink)[None, None])[0].detach().numpy()


def composed(images, labels, image, across, down):
    ink, classes = np.zeros((SIZE, SIZE)), np.full((SIZE, SIZE), BACKGROUND)
    placed(ink, classes, images[0], labels[0], 0, 0)
    placed(ink, classes, images[image], labels[image], down, across)
    return ink, classes


@pytest.mark.browser
def test_a_network_answers_as_in_torch(browser, module_url, view, networks, images):
    ink = composed(*images, 2, 5, 3)[0]
    page = browser.new_page()
    found = page.evaluate(SAID, [module_url(view), view.networks["teacher"], ink.ravel().tolist(), SIZE])
    page.close()
    expected = logits(as_kept(networks[0]), ink)
    np.testing.assert_allclose(np.reshape(found, expected.shape), expected, atol=1e-9)


@pytest.mark.browser
@pytest.mark.parametrize("place", [(3, 8, 8), (2, 3, 2)])
def test_tells_the_scores_of_python(page, view, images, networks, place):
    view.image, view.across, view.down = place
    view.student = "other"
    said = page(view).locator(".read-out").inner_text()
    ink, classes = composed(np.rint(255 * images[0]) / 255, images[1], *place)
    label = images[1][place[0]]
    for whose, network in (("Teacher", networks[0]), ("Student", networks[1]["other"])):
        named = logits(as_kept(network), ink).argmax(0)
        right, overlap = (named == classes).mean(), class_iou(named, classes, 11)[label]
        assert f"{whose}: {100 * right:.0f} % of the pixels right, IoU {overlap:.2f} of your {label}" in said
    assert f"Background everywhere: {100 * (classes == BACKGROUND).mean():.0f} %" in said


@pytest.mark.browser
def test_every_control_moves_by_keyboard_and_the_pointer_places(page, view):
    shown = page(view)
    assert len(move_every_control(shown, shown.locator(".kdviz-canvas"))) == 4
    box = shown.locator("svg.placing").bounding_box()
    shown.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert shown.get_by_label("Across").first.input_value() == "4"
    assert shown.get_by_label("Down").first.input_value() == "4"


@pytest.mark.browser
def test_nothing_spills_on_a_phone(page, view):
    shown = page(view, width=390, height=900)
    assert shown.evaluate("document.documentElement.scrollWidth") <= 390
    assert shown.locator("[role=alert]").inner_text() == ""


def test_what_does_not_fit_is_named(images, networks, view):
    teacher, students = networks
    with pytest.raises(ValueError, match=r"of shape \(n, 8, 8\); got \(6, 4, 8\)"):
        explorers.canvas(images[0][:, :4], images[1], teacher, students)
    with pytest.raises(TypeError, match="'teacher' must be a torch.nn.Sequential .*; got Linear"):
        explorers.canvas(*images, nn.Linear(2, 2), students)
    with pytest.raises(ValueError, match="cannot be called 'teacher'"):
        explorers.canvas(*images, teacher, {"teacher": teacher})
    with pytest.raises(ValueError, match="student must be one of one, other; got 'third'"):
        view.student = "third"
    with pytest.raises(ValueError, match="across must be a whole number from 0 to 8"):
        view.across = 9
