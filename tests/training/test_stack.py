"""A stack must end where each of its students ends alone: the same weights, whatever the loss."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from networks import weights
from torch import nn

from kdviz import CrossEntropy, LabelSmoothing, LogitMatching, SoftTargets, distill, teacher, train
from kdviz.datasets import digits
from kdviz.losses.objective import Loss
from kdviz.models import convnet, mlp, patches
from kdviz.schemes import distill_stack, teachers, train_stack
from kdviz.tracing import trace
from kdviz.training.mapped import stacked_objective
from kdviz.training.stacked import StackedModel
from kdviz.training.store import Store

SEEDS = (0, 1)
STEPS = 25


@dataclass(frozen=True)
class FeatureMatching(Loss):
    """A loss without a gradient in closed form, on a hidden layer."""

    layer: str = "activation1"
    name = "feature_matching"

    @property
    def student_layers(self):
        return (self.layer,)

    teacher_layers = student_layers

    def value(self, student, teacher, labels, learned):
        difference = student.features[self.layer] - teacher.features[self.layer].detach()
        return difference.square().flatten(labels.ndim).sum(-1).mean(-1)

    def latex(self):
        return "F"


@dataclass(frozen=True)
class Regressed(Loss):
    """A loss with a regressor of its own between two widths."""

    name = "regressed"
    student_layers = ("activation1",)
    teacher_layers = ("hidden1",)

    def initial(self, student, teacher):
        shape = student.features["activation1"].shape[-1], teacher.features["hidden1"].shape[-1]
        generator = torch.Generator().manual_seed(0)
        return {"regressor": torch.randn(shape, generator=generator, dtype=torch.float64)}

    def value(self, student, teacher, labels, learned):
        guess = student.features["activation1"] @ learned["regressor"]
        return (guess - teacher.features["hidden1"].detach()).square().sum(-1).mean(-1)

    def latex(self):
        return "R"


def in_double(data):
    parts = ("train", "labelled", "transfer", "validation", "test")
    double = {
        part: replace(getattr(data, part), inputs=getattr(data, part).inputs.double()) for part in parts
    }
    return replace(data, **double)


@pytest.fixture(scope="module")
def data():
    # 70 images and batches of 32: the last, short batch of an epoch is left out.
    return [in_double(digits(labels=70, transfer="labelled", seed=seed)) for seed in SEEDS]


def start(seed, width=6):
    return mlp(64, width, 10, seed=seed).double()


def taught(seed):
    return start(seed + 10).eval()


def furthest(run, singles):
    """The largest distance of a weight of the stack from the same student trained alone."""
    return max(
        float((weights(run.student.student(row, column)) - weights(singles(row, column))).abs().max())
        for row in range(run.student.shape[0])
        for column in range(run.student.shape[1])
    )


OBJECTIVES = {
    "cross-entropy": [CrossEntropy() + 0 * SoftTargets(1)] * 2,
    "label smoothing": [
        0.5 * LabelSmoothing(0.1) + 0.1 * SoftTargets(2),
        1.0 * LabelSmoothing(0.3) + SoftTargets(2),
    ],
    "soft targets": [
        0.1 * CrossEntropy() + 0.9 * SoftTargets(1.0),
        0.5 * CrossEntropy() + 0.5 * SoftTargets(16.0),
    ],
    "logit matching": [0.01 * LogitMatching("paper"), 0.1 * LogitMatching("paper")],
    "logit matching, mean": [0.01 * LogitMatching("mean"), 0.1 * LogitMatching("mean")],
    "logit matching, limit": [0.01 * LogitMatching("limit"), 0.1 * LogitMatching("limit")],
    "features": [
        0.5 * CrossEntropy() + 0.1 * FeatureMatching(),
        0.1 * CrossEntropy() + 1.0 * FeatureMatching(),
    ],
    "a learned regressor": [0.5 * CrossEntropy() + Regressed(), 0.1 * CrossEntropy() + 2.0 * Regressed()],
    "features, before the activation": [FeatureMatching("hidden1"), 2.0 * FeatureMatching("hidden1")],
    "features, of the logits": [
        FeatureMatching("logits") + CrossEntropy(),
        FeatureMatching("logits") + CrossEntropy(),
    ],
}


@pytest.mark.parametrize("objectives", OBJECTIVES.values(), ids=OBJECTIVES)
def test_every_loss_ends_as_it_does_alone(data, objectives):
    from kdviz.losses.objective import as_objective

    objectives = [as_objective(objective) for objective in objectives]
    run = distill_stack(
        [taught(seed) for seed in SEEDS],
        StackedModel([start(seed) for seed in SEEDS], 2),
        data,
        stacked_objective(objectives),
        steps=STEPS,
        batch_size=32,
    ).finish()

    def alone(row, column):
        seed = SEEDS[row]
        single = distill(
            taught(seed), start(seed), data[row], objectives[column], steps=STEPS, batch_size=32
        ).finish()
        last = run.records[-1]
        assert single.records[-1].total == pytest.approx(last.total[row, column], rel=1e-9)
        assert single.records[-1].measures["accuracy"] == last.measures["accuracy"][row, column]
        return single.student

    assert furthest(run, alone) < 1e-10


class Tanh(nn.Module):
    """A network that no stacked layer covers."""

    def __init__(self, seed):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.last = nn.Linear(64, 5), nn.Linear(5, 10)

    def forward(self, inputs):
        return self.last(torch.tanh(self.first(inputs.flatten(1))))


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: mlp(64, 7, 5, 10, seed=seed),
        lambda seed: convnet(3, 4, seed=seed),
        lambda seed: patches(8, 6, 10, seed=seed),
        lambda seed: nn.Sequential(
            nn.Conv2d(1, 2, 2, stride=(1, 2), bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(56, 10)
        ),
        Tanh,
    ],
    ids=["deeper", "convolutions", "powers", "convolution without padding or bias", "any other network"],
)
def test_every_network_ends_as_it_does_alone(data, make):
    torch.manual_seed(0)
    starts = [make(seed).double() for seed in SEEDS]
    objectives = [0.5 * CrossEntropy() + 0.5 * SoftTargets(t) for t in (1.0, 4.0, 9.0)]
    run = distill_stack(
        [taught(seed) for seed in SEEDS],
        StackedModel(starts, 3),
        data,
        stacked_objective(objectives),
        steps=STEPS,
    )
    run.finish()

    def alone(row, column):
        return (
            distill(taught(SEEDS[row]), starts[row], data[row], objectives[column], steps=STEPS)
            .finish()
            .student
        )

    assert furthest(run, alone) < 1e-10


def test_each_student_may_have_a_learning_rate_of_its_own(data):
    rates = [1e-2, 1e-4, 3e-3]
    run = train_stack(
        StackedModel([start(seed) for seed in SEEDS], 3),
        data,
        steps=STEPS,
        learning_rate=torch.tensor(rates, dtype=torch.float64),
    ).finish()

    def alone(row, column):
        return train(start(SEEDS[row]), data[row], steps=STEPS, learning_rate=rates[column]).finish().student

    assert furthest(run, alone) < 1e-10


def test_what_a_loss_learns_follows_the_learning_rate_of_its_student(data):
    rates = [1e-2, 1e-3]
    run = distill_stack(
        [taught(seed) for seed in SEEDS],
        StackedModel([start(seed) for seed in SEEDS], 2),
        data,
        Regressed(),
        steps=STEPS,
        learning_rate=torch.tensor(rates, dtype=torch.float64),
    ).finish()
    single = distill(taught(0), start(0), data[0], Regressed(), steps=STEPS, learning_rate=1e-3).finish()
    learned = run.learned["regressed"]["regressor"]
    torch.testing.assert_close(learned[0, 1], single.learned["regressed"]["regressor"], rtol=0, atol=1e-10)
    assert (learned[0, 0] - learned[0, 1]).abs().max() > 1e-3


def test_in_single_precision_weights_are_close_and_answers_agree(tmp_path):
    # Teachers of its own. Those in the tests' common store differ in their last digits, as they were trained
    # alone or in a stack by whichever test came first. With teachers of 1000 steps a nudge of 1e-6 brings
    # weights up to 4e-3 apart, in one try of four; with those of 100 steps not above 5e-5.
    store = Store(tmp_path)
    splits = [digits(labels=100, transfer="labelled", seed=seed) for seed in SEEDS]
    objectives = [0.1 * CrossEntropy() + 0.9 * SoftTargets(t) for t in (1.0, 4.0)]
    starts = [mlp(64, 16, 10, seed=seed) for seed in SEEDS]
    answers = [teacher(split, steps=100, store=store)(split.transfer.inputs) for split in splits]
    run = distill_stack(
        answers, StackedModel(starts, 2), splits, stacked_objective(objectives), steps=300
    ).finish()

    def alone(row, column):
        single = (
            distill(answers[row], starts[row], splits[row], objectives[column], steps=300).finish().student
        )
        same = single(splits[row].test.inputs).argmax(-1) == run.student.student(row, column)(
            splits[row].test.inputs
        ).argmax(-1)
        assert same.float().mean() > 0.995
        return single

    assert furthest(run, alone) < 1e-3


def test_features_of_a_stack_are_those_of_its_students(data):
    students = StackedModel([start(seed) for seed in SEEDS], 3)
    inputs = torch.stack([part.test.inputs for part in data]).unsqueeze(1).movedim(2, -1)
    with torch.no_grad():
        students.weights += 0.1 * torch.randn(
            len(students.weights), generator=torch.Generator().manual_seed(0)
        )
    seen = students.trace(inputs, ("hidden1", "activation1", "logits"))
    for row in range(2):
        single = trace(students.student(row, 2), data[row].test.inputs, ("hidden1", "activation1"))
        torch.testing.assert_close(seen.logits[row, 2], single.logits)
        torch.testing.assert_close(seen.features["logits"][row, 2], single.logits)
        for path, feature in single.features.items():
            torch.testing.assert_close(seen.features[path][row, 2], feature)


def test_a_student_that_diverges_is_named_and_the_others_go_on(data):
    rates = torch.tensor([5e-3, 1e200], dtype=torch.float64)
    students = StackedModel([start(seed) for seed in SEEDS], 2)
    run = train_stack(students, data, LogitlessSquare(), steps=STEPS, learning_rate=rates).finish()
    assert (run.diverged[:, 0] == 0).all() and (run.diverged[:, 1] > 0).all()

    def alone(row, column):
        return train(start(SEEDS[row]), data[row], LogitlessSquare(), steps=STEPS).finish().student

    healthy = [weights(run.student.student(row, 0)) - weights(alone(row, 0)) for row in range(2)]
    assert max(float(difference.abs().max()) for difference in healthy) < 1e-10


@dataclass(frozen=True)
class LogitlessSquare(Loss):
    """A loss that grows without bound when the weights do."""

    name = "square"
    needs_teacher = False

    def value(self, student, teacher, labels, learned):
        return student.logits.square().sum(-1).mean(-1)

    def latex(self):
        return "z^2"


def test_stopping_leaves_usable_students_and_the_run_goes_on(data):
    def fresh():
        return train_stack(StackedModel([start(seed) for seed in SEEDS], 2), data, steps=20, record_every=5)

    run, whole = fresh(), fresh().finish()
    next(run), next(run)
    assert run.step == 10 and run.student.student(1, 1)(data[1].test.inputs).isfinite().all()
    assert torch.equal(run.finish().student.weights, whole.student.weights)
    assert [record.step for record in run.records] == [5, 10, 15, 20]
    assert run.records[0].total.shape == (2, 2)


def test_the_given_students_stay_as_they_were(data):
    students = StackedModel([start(seed) for seed in SEEDS], 2)
    before = students.weights.detach().clone()
    run = train_stack(students, data, steps=5).finish()
    assert torch.equal(students.weights, before)
    assert not torch.equal(run.student.weights, before)


def test_a_temperature_changed_while_it_trains_acts_on_the_next_step(data):
    def fresh(first):
        return distill_stack(
            [taught(seed) for seed in SEEDS],
            StackedModel([start(seed) for seed in SEEDS]),
            data,
            SoftTargets(first),
            steps=20,
            record_every=10,
        )

    run, cold, hot = fresh(1.0), fresh(1.0).finish(), fresh(9.0).finish()
    next(run)
    run.set("soft_targets.temperature", 9.0)
    mixed = run.finish().student.weights
    assert not torch.equal(mixed, cold.student.weights) and not torch.equal(mixed, hot.student.weights)


def test_threads_are_used_and_given_back(data):
    before = torch.get_num_threads()
    seen = []
    run = train_stack(StackedModel([start(seed) for seed in SEEDS]), data, steps=4, threads=2)
    lesson = run.lesson
    run.lesson = lambda *given: seen.append(torch.get_num_threads()) or lesson(*given)
    run.finish()
    assert set(seen) == {2} and torch.get_num_threads() == before
    with pytest.raises(ValueError, match="threads must be a whole number"):
        train_stack(StackedModel([start(seed) for seed in SEEDS]), data, threads=0).finish()


def test_stacked_teachers_are_the_single_ones_up_to_rounding(tmp_path, monkeypatch):
    splits = [digits(seed=seed) for seed in (3, 4)]
    one_by_one = [teacher(split, steps=60) for split in splits]
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path))
    stacked = teachers(splits, steps=60)
    for single, other in zip(one_by_one, stacked, strict=True):
        assert (weights(single) - weights(other)).abs().max() < 1e-4
        assert not any(weight.requires_grad for weight in other.parameters())
    # The second time both come from the store, bit for bit, and neither is given for the other.
    single = teacher(splits[1], steps=60)
    assert torch.equal(weights(single), weights(one_by_one[1]))
    monkeypatch.setattr("kdviz.schemes.stacked.train_stack", None)
    monkeypatch.setattr("kdviz.schemes.supervised.train", None)
    assert torch.equal(weights(teachers(splits, steps=60)[0]), weights(stacked[0]))
    assert torch.equal(weights(teacher(splits[1], steps=60)), weights(single))


class TestBadInput:
    def test_networks_that_differ(self):
        with pytest.raises(ValueError, match="must have one architecture"):
            StackedModel([mlp(64, 4, 10), mlp(64, 5, 10)])

    def test_running_statistics(self):
        with pytest.raises(ValueError, match="running statistics.*GroupNorm"):
            StackedModel([nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 10))])

    def test_frozen_weights(self):
        with pytest.raises(ValueError, match="has frozen ones"):
            StackedModel([mlp(64, 4, 10).requires_grad_(False)])

    def test_seeds_with_unequal_numbers_of_samples(self):
        splits = [digits(labels=50, seed=0), digits(labels=60, seed=1)]
        with pytest.raises(ValueError, match="equally many samples.*50, 60"):
            train_stack(StackedModel([mlp(64, 4, 10, seed=seed) for seed in (0, 1)]), splits)

    def test_a_learning_rate_of_zero(self, data):
        with pytest.raises(ValueError, match="every learning rate must be above 0"):
            train_stack(StackedModel([start(0)], 2), data[:1], learning_rate=torch.tensor([0.1, 0.0]))

    def test_objectives_of_different_form(self):
        with pytest.raises(ValueError, match="same terms and forms"):
            stacked_objective([1.0 * LogitMatching("paper"), 1.0 * LogitMatching("mean")])


def test_what_is_stacked_is_numbers_only():
    objective = stacked_objective(
        [0.1 * CrossEntropy() + SoftTargets(2), 0.1 * CrossEntropy() + SoftTargets(3)]
    )
    settings = objective.settings()
    assert settings["cross_entropy.weight"] == 0.1
    np.testing.assert_array_equal(settings["soft_targets.temperature"], [2, 3])
