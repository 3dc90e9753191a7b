"""Losses of numbers and of unequal classes: golden values worked out by hand or by torch, and properties."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from kdviz.losses.answers import (
    NumberLabels,
    NumberTargets,
    TeacherBounded,
    WeightedCrossEntropy,
    WeightedSoftTargets,
    smooth_absolute,
    teacher_bounded,
    weighted_cross_entropy,
    weighted_soft_targets,
)
from kdviz.losses.response import cross_entropy, soft_targets

STUDENT, TEACHER = [[1.5, -0.25, 0.5], [0.0, 2.0, -1.0]], [[0.25, 0.75, -0.5], [1.0, 1.25, 0.0]]
WEIGHTS = (1.0, 0.5, 0.3)
seeds = st.integers(0, 10_000)


def double(values):
    return torch.tensor(values, dtype=torch.float64)


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(row, temperature=1):
    sizes = [mpmath.e ** (mpmath.mpf(value) / temperature) for value in row]
    return [size / sum(sizes) for size in sizes]


def test_smooth_absolute_by_hand():
    # Off by 0.3 (within beta), by 2 (beyond), and one target unknown.
    found = smooth_absolute(double([[0.3], [-2.0], [9.0]]), double([0.0, 0.0, torch.nan]), beta=0.5)
    assert float(found) == pytest.approx((0.09 / (2 * 0.5) + (2 - 0.25)) / 2, abs=1e-15)


@given(seed=seeds, beta=st.floats(0.05, 3))
def test_smooth_absolute_is_torchs(seed, beta):
    ours, theirs = drawn(6, 2, seed=seed), drawn(6, 2, seed=seed + 1)
    expected = functional.smooth_l1_loss(ours, theirs, beta=beta)
    assert float(smooth_absolute(ours, theirs, beta)) == pytest.approx(float(expected), rel=1e-12)


def test_teacher_bounded_by_hand():
    # The student is worse, better, just as good, and worse; the last label is not known.
    student, teacher = double([[3.0], [1.0], [2.0], [5.0]]), double([[2.0], [2.0], [2.0], [0.0]])
    labels = double([0.0, 0.0, 0.0, torch.nan])
    assert float(teacher_bounded(student, teacher, labels)) == pytest.approx(9 / 3)
    assert float(teacher_bounded(student, teacher, labels, margin=3.5)) == pytest.approx((9 + 1 + 4) / 3)


@given(seed=seeds)
def test_a_bound_hands_nothing_over(seed):
    labels, teacher = drawn(8, seed=seed), drawn(8, 1, seed=seed + 1)
    student = drawn(8, 1, seed=seed + 2).requires_grad_()
    teacher_bounded(student, teacher, labels).backward()
    # Each gradient leads to the label, or is 0: what the teacher says is nowhere in it.
    pull = student.grad[:, 0]
    to_label = 2 * (student.detach()[:, 0] - labels) / 8
    open_gate = pull != 0
    torch.testing.assert_close(pull[open_gate], to_label[open_gate])
    better = (student.detach()[:, 0] - labels).abs() < (teacher[:, 0] - labels).abs()
    assert torch.equal(open_gate, ~better)


def test_no_known_label_is_no_loss_and_no_gradient():
    student = drawn(3, 1, seed=0).requires_grad_()
    unknown = torch.full((3,), torch.nan, dtype=torch.float64)
    total = smooth_absolute(student, unknown) + teacher_bounded(student, student, unknown)
    logits = drawn(3, 3, seed=1).requires_grad_()
    total = total + weighted_cross_entropy(logits, torch.full((3,), -1), WEIGHTS)
    total.backward()
    assert total.item() == 0 and not student.grad.any() and not logits.grad.any()


def test_weighted_losses_by_hand():
    labels = torch.tensor([2, 1])
    told = [-mpmath.log(softmax(row)[label]) for row, label in zip(STUDENT, (2, 1), strict=True)]
    expected = (0.3 * told[0] + 0.5 * told[1]) / 0.8
    found = weighted_cross_entropy(double(STUDENT), labels, WEIGHTS)
    assert float(found) == pytest.approx(float(expected), rel=1e-13)
    top = bottom = 0
    for ours, theirs in zip(STUDENT, TEACHER, strict=True):
        omega = sum(w * q for w, q in zip(WEIGHTS, softmax(theirs), strict=True))
        q, p = softmax(theirs, 2), softmax(ours, 2)
        top += omega * sum(a * mpmath.log(a / b) for a, b in zip(q, p, strict=True))
        bottom += omega
    found = weighted_soft_targets(double(STUDENT), double(TEACHER), WEIGHTS, temperature=2.0)
    assert float(found) == pytest.approx(float(4 * top / bottom), rel=1e-13)


@given(seed=seeds)
def test_weighted_cross_entropy_is_torchs_and_even_weights_are_none(seed):
    logits, other = drawn(7, 3, seed=seed), drawn(7, 3, seed=seed + 1)
    labels = torch.randint(-1, 3, (7,), generator=torch.Generator().manual_seed(seed))
    labels[0] = 1
    torches = functional.cross_entropy(logits, labels, weight=double(WEIGHTS), ignore_index=-1)
    assert float(weighted_cross_entropy(logits, labels, WEIGHTS)) == pytest.approx(float(torches), rel=1e-12)
    even = (0.7, 0.7, 0.7)
    pairs = [
        (weighted_cross_entropy(logits, labels, even), cross_entropy(logits, labels)),
        (weighted_soft_targets(logits, other, even, 3.0), soft_targets(logits, other, 3.0)),
    ]
    for weighted, plain in pairs:
        assert float(weighted) == pytest.approx(float(plain), rel=1e-12)


@given(seed=seeds)
def test_a_shift_of_the_logits_changes_no_weighted_loss(seed):
    logits, other, shift = drawn(5, 3, seed=seed), drawn(5, 3, seed=seed + 1), drawn(5, 1, seed=seed + 2)
    labels = torch.tensor([0, 1, 2, 1, 0])
    for loss in (WeightedCrossEntropy(WEIGHTS), WeightedSoftTargets(WEIGHTS, 2.0)):
        assert float(loss(logits + shift, other, labels)) == pytest.approx(float(loss(logits, other, labels)))


def test_the_teacher_gets_no_gradient():
    student, teacher = drawn(4, 3, seed=0).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()
    labels = drawn(12, seed=2)
    terms = [NumberTargets(), TeacherBounded(), WeightedSoftTargets(WEIGHTS)]
    sum(term(student, teacher, labels) for term in terms).backward()
    assert teacher.grad is None and student.grad.any()


def test_what_does_not_fit_is_named():
    rows = torch.zeros(2, 3)
    for call, message in (
        (lambda: smooth_absolute(torch.zeros(2, 1), torch.zeros(3)), "a target for each number"),
        (lambda: NumberLabels(beta=0.0), "beta must be a finite number above 0"),
        (lambda: TeacherBounded(margin=-1.0), "margin must be"),
        (lambda: weighted_soft_targets(rows, rows, (1.0, 2.0)), "class_weights must be 3 numbers from 0 up"),
        (lambda: weighted_cross_entropy(rows, torch.tensor([0, 3]), WEIGHTS), "labels must be from 0 to 2"),
        (lambda: NumberTargets()(torch.zeros(2, 1), torch.zeros(3, 1)), "numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
