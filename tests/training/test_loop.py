import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from networks import weights
from torch import nn

from kdviz import CrossEntropy, LogitMatching, SoftTargets, distill, trace, train
from kdviz.datasets import digits
from kdviz.models import mlp
from kdviz.tracing import Trace
from kdviz.training import Run, Stages
from kdviz.training.batches import batches


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")


@pytest.fixture
def student():
    return mlp(64, 8, 10)


def test_every_epoch_shows_every_sample_once_in_a_new_order():
    drawn = batches(10, 5, seed=0)
    first, second = (torch.cat([next(drawn), next(drawn)]) for _ in range(2))
    assert first.sort().values.tolist() == second.sort().values.tolist() == list(range(10))
    assert first.tolist() != second.tolist()
    assert torch.equal(next(batches(10, 5, seed=0)), first[:5])
    assert len(next(batches(3, 64, seed=0))) == 3


def test_no_samples_is_an_error():
    with pytest.raises(ValueError, match="no samples"):
        next(batches(0, 64, seed=0))


def test_yields_records_and_learns(data, student):
    run = train(student, data, steps=100, record_every=30)
    records = list(run)
    assert [record.step for record in records] == [30, 60, 90, 100]
    assert records[-1].losses["cross_entropy"] < records[0].losses["cross_entropy"] < 2.3
    assert records[-1].measures["accuracy"] > 0.5
    assert "100 of 100" in repr(run)


def test_the_given_student_stays_as_it_was(data, student):
    before = weights(student).clone()
    run = train(student, data, steps=20).finish()
    assert torch.equal(weights(student), before)
    assert not torch.equal(weights(run.student), before)


def test_two_runs_from_the_same_start_are_the_same(data, student):
    one, two = (train(student, data, steps=30).finish() for _ in range(2))
    assert torch.equal(weights(one.student), weights(two.student))


def test_stopping_leaves_a_usable_student_and_the_run_goes_on(data, student):
    run = train(student, data, steps=100, record_every=10)
    for record in run:
        if record.step == 30:
            break
    assert run.step == 30 and not run.student.training
    assert run.student(data.test.inputs).isfinite().all()
    whole = train(student, data, steps=100, record_every=10).finish()
    assert torch.equal(weights(run.finish().student), weights(whole.student))


def test_an_interrupt_keeps_what_was_trained(data, student):
    run = train(student, data, steps=100, record_every=50)
    lesson = run.lesson

    def interrupted(student, step):
        if step == 20:
            raise KeyboardInterrupt
        return lesson(student, step)

    run.lesson = interrupted
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    assert run.step == 20 and not run.student.training
    reference = train(student, data, steps=100, record_every=20)
    next(reference)
    assert torch.equal(weights(run.student), weights(reference.student))


def test_a_loss_that_is_not_finite_says_where_and_keeps_the_student(data, student):
    answers = torch.zeros(50, 10)
    answers[7, 3] = float("nan")
    run = distill(answers, student, data, CrossEntropy() + SoftTargets(4), steps=10)
    with pytest.raises(ValueError, match="step 0: soft_targets.*not.*finite"):
        run.finish()
    assert torch.equal(weights(run.student), weights(student))


def test_a_setting_changed_while_it_trains_acts_on_the_next_step(data, student):
    objective = 0.5 * CrossEntropy() + 0.5 * SoftTargets(temperature=4)
    run = distill(torch.zeros(50, 10), student, data, objective, steps=20, record_every=10)
    next(run)
    run.set("soft_targets.temperature", 1.0)
    record = next(run)
    assert record.changes == ((10, "soft_targets.temperature", 4, 1.0),)
    assert run.objective.settings()["soft_targets.temperature"] == 1.0
    assert objective.settings()["soft_targets.temperature"] == 4
    unchanged = distill(torch.zeros(50, 10), student, data, objective, steps=20).finish()
    assert not torch.equal(weights(run.student), weights(unchanged.student))


def test_a_students_loss_is_the_mean_over_its_teachers(data, student):
    """Two teachers at once pull as the mean of their losses does; the labels count once."""
    inputs, labels = data.transfer.inputs, data.transfer.labels
    said = torch.randn(2, 50, 10, generator=torch.Generator().manual_seed(0))
    objective = 0.3 * CrossEntropy() + 0.7 * LogitMatching()

    def lesson(student, step):
        return trace(student, inputs), Trace(said), labels

    settings = {"steps": 1, "learning_rate": 1e-3, "record_every": 1, "evaluate": lambda student: {}}
    run = Run(student, lesson, objective, **settings).finish()
    total = 0
    for one in said:
        total = total + objective(trace(student, inputs), Trace(one), labels)[0] / 2
    total.backward()
    for moved, expected in zip(run.student.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(moved.grad, expected.grad)
    assert run.records[0].total == pytest.approx(total.item(), rel=1e-6)


def test_one_student_that_diverges_stops_all(data):
    """Students that learn together are kept as they were before the step at which one left the numbers."""
    pair = nn.ModuleList([mlp(64, 8, 10, seed=0), mlp(64, 8, 10, seed=1)])
    inputs, labels = data.transfer.inputs, data.transfer.labels

    def lesson(pair, step):
        logits = torch.stack([one(inputs) for one in pair]).unsqueeze(1)
        return Trace(logits * torch.tensor([1.0, float("inf")])[:, None, None, None]), None, labels

    settings = {"steps": 5, "learning_rate": 1e-3, "record_every": 1, "evaluate": lambda student: {}}
    run = Run(pair, lesson, CrossEntropy(), **settings)
    with pytest.raises(ValueError, match="step 0: cross_entropy"):
        run.finish()
    assert torch.equal(weights(run.student), weights(pair))


def test_a_change_from_another_thread_belongs_to_the_step_that_first_uses_it(data, student):
    answers, temperatures = torch.zeros(50, 10), {}

    class Watched(SoftTargets):
        def value(self, student, teacher, labels, learned):
            # While the run computes this step, another thread changes the next one.
            temperatures[run.step] = self.temperature
            if run.step in (3, 9):
                changing = threading.Thread(target=run.set, args=("soft_targets.temperature", run.step))
                changing.start()
                changing.join()
            return super().value(student, teacher, labels, learned)

    run = distill(answers, student, data, CrossEntropy() + Watched(20), steps=20, record_every=5)
    changes = {record.step: record.changes for record in run}
    assert changes[5] == ((4, "soft_targets.temperature", 20, 3),)
    # Changed during step 9, the last before a record; the first step that used it is in the next one.
    assert changes[10] == () and changes[15] == ((10, "soft_targets.temperature", 3, 9),)
    assert [temperatures[step] for step in (3, 4, 9, 10)] == [20, 3, 3, 9]


def test_a_run_that_is_hurried_gives_its_record_at_once_and_keeps_its_beat(data, student):
    run = train(student, data, steps=40, record_every=10)
    lesson = run.lesson

    def hurried(student, step):
        if step == 13:
            run.record_now()
        return lesson(student, step)

    run.lesson = hurried
    assert [record.step for record in run] == [10, 15, 20, 30, 40]
    whole = train(student, data, steps=40).finish()
    assert torch.equal(weights(run.student), weights(whole.student))


def test_threads_are_given_back(data, student):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        train(student, data, steps=5).finish()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_frozen_student_is_refused(data, student):
    with pytest.raises(ValueError, match="frozen"):
        train(student.requires_grad_(False), data)


@pytest.mark.parametrize(
    "settings", [{"steps": 0}, {"steps": 1.5}, {"record_every": -1}, {"learning_rate": 0}]
)
def test_impossible_settings_are_refused(settings, data, student):
    with pytest.raises(ValueError, match=next(iter(settings))):
        train(student, data, **settings)


class Stops(nn.Module):
    """A reader's network that asks an iterator which has ended."""

    def __init__(self, after):
        super().__init__()
        self.linear, self.left = nn.Linear(64, 10), after

    def forward(self, inputs):
        if not self.left:
            next(iter([]))
        self.left -= 1
        return self.linear(inputs.flatten(1))


@pytest.mark.parametrize("after", [17, 30])
def test_an_iterator_that_ended_within_a_step_is_not_the_end_of_the_run(data, after):
    run = train(Stops(after), data, steps=100)
    with pytest.raises(RuntimeError, match="a StopIteration was raised within step"):
        run.finish()
    assert 0 < run.step < 100 and not run.student.training


def test_an_iterator_that_ended_where_a_stage_begins_is_not_the_end_of_all(data, student):
    def begin(index, before):
        return train(before or student, data, steps=5) if index == 0 else next(iter([]))

    with pytest.raises(RuntimeError, match="a StopIteration was raised while stage 1 began"):
        Stages(begin, 2).finish()


@pytest.fixture
def forgetful():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 10))


def trained(student, data, seed, record_every=20):
    return weights(train(student, data, steps=40, seed=seed, record_every=record_every).finish().student)


def test_the_seed_covers_dropout_and_nothing_outside(data, forgetful):
    before = torch.get_rng_state()
    one = trained(forgetful, data, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert torch.equal(trained(forgetful, data, seed=1, record_every=3), one)
    assert not torch.equal(trained(forgetful, data, seed=2), one)


def test_dropout_drops_other_units_at_every_step(data, forgetful):
    run, seen = train(forgetful, data, steps=6), []
    run.student[3].register_forward_hook(
        lambda module, given, result: seen.append((result == 0).sum().item()) if module.training else None
    )
    run.finish()
    assert len(set(seen)) > 3


def test_a_run_that_is_left_and_goes_on_is_the_same_run(data, forgetful):
    run = train(forgetful, data, steps=40, seed=1, record_every=10)
    next(run)
    torch.rand(100)
    assert torch.equal(weights(run.finish().student), trained(forgetful, data, seed=1))


def test_runs_in_threads_do_not_disturb_each_other(data, forgetful):
    alone = [trained(forgetful, data, seed) for seed in range(4)]
    before = torch.get_rng_state()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda seed: trained(forgetful, data, seed), range(4)))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_interrupt_gives_the_generator_back(data, forgetful):
    run, before = train(forgetful, data, steps=40), torch.get_rng_state()

    def interrupted(student, step):
        torch.rand(1)
        raise KeyboardInterrupt

    run.lesson = interrupted
    with pytest.raises(KeyboardInterrupt):
        next(run)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("rate", [0, -1, float("inf"), float("nan")])
def test_a_learning_rate_that_is_no_finite_number_above_0_is_refused(data, student, rate):
    with pytest.raises(ValueError, match="learning_rate must be above 0"):
        train(student, data, steps=1, learning_rate=rate)
