"""The attention explorer: its maps, flows and losses against independent workings, and its use."""

import numpy as np
import pytest
import torch
from controls import move_every_control

import kdviz
from kdviz import explorers, figures
from kdviz.explorers.wire import unpack
from kdviz.losses.feature import attention_map, attention_transfer
from kdviz.losses.relation import flow_of_solution
from kdviz.models import convnet

IMAGES = 6


def features(seed, channels=(3, 5)):
    """Two layers of maps, 8 × 8 and 4 × 4 places; most values are below zero somewhere."""
    random = np.random.default_rng(seed)
    first = random.normal(size=(IMAGES, channels[0], 8, 8))
    return {"first": first, "second": random.normal(size=(IMAGES, channels[1], 4, 4)) + 0.5}


def turned(maps, seed=0):
    """The same maps with their channels mixed by a rotation and twice as strong."""
    channels = maps.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(channels, channels)))[0]
    return 2 * np.einsum("dc,nchw->ndhw", rotation, maps)


def arrays():
    teacher = features(0)
    rotated = {layer: turned(maps) for layer, maps in teacher.items()}
    return {
        "images": np.random.default_rng(5).random((IMAGES, 8, 8)),
        "labels": np.arange(IMAGES),
        "teacher": teacher,
        "students": {"copy": teacher, "rotated": rotated, "narrow": features(1, channels=(2, 5))},
        "classes": "012345",
    }


def opened(**changes):
    return explorers.AttentionExplorer.from_features(**{**arrays(), **changes})


def attention_by_hand(maps):
    found = (maps**2).sum(1)
    return found / np.sqrt((found**2).sum((1, 2), keepdims=True))


def flow_by_hand(first, second):
    """Every 2 × 2 places of the larger maps give their largest value, as in the paper."""
    pooled = first.reshape(*first.shape[:2], 4, 2, 4, 2).max((3, 5))
    return np.einsum("nihw,njhw->nij", pooled, second) / 16


def test_maps_are_those_of_a_working_by_hand_and_of_kdviz():
    given, explorer = arrays(), opened()
    assert [picture["name"] for picture in explorer.pictures] == ["first", "second", "first → second"]
    for picture in explorer.pictures[:2]:
        for matrices, layers in zip(
            picture["networks"], [given["teacher"], *given["students"].values()], strict=True
        ):
            maps = layers[picture["name"]]
            np.testing.assert_allclose(unpack(matrices), attention_by_hand(maps), atol=2e-5)
            vectors = attention_map(torch.from_numpy(maps)).numpy()
            np.testing.assert_allclose(unpack(matrices).reshape(IMAGES, -1), vectors, atol=2e-5)


def test_flows_are_those_of_a_working_by_hand():
    given, explorer = arrays(), opened()
    networks = [given["teacher"], *given["students"].values()]
    for matrices, layers in zip(explorer.pictures[2]["networks"], networks, strict=True):
        expected = flow_by_hand(layers["first"], layers["second"])
        np.testing.assert_allclose(unpack(matrices), expected, atol=2e-5 * np.abs(expected).max())
        assert unpack(matrices).shape[1:] == (layers["first"].shape[1], 5)


def test_losses_are_those_of_each_image_and_average_to_kdviz_own():
    given, explorer = arrays(), opened()
    teacher = {layer: torch.from_numpy(maps) for layer, maps in given["teacher"].items()}
    for place, maps in enumerate(given["students"].values()):
        student = {layer: torch.from_numpy(values) for layer, values in maps.items()}
        for picture in explorer.pictures[:2]:
            layer = picture["name"]
            gaps = attention_by_hand(maps[layer]) - attention_by_hand(given["teacher"][layer])
            losses = picture["losses"][place]
            assert losses == pytest.approx(np.sqrt((gaps**2).sum((1, 2))), abs=1e-9)
            assert np.mean(losses) == pytest.approx(float(attention_transfer(student[layer], teacher[layer])))
    flows = explorer.pictures[2]["losses"]
    rotated = {layer: torch.from_numpy(maps) for layer, maps in given["students"]["rotated"].items()}
    gaps = flow_by_hand(*given["students"]["rotated"].values()) - flow_by_hand(*given["teacher"].values())
    assert flows[1] == pytest.approx((gaps**2).sum((1, 2)))
    assert np.mean(flows[1]) == pytest.approx(float(flow_of_solution(*rotated.values(), *teacher.values())))


def test_students_that_differ_by_construction_are_told_apart():
    """A rotation of the channels leaves attention as it is and changes the flow; a copy has both."""
    first, second, flow = opened().pictures
    for picture in (first, second):
        copy, rotated, narrow = picture["losses"]
        assert max(copy) == 0 and max(rotated) < 1e-7 and min(narrow) > 0.1
    copy, rotated, narrow = flow["losses"]
    assert max(copy) == 0 and min(rotated) > 0.1
    assert narrow is None, "FSP needs as many channels"


def test_one_layer_has_its_gram_matrix():
    given = arrays()
    only = {"second": given["teacher"]["second"]}
    explorer = opened(teacher=only, students=only)
    assert explorer.students == ["student"]
    assert [picture["name"] for picture in explorer.pictures] == ["second", "second → second"]
    maps = only["second"].reshape(IMAGES, 5, 16)
    expected = maps @ maps.transpose(0, 2, 1) / 16
    found = explorer.pictures[1]["networks"][0]
    np.testing.assert_allclose(unpack(found), expected, atol=2e-5 * np.abs(expected).max())


class TestOnModels:
    data = kdviz.datasets.digits()
    teacher = convnet(4, 8, seed=1)
    students = {"one": convnet(4, 8, seed=2), "two": convnet(2, 8, seed=3)}

    def test_looks_at_the_layers_named_and_leaves_the_models_as_they_were(self):
        student = self.students["one"].train()
        layers = ["activation1", "activation2"]
        explorer = explorers.attention(self.teacher, student, self.data, layers, images=20)
        assert explorer.labels == [digit for digit in range(10) for _ in range(2)]
        assert student.training
        rows = np.concatenate([np.flatnonzero(self.data.test.labels == c)[:2] for c in range(10)])
        with torch.no_grad():
            maps = [model[:2](self.data.test.inputs[rows]).numpy() for model in (self.teacher, student)]
        for matrices, expected in zip(explorer.pictures[0]["networks"], maps, strict=True):
            np.testing.assert_allclose(unpack(matrices), attention_by_hand(expected), atol=3e-5)

    def test_the_teachers_layers_may_have_other_names(self):
        explorer = explorers.attention(
            self.teacher, self.students, self.data, "activation2", teacher_layers="convolution2"
        )
        assert explorer.pictures[0]["name"] == "activation2 (teacher: convolution2)"

    def test_a_page_is_small(self):
        layers = ["activation1", "activation2"]
        explorer = explorers.attention(self.teacher, self.students, self.data, layers)
        assert len(explorer.static_html()) < 120_000

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"images": 0}, ValueError, "images must be a whole number from 1 to 397"),
            ({"layers": []}, ValueError, "the path of a layer or several"),
            ({"layers": ["activation1", "activation1"]}, ValueError, "several different ones"),
            ({"layers": "hidden1"}, ValueError, "unknown layer 'hidden1'"),
            ({"layers": "flatten"}, ValueError, "Name a layer before the pooling"),
            ({"teacher_layers": "activation2"}, ValueError, "the same height and width"),
            ({"teacher_layers": ["activation1", "activation2"]}, ValueError, "as many layers as the teacher"),
            ({"students": {}}, ValueError, "a dict of at least one"),
            ({"teacher": 1}, TypeError, "the teacher must be a torch.nn.Module"),
        ],
    )
    def test_bad_input_is_explained(self, change, error, message):
        given = {"teacher": self.teacher, "students": self.students, "layers": "activation1", **change}
        with pytest.raises(error, match=message):
            explorers.attention(data=self.data, **given)

    def test_a_page_that_would_be_heavy_is_refused_with_what_would_fit(self):
        wide = convnet(32, 64)
        layers = ["activation1", "activation2"]
        with pytest.raises(ValueError, match=r"more than 600; ask for at most (\d+) images") as told:
            explorers.attention(wide, wide, self.data, layers, images=100)
        fits = int(str(told.value).split("at most ")[1].split()[0])
        assert len(explorers.attention(wide, wide, self.data, layers, images=fits).labels) == fits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": {}}, "a dict of layer to feature maps"),
        ({"teacher": 3}, "a dict of layer to feature maps"),
        ({"teacher": {"first": np.zeros((IMAGES, 4))}}, "before the pooling"),
        ({"students": {"one": {"first": np.zeros((2, 3, 8, 8))}}}, r"shape \(6, channels"),
        ({"labels": np.arange(3)}, r"shape \(6,\)"),
        ({"images": np.full((IMAGES, 8, 8), 2.0)}, "values from 0 to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        opened(**change)


def test_what_a_reader_sets_python_sets_and_cannot_break():
    explorer = opened()
    explorer.set_state({"picture": 2, "image": 5})
    assert (explorer.picture, explorer.image) == (2, 5)
    for name, value in {"picture": 3, "image": -1}.items():
        with pytest.raises(ValueError, match=f"{name} must be a whole number"):
            setattr(explorer, name, value)


def test_the_printed_maps_share_a_scale_that_begins_at_zero():
    maps = {
        name: attention_by_hand(features(seed)["first"])[0]
        for seed, name in enumerate(["teacher", "student"])
    }
    picture = figures.attention_maps(arrays()["images"][0], maps)
    for trace, values in zip(picture.data[1:], maps.values(), strict=True):
        np.testing.assert_allclose(trace.z, values, rtol=1e-6)
        assert trace.coloraxis == "coloraxis"
    assert picture.layout.coloraxis.cmin == 0
    with pytest.raises(ValueError, match="at least one map"):
        figures.attention_maps(arrays()["images"][0], {})


# ---- In the browser ----


def told(view):
    """The numbers of the marked cell, network by network: the value and, for a student, the difference."""
    rows = view.locator(".reading tr").all()[1:]
    cells = [[cell.inner_text().replace("−", "-") for cell in row.locator("td").all()] for row in rows]
    return [[float(text) for text in row if text] for row in cells]


@pytest.mark.browser
@pytest.mark.parametrize("picture", [0, 1, 2])
def test_begins_where_the_teacher_is_strongest_and_tells_all_networks(page, picture):
    given = arrays()
    given["students"].pop("narrow")
    explorer = opened(students=given["students"])
    explorer.picture, explorer.image = picture, 3
    networks = [given["teacher"], *given["students"].values()]
    if picture == 2:
        matrices = [flow_by_hand(*layers.values())[3] for layers in networks]
    else:
        matrices = [attention_by_hand(list(layers.values())[picture])[3] for layers in networks]
    row, column = np.unravel_index(matrices[0].argmax(), matrices[0].shape)
    view = page(explorer)
    words = [["Row #, column #"] * 2, ["Channel # of first, channel # of second"]][picture == 2][0]
    expected = words.replace("#", str(row + 1), 1).replace("#", str(column + 1), 1)
    assert view.locator(".reading h4").inner_text() == expected
    teacher, *students = [matrix[row, column] for matrix in matrices]
    found = told(view)
    assert found[0] == pytest.approx([teacher], rel=0.006)
    for shown, student in zip(found[1:], students, strict=True):
        assert shown == pytest.approx([student, student - teacher], rel=0.006, abs=1e-3)


@pytest.mark.browser
def test_arrow_keys_move_the_cell_in_all_pictures(page):
    view = page(opened())
    view.locator("g[tabindex='0']").focus()
    places = """() => [...document.querySelectorAll('.ring')].map(
      (ring) => `${ring.x.baseVal.value}, ${ring.y.baseVal.value}`)"""
    before, cell = view.evaluate(places), view.locator(".reading h4").inner_text()
    assert len(set(before)) == 1 and len(before) == 7
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowDown")
    after = view.evaluate(places)
    assert len(set(after)) == 1 and after != before
    assert view.locator(".reading h4").inner_text() != cell


@pytest.mark.browser
def test_pointing_at_a_student_marks_its_place(page):
    view = page(opened())
    box = view.locator(".matrix.student svg").nth(1).bounding_box()
    view.mouse.move(box["x"] + box["width"] * 0.69, box["y"] + box["height"] * 0.31)
    assert view.locator(".reading h4").inner_text() == "Row 3, column 6"
    expected = attention_by_hand(arrays()["students"]["rotated"]["first"])[0, 2, 5]
    assert told(view)[2][0] == pytest.approx(expected, rel=0.006)


@pytest.mark.browser
def test_another_image_or_layer_shows_its_own_loss(page):
    explorer = opened()
    view = page(explorer)
    shown = view.locator(".gap .under")
    view.get_by_role("radio", name="image 5 of 6").click()
    expected = explorer.pictures[0]["losses"][2][4]
    assert float(shown.nth(2).inner_text().removeprefix("loss ")) == pytest.approx(expected, rel=0.006)
    view.get_by_role("radio", name="first", exact=True).press("ArrowRight")
    expected = explorer.pictures[1]["losses"][2][4]
    assert float(shown.nth(2).inner_text().removeprefix("loss ")) == pytest.approx(expected, rel=0.006)
    assert view.locator(".said").inner_text().startswith("On this 4 the teacher is most active at row ")


@pytest.mark.browser
def test_the_flow_of_other_channels_says_why_there_is_no_loss(page):
    view = page(opened())
    view.get_by_role("radio", name="Flow between layers").click()
    copy, rotated, narrow = view.locator(".gap .under").all_inner_texts()
    assert copy == "loss 0" and float(rotated.removeprefix("loss ")) > 0.1
    assert narrow.startswith("No difference and no loss: the teacher has 3 × 5 channels, the student 2 × 5")
    assert "narrow" not in view.locator(".said").inner_text()
    assert not view.get_by_text("Layer", exact=True).is_visible()


@pytest.mark.browser
def test_the_sentence_names_the_nearest_student_with_its_mean(page):
    given = arrays()
    given["students"].pop("copy")
    explorer = opened(students=given["students"])
    said = page(explorer).locator(".said").inner_text()
    rotated, narrow = explorer.pictures[0]["losses"]
    assert f"Mean of all 6 images: rotated 0 and narrow {np.mean(narrow):.3f}." in said
    assert f"Lowest on {sum(r < n for r, n in zip(rotated, narrow, strict=True))} of them: rotated." in said
    assert "so is rotated" in said


@pytest.mark.browser
def test_every_control_works_by_keyboard(page):
    view = page(opened())
    moved = move_every_control(view, view.locator(".kdviz-attention"))
    assert moved[0] == "Attention maps" and moved[-1].startswith("The cells of the teacher")


@pytest.mark.browser
def test_maps_of_zeros_are_drawn(page):
    zeros = {layer: np.zeros_like(maps) for layer, maps in features(0).items()}
    view = page(opened(teacher=zeros, students=zeros))
    assert "NaN" not in view.locator(".kdviz-attention").evaluate("(panel) => panel.outerHTML")
    assert view.locator(".gap .under").inner_text() == "loss 0"


@pytest.mark.browser
def test_a_picture_that_cannot_be_drawn_is_told(page, monkeypatch):
    explorer = opened()
    broken = {**explorer.static_state(), "pictures": [{"networks": [{}]}]}
    monkeypatch.setattr(explorers.AttentionExplorer, "static_state", lambda self: broken)
    assert "could not be drawn" in page(explorer).locator(".trouble").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 700, 1920])
def test_never_scrolls_sideways(page, width):
    assert page(opened(), width=width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_fits_a_laptop_and_stands_still_while_images_are_chosen(page):
    view = page(opened(), width=900)
    panel, heights = view.locator(".kdviz-attention"), set()
    for image in range(IMAGES):
        view.locator(".thumbnails button").nth(image).click()
        heights.add(panel.bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 720
