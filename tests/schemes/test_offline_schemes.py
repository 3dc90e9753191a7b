import pytest
import torch
from networks import weights
from torch import nn

from kdviz import CrossEntropy, SoftTargets, distill, teacher, train
from kdviz.losses.feature import Hint
from kdviz.losses.response import LogitMatching
from kdviz.models import low_rank, mlp, quantised
from kdviz.schemes.staged import (
    assistants,
    block_wise,
    checkpoints,
    early_stopped,
    residual,
    route_constrained,
    two_stages,
)
from kdviz.tracing import answer

OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(4)


@pytest.fixture(scope="module")
def taught(data):
    return teacher(data, mlp(64, 16, 12, 10), steps=200)


def with_statistics():
    """A teacher whose batch statistics would move in train mode."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))


def test_assistants_are_distillation_link_by_link(data, taught):
    starts = [mlp(64, width, 10, seed=width) for width in (12, 8, 4)]
    stages = assistants(taught, starts, data, OBJECTIVE, steps=15).finish()
    before = taught
    for run, start in zip(stages.runs, starts, strict=True):
        before = distill(before, start, data, OBJECTIVE, steps=15).finish().student
        assert torch.equal(weights(run.student), weights(before))


def test_a_chain_may_begin_with_cached_logits(data, taught):
    starts = [mlp(64, 8, 10), mlp(64, 4, 10)]
    answers = answer(taught, data.transfer.inputs).logits
    live, cached = (
        assistants(first, starts, data, OBJECTIVE, steps=10).finish() for first in (taught, answers)
    )
    assert torch.equal(weights(live.student), weights(cached.student))


def test_checkpoints_are_the_student_at_each_record_and_stay(data):
    route = checkpoints(train(mlp(64, 8, 10), data, steps=30, record_every=10))
    assert list(route) == [10, 20, 30]
    for step, kept in route.items():
        run = train(mlp(64, 8, 10), data, steps=30, record_every=10)
        for record in run:
            if record.step == step:
                break
        assert torch.equal(weights(run.student), weights(kept))
        assert not kept.training and not any(weight.requires_grad for weight in kept.parameters())


def test_a_route_changes_the_teacher_and_keeps_the_student(data):
    route = list(checkpoints(train(mlp(64, 16, 10), data, steps=30, record_every=10)).values())
    stages = route_constrained(route, mlp(64, 4, 10), data, OBJECTIVE, steps=12).finish()
    student = mlp(64, 4, 10)
    for guide, run in zip(route, stages.runs, strict=True):
        student = distill(guide, student, data, OBJECTIVE, steps=12).finish().student
        assert torch.equal(weights(run.student), weights(student))


def test_hints_move_the_guided_layer_and_those_below_and_nothing_above(data, taught):
    start = mlp(64, 8, 6, 10)
    hints = 1.0 * Hint("activation1", adapter="linear")
    stages = two_stages(taught, start, data, hints, OBJECTIVE, steps=20, record_every=20)
    next(stages)
    guided = stages.student
    assert not torch.equal(guided.hidden1.weight, start.hidden1.weight)
    assert torch.equal(guided.hidden2.weight, start.hidden2.weight)
    assert torch.equal(guided.logits.weight, start.logits.weight)
    whole = distill(taught, guided, data, OBJECTIVE, steps=20).finish().student
    assert torch.equal(weights(stages.finish().student), weights(whole))
    assert [record.step for record in stages.records] == [20, 40]


def test_early_stopped_distillation_ends_with_the_labels_alone(data, taught):
    run = early_stopped(taught, mlp(64, 8, 10), data, OBJECTIVE, until=10, steps=20, record_every=5)
    records = list(run)
    changes = [change for record in records for change in record.changes]
    assert changes == [(10, "soft_targets.weight", 0.5, 0.0)]
    by_hand = distill(taught, mlp(64, 8, 10), data, OBJECTIVE, steps=20, record_every=5)
    next(by_hand), next(by_hand)
    by_hand.set("soft_targets.weight", 0.0)
    assert torch.equal(weights(run.student), weights(by_hand.finish().student))


def test_nothing_left_to_learn_is_refused(data, taught):
    with pytest.raises(ValueError, match="lost its teacher"):
        early_stopped(taught, mlp(64, 8, 10), data, SoftTargets(4), until=10)


def test_an_assistant_learns_the_residual(data, taught):
    """With logit matching, what moves it is its distance from the teacher's logits less the student's."""
    small, start = mlp(64, 4, 10), mlp(64, 8, 10, seed=1)
    stages = residual(taught, small, start, data, 1.0 * LogitMatching(), steps=10, batch_size=50).finish()
    first = distill(taught, small, data, LogitMatching(), steps=10, batch_size=50).finish().student
    assert torch.equal(weights(stages.runs[0].student), weights(first))
    assert torch.equal(weights(stages.student.student), weights(first))
    left = (taught(data.transfer.inputs) - first(data.transfer.inputs)).detach()
    alone = distill(left, start, data, LogitMatching(), steps=10, batch_size=50).finish().student
    torch.testing.assert_close(weights(stages.student.assistant), weights(alone), rtol=1e-3, atol=1e-4)


def test_student_and_assistant_together_are_nearer_the_teacher(data, taught):
    stages = residual(taught, mlp(64, 4, 10), mlp(64, 4, 10, seed=1), data, LogitMatching(), steps=200)
    stages.finish()
    first, second = (run.records[-1].losses["logit_matching"] for run in stages.runs)
    assert second < first / 2


def test_blocks_give_way_one_by_one(data, taught):
    start = low_rank(taught, 3)
    stages = block_wise(taught, start, data, steps=6, record_every=6)
    inputs = data.test.inputs
    for learning, done in (("hidden1", []), ("hidden2", ["hidden1"]), ("logits", ["hidden1", "hidden2"])):
        earlier = {name: weights(stages.student.get_submodule(name)) for name in done}
        next(stages)
        network = stages.student
        for name, before in earlier.items():
            assert torch.equal(weights(network.get_submodule(name)), before)
            assert weights(network.get_submodule(name)).shape == weights(start.get_submodule(name)).shape
        assert not torch.equal(
            weights(network.get_submodule(learning)), weights(start.get_submodule(learning))
        )
        for name in {"hidden1", "hidden2", "logits"} - {learning, *done}:
            assert torch.equal(weights(network.get_submodule(name)), weights(taught.get_submodule(name)))
        assert network(inputs).shape == (len(inputs), 10)
    assert len(stages.runs) == 3 and next(stages, None) is None


def test_a_block_learns_to_give_what_the_teachers_block_gives(data, taught):
    stages = block_wise(taught, low_rank(taught, 6), data, lambda name: 1.0 * Hint(name), steps=200)
    for _ in stages:
        if len(stages.runs) > 1:
            break
    losses = [record.losses["hint"] for record in stages.runs[0].records]
    assert losses[-1] < losses[0] / 4


def test_blocks_of_other_names_are_refused(data, taught):
    with pytest.raises(ValueError, match="same layer names"):
        block_wise(taught, mlp(64, 8, 10), data)


def test_the_teachers_weights_and_batch_statistics_do_not_move(data):
    guide = with_statistics().train()
    before = {name: value.clone() for name, value in guide.state_dict().items()}
    student = with_statistics
    for scheme in (
        lambda: assistants(guide, [student(), student()], data, OBJECTIVE, steps=4),
        lambda: route_constrained([guide, guide], student(), data, OBJECTIVE, steps=4),
        lambda: two_stages(guide, student(), data, CrossEntropy() + Hint("1"), OBJECTIVE, steps=4),
        lambda: early_stopped(guide, student(), data, OBJECTIVE, until=2, steps=4),
        lambda: residual(guide, student(), mlp(64, 4, 10), data, OBJECTIVE, steps=4),
        lambda: block_wise(guide, student(), data, steps=4),
    ):
        stages = scheme()
        for _ in stages:
            pass
        assert guide.training
        assert all(torch.equal(value, before[name]) for name, value in guide.state_dict().items())
        assert all(weight.grad is None for weight in guide.parameters())


def test_the_frozen_parts_of_later_stages_keep_their_batch_statistics(data):
    stages = residual(with_statistics(), with_statistics(), mlp(64, 4, 10), data, OBJECTIVE, steps=4).finish()
    first, frozen = stages.runs[0].student, stages.student.student.network
    assert first[2].num_batches_tracked == 4
    assert all(torch.equal(value, frozen.state_dict()[name]) for name, value in first.state_dict().items())


def test_a_setting_changed_in_one_stage_holds_in_the_next(data, taught):
    starts = [mlp(64, 8, 10), mlp(64, 4, 10)]
    stages = assistants(taught, starts, data, OBJECTIVE, steps=4, record_every=2)
    next(stages)
    stages.set("soft_targets.temperature", 1.0)
    stages.finish()
    assert [run.objective.settings()["soft_targets.temperature"] for run in stages.runs] == [1.0, 1.0]
    assert [record.changes for record in stages.records] == [
        (),
        ((2, "soft_targets.temperature", 4, 1.0),),
        ((4, "soft_targets.temperature", 4, 1.0),),
        (),
    ]


def test_a_quantised_student_uses_few_values_and_learns_by_small_steps(data, taught):
    start = quantised(mlp(64, 8, 10), 3)
    run = distill(taught, start, data, OBJECTIVE, steps=200).finish()
    assert len(torch.unique(run.student.hidden1.weight)) <= 7
    assert len(torch.unique(run.student.hidden1.parametrizations.weight.original)) > 100
    assert run.records[-1].total < run.records[0].total / 1.5
    before, after = start.hidden1.weight, run.student.hidden1.weight
    assert not torch.equal(before, after)
