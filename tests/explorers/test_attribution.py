"""The attribution explorer: its numbers against direct workings, and its use by a reader."""

import numpy as np
import pytest
import torch
from controls import move_every_control
from scipy.stats import spearmanr

import kdviz as kd
from kdviz import explain, explorers
from kdviz.explorers.wire import unpack
from kdviz.models import convnet, mlp

IMAGES, SHAPE = 8, (5, 4)
NETWORKS = ("teacher", "student", "label-only 1", "label-only 2")


def maps(seed=0, noise=(0.0, 0.3, 1.0, 3.0)):
    """What the teacher says, and further and further from it what the others say."""
    random = np.random.default_rng(seed)
    teacher = random.normal(size=(IMAGES, *SHAPE))
    return {
        name: teacher + size * random.normal(size=teacher.shape)
        for name, size in zip(NETWORKS, noise, strict=True)
    }


def arrays():
    return {
        "images": np.random.default_rng(5).random((IMAGES, *SHAPE)),
        "labels": np.arange(IMAGES),
        "targets": np.arange(IMAGES)[::-1],
        "maps": {"integrated gradients": maps(), "occlusion": maps(1)},
        "classes": "01234567",
        "top": 3,
    }


def opened(**changes):
    return explorers.AttributionExplorer.from_maps(**{**arrays(), **changes})


def test_maps_and_top_places_are_those_given():
    given, explorer = arrays()["maps"]["integrated gradients"], opened()
    method = explorer.methods[0]
    for found, values in zip(unpack(method["maps"]), given.values(), strict=True):
        np.testing.assert_allclose(found, values / np.abs(values).max((1, 2), keepdims=True), atol=0.004)
    for tops, values in zip(unpack(method["tops"]), given.values(), strict=True):
        for marked, each in zip(tops.reshape(IMAGES, -1), values.reshape(IMAGES, -1), strict=True):
            assert set(np.flatnonzero(marked)) == set(np.argsort(each)[-3:])


def test_numbers_are_those_of_scipy_and_of_counting():
    given, method = arrays()["maps"]["integrated gradients"], opened().methods[0]
    rows = [values.reshape(IMAGES, -1) for values in given.values()]
    for place, other in enumerate(rows[1:]):
        ranks = [spearmanr(a, b).statistic for a, b in zip(rows[0], other, strict=True)]
        shared = [
            len({*np.argsort(a)[-3:]} & {*np.argsort(b)[-3:]}) / 3
            for a, b in zip(rows[0], other, strict=True)
        ]
        np.testing.assert_allclose(method["ranks"][place], ranks, atol=1e-4)
        np.testing.assert_allclose(method["shared"][place], shared, atol=1e-4)
        assert method["mean_ranks"][place][0] == pytest.approx(np.mean(ranks), abs=1e-4)
        assert method["mean_ranks"][place][1] < np.mean(ranks) < method["mean_ranks"][place][2]
    assert method["chance"] == 3 / 20
    gain = np.subtract(method["ranks"][0], method["ranks"][1]).mean()
    assert method["gain"][0] == pytest.approx(gain, abs=1e-4) and method["gain"][1] > 0


def test_a_map_that_is_the_same_everywhere_has_no_rank():
    given = maps()
    given["student"][2] = 0
    method = opened(maps={"occlusion": given}).methods[0]
    assert method["ranks"][0][2] is None and method["ranks"][0][1] is not None


class TestOnModels:
    data = kd.datasets.digits()
    teacher, student = convnet(4, 8, seed=1), convnet(2, 4, seed=2)

    def test_asks_all_networks_about_the_teachers_answer(self):
        explorer = explorers.attribution(
            self.teacher, self.student.train(), self.data, baselines=[convnet(2, 4, seed=3)], images=20
        )
        assert [method["name"] for method in explorer.methods] == [
            "integrated gradients",
            "Grad-CAM",
            "occlusion",
        ]
        assert explorer.labels == [digit for digit in range(10) for _ in range(2)]
        rows = np.concatenate([np.flatnonzero(self.data.test.labels == c)[:2] for c in range(10)])
        inputs = self.data.test.inputs[rows]
        with torch.no_grad():
            answers = self.teacher(inputs).argmax(1)
        assert explorer.targets == answers.tolist() and self.student.training
        direct = [
            explain.attribute(model, inputs, answers, "occlusion") for model in (self.teacher, self.student)
        ]
        expected = explain.rank_correlation(*direct)
        np.testing.assert_allclose(np.array(explorer.methods[2]["ranks"][0], float), expected, atol=1e-3)

    def test_networks_without_maps_have_no_grad_cam(self):
        explorer = explorers.attribution(mlp(64, 8, 10), mlp(64, 4, 10), self.data, images=10)
        assert len(explorer.methods) == 2 and explorer.methods[0]["gain"] is None
        with pytest.raises(ValueError, match="Grad-CAM needs"):
            explorers.attribution(mlp(64, 8, 10), mlp(64, 4, 10), self.data, methods=["grad_cam"], images=10)

    def test_a_page_is_small(self):
        explorer = explorers.attribution(self.teacher, self.student, self.data)
        assert len(explorer.static_html()) < 100_000

    def test_too_few_images_are_refused(self):
        with pytest.raises(ValueError, match="from 5 to 397"):
            explorers.attribution(self.teacher, self.student, self.data, images=2)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"maps": {}}, "dict of method"),
        ({"maps": {"occlusion": {"teacher": maps()["teacher"]}}}, "at least one more"),
        ({"maps": {"occlusion": {**maps(), "student": np.zeros((2, 2))}}}, "images' shape"),
        ({"top": 21}, "from 1 to 20"),
        ({"labels": np.arange(3)}, r"shape \(8,\)"),
        ({"targets": np.full(8, 9)}, "0 to 7"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        opened(**change)


def test_what_a_reader_sets_python_sets_and_cannot_break():
    explorer = opened()
    explorer.set_state({"method": 1, "image": 5})
    assert (explorer.method, explorer.image) == (1, 5)
    for name, value in {"method": 2, "image": -1}.items():
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            setattr(explorer, name, value)


# ---- In the browser ----


def told(value):
    return f"{value:.2f}".replace("-", "−")


@pytest.mark.browser
def test_another_method_or_image_shows_its_own_numbers(page):
    explorer = opened()
    view = page(explorer)
    for method, name in enumerate(["Integrated gradients", "Occlusion"]):
        view.get_by_role("radio", name=name).click()
        view.get_by_role("radio", name="image 5 of 8, a 4").click()
        feet = view.locator(".map .under").all_inner_texts()
        assert feet[0] == "a 4; asked: what speaks for 3?"
        for place, foot in enumerate(feet[2:]):
            rank = explorer.methods[method]["ranks"][place][4]
            shared = explorer.methods[method]["shared"][place][4]
            assert foot == f"ranks {told(rank)}, top shared {round(100 * shared)}\u00a0%"
        said = view.locator(".said").inner_text()
        means = explorer.methods[method]["mean_ranks"]
        assert f"student {told(means[0][0])}, label-only 1 {told(means[1][0])}" in said
        assert "student is more like the teacher than label-only 1" in said
        body = view.locator("tbody tr").all_inner_texts()
        assert len(body) == 5 and body[-1].split("\t")[-1] == "15\u00a0%"


@pytest.mark.browser
def test_a_difference_that_cannot_be_told_is_called_so(page):
    alike = maps(noise=(0.0, 1.0, 1.0, 1.0))
    view = page(opened(maps={"occlusion": alike}))
    assert "student is not told apart from label-only 1" in view.locator(".said").inner_text()
    assert not view.locator(".chooser").is_visible()
    two = {name: alike[name] for name in NETWORKS[:2]}
    assert (
        "Without a label-only student" in page(opened(maps={"occlusion": two})).locator(".said").inner_text()
    )


@pytest.mark.browser
def test_colours_and_outline_say_what_the_map_says(page):
    view = page(opened())
    given = arrays()["maps"]["integrated gradients"]["teacher"][0]
    pixels = view.evaluate(
        """async () => {
          const picture = document.querySelector(".map.teacher image");
          const image = new Image();
          image.src = picture.getAttribute("href");
          await image.decode();
          const canvas = document.createElement("canvas");
          Object.assign(canvas, { width: image.width, height: image.height });
          canvas.getContext("2d").drawImage(image, 0, 0);
          return [...canvas.getContext("2d").getImageData(0, 0, image.width, image.height).data];
        }"""
    )
    red, _, blue = np.array(pixels).reshape(*SHAPE, 4)[..., :3].transpose(2, 0, 1)
    # Brown speaks for, purple against; where the value is largest the colour is full.
    strong = np.abs(given) > 0.1 * np.abs(given).max()
    assert ((red > blue) == (given > 0))[strong].all()
    extreme = np.unravel_index(np.abs(given).argmax(), SHAPE)
    assert red[extreme] in (179, 84)
    outlined = view.locator(".map.teacher .line").get_attribute("d")
    assert outlined.count("M") >= 8


@pytest.mark.browser
def test_every_control_works_by_keyboard(page):
    view = page(opened())
    moved = move_every_control(view, view.locator(".kdviz-attribution"))
    assert moved == ["Integrated gradients", "image 1 of 8, a 0"]


@pytest.mark.browser
def test_a_picture_that_cannot_be_drawn_is_told(page, monkeypatch):
    explorer = opened()
    broken = {**explorer.static_state(), "methods": [{"maps": "!", "tops": "!"}]}
    monkeypatch.setattr(explorers.AttributionExplorer, "static_state", lambda self: broken)
    assert "could not be drawn" in page(explorer).locator(".trouble").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 700, 1920])
def test_never_scrolls_sideways(page, width):
    assert page(opened(), width=width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_fits_a_laptop_and_stands_still_while_images_are_chosen(page):
    view = page(opened(), width=900)
    panel, heights = view.locator(".kdviz-attribution"), set()
    for image in range(IMAGES):
        view.locator(".thumbnails button").nth(image).click()
        heights.add(panel.bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 720
