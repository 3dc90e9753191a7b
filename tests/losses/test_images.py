"""Losses of made images: golden values from their formulas, bounds, where the gradient goes, bad input."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdviz.losses import images
from kdviz.losses.images import (
    activation,
    adaptive_jensen_shannon,
    batch_norm_statistics,
    disagreement,
    information_entropy,
    one_hot,
    stored_statistics,
    total_variation,
)
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value

TEACHER = [[1.5, -0.25, 0.5], [0.0, 2.0, -1.0]]
STUDENT = [[0.25, 0.75, -0.5], [1.0, 1.25, 0.0]]
seeds = st.integers(0, 10_000)


def softmax(row):
    sizes = [mpmath.e ** mpmath.mpf(value) for value in row]
    return [size / sum(sizes) for size in sizes]


def kl(q, p):
    return sum(a * mpmath.log(a / b) for a, b in zip(q, p, strict=True))


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def close(found, expected):
    assert found.dtype == torch.float64
    assert math.isclose(float(found), float(expected), rel_tol=1e-12, abs_tol=1e-13)


class TestGoldenValues:
    def test_one_hot(self):
        expected = -sum(mpmath.log(max(softmax(row))) for row in TEACHER) / 2
        close(one_hot(double(TEACHER)), expected)

    def test_information_entropy(self):
        mean = [sum(column) / 2 for column in zip(*map(softmax, TEACHER), strict=True)]
        close(information_entropy(double(TEACHER)), sum(p * mpmath.log(p) for p in mean))

    @pytest.mark.parametrize(("form", "expected"), [("paper", -(2.25 + 3) / 2), ("authors", -5.25 / 6)])
    def test_activation(self, form, expected):
        close(activation(double(TEACHER), form), expected)

    def test_statistics_of_units(self):
        found = stored_statistics(double(TEACHER))
        torch.testing.assert_close(found, double([[0.75, 0.875, -0.25], [0.5625, 1.265625, 0.5625]]))

    def test_statistics_of_maps_take_positions_as_samples(self):
        maps = drawn(4, 3, 2, 5)
        rows = maps.permute(0, 2, 3, 1).reshape(40, 3)
        torch.testing.assert_close(stored_statistics(maps), stored_statistics(rows))

    def test_batch_norm_statistics_of_two_layers(self):
        stored = [double([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), double([[0.75, 0.875, -0.25], [1.0, 1.0, 1.0]])]
        means = math.sqrt(0.75**2 + 0.875**2 + 0.25**2)
        variances = math.sqrt(2 * 0.5625**2 + 1.265625**2)
        second = math.sqrt(2 * 0.4375**2 + 0.265625**2)
        found = batch_norm_statistics([double(TEACHER), double(TEACHER)], stored)
        close(found, means + variances + second)

    def test_total_variation(self):
        image = double([[[[0.0, 0.5, 1.0], [0.25, 0.5, 0.0]]], [[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]])
        along, down = 0.25 + 0.25 + 0.0625 + 0.25, 0.0625 + 0 + 1
        close(total_variation(image), (along + down) / 2)

    def test_adaptive_jensen_shannon(self):
        apart = 0
        for one, other in zip(TEACHER, STUDENT, strict=True):
            q, p = softmax(one), softmax(other)
            middle = [(a + b) / 2 for a, b in zip(q, p, strict=True)]
            apart += (kl(q, middle) + kl(p, middle)) / 2
        close(adaptive_jensen_shannon(double(TEACHER), double(STUDENT)), 1 - apart / 2)

    def test_disagreement(self):
        pairs = list(zip(TEACHER, STUDENT, strict=True))
        expected = -sum(kl(softmax(one), softmax(other)) for one, other in pairs) / 2
        close(disagreement(double(TEACHER), double(STUDENT)), expected)
        differences = [abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True)]
        close(disagreement(double(TEACHER), double(STUDENT), "absolute"), -sum(differences) / 6)


class TestProperties:
    @given(seeds)
    def test_bounds(self, seed):
        logits, other = 5 * drawn(7, 4, seed=seed), 5 * drawn(7, 4, seed=seed + 1)
        assert 0 <= one_hot(logits) <= math.log(4)
        assert -math.log(4) - 1e-12 <= information_entropy(logits) <= 0
        assert 1 - math.log(2) <= adaptive_jensen_shannon(logits, other) < 1
        assert disagreement(logits, other) < 0

    def test_one_hot_is_least_where_the_teacher_is_sure_and_blind_to_a_shift(self):
        sure = 50 * torch.eye(4, dtype=torch.float64)
        assert one_hot(sure) < 1e-12
        logits = drawn(5, 4)
        torch.testing.assert_close(one_hot(logits), one_hot(logits + 3))

    def test_entropy_is_least_where_all_classes_are_made_and_0_where_one_is(self):
        sure = 50 * torch.eye(4, dtype=torch.float64)
        close(information_entropy(sure), -math.log(4))
        assert information_entropy(sure[[2, 2, 2]]).abs() < 1e-12

    def test_competition_is_1_where_both_agree_and_does_not_mind_who_is_who(self):
        logits, other = drawn(5, 4), drawn(5, 4, seed=1)
        close(adaptive_jensen_shannon(logits, logits), 1.0)
        close(adaptive_jensen_shannon(logits, other), adaptive_jensen_shannon(other, logits))
        opposite = adaptive_jensen_shannon(double([[500.0, 0.0]]), double([[0.0, 500.0]]))
        close(opposite, 1 - math.log(2))

    def test_statistics_are_matched_by_the_real_images_in_any_order(self):
        features = drawn(6, 3)
        stored = [stored_statistics(features)]
        assert batch_norm_statistics([features.flip(0)], stored) < 1e-12
        assert batch_norm_statistics([features + 1], stored) > 1

    def test_total_variation_is_blind_to_brightness_and_grows_with_the_square(self):
        pictures = drawn(3, 1, 4, 5)
        torch.testing.assert_close(total_variation(pictures), total_variation(pictures + 2))
        torch.testing.assert_close(total_variation(3 * pictures), 9 * total_variation(pictures))

    def test_two_images_weigh_as_one_does(self):
        logits, pictures = drawn(3, 4), drawn(3, 1, 4, 4)
        for loss, values in ((one_hot, logits), (information_entropy, logits), (activation, logits)):
            torch.testing.assert_close(loss(values), loss(values.repeat(2, 1)))
        torch.testing.assert_close(total_variation(pictures), total_variation(pictures.repeat(2, 1, 1, 1)))

    @pytest.mark.parametrize("loss", [adaptive_jensen_shannon, disagreement])
    def test_the_gradient_reaches_the_images_through_both_networks(self, loss):
        teacher, student = drawn(3, 4).requires_grad_(), drawn(3, 4, seed=1).requires_grad_()
        assert torch.autograd.gradcheck(loss, (teacher, student))
        loss(teacher, student).backward()
        assert teacher.grad.any() and student.grad.any()

    def test_what_was_stored_gets_no_gradient(self):
        features, stored = drawn(5, 3).requires_grad_(), drawn(2, 3, seed=1).requires_grad_()
        batch_norm_statistics([features], [stored]).backward()
        assert features.grad.any() and stored.grad is None

    def test_statistics_that_match_have_a_slope_that_is_a_number(self):
        features = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
        batch_norm_statistics([features], [torch.zeros(2, 3, dtype=torch.float64)]).backward()
        assert torch.equal(features.grad, torch.zeros(4, 3, dtype=torch.float64))


TERMS = [
    images.OneHot(),
    images.InformationEntropy(),
    images.Activation("middle"),
    images.Activation("middle", form="authors"),
    images.BatchNormStatistics(("middle",)),
    images.TotalVariation(),
    images.AdaptiveJensenShannon(),
    images.Disagreement(),
    images.Disagreement("absolute"),
]


def traces(*stack):
    layers = {"middle": drawn(*stack, 6, 3, seed=2), "images": drawn(*stack, 6, 1, 4, 4, seed=3)}
    held = {"middle": drawn(*stack, 2, 3, seed=4)}
    return Trace(drawn(*stack, 6, 4), layers), Trace(drawn(*stack, 6, 4, seed=1), held)


@pytest.mark.parametrize("term", TERMS, ids=repr)
class TestTerms:
    def test_a_stack_is_each_alone(self, term):
        seen, held = traces(3, 1)
        found = each_value(term, seen, held, None)
        for number in range(3):
            own = {path: values[number, 0] for path, values in seen.features.items()}
            kept = {path: values[number, 0] for path, values in held.features.items()}
            alone = term(Trace(seen.logits[number, 0], own), Trace(held.logits[number, 0], kept))
            torch.testing.assert_close(found[number, 0], alone, rtol=1e-12, atol=0)

    def test_says_what_it_is(self, term):
        assert all((term.paper, term.formula, term.scale, term.reads, term.latex()))
        assert repr(2 * term).startswith("2 * ")


def test_a_term_takes_plain_tensors_too():
    features, kept = drawn(5, 3), drawn(2, 3, seed=1)
    term = images.BatchNormStatistics(("middle",))
    assert term([features], [kept]) == batch_norm_statistics([features], [kept])
    assert images.TotalVariation()(drawn(2, 1, 4, 4)) == total_variation(drawn(2, 1, 4, 4))
    assert images.OneHot()(drawn(5, 3)) == one_hot(drawn(5, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: one_hot(torch.zeros(3)), ValueError, "a row for each image"),
        (lambda: one_hot(torch.zeros(3, 4).long()), TypeError, "tensor of fractions"),
        (lambda: activation(torch.zeros(3, 4), "sum"), ValueError, "form must be one of"),
        (lambda: images.Activation("middle", form="sum"), ValueError, "form must be one of"),
        (lambda: total_variation(torch.zeros(3, 4)), ValueError, r"shape \(N, ..., height, width\)"),
        (lambda: adaptive_jensen_shannon(torch.zeros(3, 4), torch.zeros(3, 5)), ValueError, "same classes"),
        (lambda: disagreement(torch.zeros(3, 4), torch.zeros(2, 4)), ValueError, "must be the same"),
        (
            lambda: batch_norm_statistics([torch.zeros(3, 4)], [torch.zeros(2, 5)]),
            ValueError,
            r"shape \(2, 4\).*got \(2, 5\)",
        ),
        (lambda: batch_norm_statistics([torch.zeros(3, 4)], []), ValueError, "1 layers"),
        (lambda: images.BatchNormStatistics("middle"), TypeError, "a tuple of paths"),
        (lambda: images.Disagreement()(torch.zeros(3, 4)), ValueError, "needs what the teacher gave"),
    ],
)
def test_bad_input_is_explained(call, error, message):
    with pytest.raises(error, match=message):
        call()
