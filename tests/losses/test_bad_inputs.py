"""No loss answers a bad input with a wrong number: a finite value and slope, or an error that says why."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_examples import EXAMPLES, made

from kdviz.losses.feature import SingularVectors
from kdviz.losses.relation import TransformationSimilarity
from kdviz.tracing import Trace

every_loss = pytest.mark.parametrize("loss", EXAMPLES, ids=lambda loss: loss.name)
sides = st.sampled_from(["student", "teacher", "both"])


def changed(trace, change):
    logits = change(trace.logits)
    features = {layer: change(feature) for layer, feature in trace.features.items()}
    return Trace(logits, features | {"logits": logits}, trace.rows)


def answer(loss, student, teacher, labels):
    """The value and its slopes, for the student and for what the loss learns."""
    student = changed(student, lambda tensor: tensor.clone().requires_grad_())
    learned = loss.initial(student, teacher)
    parts = [part.requires_grad_() for name, part in learned.items() if name not in loss.remembers]
    value = loss(student, teacher, labels, learned)
    inputs = [student.logits, *student.features.values(), *parts]
    slopes = torch.autograd.grad(value, inputs, allow_unused=True)
    return value, [slope for slope in slopes if slope is not None]


CHANGES = {
    "zeros": lambda tensor: 0 * tensor,
    "all the same": lambda tensor: tensor[:1].expand_as(tensor),
    "constant": lambda tensor: torch.full_like(tensor, 3.7),
    "tiny": lambda tensor: 1e-12 * tensor,
    "huge": lambda tensor: 1e4 * tensor.sign(),
    "far off": lambda tensor: 1e4 + tensor,
    "as they are": lambda tensor: tensor,
}


@every_loss
@given(
    samples=st.sampled_from([1, 2, 4, 8]),
    classes=st.sampled_from([1, 2, 5]),
    seed=st.integers(0, 2**16),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    change=st.sampled_from(sorted(CHANGES)),
    side=sides,
)
@settings(max_examples=25, deadline=None)
def test_extreme_inputs_have_a_finite_answer_or_a_clear_error(
    loss, samples, classes, seed, dtype, change, side
):
    student = made("student", samples, classes, seed, dtype)
    teacher = made("teacher", samples, classes, seed + 1, dtype)
    if side != "teacher":
        student = changed(student, CHANGES[change])
    if side != "student":
        teacher = changed(teacher, CHANGES[change])
    labels = torch.arange(samples) % classes
    try:
        value, slopes = answer(loss, student, teacher, labels)
    except ValueError as error:
        # Too few samples or classes is the only thing that these inputs can lack.
        least = 8 if isinstance(loss, TransformationSimilarity) else 4
        assert samples < least or classes < 2
        assert "at least" in str(error) or "groups of" in str(error)
    else:
        assert torch.isfinite(value) and all(torch.isfinite(slope).all() for slope in slopes)


@every_loss
@given(seed=st.integers(0, 2**16), side=st.sampled_from(["student", "teacher"]))
@settings(max_examples=8, deadline=None)
def test_what_is_not_a_number_is_never_hidden(loss, seed, side):
    student = made("student", 8, 5, seed, torch.float64)
    teacher = made("teacher", 8, 5, seed + 1, torch.float64)

    def spoil(tensor):
        tensor = tensor.clone()
        tensor.view(-1)[seed % tensor.numel()] = torch.nan
        return tensor

    if side == "student":
        student = changed(student, spoil)
    elif loss.needs_teacher:
        teacher = changed(teacher, spoil)
    else:
        return
    try:
        value, _ = answer(loss, student, teacher, torch.arange(8) % 5)
    except ValueError as error:
        assert isinstance(loss, SingularVectors) and "not finite" in str(error)
    else:
        assert torch.isnan(value)


@every_loss
@given(ours=st.integers(2, 8), theirs=st.integers(2, 8))
@settings(max_examples=8, deadline=None)
def test_other_batches_are_named_by_their_sizes(loss, ours, theirs):
    if ours == theirs or not loss.needs_teacher:
        return
    full = made("student", 8, 5, 0, torch.float64), made("teacher", 8, 5, 1, torch.float64)
    learned = loss.initial(*full)
    student, teacher = (
        made("student", ours, 5, 0, torch.float64),
        made("teacher", theirs, 5, 1, torch.float64),
    )
    with pytest.raises(ValueError, match=r"\d") as error:
        loss(student, teacher, torch.arange(ours) % 5, learned)
    named = str(error.value)
    # A batch that is not of groups, or of another size than before, is refused before the two are compared.
    refused = ("groups of", "originals", "batches of")
    assert (str(ours) in named and str(theirs) in named) or any(word in named for word in refused)
