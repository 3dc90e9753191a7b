import pytest
import torch

from kdviz import CrossEntropy, SoftTargets, distill, train
from kdviz.datasets import digits
from kdviz.datasets.distortions import noisy
from kdviz.models import mlp
from kdviz.schemes.self_distillation import born_again, mean_teacher


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")


@pytest.fixture
def student():
    return mlp(64, 8, 10)


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def generations(count):
    return [mlp(64, 8, 10, seed=seed) for seed in range(count)]


def test_born_again_is_labels_alone_and_then_distillation_from_the_generation_before(data):
    stages = born_again(generations(3), data, steps=20).finish()
    first = train(mlp(64, 8, 10, seed=0), data, steps=20).finish().student
    objective = CrossEntropy() + SoftTargets(1)
    second = distill(first, mlp(64, 8, 10, seed=1), data, objective, steps=20).finish().student
    third = distill(second, mlp(64, 8, 10, seed=2), data, objective, steps=20).finish().student
    for run, expected in zip(stages.runs, (first, second, third), strict=True):
        assert torch.equal(weights(run.student), weights(expected))


def test_no_generation_shares_a_parameter_with_its_teacher(data):
    stages = born_again(generations(3), data, steps=10, record_every=5)
    before = []
    for _ in stages:
        if len(stages.runs) > len(before) + 1:
            before.append(weights(stages.runs[-2].student))
    places = [weight.data_ptr() for run in stages.runs for weight in run.student.parameters()]
    assert len(set(places)) == len(places)
    for run, earlier in zip(stages.runs, before, strict=False):
        assert torch.equal(weights(run.student), earlier)


def test_generations_from_one_network_still_share_nothing(data, student):
    stages = born_again([student] * 2, data, steps=5).finish()
    one, two = (run.student for run in stages.runs)
    assert not torch.equal(weights(one), weights(two))


def test_the_mean_teacher_is_the_exponential_average_of_the_students_weights(data, student):
    run = mean_teacher(student, data, decay=0.8, steps=12, record_every=1)
    expected = weights(student)
    for step, _ in enumerate(run, start=1):
        kept = min(1 - 1 / (step + 1), 0.8)
        expected = kept * expected + (1 - kept) * weights(run.student)
        torch.testing.assert_close(weights(run.teacher), expected)


def test_how_often_it_is_recorded_does_not_change_the_mean_teacher(data, student):
    often = mean_teacher(student, data, steps=12, record_every=1).finish()
    once = mean_teacher(student, data, steps=12, record_every=12).finish()
    assert torch.equal(weights(often.teacher), weights(once.teacher))
    assert torch.equal(weights(often.student), weights(once.student))


def test_the_mean_teacher_learns_by_averaging_alone(data, student):
    run = mean_teacher(student, data, steps=5).finish()
    assert not any(weight.requires_grad for weight in run.teacher.parameters())
    assert not run.teacher.training
    assert run.student[1].weight.data_ptr() != run.teacher[1].weight.data_ptr()


def test_the_mean_teacher_without_distortion_and_without_memory_teaches_nothing(data, student):
    """At decay 0 the teacher is the student of this step, so their divergence is 0."""
    run = mean_teacher(student, data, decay=0.0, distort=noisy(0.0), steps=10).finish()
    assert run.records[-1].losses["soft_targets"] == pytest.approx(0, abs=1e-6)
    run = mean_teacher(student, data, decay=0.0, distort=noisy(0.3), steps=10).finish()
    assert run.records[-1].losses["soft_targets"] > 1e-3


def test_unlabelled_images_reach_the_mean_teachers_student(student):
    every = digits(labels=50, transfer="all")
    few = digits(labels=50, transfer="labelled")
    one, two = (mean_teacher(student, part, steps=5, batch_size=50).finish() for part in (every, few))
    assert not torch.equal(weights(one.student), weights(two.student))
