"""In half precision and with masked classes no loss is silently wrong: every loss of the public names."""

from itertools import product

import pytest
import torch
from loss_examples import EXAMPLES, made
from torch.distributions import Categorical, kl_divergence

import kdviz.losses
from kdviz.losses import response
from kdviz.losses.objective import Objective
from kdviz.losses.relation import ContrastiveRepresentation
from kdviz.tracing import Trace
from kdviz.training.mapped import each_gradient, each_memory, has_closed_form

every_loss = pytest.mark.parametrize("loss", EXAMPLES, ids=lambda loss: loss.name)
SCALES = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1e3, 1e4)
LOW = (torch.float16, torch.bfloat16)


def times(trace, scale):
    features = {layer: (scale * feature).requires_grad_() for layer, feature in trace.features.items()}
    return Trace(features["logits"], features, trace.rows)


def answer(loss, student, teacher, labels):
    learned = loss.initial(student, teacher)
    parts = [part for name, part in learned.items() if name not in loss.remembers]
    inputs = [*student.features.values(), *(part.requires_grad_() for part in parts)]
    value = loss(student, teacher, labels, learned)
    slopes = torch.autograd.grad(value, inputs, allow_unused=True)
    return value, [slope for slope in slopes if slope is not None]


def test_the_examples_are_all_losses_there_are():
    assert sorted(type(loss).__name__ for loss in EXAMPLES) == sorted(kdviz.losses.LOSSES)


@every_loss
def test_no_finite_value_has_a_slope_that_is_no_number(loss):
    """12 scales of student, teacher and both, two batches, three precisions: 216 cases of each loss."""
    for dtype, samples in product((*LOW, torch.float32), (8, 32)):
        labels = torch.arange(samples) % 10
        student, teacher = (
            made(side, samples, 10, seed, dtype) for seed, side in enumerate(("student", "teacher"))
        )
        for scale in SCALES:
            for ours, theirs in ((scale, scale), (scale, 1.0), (1.0, scale)):
                value, slopes = answer(loss, times(student, ours), times(teacher, theirs), labels)
                where = dtype, samples, ours, theirs
                assert value.isfinite(), where
                # A true slope may be larger than half precision can say; it is infinite then.
                assert not any(slope.isnan().any() for slope in slopes), where
                if dtype == torch.float32:
                    assert all(slope.isfinite().all() for slope in slopes), where


@every_loss
@pytest.mark.parametrize("dtype", LOW, ids=str)
def test_half_precision_is_computed_in_single(loss, dtype):
    """The value is that of the same numbers in single precision, to the last bit."""
    labels = torch.arange(8) % 5
    low = [times(made(side, 8, 5, seed, dtype), 1) for seed, side in enumerate(("student", "teacher"))]
    single = [
        Trace(trace.logits.float(), {name: part.float() for name, part in trace.features.items()}, trace.rows)
        for trace in low
    ]
    value = loss(*low, labels)
    assert value.dtype == torch.float32 and torch.equal(value, loss(*single, labels))
    learned = Objective(loss.terms()).initial(*low)[loss.name]
    assert not any(part.dtype in LOW for part in learned.values())


@every_loss
def test_autocast_changes_nothing(loss):
    student, teacher = made("student", 8, 5, 0, torch.float32), made("teacher", 8, 5, 1, torch.float32)
    labels = torch.arange(8) % 5
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(student, teacher, labels)
    assert torch.equal(inside, loss(student, teacher, labels))


def test_what_half_precision_is_remembered_by_is_in_single():
    loss = ContrastiveRepresentation("flatten", samples=64, negatives=20, width=16)
    student, teacher = made("student", 8, 5, 0, torch.float16), made("teacher", 8, 5, 1, torch.float16)
    (learned,) = Objective(loss.terms()).initial(student, teacher).values()
    after = each_memory(loss, student, teacher, torch.arange(8) % 5, learned)
    assert after["student_bank"].dtype == torch.float32 and after["student_bank"].isfinite().all()
    assert not torch.equal(after["student_bank"], learned["student_bank"])


MASKED = {"student": (True, False), "teacher": (False, True), "both": (True, True)}


def logits_with(masks, classes=5):
    """Logits of 6 samples; the class masked is the last of a network, and of no sample the label."""
    generator = torch.Generator().manual_seed(3)
    pair = [torch.randn(6, classes, generator=generator, dtype=torch.float64) for _ in masks]
    for logits, masked in zip(pair, masks, strict=True):
        if masked:
            logits[:, -1] = -torch.inf
    return pair


@pytest.mark.parametrize("who", MASKED)
def test_a_masked_class_counts_as_in_torch(who):
    student, teacher = logits_with(MASKED[who])
    p, q = Categorical(logits=student), Categorical(logits=teacher)
    forward, reverse = kl_divergence(q, p).mean(), kl_divergence(p, q).mean()
    torch.testing.assert_close(response.SoftTargets(1.0)(student, teacher), forward)
    torch.testing.assert_close(response.DeiTSoft(1.0)(student, teacher), forward)
    torch.testing.assert_close(response.ReverseKL(1.0)(student, teacher), reverse)
    middle = Categorical(probs=(p.probs + q.probs) / 2)
    both = (kl_divergence(p, middle) + kl_divergence(q, middle)).mean() / 2
    torch.testing.assert_close(response.JensenShannon(0.5)(student, teacher), both)


PROBABILITIES = [
    loss
    for loss in EXAMPLES
    if loss.kind == "response"
    and loss.name not in ("logit_matching", "sample_temperature", "standardised_soft_targets")
]
# Their target gives every class a probability: a student that cannot have it is infinitely wrong.
EVEN = ("label_smoothing", "virtual_teacher")


@pytest.mark.parametrize("loss", PROBABILITIES, ids=lambda loss: loss.name)
def test_a_class_masked_in_both_is_as_if_it_were_not_there(loss):
    student, teacher = logits_with((True, True))
    labels = torch.tensor([0, 1, 2, 3, 0, 1])
    student.requires_grad_()
    value = loss(student, teacher, labels)
    if loss.name in EVEN:
        assert value == torch.inf
        return
    (slope,) = torch.autograd.grad(value, student)
    assert slope.isfinite().all() and (slope[:, -1] == 0).all()
    if loss.name in ("prediction_correlation", "multi_level"):
        # A class that is never given is one more to correlate, and to take a mean over.
        assert value.isfinite()
        return
    without = student.detach()[:, :-1].clone().requires_grad_()
    expected = loss(without, teacher[:, :-1], labels)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(slope[:, :-1], *torch.autograd.grad(expected, without))
    if has_closed_form(loss):
        written = each_gradient(Objective(loss.terms()), Trace(student.detach()), Trace(teacher), labels)
        torch.testing.assert_close(written, slope)


@pytest.mark.parametrize("loss", PROBABILITIES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("who", MASKED)
def test_a_masked_class_is_never_nan_and_no_slope_of_a_finite_value_is(loss, who):
    student, teacher = logits_with(MASKED[who])
    student.requires_grad_()
    # The sample without a label is left out, wherever its first class is masked.
    student.data[5, 0] = -torch.inf
    value = loss(student, teacher, torch.tensor([0, 1, 2, 3, 0, -1]))
    assert not value.isnan()
    if value.isfinite():
        assert torch.autograd.grad(value, student)[0].isfinite().all()


@pytest.mark.parametrize(
    "loss",
    [response.LogitMatching(), response.SampleTemperature(), response.StandardisedSoftTargets()],
    ids=lambda loss: loss.name,
)
def test_what_reads_no_probabilities_says_that_it_cannot_read_masks(loss):
    student, teacher = logits_with((True, True))
    with pytest.raises(ValueError, match="student's logits are -inf in 6 of 30 places.*SoftTargets"):
        loss(student, teacher)
    # What is not a number itself stays so in the value.
    student[0, 0] = torch.nan
    assert loss(student, teacher).isnan()


def test_inside_transforms_of_torch_nothing_is_looked_at():
    student, teacher = logits_with((True, True))
    slopes = torch.func.vmap(torch.func.grad(response.LogitMatching()))(student[None], teacher[None])
    assert slopes.isnan().any()
