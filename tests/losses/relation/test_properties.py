"""What holds for every relation loss as a term of an objective, single and stacked."""

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdviz.losses import relation
from kdviz.losses.objective import Loss
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value, stacked_objective

SAMPLES = 12
WIDTHS = {"student": (6, 5), "teacher": (8, 7)}
LOSSES = [
    relation.DistanceRelation("first"),
    relation.DistanceRelation("first", form="paper"),
    relation.DistanceRelation("first", form="mmrazor"),
    relation.AngleRelation("first"),
    relation.AngleRelation("first", form="paper"),
    relation.AngleRelation("first", form="mmrazor"),
    relation.SimilarityPreserving("first"),
    relation.SimilarityPreserving("large"),
    relation.CorrelationCongruence("first"),
    relation.CorrelationCongruence("first", form="gaussian"),
    relation.CorrelationCongruence("first", form="bilinear"),
    relation.ProbabilisticTransfer("first"),
    relation.ProbabilisticTransfer("first", form="authors"),
    relation.FlowOfSolution("large", "small"),
    relation.FlowOfSolution("large", "small", form="repdistiller"),
    relation.ChannelCorrelation("large"),
    relation.ChannelCorrelation("large", form="imagenet"),
    relation.ChannelCorrelation("small", "large", adapter="convolution"),
    relation.ChannelCorrelation("small", "large", adapter="convolution_batch_norm"),
    relation.InfoNCE("first", width=4),
    relation.ContrastiveRepresentation("first", samples=SAMPLES, negatives=5, width=4),
    relation.ContrastiveRepresentation("first", samples=SAMPLES, negatives=5, width=4, form="paper"),
    relation.InstanceRelationshipGraph("first", "second"),
    relation.InstanceRelationshipGraph("large", "small", form="vertices"),
    relation.DarkRank("first"),
    relation.DarkRank("first", form="soft", length=3),
    relation.LocalityPreserving("first", neighbours=3, width=20.0),
    relation.MultiHeadGraph("first", "second", heads=2, width=3, adapter="linear"),
    relation.MultiHeadGraph("first", "second", heads=2, width=3, adapter="linear", form="authors"),
    relation.TransformationSimilarity("first"),
]
# At a copy of the teacher: these are above 0 by their formula, or learn something from it.
NOT_ZERO_AT_EQUALITY = (
    relation.ContrastiveRepresentation,
    relation.InfoNCE,
    relation.LocalityPreserving,
    relation.MultiHeadGraph,
)


def is_zero_at_equality(loss):
    other = isinstance(loss, NOT_ZERO_AT_EQUALITY) or getattr(loss, "form", None) == "hard"
    return not other and loss.student_layers == loss.teacher_layers


every_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(side, *stack, seed=0, samples=SAMPLES):
    """A trace with logits, two embeddings and two maps; student and teacher differ in their widths."""
    first, second = WIDTHS[side]
    shapes = {"first": (first,), "second": (second,), "large": (4, 4, 4), "small": (8, 2, 2)}
    features = {
        name: random(*stack, samples, *shape, seed=seed + place)
        for place, (name, shape) in enumerate(shapes.items())
    }
    return Trace(random(*stack, samples, 3, seed=seed + 9), features, torch.arange(samples))


def mapped(change, trace):
    """A trace with every tensor changed."""
    features = {path: change(feature) for path, feature in trace.features.items()}
    return Trace(change(trace.logits), features, trace.rows)


def learned(loss, student, teacher):
    return loss.initial(student, teacher)


def called(loss, student, teacher):
    return loss(student, teacher, None, learned(loss, student, teacher))


def test_every_loss_of_the_package_is_here():
    def below(base):
        return {sub for child in base.__subclasses__() for sub in {child} | below(child)}

    here = {loss for loss in below(Loss) if loss.__module__.startswith("kdviz.losses.relation.")}
    assert here == {type(loss) for loss in LOSSES}


@every_loss
def test_is_described_for_the_reference_card(loss):
    assert loss.kind == "relation" and loss.latex()
    assert all(isinstance(text, str) and text for text in (loss.paper, loss.scale, loss.memory, loss.cost))
    assert set(loss.student_layers) | set(loss.teacher_layers) <= {"first", "second", "large", "small"}


@pytest.mark.parametrize("loss", [x for x in LOSSES if is_zero_at_equality(x)], ids=repr)
def test_is_zero_for_a_copy_of_the_teacher_and_above_elsewhere(loss):
    teacher = made("teacher", seed=20)
    assert called(loss, teacher, teacher).item() == pytest.approx(0, abs=1e-12)
    assert called(loss, made("student"), made("teacher", seed=20)).item() > 1e-6


def test_the_transfer_of_the_multi_head_graph_is_zero_at_equality():
    first, second = random(SAMPLES, 4, seed=1), random(SAMPLES, 5, seed=2)
    heads = random(2, 3, 5, seed=3), random(2, 3, 4, seed=4)
    for form in ("mean", "authors"):
        same = relation.multi_head_graph(first, second, first, second, *heads, form)
        assert same.item() == pytest.approx(0, abs=1e-13)
        assert relation.multi_head_graph(first, second, -first, second, *heads, form).item() > 1e-3


@every_loss
def test_gradient_reaches_the_student_and_all_it_learns_and_never_the_teacher(loss):
    student = mapped(torch.Tensor.requires_grad_, made("student"))
    teacher = mapped(torch.Tensor.requires_grad_, made("teacher", seed=20))
    every = learned(loss, student, teacher)
    parts = {name: part.requires_grad_() for name, part in every.items() if name not in loss.remembers}
    loss(student, teacher, None, every).backward()
    for layer in loss.student_layers:
        assert student.features[layer].grad.abs().sum() > 1e-6
    for name, part in parts.items():
        assert part.grad.abs().sum() > 1e-9, name
    assert teacher.logits.grad is None
    assert all(feature.grad is None for feature in teacher.features.values())


ORTHOGONAL = {width: torch.linalg.qr(random(width, width, seed=width))[0] for width in (3, 4, 5, 6, 8)}
MOVED = {width: random(width, seed=10 * width) for width in ORTHOGONAL}


def channels_last(change):
    """What is done to the channels of an embedding, as it is done to those of a map."""

    def changed(feature):
        axis = -3 if feature.ndim > 2 else -1
        return change(feature.movedim(axis, -1)).movedim(-1, axis)

    return changed


CHANGES = {
    "shift": channels_last(lambda x: x + MOVED[x.shape[-1]]),
    "scale": lambda x: 2.5 * x,
    "rotation": channels_last(lambda x: x @ ORTHOGONAL[x.shape[-1]]),
    "channel permutation": channels_last(lambda x: x.roll(1, -1)),
    "sign": lambda x: -x,
}


def is_default(loss):
    """The claims are those of a loss's default form, without a regressor."""
    return getattr(loss, "form", None) == getattr(type(loss), "form", None) and (
        getattr(loss, "adapter", None) is None or not isinstance(loss, relation.ChannelCorrelation)
    )


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if is_default(loss)], ids=repr)
def test_is_blind_to_what_it_claims_and_to_nothing_else(loss, change):
    student, teacher = made("student"), made("teacher", seed=20)
    parts = learned(loss, student, teacher)
    before = loss(student, teacher, None, parts)
    after = loss(mapped(CHANGES[change], student), teacher, None, parts)
    if change in loss.invariant_to:
        torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-12)
    else:
        assert abs(after - before) > 1e-6 * before.abs()


OTHER_FORMS = [
    (loss, change)
    for loss in LOSSES
    for change in loss.invariant_to
    if not is_default(loss) and getattr(loss, "adapter", None) is None
]


@pytest.mark.parametrize("loss, change", OTHER_FORMS, ids=repr)
def test_other_forms_keep_the_claims_of_the_default(loss, change):
    student, teacher = made("student"), made("teacher", seed=20)
    before, after = called(loss, student, teacher), called(loss, mapped(CHANGES[change], student), teacher)
    if loss.form == "mmrazor" and change == "shift":
        # Dividing by the length first makes the origin count, as the docstring says.
        assert abs(after - before) > 1e-6
    else:
        # PKT's authors add 1e-7 to the lengths.
        torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-12)


# What a batch twice over does to the value: a factor and a term.
TWICE = {
    relation.SimilarityPreserving: lambda loss: (0.5, 0),
    relation.InfoNCE: lambda loss: (1, 2 * math.log(2)),
    # A batch holds each sample of the data set once.
    relation.ContrastiveRepresentation: lambda loss: None,
    relation.ChannelCorrelation: lambda loss: (0.5 if loss.form == "imagenet" else 1, 0),
    relation.ProbabilisticTransfer: lambda loss: (0.5, 0) if loss.form == "authors" else None,
    relation.DistanceRelation: lambda loss: None if loss.form == "paper" else (1, 0),
    relation.AngleRelation: lambda loss: None if loss.form == "paper" else (1, 0),
    relation.MultiHeadGraph: lambda loss: None if loss.form == "authors" else (1, 0),
    # Their neighbours become the copies.
    relation.DarkRank: lambda loss: None,
    relation.LocalityPreserving: lambda loss: None,
    # The share of copies to keep is rounded.
    relation.TransformationSimilarity: lambda loss: None,
}


@pytest.mark.parametrize(
    "loss", [x for x in LOSSES if TWICE.get(type(x), lambda _: (1, 0))(x) is not None], ids=repr
)
def test_a_batch_twice_over(loss):
    factor, term = TWICE.get(type(loss), lambda _: (1, 0))(loss)
    student, teacher = made("student"), made("teacher", seed=20)
    twice = [mapped(lambda x: torch.cat([x, x]), trace) for trace in (student, teacher)]
    expected = factor * called(loss, student, teacher) + term
    # Form "authors" adds a small number to chances that are half as large.
    tolerance = 1e-5 if isinstance(loss, relation.ProbabilisticTransfer) else 1e-9
    torch.testing.assert_close(called(loss, *twice), expected, rtol=tolerance, atol=1e-12)


def samples_last(tensor, axis):
    """The same values, with the samples closest together in memory, as a stack keeps them."""
    return tensor.movedim(axis, -1).contiguous().movedim(-1, axis)


def numbers(loss):
    """The settings of a loss that may differ from student to student."""
    return [field.name for field in fields(loss) if isinstance(getattr(loss, field.name), float)]


@every_loss
def test_a_stack_gives_each_student_its_own_value_and_gradient(loss):
    students, teachers = made("student", 2, 3), made("teacher", 2, 1, seed=20)
    students = mapped(lambda x: samples_last(x, 2).requires_grad_(), students)
    teachers = mapped(lambda x: samples_last(x, 2), teachers)
    alone = [
        replace(loss, **{name: getattr(loss, name) * (0.8 + 0.05 * place) for name in numbers(loss)})
        for place in range(6)
    ]
    together = stacked_objective([1.0 * one for one in alone]).parts[0].loss
    together = replace(together, **{name: getattr(together, name).view(2, 3) for name in numbers(loss)})
    single = [(students_at(students, i, j), students_at(teachers, i, 0)) for i in range(2) for j in range(3)]
    parts = learned(loss, *single[0])
    # Each student its own weights too.
    stacked_parts = {
        name: part + 0.1 * random(2, 3, *part.shape, seed=7)
        if part.is_floating_point()
        else part.expand(2, 3, *part.shape)
        for name, part in parts.items()
    }
    values = each_value(together, students, teachers, None, stacked_parts)
    assert values.shape == (2, 3)
    own = [
        one(*traces, None, {name: part[place // 3, place % 3] for name, part in stacked_parts.items()})
        for place, (one, traces) in enumerate(zip(alone, single, strict=True))
    ]
    torch.testing.assert_close(values.flatten(), torch.stack(own), rtol=1e-10, atol=1e-13)
    read = [students.features[layer] for layer in loss.student_layers]
    for a, b in zip(
        torch.autograd.grad(values.sum(), read), torch.autograd.grad(sum(own), read), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def students_at(trace, i, j):
    return mapped(lambda x: x[i, j], trace)


@every_loss
def test_a_teacher_may_come_without_the_axes_of_the_stack(loss):
    students, teacher = made("student", 2), made("teacher", seed=20)
    parts = learned(loss, mapped(lambda x: x[0], students), teacher)
    shared = {name: part.unsqueeze(0) for name, part in parts.items()}
    values = each_value(loss, students, teacher, None, shared)
    own = [loss(mapped(lambda x, i=i: x[i], students), teacher, None, parts) for i in range(2)]
    torch.testing.assert_close(values, torch.stack(own))


@every_loss
def test_single_precision_is_close_to_double(loss):
    student, teacher = made("student"), made("teacher", seed=20)
    parts = learned(loss, student, teacher)
    single = loss(
        mapped(torch.Tensor.float, student),
        mapped(torch.Tensor.float, teacher),
        None,
        {name: part.float() if part.is_floating_point() else part for name, part in parts.items()},
    )
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), loss(student, teacher, None, parts), rtol=1e-4, atol=1e-6)


@every_loss
def test_what_it_learns_starts_the_same_for_the_same_seed(loss):
    student, teacher = made("student"), made("teacher", seed=20)
    first, again = learned(loss, student, teacher), learned(loss, student, teacher)
    assert all(torch.equal(first[name], again[name]) for name in first)
    if first:
        other = learned(replace(loss, seed=1), student, teacher)
        assert not all(torch.equal(first[name], other[name]) for name in first)


@every_loss
def test_other_samples_are_refused_with_both_shapes(loss):
    student, teacher = made("student"), made("teacher", seed=20, samples=8)
    parts = learned(loss, student, teacher)
    with pytest.raises(ValueError, match=r"(?s)\(\d+, .*\).*\(\d+, .*\)"):
        loss(student, teacher, None, parts)


@every_loss
def test_a_batch_of_one_is_refused_or_finite(loss):
    student, teacher = made("student", samples=1), made("teacher", seed=20, samples=1)
    try:
        value = called(loss, student, teacher)
    except ValueError as error:
        assert "at least" in str(error) or "groups of" in str(error)
    else:
        assert isinstance(
            loss, (relation.FlowOfSolution, relation.ChannelCorrelation, relation.ContrastiveRepresentation)
        )
        assert torch.isfinite(value)


@pytest.mark.parametrize("size", [0.0, 1e4], ids=["zeros", "large"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@every_loss
def test_zeros_and_large_features_give_finite_values_and_gradients(loss, dtype, size):
    student = mapped(lambda x: (size * x).to(dtype).requires_grad_(), made("student"))
    teacher = mapped(lambda x: x.to(dtype), made("teacher", seed=20))
    for other in (teacher, mapped(lambda x: size * x, teacher)):
        value = called(loss, student, other)
        read = [student.features[layer] for layer in loss.student_layers]
        gradients = torch.autograd.grad(value, read)
        assert torch.isfinite(value)
        assert all(torch.isfinite(gradient).all() for gradient in gradients)


def collapsed(features, noise):
    """The first six samples become one, the others stay apart by some noise."""
    apart = torch.arange(SAMPLES).view(-1, *[1] * (features.ndim - 1)) > 5
    return features[:1] + noise * apart * features


@given(st.integers(0, 2**16), st.integers(-6, 4))
@settings(max_examples=15, deadline=None)
@every_loss
def test_samples_that_agree_or_hardly_differ_give_finite_values_and_gradients(loss, seed, exponent):
    # A collapsed student: one embedding for all, up to noise of any size.
    student = made("student", seed=seed)
    student = mapped(lambda x: collapsed(x, 10.0**exponent).float().requires_grad_(), student)
    teacher = mapped(torch.Tensor.float, made("teacher", seed=seed + 50))
    value = called(loss, student, teacher)
    gradients = torch.autograd.grad(value, [student.features[layer] for layer in loss.student_layers])
    assert torch.isfinite(value) and all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("side", ["student", "teacher"])
@every_loss
def test_what_is_not_a_number_is_never_hidden(loss, side):
    def spoiled(trace, student=0):
        def spoil(x):
            x = x.clone()
            x[student, 3].view(-1)[0] = math.nan
            return x

        return mapped(spoil, trace)

    students, teachers = made("student", 2), made("teacher", 2, seed=20)
    parts = learned(loss, mapped(lambda x: x[0], students), mapped(lambda x: x[0], teachers))
    if side == "student":
        students = spoiled(students)
    else:
        teachers = spoiled(teachers)
    shared = {name: part.unsqueeze(0) for name, part in parts.items()}
    values = each_value(loss, students, teachers, None, shared)
    assert torch.isnan(values[0]) and torch.isfinite(values[1])


def test_an_unknown_form_names_the_forms():
    for loss in LOSSES:
        if hasattr(loss, "form"):
            with pytest.raises(ValueError, match="form must be one of '.*'; got 'huber'"):
                replace(loss, form="huber")


@pytest.mark.parametrize(
    "make",
    [
        lambda: relation.CorrelationCongruence("first", gamma=0),
        lambda: relation.CorrelationCongruence("first", order=0),
        lambda: relation.CorrelationCongruence("first", order=2.5),
        lambda: relation.DarkRank("first", alpha=-1),
        lambda: relation.DarkRank("first", beta=math.nan),
        lambda: relation.DarkRank("first", length=1),
        lambda: relation.DarkRank("first", length=7, form="soft"),
        lambda: relation.LocalityPreserving("first", neighbours=0),
        lambda: relation.LocalityPreserving("first", width=0),
        lambda: relation.InfoNCE("first", temperature=0),
        lambda: relation.InfoNCE("first", width=0),
        lambda: relation.InfoNCE("first", adapter="convolution"),
        lambda: relation.ContrastiveRepresentation("first", samples=1),
        lambda: relation.ContrastiveRepresentation("first", samples=9, negatives=0),
        lambda: relation.ContrastiveRepresentation("first", samples=9, momentum=2.0),
        lambda: relation.ChannelCorrelation("large", adapter="linear"),
        lambda: relation.MultiHeadGraph("first", "second", heads=0),
        lambda: relation.InstanceRelationshipGraph("first", "second", edge=-1),
        lambda: relation.TransformationSimilarity("first", keep=1.5),
        lambda: relation.TransformationSimilarity("first", copies=0),
    ],
)
def test_impossible_settings_are_refused_when_the_loss_is_made(make):
    with pytest.raises(ValueError, match="must be|takes up to"):
        make()


@pytest.mark.parametrize(
    "loss, hint",
    [
        (relation.FlowOfSolution("large", "small", "small", "small"), "convolution"),
        (relation.ChannelCorrelation("small", "large"), 'adapter="convolution"'),
        (relation.InfoNCE("first", adapter=None), 'adapter="linear"'),
        (relation.MultiHeadGraph("first", "second"), 'adapter="linear"'),
        (relation.InstanceRelationshipGraph("first", "second", form="vertices"), 'form="edges"'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_unequal_widths_name_both_shapes_and_what_helps(loss, hint):
    with pytest.raises(ValueError, match=rf"(?s)\(12, .*\(12, .*{hint}"):
        called(loss, made("student"), made("teacher", seed=20))


def test_a_batch_that_is_not_made_of_groups_is_refused():
    with pytest.raises(ValueError, match="groups of 4"):
        ten = made("student", samples=10), made("teacher", samples=10)
        called(relation.TransformationSimilarity("first"), *ten)


def test_layers_of_the_teacher_may_have_other_names():
    loss = relation.DistanceRelation("first", "second")
    assert (loss.student_layers, loss.teacher_layers) == (("first",), ("second",))
    student, teacher = made("student"), made("teacher", seed=20)
    expected = relation.distance_relation(student.features["first"], teacher.features["second"])
    assert torch.equal(called(loss, student, teacher), expected)


def test_a_feature_of_one_number_a_sample_is_an_embedding_of_width_one():
    student = Trace(random(5, 3, seed=0), {"first": random(5, seed=1)})
    teacher = Trace(random(5, 3, seed=0), {"first": random(5, 2, seed=2)})
    expected = relation.distance_relation(student.features["first"][:, None], teacher.features["first"])
    assert torch.equal(called(relation.DistanceRelation("first"), student, teacher), expected)
