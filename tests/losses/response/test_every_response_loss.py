"""What every response loss must do, whatever it computes."""

from dataclasses import fields, replace

import pytest
import torch

from kdviz.losses import response
from kdviz.losses.objective import Loss, as_objective
from kdviz.tracing import Trace
from kdviz.training.mapped import each_gradient, each_value, stacked_objective

# Every class and form, with other numbers for the other students of a stack.
LOSSES = [
    *[response.JensenShannon(0.3, form=form) for form in ("normalised", "scaled", "paper")],
    *[response.VirtualTeacher(form=form) for form in ("scaled", "paper", "authors")],
    *[response.PredictionCorrelation(2.0, form=form) for form in ("paper", "authors")],
    *[response.StandardisedSoftTargets(form=form) for form in ("paper", "sample", "authors")],
    *[response.SampleTemperature(form=form) for form in ("difference", "confidence")],
    *[response.ConditionalTargets(form=form) for form in ("paper", "scaled")],
    *[response.WeightedSoftLabels(form=form) for form in ("divergence", "authors")],
    *[response.DeiTSoft(form=form) for form in ("paper", "authors")],
    response.CurriculumTemperature(),
    response.Decoupled(),
    response.DeiTHard(),
    response.MultiLevel(),
    *[response.TopTargets(2, form=form) for form in ("renormalised", "tail")],
    *[response.ReverseKL(form=form) for form in ("paper", "scaled")],
]
OTHER_NUMBERS = [
    {},
    {
        "temperature": 1.5,
        "beta": 0.9,
        "confidence": 0.8,
        "strength": 0.5,
        "inter_weight": 0.5,
        "other_weight": 2.0,
        "batch_weight": 3.0,
        "span": 5.0,
    },
    {
        "temperature": 7.0,
        "beta": 0.0,
        "confidence": 1.0,
        "strength": 0.0,
        "intra_weight": 3.0,
        "target_weight": 0.0,
        "class_weight": 0.1,
        "lowest": 2.0,
        "reversal": 0.4,
    },
]
HEARS_LABELS = (
    response.ConditionalTargets,
    response.Decoupled,
    response.VirtualTeacher,
    response.WeightedSoftLabels,
)
ZERO_AT_EQUALITY = [
    loss
    for loss in LOSSES
    if not isinstance(loss, (response.DeiTHard, response.VirtualTeacher))
    and getattr(loss, "form", "") not in ("authors", "renormalised")
    and loss != response.ConditionalTargets(form="paper")
] + [
    response.StandardisedSoftTargets(form="authors"),
    response.DeiTSoft(form="authors"),
]
LABELS = torch.tensor([1, 0, 3, 4, 2, 0])


def logits(*shape, seed):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def value(loss, student, teacher, labels=LABELS):
    """The loss of each student, with what it learns at its start, one copy for each."""
    alone = Trace(student.reshape(-1, *student.shape[-2:])[0].detach()), Trace(teacher)
    learned = {
        name: part.expand((*student.shape[:-2], *part.shape)) for name, part in loss.initial(*alone).items()
    }
    return each_value(loss, Trace(student), Trace(teacher), labels, learned)


def with_gradient(loss, student, teacher, labels=LABELS):
    student = student.detach().clone().requires_grad_()
    found = value(loss, student, teacher, labels)
    (gradient,) = torch.autograd.grad(found.sum(), student)
    return found.detach(), gradient


def variants(loss):
    known = {field.name for field in fields(loss)}
    return [
        replace(loss, **{name: number for name, number in numbers.items() if name in known})
        for numbers in OTHER_NUMBERS
    ]


def stacked(losses):
    return stacked_objective([as_objective(loss) for loss in losses]).parts[0].loss


def test_every_new_class_is_here():
    classes = {type(loss) for loss in LOSSES}
    older = {response.CrossEntropy, response.LabelSmoothing, response.LogitMatching, response.SoftTargets}
    offered = {
        thing for thing in vars(response).values() if isinstance(thing, type) and issubclass(thing, Loss)
    }
    assert offered == classes | older


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestAStack:
    def test_is_each_student_alone(self, loss):
        students, teacher = logits(3, 6, 5, seed=0), logits(6, 5, seed=1)
        found, gradients = with_gradient(stacked(variants(loss)), students, teacher)
        for one, student, result, gradient in zip(variants(loss), students, found, gradients, strict=True):
            expected, expected_gradient = with_gradient(one, student, teacher)
            torch.testing.assert_close(result, expected, rtol=1e-10, atol=1e-14)
            torch.testing.assert_close(gradient, expected_gradient, rtol=1e-10, atol=1e-14)

    def test_of_seeds_and_settings_in_either_memory_order(self, loss):
        students, teacher = logits(2, 3, 6, 5, seed=0), logits(2, 1, 6, 5, seed=1)
        labels = torch.stack([LABELS, LABELS.flip(0)])[:, None]
        stack = stacked(variants(loss))
        found, gradient = with_gradient(stack, students, teacher, labels)
        assert found.shape == (2, 3)
        turned = [z.mT.contiguous().mT for z in (students, teacher)]
        other, other_gradient = with_gradient(stack, *turned, labels)
        torch.testing.assert_close(found, other, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(gradient, other_gradient, rtol=1e-10, atol=1e-14)
        alone, _ = with_gradient(variants(loss)[2], students[1, 2], teacher[1, 0], labels[1, 0])
        torch.testing.assert_close(found[1, 2], alone, rtol=1e-10, atol=1e-14)

    def test_reads_no_value_back(self, loss):
        # Tensors on the device "meta" have a shape and no values, so that any look at one fails. On a GPU
        # it would not fail but wait.
        students = torch.empty(2, 3, 6, 5, device="meta", requires_grad=True)
        teacher, labels = torch.empty(2, 1, 6, 5, device="meta"), torch.empty(2, 1, 6, device="meta").long()
        stack = stacked(variants(loss))
        stack = replace(
            stack,
            **{
                field.name: getattr(stack, field.name).to("meta")
                for field in fields(stack)
                if isinstance(getattr(stack, field.name), torch.Tensor)
            },
        )
        found = value(stack, students, teacher, labels)
        assert found.shape == (2, 3)
        (gradient,) = torch.autograd.grad(found.sum(), students)
        assert gradient.shape == students.shape
        if type(loss).logit_gradient is not Loss.logit_gradient:
            pull = each_gradient(as_objective(stack), Trace(students.detach()), Trace(teacher), labels)
            assert pull.shape == students.shape


WRITTEN_OUT = [loss for loss in LOSSES if type(loss).logit_gradient is not Loss.logit_gradient]


@pytest.mark.parametrize("loss", WRITTEN_OUT, ids=repr)
class TestGradientsThatAreWrittenOut:
    def test_are_those_of_the_stack(self, loss):
        students, teacher = logits(2, 3, 6, 5, seed=0), logits(2, 1, 6, 5, seed=1)
        labels = torch.tensor([[[0, 1, 4, -1, 2, 0]], [[3, -1, -1, 2, 1, 0]]])
        stack = stacked(variants(loss))
        _, expected = with_gradient(stack, students, teacher, labels)
        found = each_gradient(as_objective(stack), Trace(students), Trace(teacher), labels)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-13)

    @pytest.mark.parametrize("size", [0.0, 1e4])
    def test_are_finite_for_extreme_logits(self, loss, size):
        signs = torch.tensor([[1, -1, 0], [-1, 1, 0], [-1, -1, -1]], dtype=torch.float64)
        student, teacher, labels = size * signs, size * signs.flip(0), torch.tensor([0, 1, 2])
        found = each_gradient(as_objective(loss), Trace(student), Trace(teacher), labels)
        _, expected = with_gradient(loss, student, teacher, labels)
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
        assert torch.isfinite(found).all()

    def test_show_what_is_not_a_number(self, loss):
        broken = logits(6, 5, seed=0)
        broken[2, 1] = float("nan")
        pairs = [(broken, logits(6, 5, seed=1))]
        pairs += [(logits(6, 5, seed=1), broken)] if loss.needs_teacher else []
        for student, teacher in pairs:
            found = each_gradient(as_objective(loss), Trace(student), Trace(teacher), LABELS)
            assert found[2].isnan().any()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryLoss:
    def test_moves_the_student_and_never_the_teacher(self, loss):
        student, teacher = logits(6, 5, seed=0).requires_grad_(), logits(6, 5, seed=1).requires_grad_()
        value(loss, student, teacher).backward()
        assert student.grad.abs().sum() > 1e-4
        assert teacher.grad is None

    def test_in_single_precision_is_close_to_double(self, loss):
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        found, gradient = with_gradient(loss, student.float(), teacher.float())
        expected, expected_gradient = with_gradient(loss, student, teacher)
        assert found.dtype == gradient.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(gradient.double(), expected_gradient, rtol=1e-3, atol=1e-6)

    def test_of_a_batch_twice_over_is_the_same(self, loss):
        if isinstance(loss, response.MultiLevel):
            loss = replace(loss, batch_weight=0.0, class_weight=0.0)
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        twice = value(loss, student.repeat(2, 1), teacher.repeat(2, 1), LABELS.repeat(2))
        # The authors' 1e-8 in the correlation along the batch is less of a larger batch.
        constant = loss == response.PredictionCorrelation(2.0, form="authors")
        rtol = 1e-7 if constant else 1e-10
        torch.testing.assert_close(twice, value(loss, student, teacher), rtol=rtol, atol=1e-14)

    def test_does_not_care_for_the_order_of_samples_and_classes(self, loss):
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        rows, columns = torch.tensor([3, 1, 5, 0, 4, 2]), torch.tensor([2, 0, 4, 1, 3])
        moved = value(
            loss, student[rows][:, columns], teacher[rows][:, columns], columns.argsort()[LABELS[rows]]
        )
        torch.testing.assert_close(moved, value(loss, student, teacher), rtol=1e-10, atol=1e-14)

    @pytest.mark.parametrize("change", ["shift", "scale"])
    def test_sees_what_its_card_says(self, loss, change):
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        by_sample = torch.linspace(0.5, 1.5, 6, dtype=torch.float64)[:, None]
        changed = student + by_sample if change == "shift" else student * by_sample
        before, after = value(loss, student, teacher), value(loss, changed, teacher)
        if change in loss.invariant_to:
            torch.testing.assert_close(before, after, rtol=1e-6, atol=1e-12)
        elif loss != response.SampleTemperature(form="confidence"):
            assert abs(before - after) > 1e-4 * before

    @pytest.mark.parametrize("size", [0.0, 1e-12, 1e4])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_logits_give_finite_losses_and_gradients(self, loss, size, dtype):
        signs = torch.tensor([[1, -1, 0], [-1, 1, 0], [-1, -1, -1], [1, 1, -1]], dtype=dtype)
        student, teacher = size * signs, size * signs.flip(0)
        for one, other in ((student, teacher), (student, student), (logits(4, 3, seed=0).to(dtype), teacher)):
            found, gradient = with_gradient(loss, one, other, torch.tensor([0, 1, 2, 1]))
            assert torch.isfinite(found) and torch.isfinite(gradient).all()

    def test_what_is_not_a_number_shows(self, loss):
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        broken = student.clone()
        broken[2, 1] = float("nan")
        assert value(loss, broken, teacher).isnan()
        if loss.needs_teacher:
            assert value(loss, student, broken).isnan()

    def test_of_one_sample_is_finite_or_refused(self, loss):
        student, teacher = logits(1, 5, seed=0), logits(1, 5, seed=1)
        if isinstance(loss, response.PredictionCorrelation):
            with pytest.raises(ValueError, match="at least two samples"):
                value(loss, student, teacher, LABELS[:1])
        else:
            found, gradient = with_gradient(loss, student, teacher, LABELS[:1])
            assert torch.isfinite(found) and torch.isfinite(gradient).all()

    def test_of_one_class_is_zero_or_refused(self, loss):
        student, teacher, labels = logits(6, 1, seed=0), logits(6, 1, seed=1), torch.zeros(6, dtype=int)
        compares = (response.PredictionCorrelation, response.StandardisedSoftTargets)
        if isinstance(loss, (*compares, response.Decoupled, response.VirtualTeacher)):
            with pytest.raises(ValueError, match="at least two classes"):
                value(loss, student, teacher, labels)
        else:
            found, gradient = with_gradient(loss, student, teacher, labels)
            assert found == 0 and not gradient.any()

    def test_names_both_shapes_where_they_differ(self, loss):
        if loss.needs_teacher:
            with pytest.raises(ValueError, match=r"\(6, 5\).*\(6, 4\)"):
                value(loss, logits(6, 5, seed=0), logits(6, 4, seed=1))
        else:
            with pytest.raises(ValueError, match="6 labels for 5 samples"):
                value(loss, logits(5, 5, seed=0), logits(5, 5, seed=1))

    def test_can_be_read_as_a_formula(self, loss):
        text = as_objective(loss).latex()
        assert text.count("{") == text.count("}") and len(text) > 25


@pytest.mark.parametrize("loss", ZERO_AT_EQUALITY, ids=repr)
def test_is_zero_for_a_student_that_equals_a_teacher_that_is_right(loss):
    same = logits(6, 5, seed=0)
    right = same.argmax(-1)
    assert value(loss, same, same, right).item() == pytest.approx(0, abs=1e-12)
    assert value(loss, logits(6, 5, seed=2), same, right).item() > 1e-3


def test_the_authors_correlation_with_itself_falls_short_of_1_by_their_constant():
    same, loss = logits(6, 5, seed=0), response.PredictionCorrelation(form="authors")
    assert 1e-9 < value(loss, same, same).item() < 1e-4
    # A student without any difference has a finite gradient, the teacher's direction times 1e8 at most.
    even, gradient = with_gradient(loss, torch.zeros_like(same), same)
    assert even.item() == pytest.approx(2) and torch.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [one for one in LOSSES if isinstance(one, HEARS_LABELS)], ids=repr)
class TestLossesWithLabels:
    def test_leave_the_unlabelled_out(self, loss):
        student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
        some = torch.where(torch.tensor([1, 0, 1, 1, 0, 1]).bool(), LABELS, -1)
        found, gradient = with_gradient(loss, student, teacher, some)
        known = some >= 0
        expected, expected_gradient = with_gradient(loss, student[known], teacher[known], LABELS[known])
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(gradient[known], expected_gradient)
        assert not gradient[~known].any()

    def test_are_zero_without_any_label(self, loss):
        found, gradient = with_gradient(
            loss, logits(6, 5, seed=0), logits(6, 5, seed=1), torch.full((6,), -1)
        )
        assert found == 0 and not gradient.any()

    def test_refuse_labels_that_are_no_classes(self, loss):
        with pytest.raises(ValueError, match="from 0 to 4, or -1"):
            value(loss, logits(6, 5, seed=0), logits(6, 5, seed=1), LABELS + 3)


@pytest.mark.parametrize("loss", [one for one in LOSSES if not isinstance(one, HEARS_LABELS)], ids=repr)
def test_the_others_do_not_look_at_labels(loss):
    student, teacher = logits(6, 5, seed=0), logits(6, 5, seed=1)
    torch.testing.assert_close(
        value(loss, student, teacher), value(loss, student, teacher, torch.full((6,), -1)), rtol=0, atol=0
    )


@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda: response.ReverseKL(0.0), "temperature"),
        (lambda: response.JensenShannon(beta=1.1), "beta must be a number from 0 to 1"),
        (lambda: response.JensenShannon(form="trl"), "'paper', 'scaled', 'normalised'"),
        (lambda: response.Decoupled(other_weight=-1.0), "a weight"),
        (lambda: response.VirtualTeacher(confidence=1.5), "confidence must be a number from 0 to 1"),
        (lambda: response.VirtualTeacher(form="mean"), "'paper', 'scaled', 'authors'"),
        (lambda: response.PredictionCorrelation(temperature=-1.0), "temperature"),
        (lambda: response.PredictionCorrelation(form="plus"), "'paper', 'authors'"),
        (lambda: response.StandardisedSoftTargets(form="population"), "'paper', 'sample', 'authors'"),
        (lambda: response.SampleTemperature(form="entropy"), "'difference', 'confidence'"),
        (lambda: response.SampleTemperature(lowest=0.0), "temperature"),
        (lambda: response.CurriculumTemperature(reversal=-1.0), "reversal must be a number from 0 to 1"),
        (lambda: response.CurriculumTemperature(lowest=0.0), "temperature"),
        (lambda: response.ConditionalTargets(form="soft"), "'paper', 'scaled'"),
        (lambda: response.WeightedSoftLabels(form="paper"), "'authors', 'divergence'"),
        (lambda: response.MultiLevel(temperatures=()), "a few numbers"),
        (lambda: response.MultiLevel(temperatures=(2.0, 0.0)), "temperature"),
        (lambda: response.DeiTSoft(form="numel"), "'paper', 'authors'"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
