import math

import pytest
import torch
from networks import weights
from torch.nn.functional import cross_entropy, kl_div

from kdviz import CrossEntropy, SoftTargets, distill, train
from kdviz.datasets import digits
from kdviz.datasets.augmentations import noisy
from kdviz.losses.feature import AttentionTransfer, Hint, attention_map
from kdviz.losses.response import VirtualTeacher
from kdviz.models import convnet, exits, mlp
from kdviz.schemes import (
    be_your_own_teacher,
    born_again,
    class_wise,
    mean_teacher,
    progressive,
    ramp_up,
    self_attention,
    snapshot,
    teacher_free,
    two_views,
)
from kdviz.schemes.self_distillation.pairs import same_class
from kdviz.tracing import answer
from kdviz.training.batches import batches


@pytest.fixture
def student():
    return mlp(64, 8, 10)


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
    run = mean_teacher(student, data, decay=0.0, augment=noisy(0.0), steps=10).finish()
    assert run.records[-1].losses["soft_targets"] == pytest.approx(0, abs=1e-6)
    run = mean_teacher(student, data, decay=0.0, augment=noisy(0.3), steps=10).finish()
    assert run.records[-1].losses["soft_targets"] > 1e-3


def test_a_weight_rises_along_the_papers_curve_and_stays(data, student):
    run = mean_teacher(student, data, steps=50, record_every=10)
    changes = [
        change for record in ramp_up(run, "soft_targets.weight", 2.0, over=30) for change in record.changes
    ]
    expected = [2 * math.exp(-5 * (1 - step / 30) ** 2) for step in (0, 10, 20, 30)]
    assert [step for step, *_ in changes] == [0, 10, 20, 30]
    assert [value for *_, value in changes] == pytest.approx(expected)
    assert expected[-1] == 2.0 and run.step == 50
    with pytest.raises(ValueError, match="over"):
        next(ramp_up(run, "soft_targets.weight", 2.0, over=0))


def test_a_rise_that_is_left_can_be_gone_on_without(data, student):
    run = mean_teacher(student, data, steps=50, record_every=10)
    for record in ramp_up(run, "soft_targets.weight", 2.0, over=30):
        if record.step == 20:
            break
    run.set("soft_targets.weight", 0.5)
    assert run.finish().objective.settings()["soft_targets.weight"] == 0.5
    assert run.step == 50


def test_unlabelled_images_reach_the_mean_teachers_student(student):
    every = digits(labels=50, transfer="all")
    few = digits(labels=50, transfer="labelled")
    one, two = (mean_teacher(student, part, steps=5, batch_size=50).finish() for part in (every, few))
    assert not torch.equal(weights(one.student), weights(two.student))


def test_teacher_free_learns_again_from_the_same_start(data, student):
    stages = teacher_free(student, data, steps=15).finish()
    first = train(student, data, steps=15).finish().student
    again = distill(first, student, data, CrossEntropy() + SoftTargets(1), steps=15).finish().student
    assert torch.equal(weights(stages.student), weights(again))


def test_a_virtual_teacher_needs_no_scheme(data, student):
    run = train(student, data, 0.1 * CrossEntropy() + 0.9 * VirtualTeacher(form="scaled"), steps=200).finish()
    first, last = (run.records[place].losses["virtual_teacher"] for place in (0, -1))
    assert last < first / 2


def test_a_snapshot_goes_on_from_its_weights_and_is_taught_by_where_it_was(data, student):
    stages = snapshot(student, data, generations=3, steps=15).finish()
    before = train(student, data, steps=15).finish().student
    for run in stages.runs[1:]:
        before = distill(before, before, data, CrossEntropy() + SoftTargets(2), steps=15).finish().student
        assert torch.equal(weights(run.student), weights(before))
    assert [record.step for record in stages.records][-1] == 45


def test_progressive_targets_are_the_labels_and_the_answers_of_the_last_epoch(data, student):
    """Four epochs of two steps; the recorded divergence against the equation, epoch by epoch."""
    run = progressive(student, data, own_weight=0.6, batch_size=25, steps=8, record_every=1)
    rows, samples = batches(50, 25, data.seed), data.labelled
    truth = torch.nn.functional.one_hot(samples.labels, 10).float()
    for step in range(8):
        epoch = step // 2 + 1
        if step % 2 == 0:
            said = answer(run.student, samples.inputs).logits.softmax(-1)
            share = 0.6 * epoch / 4 if epoch > 1 else 0.0
        batch = next(rows)
        q = (1 - share) * truth[batch] + share * said[batch]
        now = run.student(samples.inputs[batch]).log_softmax(-1)
        expected = torch.nn.functional.kl_div(now, q, reduction="batchmean").item()
        assert next(run).losses["soft_targets"] == pytest.approx(expected, abs=1e-5)


def test_progressive_without_its_own_answers_is_training_on_labels(data, student):
    own = progressive(student, data, own_weight=0.0, steps=20).finish()
    alone = train(student, data, steps=20).finish()
    torch.testing.assert_close(weights(own.student), weights(alone.student), rtol=1e-3, atol=1e-4)


def test_partners_are_of_the_same_class_and_another_image_wherever_there_is_one():
    random = torch.Generator().manual_seed(0)
    labels = torch.tensor([3, 0, 3, 1, 0, 3, 0])
    rows = torch.arange(7).repeat(200)
    partners = same_class(labels, rows, random)
    assert torch.equal(labels[partners], labels[rows])
    assert ((partners == rows) == (rows == 3)).all()
    drawn = partners[rows == 0].bincount(minlength=7)
    assert drawn.tolist() == [0, 0, int(drawn[2]), 0, 0, int(drawn[5]), 0]
    assert 60 < drawn[2] < 140


def test_class_wise_is_taught_by_the_student_itself_on_the_partners(data, student):
    run = class_wise(student, data, batch_size=50, steps=1)
    batch = next(batches(50, 50, data.seed))
    partners = same_class(data.labelled.labels, batch, torch.Generator().manual_seed(data.seed))
    own, other = (student(data.labelled.inputs[rows]) / 4 for rows in (batch, partners))
    expected = 16 * kl_div(own.log_softmax(-1), other.softmax(-1), reduction="batchmean")
    assert next(run).losses["soft_targets"] == pytest.approx(expected.item(), rel=1e-3)


def test_two_views_teach_each_other(data, student):
    random = torch.Generator().manual_seed(data.seed)
    batch = next(batches(50, 50, data.seed))
    images, labels = data.transfer.inputs[batch], data.transfer.labels[batch]
    run = two_views(student, data, augment=noisy(0.5), batch_size=50, steps=1).finish()
    one, two = (student(noisy(0.5)(images, random)) for _ in range(2))
    total = 0
    for own, other in ((one, two), (two, one)):
        pull = kl_div((own / 3).log_softmax(-1), (other.detach() / 3).softmax(-1), reduction="batchmean")
        total = total + cross_entropy(own, labels) + 9 * pull
    total.backward()
    check_gradients(run.student, student)


def test_the_last_exit_teaches_the_others_and_is_taught_by_nobody(data):
    start = exits(mlp(64, 8, 6, 10), ["activation1"], data.transfer.inputs[:2])
    run = be_your_own_teacher(start, data, batch_size=50, steps=1).finish()
    images, labels = data.transfer.inputs, data.transfer.labels
    shallow, deep = start.block1(images), start.block1(images)
    seen, last = start.exit1.embedding(shallow), start.exit2.embedding(deep)
    first, final = start.exit1.logits(seen), start.exit2.logits(last)
    pull = kl_div((first / 3).log_softmax(-1), (final.detach() / 3).softmax(-1), reduction="batchmean")
    hint = (seen - last.detach()).square().sum() / (2 * len(images))
    total = 0.7 * (cross_entropy(first, labels) + cross_entropy(final, labels)) + 0.3 * 9 * pull + 0.03 * hint
    total.backward()
    check_gradients(run.student, start)
    assert run.records[-1].losses["soft_targets"][1] == pytest.approx(0, abs=1e-6)
    assert run.records[-1].losses["hint"][1] == 0


def test_a_weight_may_differ_between_exits(data):
    start = exits(mlp(64, 8, 6, 10), ["activation1"], data.transfer.inputs[:2])
    only_last = torch.tensor([[0.0], [1.0]]) * CrossEntropy()
    run = be_your_own_teacher(start, data, only_last, steps=5).finish()
    first = [weights(model.exit1) for model in (start, run.student)]
    assert torch.equal(*first)
    assert not torch.equal(weights(start.exit2), weights(run.student.exit2))


def test_an_exit_alone_answers_as_it_does_inside(data):
    start = exits(convnet(4, 6, 8), ["activation1", "activation2"], data.transfer.inputs[:2])
    run = be_your_own_teacher(start, data, CrossEntropy(), steps=5).finish()
    inside = run.student.exit2.logits(
        run.student.exit2.embedding(run.student.block2(run.student.block1(data.test.inputs)))
    )
    assert torch.equal(run.student.subnetwork("exit2")(data.test.inputs), inside)
    assert torch.equal(run.student.subnetwork("exit3")(data.test.inputs), run.student(data.test.inputs))


def test_a_network_without_exits_is_refused(data, student):
    with pytest.raises(TypeError, match="early exits.*got Sequential"):
        be_your_own_teacher(student, data)


def test_self_attention_moves_the_lower_layer_towards_the_deeper_one_only(data):
    start = convnet(4, 6)
    objective = 1.0 * AttentionTransfer("activation1", "activation2", pool=True)
    run = self_attention(start, data, objective, batch_size=50, steps=1).finish()
    images = data.transfer.inputs
    low = start.activation1(start.convolution1(images))
    deep = start.activation2(start.convolution2(low)).detach()
    low = torch.nn.functional.adaptive_avg_pool2d(low, deep.shape[-2:])
    total = (attention_map(low) - attention_map(deep)).norm(dim=-1).mean()
    total.backward()
    torch.testing.assert_close(run.student.convolution1.weight.grad, start.convolution1.weight.grad)
    assert run.student.convolution2.weight.grad is None
    assert start.convolution1.weight.grad.abs().sum() > 0


def check_gradients(student, start):
    for moved, expected in zip(student.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(moved.grad, expected.grad, rtol=1e-4, atol=1e-6)


def test_a_layer_is_looked_up_in_each_exit(data):
    start = exits(mlp(64, 8, 6, 10), ["activation1"], data.transfer.inputs[:2])
    with pytest.raises(ValueError, match="exit1.hidden9"):
        be_your_own_teacher(start, data, CrossEntropy() + Hint("hidden9"), steps=1).finish()
