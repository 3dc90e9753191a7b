"""Networks that learn under attack against their definitions: what each sees, and who is asked."""

from functools import partial

import pytest
import torch

import kdviz as kd
from kdviz.algorithms.attacks import fgsm, gradient, pgd
from kdviz.algorithms.under_attack import (
    CleanCrossEntropy,
    OneByOne,
    Tempered,
    UnderAttack,
    adversarial_training,
    defensive_distillation,
    robust_distillation,
    under_attack_stack,
)
from kdviz.datasets import digits
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models import mlp
from kdviz.tracing import Trace
from kdviz.training.stacked import StackedModel


def drawn(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def within(data):
    return partial(fgsm, epsilon=0.1, bounds=(-data.mean, 1 - data.mean))


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_an_attack_of_nothing_is_learning_from_labels_and_from_the_teacher():
    data, start, teacher = digits(50), mlp(64, 8, 10, seed=1), mlp(64, 16, 10, seed=2)
    nothing = partial(fgsm, epsilon=0.0)
    trained = adversarial_training(start, data, nothing, steps=5).finish().student
    assert same_weights(trained, kd.train(start, data, steps=5).finish().student)
    copied = robust_distillation(teacher, start, data, nothing, steps=5).finish().student
    labelled = kd.datasets.digits(50, transfer="labelled")
    plain = kd.distill(teacher, start, labelled, SoftTargets(4.0), steps=5).finish().student
    torch.testing.assert_close(copied.hidden1.weight, plain.hidden1.weight)


def test_under_attack_the_student_sees_attacked_inputs_and_the_teacher_clean_ones():
    data, student, teacher = digits(50), mlp(64, 8, 10, seed=1), mlp(64, 16, 10, seed=2)
    lesson, rows = UnderAttack(data, within(data), teacher), torch.arange(6)
    seen, said = lesson.traces(student, rows)
    x, y = data.labelled.inputs[:6], data.labelled.labels[:6]
    torch.testing.assert_close(seen.logits, student(within(data)(student, x, y)))
    torch.testing.assert_close(seen.features["clean"], student(x))
    torch.testing.assert_close(said.logits, teacher(x))
    assert not torch.allclose(seen.logits, student(x)) and not said.logits.requires_grad


def test_alpha_weighs_the_teacher_under_attack_against_the_labels_of_clean_inputs():
    data, student, teacher = digits(50), mlp(64, 8, 10, seed=1), mlp(64, 16, 10, seed=2)
    run = robust_distillation(teacher, student, data, within(data), temperature=3.0, alpha=0.3, steps=1)
    total = next(run).total
    rows = next(kd.training.batches.batches(50, 64, 0))
    x, y = data.labelled.inputs[rows], data.labelled.labels[rows]
    soft = SoftTargets(3.0)(student(within(data)(student, x, y)), teacher(x))
    hard = CrossEntropy()(student(x), labels=y)
    assert total == pytest.approx(float((0.3 * soft + 0.7 * hard).detach()), rel=1e-5)


def test_the_clean_term_reads_the_clean_answers():
    attacked, clean, y = drawn(4, 3), drawn(4, 3, seed=1), torch.tensor([0, 1, 2, 0])
    value = CleanCrossEntropy()(Trace(attacked, {"clean": clean}), labels=y)
    torch.testing.assert_close(value, CrossEntropy()(clean, labels=y))


def test_who_learned_under_attack_withstands_it_better():
    data, start = digits(seed=0), mlp(64, 16, 10, seed=1)
    x, y = data.test.inputs, data.test.labels
    networks = [
        run.finish().student
        for run in (
            kd.train(start, data, steps=300),
            adversarial_training(start, data, within(data), steps=300),
        )
    ]
    plain, robust = (
        kd.measure.accuracy(network(within(data)(network, x, y)).detach(), y) for network in networks
    )
    assert robust > plain + 0.1


def test_a_run_under_attack_is_saved_and_goes_on(tmp_path):
    data = digits(50)

    def run():
        attack = partial(pgd, epsilon=0.1, steps=2, random=True)
        return adversarial_training(mlp(64, 8, 10, seed=1), data, attack, steps=20)

    left = run()
    next(left)
    torch.rand(2)
    left.save(tmp_path)
    assert same_weights(kd.load_run(tmp_path, run()).finish().student, run().finish().student)


def test_the_defended_network_learned_hot_and_answers_cold():
    data, start = digits(50), mlp(64, 8, 10, seed=1)
    stages = defensive_distillation(start, data, temperature=20, steps=10).finish()
    hot = stages.student
    torch.testing.assert_close(hot(data.test.inputs), hot.network(data.test.inputs) / 20)
    first = kd.train(Tempered(start, 20), data, steps=10).finish().student
    assert same_weights(stages.runs[0].student, first)
    second = kd.distill(first, Tempered(start, 20), data, SoftTargets(1), steps=10).finish().student
    assert same_weights(hot, second) and not same_weights(hot.network, start)


def test_unlabelled_images_and_what_is_no_attack_or_share_are_refused():
    data, start = digits(50), mlp(64, 8, 10)
    with pytest.raises(TypeError, match="attack must be a function"):
        adversarial_training(start, data, 0.1)
    with pytest.raises(TypeError, match="kdviz data set"):
        adversarial_training(start, torch.zeros(3, 4), within(data))
    with pytest.raises(ValueError, match="alpha"):
        robust_distillation(start, start, data, within(data), alpha=1.5)
    with pytest.raises(ValueError, match="temperature"):
        defensive_distillation(start, data, temperature=0)


@pytest.mark.parametrize("taught", [False, True])
def test_in_a_stack_each_learns_as_alone(taught):
    data, attack = [digits(seed=seed) for seed in (0, 1)], partial(fgsm, epsilon=0.1)
    starts, teachers = ([mlp(64, width, 10, seed=seed) for seed in (5, 6)] for width in (8, 16))
    stack = under_attack_stack(
        StackedModel(starts), data, attack, teachers=teachers if taught else None, steps=10
    ).finish()
    for row, (start, part, teacher) in enumerate(zip(starts, data, teachers, strict=True)):
        alone = (
            robust_distillation(teacher, start, part, attack, temperature=1.0, steps=10)
            if taught
            else adversarial_training(start, part, attack, steps=10)
        )
        ours, theirs = stack.student.student(row, 0), alone.finish().student
        torch.testing.assert_close(ours.hidden1.weight, theirs.hidden1.weight, atol=1e-3, rtol=0)


def test_of_a_stack_each_network_is_attacked_for_itself():
    networks = [mlp(6, 8, 3, seed=seed) for seed in (0, 1)]
    x, y = drawn(2, 5, 6).float(), torch.arange(10).view(2, 5) % 3
    both = gradient(OneByOne(StackedModel(networks)), x.flatten(0, 1), y.flatten())
    for row, network in enumerate(networks):
        torch.testing.assert_close(both[5 * row : 5 * row + 5], gradient(network, x[row], y[row]))
