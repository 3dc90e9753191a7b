"""Lessons that are objects: with parameters that are learned along, with state, with weighted teachers."""

import pytest
import torch
from networks import weights
from torch import nn

from kdviz import CrossEntropy, LogitMatching, SoftTargets, trace
from kdviz.datasets import digits
from kdviz.models import mlp
from kdviz.tracing import Trace, answer
from kdviz.training import Lesson, Run
from kdviz.training.stacked import Stack, StackedModel


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")


class Shifted(Lesson):
    """A teacher whose logits are moved by an offset that is learned with the student."""

    def __init__(self, data, network, learns=True):
        super().__init__(data)
        self.network, self.steps = network, []
        self.offset = nn.Parameter(torch.zeros(10), requires_grad=learns)

    def parameters(self):
        return [self.offset] if self.offset.requires_grad else []

    def traces(self, student, rows):
        self.steps.append(self.run.step)
        theirs = answer(self.network, self.inputs(rows)).logits
        return self.student_trace(student, rows), Trace(theirs + self.offset)


class Listening(LogitMatching):
    """A distance whose gradient reaches the teacher too."""

    def value(self, student, teacher, labels, learned):
        return (student.logits - teacher.logits).square().mean((-2, -1))


def test_what_a_lesson_owns_gets_a_gradient_and_moves_with_the_student(data):
    lesson = Shifted(data, mlp(64, 16, 10, seed=1))
    student = mlp(64, 8, 10)
    run = Run(student, lesson, Listening(), steps=1, learning_rate=1e-2)
    next(run)
    ours = trace(student, lesson.inputs(next(again(lesson)))).logits
    theirs = answer(lesson.network, lesson.inputs(next(again(lesson)))).logits
    pull = 2 * (theirs - ours).sum(0) / ours.numel()
    torch.testing.assert_close(lesson.offset.grad, pull)
    # Adam's first step is as long as the learning rate, against the gradient.
    torch.testing.assert_close(lesson.offset.detach(), -1e-2 * pull.sign(), atol=1e-5, rtol=1e-3)
    assert not torch.equal(weights(run.student), weights(student))


def again(lesson):
    """The batches of a lesson from the beginning."""
    other = type(lesson)(lesson.data, lesson.network)
    other.begin(lesson.run)
    return other.batches


def test_a_lesson_that_learns_nothing_leaves_its_tensors_alone(data):
    lesson = Shifted(data, mlp(64, 16, 10, seed=1), learns=False)
    Run(mlp(64, 8, 10), lesson, Listening(), steps=2).finish()
    assert lesson.offset.grad is None and not lesson.offset.any()


def test_a_lesson_knows_its_run_and_keeps_its_own_state(data):
    lesson = Shifted(data, mlp(64, 16, 10, seed=1))
    run = Run(mlp(64, 8, 10), lesson, SoftTargets(2), steps=5, record_every=2).finish()
    assert lesson.run is run and lesson.steps == [0, 1, 2, 3, 4]


def test_the_seed_of_a_run_draws_its_batches(data):
    runs = [
        Run(mlp(64, 8, 10), Shifted(data, mlp(64, 16, 10)), SoftTargets(2), steps=3, batch_size=8, seed=seed)
        for seed in (None, data.seed, 7)
    ]
    own, same, other = (weights(run.finish().student) for run in runs)
    assert torch.equal(own, same) and not torch.equal(own, other)


def test_a_lesson_says_what_it_teaches(data):
    with pytest.raises(NotImplementedError, match="Lesson does not say"):
        Run(mlp(64, 8, 10), Lesson(data), CrossEntropy(), steps=1).finish()


def test_a_stack_refuses_a_lesson_that_learns(data):
    with pytest.raises(ValueError, match="one by one"):
        Stack(StackedModel([mlp(64, 8, 10)]), Shifted(data, mlp(64, 16, 10)), SoftTargets(2))


class Several(Lesson):
    """Several teachers that answered at once, with a weight each."""

    def __init__(self, data, networks, weights):
        super().__init__(data)
        self.logits = torch.stack([answer(network, self.samples.inputs).logits for network in networks])
        self.weights = weights

    def traces(self, student, rows):
        return self.student_trace(student, rows), Trace(self.logits[:, rows], weights=self.weights)


def test_teachers_of_weights_one_and_zero_are_the_first_alone(data):
    networks = [mlp(64, 16, 10, seed=1), mlp(64, 16, 10, seed=2)]
    objective = 0.4 * CrossEntropy() + 0.6 * SoftTargets(2)

    def learned(networks, weights):
        lesson = Several(data, networks, None if weights is None else torch.tensor(weights))
        return weights_of(Run(mlp(64, 8, 10), lesson, objective, steps=10).finish().student)

    weights_of = weights
    first = learned(networks[:1], None)
    torch.testing.assert_close(learned(networks, [1.0, 0.0]), first)
    assert not torch.allclose(learned(networks, [0.0, 1.0]), first)
    torch.testing.assert_close(learned(networks, [0.5, 0.5]), learned(networks, None))
