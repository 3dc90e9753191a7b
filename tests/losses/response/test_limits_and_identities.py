"""What the papers say of their losses, and what becomes of these at the ends of their settings."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kdviz.losses import response
from kdviz.losses.response import logit_matching, reverse_kl, soft_targets
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value

BETAS = (1e-300, 1e-30, 1e-12, 1e-8, 1e-4, 0.01, 0.3)


def logits(*shape, seed, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def gradient(function, student):
    student = student.detach().clone().requires_grad_()
    (found,) = torch.autograd.grad(function(student), student)
    return found


class TestDecoupled:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)
    labels = torch.arange(8) % 5

    @pytest.mark.parametrize("temperature", [1.0, 4.0])
    def test_soft_targets_are_tckd_and_nckd_by_the_teachers_doubt(self, temperature):
        total = 0.0
        for n in range(8):
            one = self.student[[n]], self.teacher[[n]], self.labels[[n]], temperature
            doubt = 1 - (self.teacher[n] / temperature).softmax(-1)[self.labels[n]]
            total += (response.target_class(*one) + doubt * response.other_classes(*one)) / 8
        torch.testing.assert_close(
            total, soft_targets(self.student, self.teacher, temperature), rtol=1e-12, atol=0
        )

    def test_equal_weights_are_not_soft_targets(self):
        both = response.decoupled(self.student, self.teacher, self.labels, 1.0, 1.0, 4.0)
        assert both > 1.1 * soft_targets(self.student, self.teacher, 4.0)

    def test_of_two_classes_leaves_nothing_to_the_others(self):
        student, teacher = logits(6, 2, seed=0), logits(6, 2, seed=1)
        labels = torch.tensor([0, 1, 1, 0, 1, 0])
        assert response.other_classes(student, teacher, labels) == 0
        # And all of soft targets is the first half.
        torch.testing.assert_close(
            response.target_class(student, teacher, labels), soft_targets(student, teacher)
        )

    def test_the_others_do_not_hear_the_logit_of_the_label(self):
        raised = self.student.clone()
        raised[torch.arange(8), self.labels] += 5
        torch.testing.assert_close(
            response.other_classes(raised, self.teacher, self.labels),
            response.other_classes(self.student, self.teacher, self.labels),
        )

    def test_a_student_that_is_sure_of_a_wrong_class_gets_the_exact_gradient(self):
        # In probabilities p of the label is 0 here, and its logarithm minus infinity.
        student = torch.tensor([[-200.0, 200.0, 0.0]], requires_grad=True)
        loss = response.target_class(student, torch.tensor([[5.0, 0.0, 0.0]]), torch.tensor([0]), 1.0)
        loss.backward()
        q = math.exp(5) / (math.exp(5) + 2)
        entropy = q * math.log(q) + (1 - q) * math.log(1 - q)
        assert loss.item() == pytest.approx(400 * q + entropy, rel=1e-5)
        torch.testing.assert_close(student.grad, torch.tensor([[-q, q, 0.0]]), rtol=1e-5, atol=1e-7)


def normalised(student, teacher, beta=0.5):
    return response.jensen_shannon(student, teacher, beta, form="normalised")


class TestJensenShannon:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    @pytest.mark.parametrize("temperature", [1.0, 4.0])
    def test_ends_are_forward_and_reverse_kl_to_the_last_digits(self, temperature):
        for beta, end in ((0.0, soft_targets), (1.0, reverse_kl)):

            def loss(student, beta=beta):
                return response.jensen_shannon(student, self.teacher, beta, temperature, "normalised")

            def limit(student, end=end):
                return end(student, self.teacher, temperature, form="scaled")

            torch.testing.assert_close(loss(self.student), limit(self.student), rtol=1e-12, atol=1e-14)
            torch.testing.assert_close(
                gradient(loss, self.student), gradient(limit, self.student), rtol=1e-10, atol=1e-13
            )

    def test_comes_to_its_ends_without_a_jump(self):
        # Further than rounding from the end, the distance to it falls with every step towards it.
        for ends in ((0.0, lambda b: b), (1.0, lambda b: 1 - b)):
            end = normalised(self.student, self.teacher, ends[0])
            steps = [1e-14, 1e-10, 1e-6, 1e-4, 1e-2]
            away = [abs(normalised(self.student, self.teacher, ends[1](b)) - end) for b in steps]
            assert away == sorted(away)
            assert away[0] < 1e-9 * end and away[2] < 1e-3 * end

    @pytest.mark.parametrize("beta", BETAS)
    def test_is_exact_at_every_beta(self, beta):
        # t log(t / m) and s log(s / m) in many digits, where plain double precision would cancel.
        with mpmath.workdps(700):
            total = mpmath.mpf(0)
            b = mpmath.mpf(beta)
            for s_row, t_row in zip(self.student.tolist(), self.teacher.tolist(), strict=True):
                s = [mpmath.exp(z) for z in s_row]
                t = [mpmath.exp(z) for z in t_row]
                s, t = [x / sum(s) for x in s], [x / sum(t) for x in t]
                for sc, tc in zip(s, t, strict=True):
                    m = b * tc + (1 - b) * sc
                    total += tc * mpmath.log(tc / m) / (1 - b) + sc * mpmath.log(sc / m) / b
            expected = float(total / len(self.student))
        found = normalised(self.student, self.teacher, beta).item()
        assert found == pytest.approx(expected, rel=1e-12)

    @given(st.floats(0, 1), st.integers(0, 1000))
    def test_is_finite_not_negative_and_of_a_finite_gradient(self, beta, seed):
        student, teacher = logits(4, 3, seed=seed, scale=20.0), logits(4, 3, seed=seed + 1, scale=20.0)
        assert normalised(student, teacher, beta) > -1e-12
        slope = gradient(lambda z: normalised(z, teacher, beta), student)
        assert torch.isfinite(slope).all()

    @given(st.floats(0, 1), st.integers(0, 1000))
    def test_turns_round_with_teacher_and_student(self, beta, seed):
        one, other = logits(4, 3, seed=seed), logits(4, 3, seed=seed + 1)
        torch.testing.assert_close(
            normalised(one, other, beta),
            normalised(other, one, 1 - beta),
            rtol=1e-9,
            atol=1e-12,
        )

    def test_near_the_teacher_all_betas_agree(self):
        near = self.teacher + 1e-4 * self.student
        values = [normalised(near, self.teacher, beta).item() for beta in (0.0, 0.2, 0.5, 1.0)]
        assert values == pytest.approx([values[0]] * 4, rel=1e-3)

    def test_of_the_paper_is_bounded_and_vanishes_at_its_ends(self):
        far = 50 * self.student
        for beta in (0.1, 0.5, 0.7):
            bound = -beta * math.log(beta) - (1 - beta) * math.log(1 - beta)
            assert response.jensen_shannon(far, self.teacher, beta, form="paper") < bound
        for beta in (0.0, 1.0):
            assert response.jensen_shannon(self.student, self.teacher, beta, form="paper") == 0

    def test_half_way_is_the_usual_one_and_four_times_it_where_normalised(self):
        p, q = self.student.softmax(-1), self.teacher.softmax(-1)
        m = (p + q) / 2
        usual = ((p * (p / m).log() + q * (q / m).log()) / 2).sum(-1).mean()
        torch.testing.assert_close(response.jensen_shannon(self.student, self.teacher), usual)
        torch.testing.assert_close(normalised(self.student, self.teacher), 4 * usual)

    def test_by_default_it_is_never_above_log_2(self):
        far = torch.tensor([[90.0, -90.0]], dtype=torch.float64)
        assert response.JensenShannon()(far, -far).item() == pytest.approx(math.log(2), rel=1e-12)
        assert response.JensenShannon(temperature=4.0)(far, -far) <= math.log(2)


@pytest.mark.parametrize(
    "loss",
    [
        lambda s, t, temperature: reverse_kl(s, t, temperature, "scaled"),
        lambda s, t, temperature: response.jensen_shannon(s, t, 0.3, temperature, "normalised"),
    ],
    ids=["reverse KL", "Jensen-Shannon"],
)
def test_hot_divergences_tend_to_logit_matching(loss):
    student, teacher = logits(8, 10, seed=5), logits(8, 10, seed=6)
    limit = logit_matching(student, teacher, form="limit").item()
    distances = [abs(loss(student, teacher, temperature=t).item() - limit) for t in (10, 100, 1000)]
    assert distances[0] > distances[1] > distances[2]
    assert distances[2] < 0.01 * limit


def test_the_two_directions_of_kl_blame_different_students():
    teacher = torch.tensor([[5.0, 5.0, 0.0]])
    one_of_two, all_three = torch.tensor([[9.0, 0.0, 0.0]]), torch.zeros(1, 3)
    assert soft_targets(one_of_two, teacher, 1.0) > soft_targets(all_three, teacher, 1.0)
    assert reverse_kl(one_of_two, teacher, 1.0) < reverse_kl(all_three, teacher, 1.0)


class TestVirtualTeacher:
    student, labels = logits(8, 5, seed=0), torch.arange(8) % 5

    def test_at_temperature_1_pulls_as_label_smoothing_does(self):
        def virtual(z):
            return response.virtual_teacher(z, self.labels, 1 - 0.1 + 0.1 / 5, 1.0, form="paper")

        def smooth(z):
            return response.label_smoothing(z, self.labels, 0.1)

        torch.testing.assert_close(gradient(virtual, self.student), gradient(smooth, self.student))

    def test_without_doubt_is_cross_entropy(self):
        found = response.virtual_teacher(self.student, self.labels, 1.0, 1.0)
        torch.testing.assert_close(found, response.cross_entropy(self.student, self.labels))

    def test_may_be_sure_that_it_is_not_the_label(self):
        assert torch.isfinite(response.virtual_teacher(self.student, self.labels, 0.0, 1.0))

    def test_is_zero_for_its_own_logits(self):
        u = torch.full((8, 5), 0.02 / 4, dtype=torch.float64)
        u[torch.arange(8), self.labels] = 0.98
        assert response.virtual_teacher(u.log(), self.labels, 0.98, 7.0).item() == pytest.approx(0, abs=1e-12)

    def test_of_the_authors_code_asks_for_almost_even_answers(self):
        # Its minimum at T = 20 and ten classes: 0.105 for the label against 0.099 for the others.
        u = torch.full((1, 10), 0.01 / 9, dtype=torch.float64)
        u[0, 3] = 0.99
        target, label = (u / 20).softmax(-1), torch.tensor([3])
        assert target[0, 3] < 0.106
        at_target = response.virtual_teacher(target.log(), label, 0.99, 20.0, "authors")
        assert at_target.item() == pytest.approx(0, abs=1e-12)


class TestPredictionCorrelation:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    def test_lies_from_0_to_2_for_each_part(self):
        # Two classes are (p, 1 - p), so that turning the logits round turns the correlations round.
        z = logits(8, 2, seed=3)
        inter = response.prediction_correlation(z, -z, inter_weight=1.0, intra_weight=0.0)
        intra = response.prediction_correlation(z, -z, inter_weight=0.0, intra_weight=1.0)
        assert inter.item() == pytest.approx(2) and intra.item() == pytest.approx(2)

    def test_hot_rows_tend_to_the_correlation_of_the_logits(self):
        limit = (
            1
            - torch.stack(
                [
                    torch.corrcoef(torch.stack(rows))[0, 1]
                    for rows in zip(self.student, self.teacher, strict=True)
                ]
            ).mean()
        )
        hot = response.prediction_correlation(self.student, self.teacher, 1e5, 1.0, 0.0)
        torch.testing.assert_close(hot, limit, rtol=1e-4, atol=0)

    def test_has_no_scale_so_that_t_squared_inflates_it(self):
        def size(temperature, form):
            def loss(z):
                return response.prediction_correlation(z, self.teacher, temperature, form=form)

            return gradient(loss, self.student).norm()

        assert 1 / 5 < size(16.0, "paper") / size(1.0, "paper") < 5
        assert size(16.0, "authors") > 40 * size(1.0, "authors")

    def test_a_side_that_does_not_vary_counts_as_no_correlation(self):
        even = torch.zeros(8, 5, dtype=torch.float64)
        assert response.prediction_correlation(even, self.teacher).item() == pytest.approx(2)
        alike = self.student[:1].expand(8, 5)
        intra = response.prediction_correlation(alike, self.teacher, 1.0, 0.0, 1.0)
        assert intra.item() == pytest.approx(1)
        slope = gradient(lambda z: response.prediction_correlation(z, self.teacher, 1.0, 0.0, 1.0), alike)
        assert not slope.any()

    def test_hears_classes_that_are_almost_never_predicted(self):
        # Probabilities near 1e-11 vary as much, relative to their own size, as any others.
        rare = torch.tensor([0.0, 0.0, 0.0, 0.0, -25.0], dtype=torch.float64)
        found = response.prediction_correlation(self.student + rare, self.teacher + rare, 1.0, 0.0, 1.0)
        p, q = (self.student + rare).softmax(-1), (self.teacher + rare).softmax(-1)
        pairs = [torch.corrcoef(torch.stack([p[:, c], q[:, c]]))[0, 1] for c in range(5)]
        torch.testing.assert_close(found, 1 - torch.stack(pairs).mean(), rtol=1e-9, atol=0)


class TestStandardised:
    def test_has_mean_0_and_deviation_1(self):
        z = logits(8, 5, seed=0)
        for form, ddof in (("paper", 0), ("sample", 1)):
            standard = response.standardise(z, form)
            torch.testing.assert_close(standard.mean(-1), torch.zeros(8, dtype=torch.float64))
            torch.testing.assert_close(standard.std(-1, correction=ddof), torch.ones(8, dtype=torch.float64))
        authors = (z - z.mean(-1, keepdim=True)) / (1e-7 + z.std(-1, keepdim=True))
        torch.testing.assert_close(response.standardise(z, "authors"), authors, rtol=1e-13, atol=0)

    @given(st.integers(2, 20), st.integers(0, 1000), st.floats(0.01, 1e4), st.floats(-1e4, 1e4))
    def test_is_bounded_and_blind_to_scale_and_shift(self, classes, seed, scale, shift):
        z = logits(4, classes, seed=seed)
        for form, bound in (
            ("paper", math.sqrt(classes - 1)),
            ("sample", (classes - 1) / math.sqrt(classes)),
        ):
            standard = response.standardise(z, form)
            assert standard.abs().max() <= bound * (1 + 1e-12)
            moved = response.standardise(scale * z + shift, form)
            torch.testing.assert_close(moved, standard, rtol=1e-6, atol=1e-6)

    def test_of_two_classes_keeps_the_order_only(self):
        z = torch.tensor([[0.1, 0.0], [-3.0, 7.0]], dtype=torch.float64)
        expected = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
        torch.testing.assert_close(response.standardise(z), expected)
        torch.testing.assert_close(response.standardise(z, "sample"), expected / math.sqrt(2))
        teacher = -z
        slope = gradient(lambda s: response.standardised_soft_targets(s, teacher), z)
        torch.testing.assert_close(slope, torch.zeros_like(z), rtol=0, atol=1e-12)

    def test_logits_that_are_all_the_same_become_0(self):
        z = torch.full((2, 3), 0.1, requires_grad=True)
        for form in ("paper", "sample", "authors"):
            standard = response.standardise(z, form)
            assert not standard.any()
            assert not torch.autograd.grad(standard.sum(), z)[0].any()

    def test_the_forms_differ_by_a_temperature(self):
        student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)
        ratio = math.sqrt(5 / 4)
        sample = response.standardised_soft_targets(student, teacher, 2.0, "sample")
        population = response.standardised_soft_targets(student, teacher, 2.0 * ratio, "paper")
        torch.testing.assert_close(sample * ratio**2, population)


class TestSampleTemperatures:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    def test_average_to_the_temperature_and_are_colder_where_it_is_hard(self):
        found = response.sample_temperature(self.student, self.teacher, 6.0, 1.0)
        assert found.mean().item() == pytest.approx(6)
        cosines = torch.cosine_similarity(self.student, self.teacher, dim=-1)
        assert torch.equal(found.argsort(), cosines.argsort())

    def test_without_strength_are_all_the_same(self):
        found = response.sample_temperature(self.student, self.teacher, 3.0, 0.0)
        assert torch.equal(found, torch.full((8,), 3.0, dtype=torch.float64))
        torch.testing.assert_close(
            response.soft_targets_by_sample(self.student, self.teacher, found),
            soft_targets(self.student, self.teacher, 3.0),
        )

    def test_do_not_fall_below_the_lowest(self):
        found = response.sample_temperature(self.student, self.teacher, 1.5, 50.0, lowest=0.7)
        assert found.min() == pytest.approx(0.7) and found.max() > 2

    def test_must_be_one_a_sample(self):
        with pytest.raises(ValueError, match="7 temperatures for 8 samples"):
            response.soft_targets_by_sample(self.student, self.teacher, torch.ones(7))


class TestLearnedTemperature:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    def traces(self):
        return Trace(self.student), Trace(self.teacher)

    def test_begins_where_the_authors_begin(self):
        loss = response.CurriculumTemperature()
        learned = loss.initial(*self.traces())
        assert set(learned) == {"theta"} and learned["theta"].dtype == torch.float64
        temperature = response.learned_temperature(learned["theta"])
        assert temperature.item() == pytest.approx(1 + 20 / (1 + math.exp(-1)))
        found = loss(*self.traces(), None, learned)
        torch.testing.assert_close(found, soft_targets(self.student, self.teacher, temperature.item()))

    @pytest.mark.parametrize("reversal", [0.0, 0.3, 1.0])
    def test_theta_climbs_the_loss_that_the_student_descends(self, reversal):
        loss = response.CurriculumTemperature(reversal=reversal)

        def at(theta):
            return loss(*self.traces(), None, {"theta": torch.tensor(theta, dtype=torch.float64)}).item()

        theta = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
        loss(*self.traces(), None, {"theta": theta}).backward()
        slope = (at(0.5 + 1e-5) - at(0.5 - 1e-5)) / 2e-5
        assert abs(slope) > 1e-3
        assert theta.grad.item() == pytest.approx(-reversal * slope, rel=1e-6)

    def test_students_of_a_stack_have_their_own(self):
        thetas = torch.tensor([0.0, 1.0, -2.0], dtype=torch.float64, requires_grad=True)
        students = logits(3, 8, 5, seed=3)
        loss = response.CurriculumTemperature(reversal=torch.tensor([1.0, 0.5, 0.2]))
        found = each_value(loss, Trace(students), Trace(self.teacher), None, {"theta": thetas})
        (slopes,) = torch.autograd.grad(found.sum(), thetas)
        for n, reversal in enumerate((1.0, 0.5, 0.2)):
            theta = thetas[n].detach().clone().requires_grad_()
            alone = response.CurriculumTemperature(reversal=reversal)
            one = alone(Trace(students[n]), Trace(self.teacher), None, {"theta": theta})
            torch.testing.assert_close(found[n], one, rtol=1e-10, atol=0)
            one.backward()
            torch.testing.assert_close(slopes[n], theta.grad, rtol=1e-6, atol=0)

    def test_the_curriculum_rises_along_half_a_cosine(self):
        assert [response.curriculum(share) for share in (-1, 0, 0.5, 1, 2)] == pytest.approx(
            [0, 0, 0.5, 1, 1]
        )
        # The authors count epochs n of 10 and use -(1 + cos((1 + n / 10) pi)) / 2, whose sign is in theirs.
        for n in range(11):
            assert response.curriculum(n / 10) == pytest.approx((1 + math.cos((1 + n / 10) * math.pi)) / 2)

    def test_a_reversed_gradient_leaves_the_value(self):
        x = torch.tensor([0.1, -7.3], dtype=torch.float64, requires_grad=True)
        turned = response.reverse_gradient(x, 0.25)
        torch.testing.assert_close(turned, x)
        (slope,) = torch.autograd.grad((turned**2).sum(), x)
        torch.testing.assert_close(slope, -0.25 * 2 * x.detach())


class TestConditionalTargets:
    def test_are_soft_targets_of_a_teacher_that_is_always_right(self):
        student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)
        for form in ("scaled", "paper"):
            found = response.conditional_targets(student, teacher, teacher.argmax(-1), 3.0, form)
            torch.testing.assert_close(found, soft_targets(student, teacher, 3.0, form))

    def test_are_the_labels_of_a_teacher_that_is_always_wrong(self):
        student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)
        labels = teacher.argmin(-1)
        found = response.conditional_targets(student, teacher, labels, 3.0)
        torch.testing.assert_close(found, response.cross_entropy(student, labels))

    def test_a_tie_counts_as_right(self):
        student, teacher = logits(1, 3, seed=0), torch.tensor([[2.0, 2.0, 0.0]], dtype=torch.float64)
        for label in (0, 1):
            found = response.conditional_targets(student, teacher, torch.tensor([label]), form="scaled")
            torch.testing.assert_close(found, soft_targets(student, teacher, 1.0))

    def test_forms_have_the_same_gradient_and_differ_by_the_teachers_entropy(self):
        student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)
        labels = teacher.argmax(-1)
        values = [
            response.conditional_targets(student, teacher, labels, form=form) for form in ("paper", "scaled")
        ]
        q = teacher.softmax(-1)
        torch.testing.assert_close(values[0] - values[1], -(q * q.log()).sum(-1).mean())


class TestMultiLevel:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    def test_grows_with_the_batch_as_stated(self):
        twice = self.student.repeat(2, 1), self.teacher.repeat(2, 1)
        once = self.student, self.teacher
        torch.testing.assert_close(response.batch_level(*twice), 2 * response.batch_level(*once))
        torch.testing.assert_close(response.class_level(*twice), 4 * response.class_level(*once))

    def test_is_the_sum_over_temperatures(self):
        found = response.multi_level(self.student, self.teacher, (2.0, 5.0), 1.0, 2.0, 3.0)
        expected = sum(
            soft_targets(self.student, self.teacher, t)
            + 2 * response.batch_level(self.student, self.teacher, t)
            + 3 * response.class_level(self.student, self.teacher, t)
            for t in (2.0, 5.0)
        )
        torch.testing.assert_close(found, expected)

    def test_pairs_are_within_their_bounds(self):
        one, other = torch.zeros(6, 3), torch.zeros(6, 3)
        one[:, 0], other[torch.arange(6), torch.arange(6) % 3] = 100.0, 100.0
        assert response.batch_level(one, other, 1.0) <= 2 * 6
        assert response.class_level(one, other, 1.0) <= 2 * 36 / 3


class TestDeiT:
    student, teacher = logits(8, 5, seed=0), logits(8, 5, seed=1)

    def test_soft_is_soft_targets_or_a_share_of_them(self):
        expected = soft_targets(self.student, self.teacher, 3.0)
        torch.testing.assert_close(response.deit_soft(self.student, self.teacher), expected)
        authors = response.deit_soft(self.student, self.teacher, form="authors")
        torch.testing.assert_close(authors, expected / 5)

    def test_hard_is_cross_entropy_with_the_teachers_answers(self):
        expected = response.cross_entropy(self.student, self.teacher.argmax(-1))
        torch.testing.assert_close(response.deit_hard(self.student, self.teacher), expected)

    def test_cold_soft_targets_pull_towards_the_hard_answer(self):
        cold = gradient(lambda z: response.deit_soft(z, 1e3 * self.teacher, 1.0), self.student)
        hard = gradient(lambda z: response.deit_hard(z, self.teacher), self.student)
        torch.testing.assert_close(cold, hard)


class TestWeightedSoftLabels:
    labels = torch.tensor([0])

    def weight(self, student, teacher):
        student, teacher = torch.tensor([student]).double(), torch.tensor([teacher]).double()
        weighted = response.weighted_soft_labels(student, teacher, self.labels, 2.0, "divergence")
        return (weighted / soft_targets(student, teacher, 2.0)).item()

    def test_weighs_from_0_to_1_by_how_much_better_the_teacher_is(self):
        better = self.weight([3.0, 0.0, 0.0], [-3.0, 0.0, 1.0])
        as_good = self.weight([1.0, 0.0, 2.0], [1.0, 2.0, 0.0])
        worse = self.weight([-3.0, 0.0, 1.0], [3.0, 0.0, 0.0])
        assert 0 < better < 0.03 and worse > 0.97 and worse <= 1
        assert as_good == pytest.approx(1 - 1 / math.e, rel=1e-5)

    def test_a_teacher_without_doubt_divides_nothing_by_0(self):
        assert self.weight([1.0, 0.0, 0.0], [1e4, 0.0, 0.0]) == pytest.approx(1)
