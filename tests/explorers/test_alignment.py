"""The alignment explorer: what it shows is what is there, and every control moves it."""

import json

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.decomposition import PCA
from waits import rest

import kdviz as kd
from kdviz.explorers.alignment_explorer import NEAR, AlignmentExplorer
from kdviz.explorers.wire import unpack
from kdviz.measure import cka, neighbour_overlap, neighbours, procrustes, procrustes_distance
from kdviz.tracing import trace

CLASSES = ["zero", "one", "two"]
STEPS = [0, 10, 20]


def made(count=60, snapshots=3, seed=0):
    """Features of a teacher with two layers, and of two students, one of which comes nearer to it."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = 3 * random.normal(size=(3, 12))
    hidden = centres[labels] + random.normal(size=(count, 12))
    teacher = {"hidden": hidden, "logits": hidden @ random.normal(size=(12, 3))}
    turned = hidden @ stats.ortho_group.rvs(12, random_state=1)[:, :5]
    shares = np.linspace(0, 1, snapshots)
    noise = random.normal(size=(2, count, 5))

    def student(k, reach):
        def look(share):
            seen = reach * share * turned + (1.2 - share) * noise[k]
            return {"hidden": seen, "logits": seen @ np.ones((5, 3)) + seen[:, :3]}

        return [look(share) for share in shares]

    students = {"soft targets": student(0, 1.0), "noise": student(1, 0.0)}
    return random.random((count, 8, 8)), labels, CLASSES, teacher, students


def explorer(snapshots=3):
    steps = [10 * k for k in range(snapshots)]
    return AlignmentExplorer.from_features(*made(60, snapshots), steps)


def full_explorer(count=800):
    """Many points and 40 snapshots, of one layer and one training."""
    *images, teacher, students = made(count, 40)
    way = [{"hidden": one["hidden"]} for one in students["soft targets"]]
    teacher = {"hidden": teacher["hidden"]}
    return AlignmentExplorer.from_features(*images, teacher, {"soft targets": way}, range(40))


def places(boxed, text):
    left, bottom, width, height = boxed["box"]
    return unpack(text).reshape(-1, 2) * [width, height] + [left, bottom]


def by_class(labels):
    return np.argsort(labels, kind="stable")


def test_every_number_is_that_of_the_measures():
    _, labels, _, teacher, students = made()
    shown = explorer()
    order = by_class(labels)
    assert shown.labels == sorted(labels.tolist())
    for t, known in enumerate(teacher.values()):
        for s, layer in enumerate(("hidden", "logits")):
            pair = shown.pairs[t][s]
            for run, snapshots in enumerate(students.values()):
                for k, seen in enumerate(snapshots):
                    expected = {
                        "linear": cka(known, seen[layer]),
                        "rbf": cka(known, seen[layer], "rbf"),
                        "distances": procrustes_distance(seen[layer], known),
                        "overlaps": neighbour_overlap(known[order], seen[layer][order], NEAR),
                    }
                    for name, value in expected.items():
                        assert pair[name][run][k] == pytest.approx(value, abs=6e-4), (t, s, name, run, k)


def test_neighbours_are_those_of_scikit_learn_in_the_order_shown():
    _, labels, _, teacher, students = made()
    shown, order = explorer(), by_class(labels)
    lists = unpack(shown.teacher_near[1])
    np.testing.assert_array_equal(lists, neighbours(teacher["logits"][order], NEAR))
    lists = unpack(shown.student_near[1][0])
    np.testing.assert_array_equal(lists[2], neighbours(students["noise"][2]["hidden"][order], NEAR))


def test_the_places_are_procrustes_along_the_teachers_principal_components():
    _, labels, _, teacher, students = made()
    shown, order = explorer(), by_class(labels)
    boxed = shown.pairs[0][0]["pca"]
    laid, standard = procrustes(students["soft targets"][1]["hidden"][order], teacher["hidden"][order])
    axes = PCA(2, svd_solver="full").fit(standard)
    pixel = max(boxed["box"][2:]) / 2**10
    np.testing.assert_allclose(places(boxed, boxed["teacher"])[:60], axes.transform(standard), atol=pixel)
    found = places(boxed, boxed["students"][0])[60:120]
    np.testing.assert_allclose(found, axes.transform(laid), atol=pixel)
    np.testing.assert_allclose(shown.variance[0], axes.explained_variance_ratio_, atol=6e-4)


@pytest.fixture(scope="module")
def digits():
    return kd.datasets.digits(labels=50, transfer="labelled", seed=0)


@pytest.fixture(scope="module")
def told_apart(digits):
    """A rotated copy of the teacher, a shuffled one and an untrained network, as three trainings."""
    teacher, inputs = kd.teacher(digits, kd.models.mlp(64, 32, 10)), digits.test.inputs[:200]
    untrained = kd.models.mlp(64, 32, 10, seed=7)
    with torch.no_grad():
        known, before = (
            {"activation1": trace(model, inputs, ("activation1",)).features["activation1"].double()}
            for model in (teacher, untrained)
        )
    features = known["activation1"]
    rotation = torch.tensor(stats.ortho_group.rvs(32, random_state=3))
    shuffle = torch.randperm(200, generator=torch.Generator().manual_seed(4))
    copies = {
        "rotated": {"activation1": 2 * features @ rotation + 1},
        "untrained": before,
        "shuffled": {"activation1": features[shuffle]},
    }
    students = {name: [before, copy] for name, copy in copies.items()}
    pixels, labels = (inputs + digits.mean).clamp(0, 1), digits.test.labels[:200]
    return AlignmentExplorer.from_features(pixels, labels, digits.classes, known, students, [0, 1])


def test_rotated_untrained_and_shuffled_are_told_apart_by_every_number(told_apart):
    (pair,) = told_apart.pairs[0]
    for name, (rotated, untrained, shuffled) in {
        "linear": [run[1] for run in pair["linear"]],
        "rbf": [run[1] for run in pair["rbf"]],
        "overlaps": [run[1] for run in pair["overlaps"]],
    }.items():
        assert rotated == 1, name
        assert 0.1 < untrained < 0.9, name
        assert abs(shuffled) < 0.1, name
    rotated, untrained, shuffled = (run[1] for run in pair["distances"])
    assert rotated == 0 and 0.3 < untrained < shuffled


@pytest.mark.parametrize("view", ["pca", "tsne"])
def test_and_by_where_the_points_are(told_apart, view):
    boxed = told_apart.pairs[0][0][view]
    teacher = places(boxed, boxed["teacher"])[:200]
    away = [
        np.linalg.norm(places(boxed, text)[200:400] - teacher, axis=1).mean() / max(boxed["box"][2:])
        for text in boxed["students"]
    ]
    # As shares of the picture: within the size of a mark, and across it.
    rotated, untrained, shuffled = away
    assert rotated < 0.01
    assert 0.03 < untrained < shuffled / 2, away


def runs_of(digits, teacher, student, steps=30, record_every=10):
    soft = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)
    settings = {"steps": steps, "record_every": record_every}
    return {
        "hard labels": kd.train(student, digits, **settings),
        "soft targets": kd.distill(teacher, student, digits, soft, **settings),
    }


@pytest.fixture(scope="module")
def teacher(digits):
    return kd.teacher(digits, kd.models.mlp(64, 32, 10))


def test_follows_runs_on_images_that_nobody_trains_on(digits, teacher):
    student = kd.models.mlp(64, 8, 10, seed=0)
    runs = runs_of(digits, teacher, student)
    shown = kd.explorers.alignment(teacher, runs, digits, points=50)
    assert shown.steps == [0, 10, 20, 30] and shown.runs == ["hard labels", "soft targets"]
    assert (shown.teacher_layer, shown.student_layer) == (0, 0)
    assert all(run.step == 30 for run in runs.values())
    inputs = digits.test.inputs[:50]
    with torch.no_grad():
        known = trace(teacher, inputs, ("logits",)).features["logits"]
        for k, model in ((0, student), (3, runs["soft targets"].student)):
            seen = trace(model, inputs, ("activation1",)).features["activation1"]
            found = shown.pairs[1][0]["linear"][1][k]
            assert found == pytest.approx(cka(known, seen), abs=6e-4)
    first = 255 * unpack(shown.static_state()["images"])
    pixels = (inputs + digits.mean)[by_class(digits.test.labels[:50].numpy())][:, 0]
    np.testing.assert_allclose(first, 255 * pixels, atol=0.51)


def test_layers_may_have_other_names_and_be_feature_maps(digits, teacher):
    student = kd.models.convnet(4, 8, seed=0)
    runs = runs_of(digits, teacher, student, steps=4, record_every=2)
    layers = {"layers": ("activation1", "logits"), "student_layers": ("activation1", "activation2", "logits")}
    shown = kd.explorers.alignment(teacher, runs, digits, points=30, **layers)
    assert len(shown.pairs) == 2 and all(len(row) == 3 for row in shown.pairs)
    assert (shown.teacher_layer, shown.student_layer) == (0, 1)


def test_keeps_no_more_snapshots_than_asked_for_and_always_the_last(digits, teacher):
    runs = runs_of(digits, teacher, kd.models.mlp(64, 4, 10), steps=11, record_every=1)
    shown = kd.explorers.alignment(teacher, runs, digits, points=20, snapshots=4)
    assert shown.steps == [0, 4, 8, 11]


def test_starts_with_the_image_whose_neighbours_change_most():
    shown = explorer()
    lists = unpack(shown.student_near[0][0])
    known = unpack(shown.teacher_near[0])
    common = [[len(set(k) & set(one)) for k, one in zip(known, some, strict=True)] for some in lists]
    gains = np.subtract(common[-1], common[0])
    assert gains[shown.point] == gains.max() > 0


def test_a_usual_page_stays_small(digits, teacher):
    runs = runs_of(digits, teacher, kd.models.mlp(64, 16, 10), steps=20, record_every=1)
    shown = kd.explorers.alignment(teacher, runs, digits)
    assert len(shown.steps) == 21 and len(shown.labels) == 300
    assert len(json.dumps(shown.static_state(), allow_nan=False)) < 700_000


@pytest.mark.parametrize(
    ("trait", "value"),
    [("run", 2), ("snapshot", -1), ("point", 60), ("student_layer", 2), ("teacher_layer", 2)],
)
def test_python_cannot_choose_what_is_not_there(trait, value):
    with pytest.raises(ValueError, match=f"{trait} must be a whole number from 0"):
        setattr(explorer(), trait, value)


def test_bad_runs_are_told_what_was_expected(digits, teacher):
    student = kd.models.mlp(64, 4, 10)

    def show(runs, **more):
        return kd.explorers.alignment(teacher, runs, digits, **more)

    begun = runs_of(digits, teacher, student)
    next(begun["hard labels"])
    uneven = runs_of(digits, teacher, student) | {"long": kd.train(student, digits, steps=40)}
    with pytest.raises(TypeError, match="runs must be a dictionary"):
        show([kd.train(student, digits)])
    with pytest.raises(TypeError, match="'a' must be a run"):
        show({"a": student})
    with pytest.raises(ValueError, match="'hard labels' is at step 10 already"):
        show(begun)
    with pytest.raises(ValueError, match="'soft targets' 30 and 10, 'long' 40 and 2"):
        show(uneven)
    with pytest.raises(ValueError, match="points must be a whole number from 20 to 597"):
        show(runs_of(digits, teacher, student), points=10)
    with pytest.raises(ValueError, match="snapshots must be a whole number from 2 up"):
        show(runs_of(digits, teacher, student), snapshots=1)
    with pytest.raises(ValueError, match="unknown layer 'hidden7'; the layers there are: flatten"):
        show(runs_of(digits, teacher, student), student_layers=("hidden7",))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda given: given[3].update(hidden=np.ones((60, 4))),
            "'hidden' of the teacher says the same of all",
        ),
        (lambda given: given[3].update(hidden=np.ones((59, 4))), "has 59 rows; there are 60 images"),
        (lambda given: given[3].update(hidden=np.arange(60.0)[:, None]), "has a single unit"),
        (lambda given: given[4]["noise"].pop(), "'noise' must have 3 snapshots, one a step"),
        (lambda given: given[4].clear(), "at least one training"),
        (lambda given: given[1].fill(3), "labels must be whole numbers from 0 to 2"),
    ],
)
def test_features_that_do_not_fit_are_refused(spoil, message):
    given = made()
    spoil(given)
    with pytest.raises(ValueError, match=message):
        AlignmentExplorer.from_features(*given, STEPS)


# ---- In a browser ----


class Opened:
    """The static twin of an explorer, as a reader sees and moves it."""

    def __init__(self, page):
        self.page = page
        self.canvas = page.locator(".embedding canvas")
        self.slider = page.get_by_role("slider", name="Training step")

    def sentence(self):
        # It is seen at once, and spoken when it has rested for 200 ms.
        rest(self.page, 300)
        seen = self.page.locator(".sentence").inner_text()
        assert self.page.get_by_role("status").inner_text() == seen
        return seen

    def seen(self):
        """All that the reader sees: the words, the numbers of the map, the pictures."""
        words = self.sentence()
        return words, self.page.locator(".cell").all_inner_texts(), self.canvas.screenshot()


@pytest.fixture
def opened(page):
    return lambda shown, width=1060: Opened(page(shown, width=width))


@pytest.mark.browser
def test_the_scrubber_moves_picture_map_and_words_by_keyboard(opened):
    view = opened(explorer())
    before = view.seen()
    view.slider.press("End")
    after = view.seen()
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert before[0].startswith("Before training, ") and after[0].startswith("At step 20 of soft targets, ")
    assert view.slider.get_attribute("aria-valuetext") == "training step 20 of 20"
    view.slider.press("Home")
    assert view.seen() == before


@pytest.mark.browser
def test_the_words_and_the_map_are_the_numbers_of_python(opened):
    shown = explorer()
    shown.snapshot = 1
    view = opened(shown)
    pair = shown.pairs[0][0]
    overlap, before = (round(100 * pair["overlaps"][0][k]) for k in (1, 0))
    words = view.sentence()
    assert (
        f"is {pair['linear'][0][1]:.2f} (before training {pair['linear'][0][0]:.2f})".replace("-", "−")
        in words
    )
    assert f"distance of {pair['distances'][0][1]:.2f} of at most 2" in words
    assert f"has {overlap} % of its 6 nearest neighbours in common (before training {before} %)" in words
    # The teacher's layers go from input to output upwards: its logits are the upper row.
    expected = [f"{shown.pairs[t][s]['linear'][0][1]:.2f}".replace("-", "−") for t in (1, 0) for s in (0, 1)]
    assert view.page.locator(".cell").all_inner_texts() == expected


@pytest.mark.browser
def test_the_three_that_differ_by_construction_read_differently(opened, told_apart):
    told_apart.snapshot = 1
    view = opened(told_apart)
    chooser = view.page.get_by_label("Training", exact=True)
    read = {}
    for name in ("rotated", "untrained", "shuffled"):
        chooser.select_option(label=name)
        read[name] = view.seen()
    told_apart.snapshot = 0
    assert "is 1.00 " in read["rotated"][0] and "has 100 % of its 6" in read["rotated"][0]
    assert "distance of 0.00 of at most 2" in read["rotated"][0]
    assert len({words for words, *_ in read.values()}) == len({picture for *_, picture in read.values()}) == 3


@pytest.mark.browser
@pytest.mark.parametrize(
    ("label", "option", "words_change"),
    [("Training", "noise", True), ("View", "t-SNE", False), ("CKA", "RBF", True)],
)
def test_a_choice_changes_what_is_seen(opened, label, option, words_change):
    shown = explorer()
    shown.snapshot = 2
    view = opened(shown)
    words, cells, picture = view.seen()
    chooser = view.page.get_by_label(label, exact=True)
    assert chooser.get_attribute("data-lm-suppress-shortcuts") == "true"
    chooser.select_option(label=option)
    new_words, new_cells, new_picture = view.seen()
    assert (new_words != words) == (new_cells != cells) == words_change
    assert (new_picture != picture) == (label != "CKA")
    if label == "View":
        assert "t-SNE" in view.page.locator(".caption").inner_text()


@pytest.mark.browser
def test_play_runs_to_the_end_pause_holds_step_goes_on_and_reset_goes_back(opened):
    view = opened(explorer(snapshots=21))
    first = view.seen()
    button = view.page.locator(".buttons button").first
    button.press("Enter")
    view.page.wait_for_function("document.querySelector('input[type=range]').value > 3")
    assert button.inner_text() == "Pause"
    # What is read while it plays is no older than what is seen.
    reading = view.page.evaluate(
        "[...document.querySelectorAll('.scrubber b, .sentence')].map((e) => e.textContent)"
    )
    assert reading[1].startswith(f"At step {reading[0].split()[0]} of soft targets")
    view.slider.press(" ")
    held = view.slider.input_value()
    view.page.wait_for_timeout(600)
    assert view.slider.input_value() == held and button.inner_text() == "Play"
    view.page.get_by_role("button", name="Step").press("Enter")
    view.page.wait_for_function(f"document.querySelector('input[type=range]').value == {int(held) + 1}")
    view.page.get_by_role("button", name="Reset").press("Enter")
    assert view.seen()[:2] == first[:2]
    button.press("Enter")
    view.page.wait_for_function("document.querySelector('input[type=range]').value === '20'", timeout=20_000)
    view.sentence()
    assert button.inner_text() == "Play"


@pytest.mark.browser
def test_arrow_keys_choose_layers_on_the_map(opened):
    shown = explorer()
    shown.snapshot = 2
    view = opened(shown)
    chosen = view.page.locator(".cell[aria-checked=true]")
    before = view.seen()
    assert chosen.get_attribute("aria-label").startswith("teacher hidden, student hidden: CKA 0.")
    chosen.press("ArrowUp")
    assert "the teacher’s logits and the student’s hidden" in view.sentence()
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowRight")
    after = view.seen()
    assert "the teacher’s logits and the student’s logits" in after[0]
    assert after[1] == before[1] and after[2] != before[2]
    view.page.locator(".cell").nth(2).click()
    assert view.seen()[0] == before[0]


def thumbnails(view):
    rest(view.page, 100)
    return view.page.locator(".neighbourhood").screenshot()


@pytest.mark.browser
def test_an_image_is_chosen_by_keyboard_and_by_click(opened):
    shown = explorer()
    shown.snapshot = 2
    view = opened(shown)
    view.canvas.focus()
    seen = {}
    for key, label in (("Home", "zero"), ("ArrowRight", "zero"), ("ArrowDown", "one"), ("End", "two")):
        view.page.keyboard.press(key)
        seen[key] = thumbnails(view)
        assert view.page.locator(".subject p b").inner_text() == label
    assert len(set(seen.values())) == 4
    assert "now 60 of 60, class two" in view.canvas.get_attribute("aria-label")
    view.page.keyboard.press("Home")
    thumbnails(view)
    # Where the teacher's last image is drawn, as the picture scales it.
    boxed = shown.pairs[0][0]["pca"]
    x, y = places(boxed, boxed["teacher"])[59]
    left, bottom, width, height = boxed["box"]
    area = view.canvas.bounding_box()
    em = 14
    inside = (area["width"] - 3.4 * em, area["height"] - 2.9 * em)
    pixels = min(inside[0] / width, inside[1] / height)
    view.canvas.click(
        position={
            "x": (area["width"] + 1.8 * em) / 2 + (x - left - width / 2) * pixels,
            "y": (area["height"] - 1.3 * em) / 2 - (y - bottom - height / 2) * pixels,
        }
    )
    thumbnails(view)
    assert "class two" in view.canvas.get_attribute("aria-label")


@pytest.mark.browser
def test_the_neighbours_shown_are_the_nearest_and_shared_ones_are_framed(opened):
    shown = explorer()
    shown.snapshot = 2
    view = opened(shown)
    known = unpack(shown.teacher_near[0])[shown.point].astype(int)
    seen = unpack(shown.student_near[0][0])[2, shown.point].astype(int)
    common = set(known) & set(seen)
    for who, rows in (("teacher", known), ("student", seen)):
        images = view.page.locator(f".near.{who} canvas")
        labels = [CLASSES[shown.labels[row]] + (", in both rows" if row in common else "") for row in rows]
        found = [images.nth(i).get_attribute("aria-label") for i in range(NEAR)]
        assert found == [f"class {label}" for label in labels]
    assert view.page.locator("canvas.common").count() == 2 * len(common)
    assert view.page.locator(".subject").inner_text().endswith(f"{len(common)} of 6 in both rows, framed")


@pytest.mark.browser
def test_a_kernel_that_is_not_defined_is_a_dash(opened):
    given = made()
    # Two of three images look alike to this layer, so the median distance is no width for a kernel.
    given[4]["soft targets"][0]["hidden"] = np.where(np.arange(60)[:, None] < 50, 1.0, np.eye(60)[:, 50:])
    shown = AlignmentExplorer.from_features(*given, STEPS)
    shown.kernel = "rbf"
    assert shown.pairs[0][0]["rbf"][0][0] is None
    view = opened(shown)
    assert "is –." in view.sentence()
    assert view.page.locator(".trouble").inner_text() == ""


@pytest.mark.browser
def test_an_error_shows_in_the_panel(opened):
    broken = explorer()
    broken.set_trait("pairs", [[{}, {}], [{}, {}]])
    view = opened(broken)
    assert "could not be drawn" in view.page.locator(".trouble").inner_text()


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 450, 820, 1920])
def test_never_scrolls_sideways(opened, width):
    view = opened(explorer(), width=width)
    assert view.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
@pytest.mark.parametrize("width", [820, 1060])
def test_fits_a_laptop_and_stands_still_while_it_moves(opened, width, told_apart):
    view = opened(told_apart, width=width)
    heights = set()
    for key in ("Home", "End"):
        view.slider.press(key)
        view.sentence()
        heights.add(view.page.locator(".kdviz-alignment").bounding_box()["height"])
    assert len(heights) == 1 and heights.pop() <= 640


@pytest.mark.browser
def test_a_frame_is_drawn_once_and_only_its_canvas_grows_with_the_points(opened, work_of):
    """What a frame costs, counted; tests/benchmarks/alignment.py measures the time that it takes."""
    work = {}
    for count in (80, 800):
        view = opened(full_explorer(count))
        work[count] = work_of(view.page, [39])
        assert work_of(view.page, [0])["changes"] > 0
        # However often the scrubber moves within a frame, the picture is drawn for the last place only.
        assert work_of(view.page, [*range(1, 40)]) == work[count]
    few, many = work[80], work[800]
    assert few["strokes"] > 80 and many["strokes"] <= 10 * few["strokes"]
    assert many["made"] == few["made"]
    # Less than one for each point, even of the few.
    assert max(many["changes"], few["changes"]) < 80
