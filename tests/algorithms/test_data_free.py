"""Distillation without data against its papers: who moves and who does not, what is made, what is refused."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.algorithms.data_free import (
    by_kernel,
    condense,
    gaussian_noise,
    generated,
    impressions,
    invert,
    metadata,
    mixup,
    showing,
    uniform_noise,
)
from kdviz.course.experiments.n16_nothing_but_the_teacher import plain
from kdviz.losses.images import (
    Activation,
    AdaptiveJensenShannon,
    BatchNormStatistics,
    Disagreement,
    InformationEntropy,
    OneHot,
    TotalVariation,
    batch_norm_statistics,
)
from kdviz.models import mlp

CLASSES = torch.arange(10)
LAYERS = ("hidden1",)


@pytest.fixture(scope="module")
def data():
    """The digits with pixels from 0 to 1."""
    return plain(kd.datasets.digits())


@pytest.fixture(scope="module")
def teacher(data):
    network = kd.train(mlp(64, 24, 10), data, on="train", steps=150).finish().student
    network.zero_grad()
    return network


def noise(*shape, seed=0):
    return uniform_noise((*shape, 1, 8, 8), seed)


def weights_of(*networks):
    return [weight.detach().clone() for network in networks for weight in network.parameters()]


def same(before, *networks):
    return all(torch.equal(*pair) for pair in zip(before, weights_of(*networks), strict=True))


def maker(seed=0, width=16):
    with kd.seeding.seeded(seed):
        return nn.Sequential(nn.Linear(width, 64), nn.Sigmoid(), nn.Unflatten(-1, (1, 8, 8)))


class TestDrawn:
    def test_a_gaussian_has_the_moments_that_were_kept(self):
        mean, deviation = torch.full((1, 8, 8), 0.5), torch.linspace(0, 0.1, 64).view(1, 8, 8)
        made = gaussian_noise(20_000, mean, deviation)
        torch.testing.assert_close(made.mean(0), mean, atol=0.005, rtol=0)
        torch.testing.assert_close(made.std(0), deviation, atol=0.005, rtol=0)
        assert gaussian_noise(99, mean, deviation + 1).aminmax() == (0, 1)

    def test_mixtures_lie_between_two_images(self):
        images = torch.eye(3).view(3, 1, 1, 3)
        made = mixup(images, 50).flatten(1)
        torch.testing.assert_close(made.sum(1), torch.ones(50))
        assert ((made > 0).sum(1) <= 2).all() and made.unique(dim=0).shape[0] > 20

    def test_what_is_shown_has_no_labels_and_the_rest_stays(self, data):
        shown = showing(data, noise(30))
        assert (shown.transfer.labels == -1).all() and len(shown.transfer) == 30
        assert shown.test is data.test

    def test_the_same_seed_draws_the_same(self):
        assert torch.equal(noise(3), noise(3)) and not torch.equal(noise(3), noise(3, seed=1))


class TestImpressions:
    def test_they_are_probabilities_most_likely_of_the_class_in_turn(self, teacher):
        said = impressions(teacher, 20_000, spread=1.0)
        torch.testing.assert_close(said.sum(1), torch.ones(20_000))
        means = said.view(2000, 10, 10).mean(0)
        assert (means.argmax(1) == CLASSES).all()

    def test_their_mean_is_the_scaled_likeness_of_the_weights(self):
        last = nn.Linear(2, 3)
        with torch.no_grad():
            last.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]]))
        said = impressions(nn.Sequential(last), 30_000, spread=2.0, layer="0")
        # Cosines of class 0 are 1, 0 and -1: scaled 1, 1/2 and 0, of which a thousandth is kept.
        expected = torch.tensor([1, 0.5, 0.001]) / 1.501
        torch.testing.assert_close(said[::3].mean(0), expected, atol=0.01, rtol=0)

    def test_a_larger_spread_is_less_sure_and_draws_leave_the_readers_alone(self, teacher):
        torch.manual_seed(3)
        before = torch.rand(1)
        torch.manual_seed(3)
        sure = [impressions(teacher, 200, spread).amax(1).mean() for spread in (0.1, 1.0, 10.0)]
        assert sure[0] > sure[1] > sure[2] and torch.equal(torch.rand(1), before)


class TestInvert:
    def test_the_teacher_takes_the_images_for_what_they_should_be_and_stays(self, teacher):
        before, start = weights_of(teacher), noise(20)
        kept = start.clone()
        run = invert(teacher, start, kd.CrossEntropy(), targets=CLASSES.repeat(2), steps=60).finish()
        made = run.student()
        assert (teacher(made).argmax(1) == CLASSES.repeat(2)).all()
        assert same(before, teacher) and torch.equal(start, kept)
        assert all(weight.grad is None for weight in teacher.parameters())
        assert 0 <= made.min() and made.max() <= 1

    def test_statistics_come_near_to_those_that_were_kept(self, teacher, data):
        stored, start = metadata(teacher, data.train.inputs, LAYERS), noise(50)
        run = invert(teacher, start, BatchNormStatistics(LAYERS), stored=stored, steps=100).finish()

        def gap(images):
            seen = kd.trace(teacher, images, LAYERS).features["hidden1"]
            return batch_norm_statistics([seen], [stored["hidden1"]])

        assert gap(run.student()) < gap(start) / 5

    def test_smoothness_alone_ends_in_plain_images(self, teacher):
        made = invert(teacher, noise(5), TotalVariation(), steps=80).finish().student()
        assert made.flatten(1).std(1).max() < noise(5).flatten(1).std(1).min() / 3

    def test_answers_may_be_asked_for(self, teacher):
        wanted = impressions(teacher, 20, 1.0)
        made = invert(teacher, noise(20), kd.SoftTargets(1.0), targets=wanted, steps=200).finish().student()
        far, near = ((teacher(one).softmax(1) - wanted).abs().sum(1) / 2 for one in (noise(20), made))
        assert near.mean() < 0.1 < far.mean() / 5

    def test_several_teachers_are_each_alone(self, teacher, data):
        other = kd.train(mlp(64, 24, 10, seed=1), data, on="train", steps=50).finish().student
        start = torch.stack([noise(10), noise(10, seed=1)])
        stored = [metadata(one, data.train.inputs, LAYERS) for one in (teacher, other)]
        objective = kd.CrossEntropy() + BatchNormStatistics(LAYERS) + 0.1 * TotalVariation()

        def made(networks, begin, wanted, kept):
            settings = {"targets": wanted, "stored": kept, "steps": 5}
            return invert(networks, begin, objective, **settings).finish().student()

        together = made([teacher, other], start, CLASSES.expand(2, 10), stored)
        for row, one in enumerate((teacher, other)):
            alone = made(one, start[row], CLASSES, stored[row])
            torch.testing.assert_close(together[row], alone, atol=1e-4, rtol=0)

    def test_jitter_moves_what_the_teacher_sees(self, teacher):
        def made(jitter):
            settings = {"targets": CLASSES, "jitter": jitter, "steps": 4}
            return invert(teacher, noise(10), kd.CrossEntropy(), **settings).finish().student()

        assert not torch.equal(made(0), made(2)) and torch.equal(made(2), made(2))

    def test_it_can_be_left_saved_and_gone_on_with(self, teacher, tmp_path):
        def begun():
            settings = {"targets": CLASSES, "jitter": 1, "steps": 12, "record_every": 4}
            return invert(teacher, noise(10), kd.CrossEntropy(), **settings)

        whole, run = begun().finish(), begun()
        next(run)
        run.save(tmp_path)
        again = kd.load_run(tmp_path, begun())
        assert again.step == 4 and torch.equal(again.finish().student(), whole.student())
        assert torch.equal(run.finish().student(), whole.student())


class TestGenerated:
    MAKING = OneHot() + 5 * InformationEntropy() + 0.1 * Activation("activation1")

    def begun(self, teacher, data, making=None, **settings):
        given = {"noise": 16, "steps": 6, "record_every": 2} | settings
        return generated(teacher, mlp(64, 8, 10), maker(), data, making or self.MAKING, **given)

    def test_generator_and_student_learn_and_the_teacher_does_not(self, teacher, data):
        student, makes = mlp(64, 8, 10), maker()
        before = weights_of(teacher, student, makes)
        run = generated(teacher, student, makes, data, self.MAKING, noise=16, steps=3).finish()
        assert same(before, teacher, student, makes), "what is handed in is copied"
        assert not same(weights_of(student), run.student)
        assert not same(weights_of(makes), run.lesson.making.student)
        assert run.step == run.lesson.making.step == 3

    def test_the_game_drives_the_generator_to_where_the_two_disagree_and_not_the_student(self, teacher, data):
        # With a student that hardly moves, only the generator changes how far the two are apart.
        run = self.begun(
            teacher, data, Disagreement(), steps=60, learning_rate=1e-9, making_rate=1e-2, record_every=60
        )
        student = run.student

        def apart():
            images = run.lesson.images(200)
            return -float(Disagreement()(teacher(images), student(images)).detach())

        before, still = apart(), weights_of(student)
        run.finish()
        assert apart() > 1.5 * before
        moved = max(float((a - b).abs().max()) for a, b in zip(still, weights_of(student), strict=True))
        assert moved < 1e-6

    def test_the_entropy_spreads_the_classes_and_without_it_they_fall_together(self, teacher, data):
        def evenness(making):
            run = self.begun(teacher, data, making, steps=150, making_rate=5e-3, record_every=150).finish()
            return -float(InformationEntropy()(teacher(run.lesson.images(500))).detach())

        assert evenness(OneHot() + 5 * InformationEntropy()) > evenness(OneHot()) + 0.2

    def test_several_learn_as_one_stack(self, teacher, data):
        students, makers = [mlp(64, 8, 10, seed=s) for s in (0, 1)], [maker(0), maker(1)]
        making = self.MAKING + AdaptiveJensenShannon() + 0.1 * TotalVariation()
        run = generated([teacher] * 2, students, makers, [data] * 2, making, noise=16, bank=3, steps=4)
        record = run.finish().records[-1]
        assert record.measures["accuracy"].shape == (2, 1)
        assert run.lesson.images(7).shape == (2, 7, 1, 8, 8)
        assert not torch.equal(*run.student.weights.detach().view(-1).split(run.student.weights.numel() // 2))

    def test_it_can_be_left_and_gone_on_with(self, teacher, data):
        whole, run = self.begun(teacher, data, bank=2).finish(), self.begun(teacher, data, bank=2)
        next(run)
        assert run.step == 2 and run.student(noise(3)).shape == (3, 10)
        assert same(weights_of(whole.student), run.finish().student)

    def test_no_image_of_the_data_is_learned_from(self, teacher, data):
        blank = replace(data, transfer=data.transfer[:1], train=data.train[:1], labelled=data.labelled[:1])
        runs = [self.begun(teacher, part).finish() for part in (data, blank)]
        assert same(weights_of(runs[0].student), runs[1].student)


class TestCondense:
    def test_the_kernel_answers_are_ridge_regression(self):
        few, asked = noise(4).double(), noise(3, seed=1).double()
        labels = torch.tensor([0, 1, 2, 1])
        found = by_kernel(few, labels, asked, width=2.0, ridge=0.1)

        def kernel(a, b):
            return torch.tensor([[float((-(x - y).square().sum() / 8).exp()) for y in b] for x in a]).double()

        targets = torch.eye(3, dtype=torch.float64)[labels] - 1 / 3
        inverse = torch.linalg.inv(kernel(few, few) + 0.1 * torch.eye(4))
        torch.testing.assert_close(found, kernel(asked, few) @ inverse @ targets, rtol=1e-5, atol=1e-6)

    def test_ten_images_come_to_know_more(self, data):
        start = torch.stack([data.train.inputs[data.train.labels == digit][0] for digit in range(10)])

        def right(images):
            said = by_kernel(images, CLASSES, data.test.inputs)
            return float((said.argmax(-1) == data.test.labels).float().mean())

        run = condense(data, start, CLASSES, steps=100, batch_size=128).finish()
        assert right(run.student().detach()) > right(start) + 0.1

    def test_several_are_each_alone(self, data):
        start = torch.stack([noise(10), noise(10, seed=1)])
        together = condense([data] * 2, start, CLASSES, steps=3).finish().student()
        alone = condense(data, start[1], CLASSES, steps=3).finish().student()
        torch.testing.assert_close(together[1], alone, atol=1e-4, rtol=0)


class TestBadInput:
    def test_it_is_explained(self, teacher, data):
        make = maker()
        calls = [
            (lambda: showing(data, torch.zeros(3, 8, 8)), ValueError, r"shape \(N, 1, 8, 8\)"),
            (lambda: gaussian_noise(0, torch.zeros(2), torch.ones(2)), ValueError, "count must be"),
            (lambda: gaussian_noise(2, torch.zeros(2), -torch.ones(2)), ValueError, "deviation must be"),
            (lambda: impressions(teacher, 5, 0.0), ValueError, "spread must be"),
            (lambda: impressions(teacher, 5, layer="flatten"), TypeError, "a Linear layer"),
            (lambda: invert(teacher, 2 * noise(3), OneHot()), ValueError, "from 0 to 1"),
            (lambda: invert(teacher, "noise", OneHot()), TypeError, "tensor of images"),
            (lambda: invert("teacher", noise(3), OneHot()), TypeError, "teacher must be"),
            (lambda: invert(teacher, noise(3), OneHot(), jitter=-1), ValueError, "jitter must be"),
            (lambda: invert(teacher, noise(3), OneHot(), steps=0), ValueError, "steps must be"),
            (lambda: generated([teacher], mlp(64, 8, 10), make, data), ValueError, "or lists of them"),
            (lambda: generated(teacher, mlp(64, 8, 10), make, data, bank=-1), ValueError, "bank must be"),
            (lambda: condense(data, noise(10), CLASSES, width=0), ValueError, "width must be"),
        ]
        for call, error, message in calls:
            with pytest.raises(error, match=message):
                call()

    def test_statistics_that_were_not_kept_are_asked_for(self, teacher):
        run = invert(teacher, noise(3), BatchNormStatistics(LAYERS), steps=2)
        with pytest.raises(ValueError, match="'hidden1' is not in the trace"):
            next(run)
