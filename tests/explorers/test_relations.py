"""The relation explorer: its numbers against independent workings, and what a reader can do with it."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from controls import move_every_control
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics.pairwise import cosine_similarity

import kdviz
from kdviz import explorers, figures
from kdviz.explorers.wire import unpack
from kdviz.losses.relation import angle_relation, distance_relation, similarity_preserving
from kdviz.models import convnet, mlp


def arrays(samples=20, seed=0):
    """A teacher, a rotated and scaled copy, one whose samples are shuffled, and one of another width."""
    random = np.random.default_rng(seed)
    teacher = random.normal(size=(samples, 6)) + 2
    rotation = np.linalg.qr(random.normal(size=(6, 6)))[0]
    students = {
        "rotated": 3 * teacher @ rotation,
        "shuffled": teacher[random.permutation(samples)],
        "narrow": random.normal(size=(samples, 3)),
    }
    return {
        "images": random.random((samples, 8, 8)),
        "labels": np.arange(samples) % 5,
        "teacher": teacher,
        "students": students,
        "classes": "01234",
    }


def opened(**changes):
    return explorers.RelationExplorer.from_embeddings(**{**arrays(), **changes})


def test_cosines_and_distances_are_those_of_other_libraries():
    given, explorer = arrays(), opened()
    order = np.argsort(given["labels"], kind="stable")
    for place, embeddings in enumerate([given["teacher"], *given["students"].values()]):
        cosines = squareform(unpack(explorer.cosines)[place])
        expected = cosine_similarity(embeddings[order])
        np.testing.assert_allclose(cosines, expected - np.eye(20), atol=2e-5)
        distances = unpack(explorer.distances)[place]
        expected = pdist(embeddings[order])
        np.testing.assert_allclose(distances, expected / expected.mean(), atol=3e-5)


def test_losses_are_those_of_kdviz_and_of_a_working_by_hand():
    given, explorer = arrays(), opened()
    for found, embeddings in zip(explorer.losses, given["students"].values(), strict=True):
        student, teacher = torch.from_numpy(embeddings), torch.from_numpy(given["teacher"])
        assert found["similarity"] == pytest.approx(float(similarity_preserving(student, teacher)))
        assert found["distance"] == pytest.approx(float(distance_relation(student, teacher, form="paper")))
        assert found["angle"] == pytest.approx(float(angle_relation(student, teacher, form="paper")))
        by_hand = [relations_by_hand(each) for each in (embeddings, given["teacher"])]
        for kind in ("distance", "angle"):
            gaps = [
                huber(mine - theirs) for mine, theirs in zip(*(each[kind] for each in by_hand), strict=True)
            ]
            assert found[kind] == pytest.approx(np.mean(gaps), abs=1e-9)


def relations_by_hand(x):
    """The distances over their mean, and the cosines at a of all triples of different samples."""
    distances = np.array([np.linalg.norm(x[i] - x[j]) for i, j in combinations(range(len(x)), 2)])
    cosines = [
        (x[b] - x[a]) @ (x[c] - x[a]) / np.linalg.norm(x[b] - x[a]) / np.linalg.norm(x[c] - x[a])
        for a, b, c in permutations(range(len(x)), 3)
    ]
    return {"distance": distances / distances.mean(), "angle": cosines}


def huber(gap):
    return gap**2 / 2 if abs(gap) <= 1 else abs(gap) - 0.5


def test_a_rotated_copy_has_the_teachers_relations_and_a_shuffled_one_has_not():
    rotated, shuffled, _ = opened().losses
    assert max(rotated.values()) < 1e-12
    assert min(shuffled.values()) > 1e-3
    teacher, rotated, shuffled, _ = unpack(opened().cosines)
    assert np.array_equal(teacher, rotated) and not np.array_equal(teacher, shuffled)


def test_begins_with_the_pair_that_differs_most():
    given = arrays()
    explorer = opened(students=given["students"]["shuffled"])
    assert explorer.students == ["student"]
    theirs, ours = unpack(explorer.cosines)
    gap = ours - theirs
    first, second, third = explorer.corners
    assert [first, second] == [int(each[np.abs(gap).argmax()]) for each in np.triu_indices(20, 1)]
    assert explorer.labels[third] == explorer.labels[first] and third not in (first, second)


class TestOnModels:
    data = kdviz.datasets.digits()
    teacher = mlp(64, 32, 16, 10, seed=1)
    students = {"one": mlp(64, 16, 10, seed=2), "two": mlp(64, 16, 10, seed=3)}

    def test_shows_as_many_of_each_class_and_leaves_the_models_as_they_were(self):
        student = self.students["one"].train()
        explorer = explorers.relations(self.teacher, student, self.data, "activation1", samples=30)
        assert explorer.labels == [digit for digit in range(10) for _ in range(3)]
        assert student.training and not list(student.activation1._forward_hooks)
        rows = [np.flatnonzero(self.data.test.labels == c)[:3] for c in range(10)]
        pixels = (self.data.test.inputs[np.concatenate(rows)] + self.data.mean).numpy() * 255
        shown = 255 * unpack(explorer.static_state()["images"])
        assert np.array_equal(shown.ravel(), np.rint(pixels).ravel())

    def test_layers_may_differ_and_maps_are_flattened(self):
        student = convnet(4, 8, seed=0)
        explorer = explorers.relations(
            self.teacher, student, self.data, "activation2", teacher_layer="activation2", samples=20
        )
        rows = np.concatenate([np.flatnonzero(self.data.test.labels == c)[:2] for c in range(10)])
        with torch.no_grad():
            maps = student[:4](self.data.test.inputs[rows]).flatten(1).double().numpy()
            hidden = self.teacher[:5](self.data.test.inputs[rows]).double().numpy()
        for place, embeddings in enumerate((hidden, maps)):
            found = squareform(unpack(explorer.cosines)[place])
            np.testing.assert_allclose(found, cosine_similarity(embeddings) - np.eye(20), atol=2e-5)

    def test_a_page_of_a_hundred_images_and_four_students_is_small(self):
        students = {f"student {seed}": mlp(64, 16, 10, seed=seed) for seed in range(4)}
        explorer = explorers.relations(self.teacher, students, self.data, "activation1", samples=100)
        assert len(explorer.static_html()) < 200_000

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"samples": 2}, ValueError, "samples must be a whole number from 3 to 200; got 2"),
            ({"samples": 201}, ValueError, "from 3 to 200"),
            ({"layer": "hidden9"}, ValueError, "unknown layer 'hidden9'"),
            ({"students": {}}, ValueError, "a dict of at least one"),
            ({"students": {1: teacher}}, ValueError, "under a name that is a text"),
            ({"students": {"one": 3}}, TypeError, "one must be a torch.nn.Module; got int"),
            ({"teacher": None}, TypeError, "the teacher must be a torch.nn.Module"),
        ],
    )
    def test_bad_input_is_explained(self, change, error, message):
        given = {"teacher": self.teacher, "students": self.students, "layer": "activation1", **change}
        with pytest.raises(error, match=message):
            explorers.relations(data=self.data, **given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"teacher": np.zeros((20, 2, 2))}, r"shape \(images, width\)"),
        ({"students": np.zeros((19, 6))}, "20, as the teacher's"),
        ({"students": {"broken": np.full((20, 6), np.nan)}}, "'broken' must hold finite"),
        ({"labels": np.arange(5)}, r"shape \(20,\)"),
        ({"labels": np.full(20, 5)}, "from 0 to 4"),
        ({"images": np.full((20, 8, 8), -1)}, "values from 0 to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        opened(**change)


def test_what_a_reader_sets_python_sets_and_cannot_break():
    explorer = opened()
    explorer.set_state({"student": 2, "corners": [3, 1, 19]})
    assert (explorer.student, explorer.corners) == (2, [3, 1, 19])
    for name, value in {"student": 3, "corners": [0, 1, 20]}.items():
        with pytest.raises(ValueError, match="whole number from 0"):
            setattr(explorer, name, value)
    with pytest.raises(ValueError, match="three images"):
        explorer.corners = [1, 2]


def test_samples_without_any_distance_are_drawn_as_such():
    explorer = opened(students={"dead": np.zeros((20, 4))})
    assert not unpack(explorer.cosines)[1].any()
    assert not unpack(explorer.distances)[1].any()


def test_the_printed_matrices_are_sorted_by_class_and_share_a_scale():
    given = arrays()
    tables = {"teacher": cosine_similarity(given["teacher"]), "student": np.full((20, 20), -0.5)}
    picture = figures.similarity_matrices(tables, given["labels"], given["classes"])
    order = np.argsort(given["labels"], kind="stable")
    np.testing.assert_array_equal(picture.data[0].z, tables["teacher"][order][:, order])
    assert {trace.coloraxis for trace in picture.data} == {"coloraxis"}
    assert picture.layout.xaxis.ticktext == tuple("01234") and picture.layout.xaxis.tickvals[0] == 1.5
    with pytest.raises(ValueError, match=r"'student' must have shape \(19, 19\)"):
        figures.similarity_matrices({"student": np.eye(20)}, given["labels"][:19], given["classes"])


# ---- In the browser ----


COMPUTE = """async ([url, x, teacher]) => {
  const m = await import(url);
  const n = x.length, terms = [];
  for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) for (let c = 0; c < n; c++) {
    if (new Set([a, b, c]).size < 3) continue;
    const [mine, theirs] = [x, teacher].map((table) => m.triangle((i, j) => table[i][j], [a, b, c]));
    terms.push(m.relationTerms(mine, theirs));
  }
  const mean = (kind) => terms.reduce((sum, term) => sum + term[kind], 0) / terms.length;
  const places = [];
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) if (i !== j) places.push(m.pairIndex(i, j, n));
  return { distance: mean("distance"), angle: mean("angle"), places };
}"""


@pytest.mark.browser
def test_the_terms_of_all_triples_average_to_kdviz_own_losses(browser, module_url):
    given = arrays(samples=9)
    student, teacher = given["students"]["narrow"], given["teacher"]
    tables = [squareform(pdist(x) / pdist(x).mean()).tolist() for x in (student, teacher)]
    view = browser.new_page()
    found = view.evaluate(COMPUTE, [module_url(explorers.RelationExplorer), *tables])
    view.close()
    for kind, loss in (("distance", distance_relation), ("angle", angle_relation)):
        expected = float(loss(torch.from_numpy(student), torch.from_numpy(teacher), form="paper"))
        assert found[kind] == pytest.approx(expected, rel=1e-9)
    pairs = squareform(np.arange(36))
    assert found["places"] == [int(pairs[i, j]) for i in range(9) for j in range(9) if i != j]


def numbers(view, selector):
    rows = view.locator(f"{selector} tr").all()
    cells = [[cell.inner_text() for cell in row.locator("td").all()] for row in rows]
    return [[float(text.replace("−", "-")) for text in row] for row in cells]


@pytest.mark.browser
def test_the_pictures_numbers_are_those_of_the_embeddings(page):
    given, explorer = arrays(), opened()
    explorer.student, explorer.corners = 2, [4, 9, 17]
    view = page(explorer)
    order = np.argsort(given["labels"], kind="stable")
    student, teacher = given["students"]["narrow"][order], given["teacher"][order]
    cosine = [float(cosine_similarity(x[[4]], x[[9]])[0, 0]) for x in (teacher, student)]
    expected = [cosine[0], cosine[1], cosine[1] - cosine[0]]
    assert [row[0] for row in numbers(view, ".values")] == pytest.approx(expected, abs=6e-4)

    tables = [pdist(x[[4, 9, 17]])[[0, 2, 1]] / pdist(x).mean() for x in (teacher, student)]
    cosines = [relations_by_hand(x[[4, 9, 17]])["angle"][::2] for x in (teacher, student)]
    rows = [row for row in numbers(view, ".terms") if row]
    for start, (theirs, mine), loss in ((0, tables, "distance"), (5, cosines, "angle")):
        gaps = [1000 * huber(m - t) for m, t in zip(mine, theirs, strict=True)]
        for row, values in zip(rows[start:], zip(theirs, mine, gaps, strict=True), strict=False):
            assert row == pytest.approx(values, abs=0.12) and row[:2] == pytest.approx(values[:2], abs=6e-3)
        assert rows[start + 3][0] == pytest.approx(np.mean(gaps), abs=0.12)
        assert rows[start + 4][0] == pytest.approx(1000 * explorer.losses[2][loss], abs=0.06)


@pytest.mark.browser
def test_arrow_keys_move_the_pair_and_enter_places_a_corner(page):
    explorer = opened()
    explorer.corners = [0, 5, 9]
    view = page(explorer)
    pair, said = view.locator(".pair"), view.locator(".sentences")
    assert "A: a 0\nimage 1" in pair.inner_text() and "B: a 1\nimage 6" in pair.inner_text()
    view.locator(".matrix g[tabindex='0']").focus()
    view.keyboard.press("ArrowRight")
    view.keyboard.press("ArrowDown")
    assert "A: a 0\nimage 2" in pair.inner_text() and "B: a 1\nimage 7" in pair.inner_text()
    triangle = view.locator(".triangle.teacher").inner_html()
    view.locator(".sheet g[tabindex='0']").focus()
    view.keyboard.press("ArrowDown")
    assert "it becomes corner C. Marked: a 3 (image 14)." in view.locator(".next").inner_text()
    view.keyboard.press("Enter")
    assert "it becomes corner A" in view.locator(".next").inner_text()
    assert "C is a 3" in said.inner_text()
    assert view.locator(".triangle.teacher").inner_html() != triangle


@pytest.mark.browser
def test_pointing_at_a_cell_of_any_matrix_shows_its_two_images(page):
    view = page(opened())
    pair = view.locator(".pair")
    for matrix in view.locator(".matrix svg").all():
        box = matrix.bounding_box()
        unit = box["width"] / 240
        # Row 3, column 12 of 20: the middle of the cell.
        view.mouse.move(box["x"] + unit * (18 + 222 / 20 * 11.5), box["y"] + unit * 222 / 20 * 2.5)
        assert "The cell you point at\na 0\nimage 3\na 2\nimage 12" in pair.inner_text()
        view.mouse.move(5, 5)
        assert "The chosen cell, A and B" in pair.inner_text()
    view.mouse.move(box["x"] + unit * (18 + 222 / 20 * 11.5), box["y"] + unit * 222 / 20 * 2.5)
    view.mouse.down()
    view.mouse.up()
    view.mouse.move(5, 5)
    assert "A: a 0\nimage 3\nB: a 2\nimage 12" in pair.inner_text()


@pytest.mark.browser
def test_a_rotated_copy_shows_no_difference_and_an_unrelated_student_does(page):
    view = page(opened())
    colours = """() => {
      const image = document.querySelectorAll(".matrix image")[2];
      const canvas = document.createElement("canvas"), loaded = new Image();
      return new Promise((resolve) => {
        loaded.onload = () => {
          Object.assign(canvas, { width: loaded.width, height: loaded.height });
          const context = canvas.getContext("2d");
          context.drawImage(loaded, 0, 0);
          const data = context.getImageData(0, 0, loaded.width, loaded.height).data;
          resolve(data.filter((_, i) => i % 4 < 3).reduce((least, part) => Math.min(least, part), 255));
        };
        loaded.src = image.getAttribute("href");
      });
    }"""
    assert view.evaluate(colours) == 255
    view.get_by_role("radio", name="rotated").press("ArrowRight")
    assert view.get_by_role("radio", name="shuffled").get_attribute("aria-checked") == "true"
    assert view.evaluate(colours) < 230
    assert "shuffled" in view.locator(".sentences").inner_text()


@pytest.mark.browser
def test_the_sentence_tells_means_that_can_be_checked(page):
    given, explorer = arrays(), opened()
    explorer.student = 2
    said = page(explorer).locator(".whole").inner_text()
    same = np.equal.outer(given["labels"], given["labels"])[np.triu_indices(20, 1)]
    for name, embeddings in (("teacher", given["teacher"]), ("narrow", given["students"]["narrow"])):
        cosines = cosine_similarity(embeddings)[np.triu_indices(20, 1)]
        inside, outside = (
            f"{mean:.2f}".replace("-", "−") for mean in (cosines[same].mean(), cosines[~same].mean())
        )
        assert f"{name} {inside} within a class, {outside} between classes" in said


@pytest.mark.browser
def test_every_control_works_by_keyboard(page):
    view = page(opened())
    moved = move_every_control(view, view.locator(".kdviz-relations"))
    assert moved[0] == "rotated" and len(moved) == 3


@pytest.mark.browser
def test_three_corners_that_are_not_different_are_told(page):
    explorer = opened()
    explorer.corners = [4, 4, 7]
    view = page(explorer)
    assert "Choose three different images" in view.locator(".triple").inner_text()
    assert "NaN" not in view.locator(".kdviz-relations").inner_text()


@pytest.mark.browser
def test_a_student_without_any_relation_is_drawn(page):
    view = page(opened(students={"dead": np.zeros((20, 4))}))
    assert "NaN" not in view.locator(".kdviz-relations").evaluate("(panel) => panel.outerHTML")
    assert view.locator(".trouble").inner_text() == ""


@pytest.mark.browser
def test_a_picture_that_cannot_be_drawn_is_told(page, monkeypatch):
    explorer = opened()
    broken = {**explorer.static_state(), "cosines": "!"}
    monkeypatch.setattr(explorers.RelationExplorer, "static_state", lambda self: broken)
    assert "could not be drawn" in page(explorer).locator(".trouble").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 700, 1920])
def test_never_scrolls_sideways(page, width):
    assert page(opened(), width=width).evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_fits_a_laptop_and_stands_still_while_images_are_chosen(page):
    view = page(opened(), width=900)
    panel, heights = view.locator(".kdviz-relations"), set()
    view.locator(".matrix g[tabindex='0']").focus()
    for key in ["ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft"]:
        view.keyboard.press(key)
        heights.add(panel.bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 720
