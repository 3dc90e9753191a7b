"""The experiments of notebook 22: turned digits, students in one stack, pixels, and their pairs compared."""

import pytest
import torch
from torch.nn import functional

import kdviz as kd
from kdviz.course.experiments import n22_answers_that_are_no_classes as angles
from kdviz.course.experiments import n22_answers_that_are_no_classes_canvases as pixels
from kdviz.losses.answers import NumberLabels, NumberTargets, WeightedSoftTargets
from kdviz.measure import KINDS
from kdviz.models import mlp


@pytest.fixture(scope="module")
def told():
    return angles.drawn(seed=0)


@pytest.fixture(scope="module")
def canvases():
    return kd.datasets.canvases(100, seed=0)


def test_a_digit_is_turned_about_its_middle():
    images = torch.rand(3, 1, 8, 8)
    turned = angles.turned(images, torch.tensor([0.0, 90.0, 180.0]))
    padded = functional.pad(images, (2,) * 4)
    for found, whole, quarters in zip(turned, padded, (0, 1, 2), strict=True):
        torch.testing.assert_close(found, torch.rot90(whole, quarters, (1, 2)), atol=1e-5, rtol=0)


def test_the_student_knows_fifty_angles_and_the_image_alone_decides(told):
    inputs, known = told["transfer"]
    noisy = angles.drawn(seed=0, regime="noisy angles")
    assert int((~known.isnan()).sum()) == 50 and torch.equal(~known[:, 0].isnan(), told["known"])
    assert torch.equal(inputs, noisy["transfer"][0]) and torch.equal(told["test"][1], noisy["test"][1])
    off = noisy["all"][1] - told["all"][1]
    assert float(off.std()) == pytest.approx(angles.WRONG_LABELS, rel=0.1)
    # Upright, a digit tells nothing of the angle by which it is turned elsewhere.
    flat = told["upright"].flatten(1).double()
    seen, rest = told["all"][1][:1000].double(), told["all"][1][1000:].double()
    guess = flat[1000:] @ torch.linalg.lstsq(flat[:1000], seen, driver="gelsd").solution
    assert float((guess - rest).square().mean()) > 0.95 * float(rest.square().mean())


def test_teachers_are_spoilt_in_one_way_each():
    said = torch.zeros(4000, 1)
    spoilt = angles.spoilt(said, seed=1)
    assert float(spoilt["noisy teacher"].std()) * 60 == pytest.approx(18, rel=0.05)
    assert abs(float(spoilt["noisy teacher"].mean())) * 60 < 1
    assert torch.allclose(spoilt["biased teacher"] * 60, torch.tensor(15.0))
    order = torch.arange(50.0)[:, None]
    shuffled = angles.spoilt(order, seed=1)["answers shuffled"]
    assert torch.equal(shuffled.sort(0).values, order) and not torch.equal(shuffled, order)


def test_a_student_in_the_stack_is_the_one_that_distill_gives(told):
    inputs, known = (part[:200] for part in told["transfer"])
    said = torch.rand(200, 1, generator=torch.Generator().manual_seed(0))
    start, both = mlp(144, 8, 1, seed=3), NumberLabels(0.1) + NumberTargets(0.1)
    other = mlp(144, 8, 1, seed=4)
    stacked, _ = angles.taught(
        [start, other], [(inputs, known)] * 2, both, seeds=[5, 6], answers=[said, said], steps=12
    )
    alone = kd.distill(
        said, start, (inputs, known), both, answers="numbers", steps=12, learning_rate=5e-3, seed=5
    )
    expected = alone.finish().student
    for ours, theirs in zip(stacked.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_rows_of_a_map_are_its_pixels():
    maps = torch.randn(2, 11, 4, 4)
    assert torch.equal(pixels.as_rows(maps), KINDS["pixels"].positions(maps).flatten(0, 1))


def test_a_lesson_shows_maps_of_the_first_canvases_only(canvases):
    maps = torch.randn(100, 11, 16, 16)
    lesson = pixels.PixelLesson(canvases, known=8, shares=(3, 5), maps=maps)
    objective = pixels.LABELS + pixels.TERMS["channel by channel", 3.0]
    run = kd.training.Run(pixels.segmenter(4, seed=0), lesson, objective, steps=1)
    ours, theirs, labels = lesson(run.student, 0)
    by_canvas = labels.view(8, -1)
    assert (by_canvas[:3] >= 0).all()
    assert ours.features["maps"].shape == theirs.features["maps"].shape == (8, 11, 16, 16)
    # Each row of the teacher's is of the canvas whose labels stand beside it.
    for row, own in zip(theirs.features["maps"][:3], by_canvas, strict=False):
        (index,) = [i for i in range(100) if torch.equal(maps[i], row)]
        assert index < 8 and torch.equal(canvases.labels[index].flatten(), own)


def test_scores_of_a_network_that_is_right_and_of_one_that_says_background(canvases):
    class Says(torch.nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.classes = classes

        def forward(self, inputs):
            return functional.one_hot(self.classes, 11).movedim(-1, 1).float()

    right = pixels.scores(Says(canvases.labels), canvases)
    assert right["accuracy"] == right["mean_iou"] == 100
    nothing = pixels.scores(Says(torch.full_like(canvases.labels, 10)), canvases)
    share = 100 * float((canvases.labels == 10).double().mean())
    assert nothing["accuracy"] == pytest.approx(share) and nothing["iou_background"] == pytest.approx(share)
    assert nothing["mean_iou"] == pytest.approx(share / 11)


def test_pairs_of_pixels_and_of_numbers_are_compared_and_diagnosed_by_the_measures_of_their_kind(
    told, canvases
):
    teacher, student = pixels.segmenter(6, seed=0), pixels.segmenter(4, seed=1)
    found = kd.compare(teacher, student, (canvases.inputs, canvases.labels), layers=[], progress=False)
    expected = pixels.scores(student, canvases)
    assert 100 * found.table.mean_iou["student"] == pytest.approx(expected["mean_iou"])
    assert 100 * found.table.accuracy["student"] == pytest.approx(expected["accuracy"])
    one, other = mlp(144, 16, 1, seed=0), mlp(144, 8, 1, seed=1)
    found = kd.compare(one, other, told["test"], answers="numbers", layers=[], progress=False)
    assert 60 * found.table.absolute_error["student"] == pytest.approx(
        angles.off(other, *told["test"]), rel=1e-5
    )
    for pair, data, objective, kind in (
        (
            (teacher, student),
            (canvases.inputs, canvases.labels),
            WeightedSoftTargets(pixels.WEIGHTS),
            "pixels",
        ),
        ((one, other), told["test"], NumberTargets(0.1), "numbers"),
    ):
        said = kd.diagnose(*pair, data, objective=objective, answers=kind)
        # An untrained teacher is at chance by the rule of its kind, and nothing else is wrong.
        assert [finding.name for finding in said.findings] == ["teacher_at_chance"] and said.passed
