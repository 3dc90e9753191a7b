"""Losses on texts: the mask, the mean over what is learned, and teachers that show little."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import kdviz as kd
from kdviz.losses import response
from kdviz.losses.response import soft_targets, top_targets
from kdviz.losses.tokens import over_tokens
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value, structure

EACH = [
    response.CrossEntropy(),
    response.LabelSmoothing(0.2),
    response.SoftTargets(2.0),
    response.ReverseKL(),
    response.JensenShannon(0.3),
    response.JensenShannon(0.0, form="normalised"),
    response.TopTargets(2),
    response.TopTargets(2, form="tail"),
]
LABELS = torch.tensor([-1, 3, 0, -1, 2, 1, -1])
LEARNED = LABELS >= 0


def logits(*shape, seed):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def term(loss):
    return over_tokens(loss).parts[0].loss


@pytest.mark.parametrize("loss", EACH, ids=repr)
class TestOverTokens:
    def test_is_the_loss_of_the_tokens_that_are_learned(self, loss):
        student, teacher = logits(7, 5, seed=0).requires_grad_(), logits(7, 5, seed=1).requires_grad_()
        found = term(loss)(student, teacher, LABELS)
        expected = loss(student[LEARNED], teacher[LEARNED], LABELS[LEARNED])
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
        found.backward()
        assert not student.grad[~LEARNED].any() and student.grad[LEARNED].any(-1).all()
        assert teacher.grad is None

    def test_what_is_said_elsewhere_does_not_matter(self, loss):
        student, teacher = logits(7, 5, seed=0), logits(7, 5, seed=1)
        before = term(loss)(student, teacher, LABELS)
        student[~LEARNED], teacher[~LEARNED] = 1e6, torch.tensor([0.0, 9, 9, 0, -1e6], dtype=torch.float64)
        assert term(loss)(student, teacher, LABELS) == before

    def test_a_stack_is_each_student_alone_though_they_learn_unequally_many(self, loss):
        student, teacher = logits(3, 1, 7, 5, seed=0), logits(3, 1, 7, 5, seed=1)
        labels = torch.stack([LABELS, LABELS.roll(1), LABELS.clamp(min=0)])[:, None]
        found = each_value(term(loss), Trace(student), Trace(teacher), labels)
        alone = [term(loss)(student[n, 0], teacher[n, 0], labels[n, 0]) for n in range(3)]
        torch.testing.assert_close(found[:, 0], torch.stack(alone), rtol=1e-12, atol=0)

    def test_keeps_its_name_settings_and_formula(self, loss):
        one, same = over_tokens(0.3 * loss), over_tokens(over_tokens(0.3 * loss))
        assert repr(one) == repr(0.3 * loss) and one.latex() == (0.3 * loss).latex()
        assert structure(one) == structure(same)
        address = next(iter(one.settings()))
        assert one.replace({address: 2.0}).parts[0].weight == 2.0


def test_two_texts_worked_by_hand():
    # "a b ." and "b ." of three words: the mean is over the five tokens, not over the two texts.
    student = torch.tensor([[0.0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 3], [1, 1, 0], [7, 7, 7]])
    labels = torch.tensor([0, 1, 2, 1, 2, -1])
    mpmath.mp.dps = 30
    total = mpmath.mpf(0)
    for row, label in zip(student[:5].tolist(), labels.tolist(), strict=False):
        total += mpmath.log(sum(mpmath.exp(z) for z in row)) - row[label]
    found = over_tokens(kd.CrossEntropy())(student.double(), labels=labels)[0]
    assert float(found) == pytest.approx(float(total / 5), rel=1e-12)


@pytest.mark.parametrize("loss", [response.MultiLevel(), response.PredictionCorrelation()], ids=repr)
def test_losses_that_compare_samples_are_refused(loss):
    with pytest.raises(TypeError, match="compares the samples of a batch with each other"):
        over_tokens(loss)
    with pytest.raises(TypeError, match="Hint reads layers; a text is learned by losses on logits"):
        over_tokens(kd.CrossEntropy() + kd.Hint("norm"))


# --- a teacher that shows its likeliest words


def by_mpmath(student, teacher, k, tail):
    """The loss of one token with fifty digits."""
    mpmath.mp.dps = 50
    p, q = ([mpmath.exp(mpmath.mpf(z)) for z in row] for row in (student, teacher))
    p, q = ([x / sum(row) for x in row] for row in (p, q))
    top = sorted(range(len(q)), key=lambda c: -q[c])[:k]
    if tail:
        rest = [sum(row) - sum(row[c] for c in top) for row in (p, q)]
        pairs = [(p[c], q[c]) for c in top] + [tuple(rest)]
    else:
        whole = sum(q[c] for c in top)
        pairs = [(p[c], q[c] / whole) for c in top]
    return float(sum(b * mpmath.log(b / a) for a, b in pairs))


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("form", ["renormalised", "tail"])
def test_top_targets_by_many_digits(form, k):
    student, teacher = logits(4, 6, seed=2), logits(4, 6, seed=3)
    rows = zip(student.tolist(), teacher.tolist(), strict=True)
    expected = sum(by_mpmath(*row, k, form == "tail") for row in rows) / 4
    assert float(top_targets(student, teacher, k, form=form)) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 10_000), st.integers(1, 6))
def test_of_all_classes_both_forms_are_soft_targets_and_the_tail_is_never_more(seed, k):
    student, teacher = logits(3, 6, seed=seed), logits(3, 6, seed=seed + 1)
    whole = soft_targets(student, teacher, 1.0, form="divergence")
    for form in ("renormalised", "tail"):
        torch.testing.assert_close(top_targets(student, teacher, 6, form=form), whole, rtol=1e-12, atol=1e-14)
    assert top_targets(student, teacher, k, form="tail") <= whole + 1e-12


def test_one_class_is_the_teachers_choice():
    student, teacher = logits(5, 6, seed=4), logits(5, 6, seed=5)
    expected = response.cross_entropy(student, teacher.argmax(-1))
    torch.testing.assert_close(top_targets(student, teacher, 1), expected)


def test_the_others_become_impossible_or_keep_their_share():
    """A student with its own logits, taught until it is done: where does each form leave it?"""
    teacher = torch.tensor([[2.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    q = teacher.softmax(-1)
    for form, rest in (("renormalised", 0.0), ("tail", float(q[0, 2:].sum()))):
        student = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.LBFGS([student], max_iter=300, tolerance_grad=1e-9, tolerance_change=1e-14)

        def closure(form=form, student=student, optimizer=optimizer):
            optimizer.zero_grad()
            loss = top_targets(student, teacher, 2, form=form)
            loss.backward()
            return loss

        optimizer.step(closure)
        p = student.detach().softmax(-1)
        assert float(p[0, 2:].sum()) == pytest.approx(rest, abs=1e-3)
        assert float(p[0, 0] / p[0, 1]) == pytest.approx(float(q[0, 0] / q[0, 1]), rel=1e-3)


def test_bad_settings_say_what_is_expected():
    with pytest.raises(ValueError, match="k must be a whole number from 1 up; got 0"):
        response.TopTargets(0)
    with pytest.raises(ValueError, match="k must be a whole number from 1 up; got 2.0"):
        top_targets(logits(2, 5, seed=0), logits(2, 5, seed=1), 2.0)
    with pytest.raises(ValueError, match="form must be one of 'renormalised', 'tail'"):
        response.TopTargets(form="paper")
