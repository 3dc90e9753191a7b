"""Golden values worked out in plain Python floats, then the properties that hold for every input."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdviz.losses.response import (
    cross_entropy,
    label_smoothing,
    logit_matching,
    permute_dark_knowledge,
    soft_targets,
)

TEMPERATURES = (0.5, 1.0, 4.0, 100.0)


def random_logits(*shape, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def softmax_by_hand(logits, temperature=1.0):
    powers = [math.exp((value - max(logits)) / temperature) for value in logits]
    return [power / sum(powers) for power in powers]


def soft_targets_by_hand(student, teacher, temperature):
    total = 0.0
    for z_student, z_teacher in zip(student.tolist(), teacher.tolist(), strict=True):
        p = softmax_by_hand(z_student, temperature)
        q = softmax_by_hand(z_teacher, temperature)
        total += sum(qc * math.log(qc / pc) for qc, pc in zip(q, p, strict=True))
    return temperature**2 * total / len(student)


def test_soft_targets_of_one_sample_worked_on_paper():
    # q = (3/4, 1/4) and p = (1/2, 1/2), so KL = 3/4 log(3/2) + 1/4 log(1/2).
    teacher = torch.tensor([[math.log(3.0), 0.0]], dtype=torch.float64)
    student = torch.zeros(1, 2, dtype=torch.float64)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert soft_targets(student, teacher, 1.0).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_soft_targets_equal_the_formula(temperature):
    student, teacher = random_logits(7, 5, seed=1), random_logits(7, 5, seed=2)
    expected = soft_targets_by_hand(student, teacher, temperature)
    assert soft_targets(student, teacher, temperature).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_soft_target_gradient_equals_its_own_formula(temperature):
    # d/dz of T² KL is T (p - q) / N.
    student, teacher = random_logits(6, 4, seed=3).requires_grad_(), random_logits(6, 4, seed=4)
    soft_targets(student, teacher, temperature).backward()
    p = (student.detach() / temperature).softmax(-1)
    q = (teacher / temperature).softmax(-1)
    torch.testing.assert_close(student.grad, temperature * (p - q) / 6, rtol=1e-9, atol=1e-12)


def test_cross_entropy_equals_the_formula_and_skips_the_unlabelled():
    logits = random_logits(4, 3)
    labels = torch.tensor([2, -1, 0, -1])
    rows = [(logits[0].tolist(), 2), (logits[2].tolist(), 0)]
    expected = sum(-math.log(softmax_by_hand(row)[label]) for row, label in rows) / 2
    assert cross_entropy(logits, labels).item() == pytest.approx(expected, rel=1e-12)
    assert cross_entropy(logits, torch.full((4,), -1)).item() == 0


@pytest.mark.parametrize("amount", [0.0, 0.1, 1.0])
def test_label_smoothing_equals_the_formula(amount):
    logits, labels = random_logits(5, 4), torch.tensor([0, 1, 2, 3, 1])
    expected = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        p = softmax_by_hand(row)
        q = [(1 - amount) * (c == label) + amount / 4 for c in range(4)]
        expected -= sum(qc * math.log(pc) for qc, pc in zip(q, p, strict=True)) / 5
    assert label_smoothing(logits, labels, amount).item() == pytest.approx(expected, rel=1e-12)


def test_logit_matching_forms_equal_their_formulas():
    student = torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64)
    teacher = torch.tensor([[0.0, 0.0, 0.0]], dtype=torch.float64)
    assert logit_matching(student, teacher).item() == pytest.approx(41 / 2)
    assert logit_matching(student, teacher, form="mean").item() == pytest.approx(41 / 3)
    # Centred: (-2, -1, 3), whose squares sum to 14.
    assert logit_matching(student, teacher, form="limit").item() == pytest.approx(14 / 6)


def test_soft_targets_have_the_forms_that_people_use():
    student, teacher = random_logits(6, 5, seed=1), random_logits(6, 5, seed=2)
    p, q = torch.log_softmax(student / 3, 1), torch.softmax(teacher / 3, 1)
    kl_div = torch.nn.functional.kl_div
    expected = {
        "scaled": 9 * kl_div(p, q, reduction="batchmean"),
        "paper": torch.nn.functional.cross_entropy(student / 3, q),
        "divergence": kl_div(p, q, reduction="batchmean"),
        "mean": 9 * kl_div(p, q, reduction="none").mean(),
    }
    for form, value in expected.items():
        torch.testing.assert_close(soft_targets(student, teacher, 3.0, form), value)
    with pytest.raises(ValueError, match="'scaled', 'paper', 'divergence', 'mean'"):
        soft_targets(student, teacher, 3.0, "hinton")


def test_hot_soft_targets_tend_to_logit_matching():
    student, teacher = random_logits(8, 10, seed=5), random_logits(8, 10, seed=6)
    limit = logit_matching(student, teacher, form="limit").item()
    distances = [abs(soft_targets(student, teacher, t).item() - limit) for t in (10, 100, 1000)]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.01 * limit


@pytest.mark.parametrize(
    "loss",
    [soft_targets, logit_matching, lambda s, t: logit_matching(s, t, "limit")],
    ids=["soft targets", "logit matching", "its limit form"],
)
class TestEveryLossThatMatchesATeacher:
    def test_is_zero_at_equality_and_above_elsewhere(self, loss):
        logits = random_logits(5, 4)
        assert loss(logits, logits.clone()).item() == pytest.approx(0, abs=1e-14)
        assert loss(logits, random_logits(5, 4, seed=9)).item() > 0

    def test_gradient_reaches_the_student_and_never_the_teacher(self, loss):
        student = random_logits(5, 4, seed=1).requires_grad_()
        teacher = random_logits(5, 4, seed=2).requires_grad_()
        loss(student, teacher).backward()
        assert student.grad.abs().sum() > 0
        assert teacher.grad is None

    def test_a_batch_twice_over_has_the_same_loss(self, loss):
        student, teacher = random_logits(5, 4, seed=1), random_logits(5, 4, seed=2)
        twice = loss(torch.cat([student, student]), torch.cat([teacher, teacher]))
        torch.testing.assert_close(twice, loss(student, teacher))

    def test_mapped_it_gives_each_student_its_own_value(self, loss):
        stack, teacher = random_logits(3, 5, 4, seed=1), random_logits(5, 4, seed=2)
        alone = torch.stack([loss(student, teacher) for student in stack])
        torch.testing.assert_close(torch.vmap(loss, in_dims=(0, None))(stack, teacher), alone)

    def test_unequal_shapes_are_named(self, loss):
        with pytest.raises(ValueError, match=r"\(5, 4\).*\(5, 3\)"):
            loss(random_logits(5, 4), random_logits(5, 3))


@given(st.floats(-1e4, 1e4), st.integers(0, 1000))
def test_a_constant_added_to_all_logits_changes_nothing_but_plain_logit_matching(shift, seed):
    student, teacher = random_logits(4, 6, seed=seed), random_logits(4, 6, seed=seed + 1)
    for loss in (soft_targets, lambda s, t: logit_matching(s, t, "limit")):
        torch.testing.assert_close(
            loss(student + shift, teacher), loss(student, teacher), rtol=1e-6, atol=1e-8
        )


def test_plain_logit_matching_sees_a_constant():
    student = random_logits(4, 6)
    assert logit_matching(student + 1, student).item() == pytest.approx(3)


def test_students_of_a_stack_may_have_their_own_temperatures():
    stack, teacher = random_logits(3, 5, 4, seed=1), random_logits(5, 4, seed=2)
    temperatures = torch.tensor([1.0, 2.0, 8.0])
    alone = [soft_targets(student, teacher, float(t)) for student, t in zip(stack, temperatures, strict=True)]
    found = torch.vmap(soft_targets, in_dims=(0, None, 0))(stack, teacher, temperatures)
    torch.testing.assert_close(found, torch.stack(alone))


def test_students_of_a_stack_may_have_their_own_smoothing():
    stack, labels = random_logits(2, 5, 4), torch.tensor([0, 1, 2, 3, 0])
    alone = [label_smoothing(stack[0], labels, 0.1), label_smoothing(stack[1], labels, 0.5)]
    amounts = torch.tensor([0.1, 0.5], dtype=torch.float64)
    found = torch.vmap(label_smoothing, in_dims=(0, None, 0))(stack, labels, amounts)
    torch.testing.assert_close(found, torch.stack(alone))


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_extreme_logits_give_finite_losses_and_gradients(temperature):
    student = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    teacher = torch.tensor([[-1e4, 1e4, 0.0]])
    loss = soft_targets(student, teacher, temperature)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(student.grad).all()


@pytest.mark.parametrize("temperature", [0, -1.0, math.nan, math.inf])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        soft_targets(random_logits(2, 3), random_logits(2, 3), temperature)


def test_a_temperature_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="temperature must be"):
        soft_targets(random_logits(2, 3), random_logits(2, 3), "hot")


@pytest.mark.parametrize(
    "labels, error, message",
    [
        (torch.tensor([0, 3]), ValueError, "from 0 to 2, or -1"),
        (torch.tensor([0, -2]), ValueError, "from -2 to 0"),
        (torch.tensor([0]), ValueError, "1 labels for 2 samples"),
        (torch.tensor([0.0, 1.0]), TypeError, "whole class numbers"),
    ],
)
def test_bad_labels_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        cross_entropy(random_logits(2, 3), labels)


def test_unknown_form_names_the_forms():
    with pytest.raises(ValueError, match="'paper', 'mean', 'limit'"):
        logit_matching(random_logits(2, 3), random_logits(2, 3), form="huber")


class TestPermutedDarkKnowledge:
    logits = random_logits(200, 10)
    labels = torch.arange(200) % 10

    def permuted(self, seed=0):
        return permute_dark_knowledge(self.logits, self.labels, seed)

    def test_keeps_the_label_and_the_set_of_values(self):
        permuted = self.permuted()
        rows = torch.arange(200)
        assert torch.equal(permuted[rows, self.labels], self.logits[rows, self.labels])
        assert torch.equal(permuted.sort(1).values, self.logits.sort(1).values)

    def test_moves_the_rest_differently_for_each_sample(self):
        moved = (self.permuted() != self.logits).float().mean(1)
        assert 0.7 < moved.mean() < 0.9  # 9 values, of which one in nine stays on average
        orders = {tuple(row) for row in self.permuted().argsort(1).argsort(1).tolist()}
        assert len(orders) > 150

    def test_belongs_to_its_seed(self):
        assert torch.equal(self.permuted(seed=1), self.permuted(seed=1))
        assert not torch.equal(self.permuted(seed=1), self.permuted(seed=2))

    def test_needs_all_labels(self):
        with pytest.raises(ValueError, match="a label for each sample"):
            permute_dark_knowledge(self.logits[:2], torch.tensor([1, -1]))
