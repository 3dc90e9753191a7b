"""What holds for every loss on features: stacks, gradients, invariances, and inputs of every bad kind."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdviz.losses import feature
from kdviz.losses.objective import Loss
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value

SAMPLES, CLASSES = 8, 5
MAPS = {"a": (4, 4, 4), "b": (5, 2, 2)}
WIDE_MAPS = {"a": (6, 4, 4), "b": (3, 2, 2)}
SMALL_MAPS = {"a": (6, 2, 2), "b": (3, 2, 2)}
EMBEDDINGS = {"a": (6,), "b": (6,)}
WIDE = {"a": (7,), "b": (7,)}

# The first of each class is the loss as it comes; its invariances are those on the reference card.
CASES = [
    (feature.Hint("a"), MAPS, MAPS),
    (feature.Hint("a", form="repdistiller"), EMBEDDINGS, EMBEDDINGS),
    (feature.Hint("a", form="torchdistill"), MAPS, MAPS),
    (feature.Hint("a", form="mmrazor"), MAPS, MAPS),
    (feature.Hint("a", adapter="linear"), EMBEDDINGS, WIDE),
    (feature.Hint("a", adapter="convolution", pool=True), MAPS, SMALL_MAPS),
    (feature.Hint("a", adapter="convolution_batch_norm_relu"), MAPS, WIDE_MAPS),
    (feature.AttentionTransfer("a"), MAPS, WIDE_MAPS),
    (feature.AttentionTransfer("a", form="authors", pool=True), MAPS, SMALL_MAPS),
    (feature.NeuronSelectivity("a"), MAPS, WIDE_MAPS),
    (feature.NeuronSelectivity("b"), MAPS, WIDE_MAPS),
    (feature.NeuronSelectivity("a", kernel="linear"), MAPS, WIDE_MAPS),
    (feature.NeuronSelectivity("a", kernel="gaussian"), MAPS, WIDE_MAPS),
    (feature.ChannelWise("a"), MAPS, MAPS),
    (feature.ChannelWise("a", adapter="convolution"), MAPS, WIDE_MAPS),
    (feature.Pearson("a"), MAPS, MAPS),
    (feature.Pearson("a", adapter="convolution", form="mmrazor"), MAPS, WIDE_MAPS),
    (feature.VariationalInformation("a"), MAPS, WIDE_MAPS),
    (feature.VariationalInformation("a", form="repdistiller"), EMBEDDINGS, WIDE),
    (feature.ActivationBoundary("a"), MAPS, MAPS),
    (feature.ActivationBoundary("a", form="zoo", adapter="linear"), EMBEDDINGS, WIDE),
    (feature.ActivationBoundary("a", form="repdistiller"), MAPS, MAPS),
    (feature.ActivationBoundary("a", adapter="convolution_batch_norm"), MAPS, WIDE_MAPS),
    (feature.FeatureOverhaul("a"), MAPS, MAPS),
    (feature.FeatureOverhaul("a", margins=(-0.5, -0.1, -1.0, 0.0), form="zoo"), MAPS, MAPS),
    (feature.FactorTransfer("a"), MAPS, WIDE_MAPS),
    (feature.FactorTransfer("a", form="authors", pool=True), MAPS, SMALL_MAPS),
    (feature.KnowledgeReview(("a", "b")), MAPS, WIDE_MAPS),
    (feature.FeatureStatistics("a"), MAPS, MAPS),
    (feature.FeatureStatistics("a", form="batch"), MAPS, MAPS),
    (feature.NormalisedHint("a"), MAPS, MAPS),
    (feature.NormalisedHint("a", adapter="linear"), EMBEDDINGS, WIDE),
    (feature.FeatureNormalised("a"), EMBEDDINGS, WIDE),
    (feature.FeatureNormalised("a", form="authors"), EMBEDDINGS, WIDE),
    (feature.LayerProjection(("a", "b")), EMBEDDINGS, EMBEDDINGS),
    (feature.LayerProjection(("a", "b"), ("b",), adapter="linear"), EMBEDDINGS, WIDE),
    (feature.SemanticCalibration(("a", "b")), MAPS, WIDE_MAPS),
    (feature.SingularVectors(("a", "b")), MAPS, MAPS),
    (feature.SingularVectors(("a", "b"), adapter="convolution", vectors=2), MAPS, WIDE_MAPS),
    (feature.RocketHint(), MAPS, MAPS),
]
CLASSES_OF_LOSS = list(dict.fromkeys(type(loss) for loss, _, _ in CASES))
AS_THEY_COME = [next(case for case in CASES if type(case[0]) is kind) for kind in CLASSES_OF_LOSS]
ZERO_AT_EQUALITY = (
    feature.Hint, feature.AttentionTransfer, feature.NeuronSelectivity, feature.ChannelWise, feature.Pearson,
    feature.FeatureStatistics, feature.NormalisedHint, feature.FeatureNormalised, feature.SingularVectors,
    feature.RocketHint,
)  # fmt: skip


def name_of(case):
    return repr(case[0])


every_case = pytest.mark.parametrize("loss, mine, theirs", CASES, ids=[name_of(case) for case in CASES])
as_it_comes = pytest.mark.parametrize(
    "loss, mine, theirs", AS_THEY_COME, ids=[name_of(case) for case in AS_THEY_COME]
)


def draw(shapes, seed, stack=(), samples=SAMPLES):
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*stack, samples, *shape, generator=generator, dtype=torch.float64)

    return Trace(normal(CLASSES), {layer: normal(*shape) for layer, shape in shapes.items()})


def changed(source, function):
    """A trace with every tensor changed."""
    return Trace(function(source.logits), {k: function(v) for k, v in source.features.items()})


def value_of(loss, student, teacher, learned=None):
    learned = loss.initial(student, teacher) if learned is None else learned
    return loss(student, teacher, None, learned)


def samples_last(tensor, samples_axis):
    """The same numbers, with the samples next to each other in memory."""
    return tensor.movedim(samples_axis, -1).contiguous().movedim(-1, samples_axis)


def test_there_is_a_case_for_every_loss():
    offered = {
        value for value in vars(feature).values() if isinstance(value, type) and issubclass(value, Loss)
    }
    assert offered == set(CLASSES_OF_LOSS)


@pytest.mark.parametrize("order", ["samples first", "samples last"])
@every_case
def test_a_stack_gives_each_student_its_own_value(loss, mine, theirs, order):
    stack, teacher = draw(mine, 1, stack=(2, 3)), draw(theirs, 2, stack=(2, 1))
    first = changed(stack, lambda tensor: tensor[0, 0]), changed(teacher, lambda tensor: tensor[0, 0])
    generator = torch.Generator().manual_seed(3)
    learned = {
        name: part + 0.1 * torch.randn(2, 3, *part.shape, generator=generator, dtype=part.dtype)
        for name, part in loss.initial(*first).items()
    }
    if order == "samples last":
        stack, teacher = (changed(t, lambda tensor: samples_last(tensor, 2)) for t in (stack, teacher))
    together = each_value(loss, stack, teacher, None, learned)
    assert together.shape == (2, 3)
    for seed in range(2):
        for setting in range(3):
            alone = loss(
                changed(stack, lambda tensor, s=seed, k=setting: tensor[s, k]),
                changed(teacher, lambda tensor, s=seed: tensor[s, 0]),
                None,
                {name: part[seed, setting] for name, part in learned.items()},
            )
            assert alone.shape == ()
            torch.testing.assert_close(together[seed, setting], alone, rtol=1e-10, atol=1e-12)


@every_case
def test_a_teacher_without_the_stacks_axes_teaches_them_all(loss, mine, theirs):
    stack, teacher = draw(mine, 1, stack=(2,)), draw(theirs, 2)
    learned = loss.initial(changed(stack, lambda tensor: tensor[0]), teacher)
    shared = {name: part.unsqueeze(0) for name, part in learned.items()}
    together = each_value(loss, stack, teacher, None, shared)
    alone = [loss(changed(stack, lambda t, s=s: t[s]), teacher, None, learned) for s in range(2)]
    torch.testing.assert_close(together, torch.stack(alone), rtol=1e-10, atol=1e-12)


@every_case
def test_gradient_reaches_the_student_and_what_is_learned_and_never_the_teacher(loss, mine, theirs):
    student, teacher = draw(mine, 1), draw(theirs, 2)
    learned = {name: part.requires_grad_() for name, part in loss.initial(student, teacher).items()}
    for source in (student, teacher):
        for tensor in (source.logits, *source.features.values()):
            tensor.requires_grad_()
    loss(student, teacher, None, learned).backward()
    read = [student.features[layer] for layer in loss.student_layers] or [student.logits]
    for tensor in read:
        assert tensor.grad.abs().sum() > 0
    for name, part in learned.items():
        if name == "bias" and "shift" in loss.invariant_to:
            continue
        assert part.grad.abs().sum() > 0, name
    for tensor in (teacher.logits, *teacher.features.values()):
        assert tensor.grad is None


@every_case
def test_single_precision_is_close_to_double(loss, mine, theirs):
    student, teacher = draw(mine, 1), draw(theirs, 2)
    double = value_of(loss, student, teacher)
    single = value_of(loss, *(changed(source, torch.Tensor.float) for source in (student, teacher)))
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(double.item(), rel=2e-4)


@pytest.mark.parametrize(
    "loss, shapes",
    [(loss, mine) for loss, mine, _ in CASES if isinstance(loss, ZERO_AT_EQUALITY)
     and not getattr(loss, "adapter", None)],
    ids=repr,
)  # fmt: skip
def test_is_zero_at_equality_and_above_elsewhere(loss, shapes):
    source = draw(shapes, 1)
    assert value_of(loss, source, changed(source, torch.clone)).item() == pytest.approx(0, abs=1e-12)
    assert value_of(loss, source, draw(shapes, 2)).item() > 1e-3


@every_case
def test_a_batch_twice_over_has_the_same_loss(loss, mine, theirs):
    if isinstance(loss, feature.SemanticCalibration):
        pytest.skip("it reads a batch of one size only")
    student, teacher = draw(mine, 1), draw(theirs, 2)
    learned = loss.initial(student, teacher)
    once = loss(student, teacher, None, learned)
    twice = loss(*(changed(s, lambda t: torch.cat([t, t])) for s in (student, teacher)), None, learned)
    sums = isinstance(loss, feature.Hint) and loss.form == "torchdistill"
    # A deviation that divides by M - 1 changes with M.
    close = 0.02 if isinstance(loss, feature.Pearson) and loss.form == "mmrazor" else 1e-9
    assert twice.item() == pytest.approx(once.item() * (2 if sums else 1), rel=close)


@given(seed=st.integers(0, 10_000), case=st.sampled_from(CASES))
@settings(max_examples=60, deadline=None)
def test_the_order_of_the_samples_does_not_count(seed, case):
    loss, mine, theirs = case
    if isinstance(loss, feature.SemanticCalibration):
        return  # its attention reads the samples in their order
    student, teacher = draw(mine, seed), draw(theirs, seed + 1)
    learned = loss.initial(student, teacher)
    order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(seed))
    other = loss(student[order], teacher[order], None, learned)
    assert other.item() == pytest.approx(loss(student, teacher, None, learned).item(), rel=1e-8)


def shift(features):
    return features + 0.7


def scale(features):
    return features * 1.7


def permute(features):
    axis = 1
    return features.roll(1, axis)


def rotate(features):
    width = features.shape[1]
    generator = torch.Generator().manual_seed(9)
    turn = torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64)).Q
    return torch.einsum("oc,nc...->no...", turn, features)


CHANGES = {
    "shift": shift,
    "scale": scale,
    "channel permutation": permute,
    "rotation": rotate,
    "sign": torch.neg,
}


@pytest.mark.parametrize("change", CHANGES)
@as_it_comes
def test_sees_what_the_card_says(loss, mine, theirs, change):
    student, teacher = draw(mine, 1), draw(theirs, 2)
    learned = loss.initial(student, teacher)
    before = loss(student, teacher, None, learned).item()
    if loss.student_layers:
        other = Trace(student.logits, {k: CHANGES[change](v) for k, v in student.features.items()})
    else:
        other = Trace(CHANGES[change](student.logits))
    after = loss(other, teacher, None, learned).item()
    assert (after == pytest.approx(before, rel=1e-8)) == (change in loss.invariant_to)


@as_it_comes
def test_every_row_of_the_card_is_filled(loss, mine, theirs):
    for entry in ("name", "paper", "scale", "memory", "cost"):
        assert getattr(loss, entry)
    assert loss.kind == "feature" and set(loss.invariant_to) <= set(CHANGES)
    assert loss.latex() and loss.needs_teacher


@every_case
def test_one_sample_is_enough_or_refused(loss, mine, theirs):
    student, teacher = draw(mine, 1, samples=1), draw(theirs, 2, samples=1)
    assert torch.isfinite(value_of(loss, student, teacher))


@every_case
@pytest.mark.parametrize("who", ["student", "teacher", "both"])
@pytest.mark.parametrize("level", [0.0, 1e4, -1e4])
def test_features_without_variety_have_finite_values_and_slopes(loss, mine, theirs, who, level):
    student, teacher = (changed(draw(s, i), torch.Tensor.float) for i, s in ((1, mine), (2, theirs)))
    flat = [changed(source, lambda tensor: torch.full_like(tensor, level)) for source in (student, teacher)]
    student = flat[0] if who in ("student", "both") else student
    teacher = flat[1] if who in ("teacher", "both") else teacher
    check_finite(loss, student, teacher)


@every_case
def test_large_features_have_finite_values_and_slopes(loss, mine, theirs):
    sources = (draw(mine, 1), draw(theirs, 2))
    large = [changed(source, lambda tensor: 1e4 * tensor.sign().float()) for source in sources]
    check_finite(loss, *large)


def check_finite(loss, student, teacher):
    learned = {name: part.requires_grad_() for name, part in loss.initial(student, teacher).items()}
    tensors = [student.features[layer] for layer in loss.student_layers] or [student.logits]
    for tensor in tensors:
        tensor.requires_grad_()
    value = loss(student, teacher, None, learned)
    assert torch.isfinite(value)
    for slope in torch.autograd.grad(value, [*tensors, *learned.values()]):
        assert torch.isfinite(slope).all()


@every_case
@pytest.mark.parametrize("who", ["student", "teacher"])
def test_what_is_not_a_number_shows(loss, mine, theirs, who):
    student, teacher = draw(mine, 1), draw(theirs, 2)
    learned = loss.initial(student, teacher)
    bad, layers = (student, loss.student_layers) if who == "student" else (teacher, loss.teacher_layers)
    for tensor in [bad.features[layer] for layer in layers] or [bad.logits]:
        tensor.view(-1)[3] = torch.nan
    try:
        value = loss(student, teacher, None, learned)
    except ValueError as error:
        assert isinstance(loss, feature.SingularVectors) and "not finite" in str(error)
    else:
        assert torch.isnan(value)


@pytest.mark.parametrize(
    "loss",
    [case[0] for case in AS_THEY_COME if hasattr(case[0], "pool") and hasattr(case[0], "adapter")],
    ids=repr,
)
def test_unequal_channels_show_both_shapes_and_the_adapter(loss):
    student, teacher = draw(MAPS, 1), draw(WIDE_MAPS, 2)
    if isinstance(loss, feature.FeatureOverhaul):
        loss = feature.FeatureOverhaul("a", margins=(-1.0,) * 6)
    with pytest.raises(ValueError, match="adapter") as error:
        loss(student, teacher, None, {})
    assert "(8, 4, 4, 4)" in str(error.value) and "(8, 6, 4, 4)" in str(error.value)


@every_case
def test_a_student_of_another_batch_is_refused(loss, mine, theirs):
    student, teacher = draw(mine, 1), draw(theirs, 2)
    learned = loss.initial(student, teacher)
    with pytest.raises(ValueError, match=str(SAMPLES - 1)):
        loss(student[: SAMPLES - 1], teacher, None, learned)
