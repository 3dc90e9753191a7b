"""Losses on what a transformer does inside: each formula against plain numbers, its limits and its errors."""

import math

import pytest
import torch

import kdviz as kd
from kdviz.losses.encoders import (
    AttentionDistribution,
    HiddenStates,
    ValueRelation,
    attention_distribution,
    hidden_states,
    value_relation,
)
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def maps(*shape, seed):
    return (2 * random(*shape, seed=seed)).softmax(-1)


def kl(q, p):
    return sum(b * math.log(b / a) for b, a in zip(q, p, strict=True) if b > 0)


def softmax(scores):
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def by_hand(values, heads):
    """The relation of each sequence, head and token, as lists."""
    values = values.tolist()
    share = len(values[0][0]) // heads
    rows = []
    for tokens in values:
        for head in range(heads):
            own = [token[head * share : (head + 1) * share] for token in tokens]
            for one in own:
                scores = [sum(x * y for x, y in zip(one, other, strict=True)) for other in own]
                rows.append(softmax([score / math.sqrt(share) for score in scores]))
    return rows


def test_attention_equals_minilms_formula():
    ours, theirs = maps(2, 3, 4, 4, seed=1), maps(2, 3, 4, 4, seed=2)
    rows = zip(theirs.view(-1, 4).tolist(), ours.view(-1, 4).tolist(), strict=True)
    expected = sum(kl(q, p) for q, p in rows) / (2 * 3 * 4)
    assert attention_distribution(ours, theirs).item() == pytest.approx(expected, rel=1e-12)


def test_attention_of_two_cells_by_hand():
    ours = torch.tensor([[[[0.5, 0.5], [0.25, 0.75]]]], dtype=torch.float64)
    theirs = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]], dtype=torch.float64)
    # log 2 for the first token; for the second half of log 2 and half of log 2/3.
    expected = (math.log(2) + (math.log(2) + math.log(2 / 3)) / 2) / 2
    assert attention_distribution(ours, theirs).item() == pytest.approx(expected, rel=1e-12)
    squares = (0.25 + 0.25 + 1 / 16 + 1 / 16) / 4
    assert attention_distribution(ours, theirs, "tinybert").item() == pytest.approx(squares, rel=1e-12)


def test_relation_equals_minilms_formula_for_other_widths():
    ours, theirs = random(2, 3, 4, seed=3), random(2, 3, 8, seed=4)
    rows = list(zip(by_hand(theirs, 2), by_hand(ours, 2), strict=True))
    expected = sum(kl(q, p) for q, p in rows) / len(rows)
    assert value_relation(ours, theirs, heads=2).item() == pytest.approx(expected, rel=1e-12)


def test_relation_sees_neither_a_turn_nor_a_mirror_within_a_head():
    values = random(2, 5, 8, seed=5)
    turn = torch.linalg.qr(random(4, 4, seed=6)).Q
    turned = (values.unflatten(-1, (2, 4)) @ turn).flatten(-2)
    assert value_relation(turned, values, heads=2) < 1e-12
    mixed = values @ torch.linalg.qr(random(8, 8, seed=7)).Q
    assert value_relation(mixed, values, heads=2) > 1e-3


def test_hidden_states_equal_their_formulas():
    ours, theirs = random(2, 3, 4, seed=8), random(2, 3, 4, seed=9)
    cells = list(zip(ours.flatten().tolist(), theirs.flatten().tolist(), strict=True))
    expected = sum((a - b) ** 2 for a, b in cells) / len(cells)
    assert hidden_states(ours, theirs).item() == pytest.approx(expected, rel=1e-12)
    cosines = torch.nn.functional.cosine_embedding_loss(
        ours.view(-1, 4), theirs.view(-1, 4), torch.ones(6)
    )  # what DistilBERT's authors call
    assert hidden_states(ours, theirs, "distilbert").item() == pytest.approx(cosines.item(), rel=1e-12)


def test_the_direction_sees_no_length_and_is_two_at_most():
    theirs = random(2, 3, 4, seed=10)
    assert hidden_states(7 * theirs, theirs, "distilbert") < 1e-12
    assert hidden_states(-theirs, theirs, "distilbert").item() == pytest.approx(2)


TERMS = [
    (AttentionDistribution("seen"), maps(4, 2, 3, 3, seed=1), maps(4, 2, 3, 3, seed=2)),
    (AttentionDistribution("seen", form="tinybert"), maps(4, 2, 3, 3, seed=1), maps(4, 2, 3, 3, seed=2)),
    (ValueRelation("seen", heads=2), random(4, 3, 4, seed=3), random(4, 3, 6, seed=4)),
    (HiddenStates("seen", adapter="linear"), random(4, 3, 4, seed=5), random(4, 3, 6, seed=6)),
    (HiddenStates("seen", form="distilbert"), random(4, 3, 4, seed=7), random(4, 3, 4, seed=8)),
]
each_term = pytest.mark.parametrize(("loss", "ours", "theirs"), TERMS, ids=[repr(one[0]) for one in TERMS])


@each_term
def test_the_teacher_gets_no_gradient_and_equal_sides_cost_nothing(loss, ours, theirs):
    ours, theirs = ours.clone().requires_grad_(), theirs.clone().requires_grad_()
    loss(ours, theirs).backward()
    assert theirs.grad is None and ours.grad.abs().sum() > 0
    if "adapter" not in vars(loss) or loss.adapter is None:
        assert loss(ours, ours.detach()).item() == pytest.approx(0, abs=1e-12)


@each_term
def test_its_gradient_is_that_of_its_values(loss, ours, theirs):
    learned = loss.initial(*loss.traces(ours, theirs))
    assert torch.autograd.gradcheck(lambda one: loss(one, theirs, learned=learned), ours.requires_grad_())


@each_term
def test_it_is_the_mean_over_the_sequences_and_follows_no_order(loss, ours, theirs):
    learned = loss.initial(*loss.traces(ours, theirs))
    whole = loss(ours, theirs, learned=learned)
    alone = [loss(ours[n : n + 1], theirs[n : n + 1], learned=learned) for n in range(4)]
    torch.testing.assert_close(whole, torch.stack(alone).mean())


@each_term
def test_a_stack_is_each_student_alone(loss, ours, theirs):
    stack = torch.stack([ours, ours.roll(1, 0), ours.flip(0)])[:, None]
    learned = loss.initial(*loss.traces(ours, theirs))
    shared = {name: part.expand(3, 1, *part.shape) for name, part in learned.items()}
    traces = Trace(stack.flatten(3), {"seen": stack}), Trace(theirs.flatten(1), {"seen": theirs})
    found = each_value(loss, *traces, None, shared)
    alone = [loss(stack[n, 0], theirs, learned=learned) for n in range(3)]
    torch.testing.assert_close(found[:, 0], torch.stack(alone))


def test_where_the_teacher_does_not_look_nothing_is_asked_and_no_gradient_comes():
    causal = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]], dtype=torch.float64)
    ours = causal.clone().requires_grad_()
    attention_distribution(ours, causal).backward()
    assert torch.isfinite(ours.grad).all() and ours.grad[0, 0, 0, 1] == 0


def test_a_student_that_does_not_look_where_the_teacher_does_costs_much_and_stays_finite():
    ours = torch.tensor([[[[0.0, 1.0]]]]).requires_grad_()
    value = attention_distribution(ours, torch.tensor([[[[1.0, 0.0]]]]))
    assert torch.isfinite(value) and value > 50


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: attention_distribution(maps(2, 2, 3, 3, seed=0), maps(2, 4, 3, 3, seed=0)), "as many heads"),
        (lambda: attention_distribution(maps(2, 3, 3, seed=0), maps(2, 3, 3, seed=0)), "shape"),
        (lambda: attention_distribution(maps(1, 1, 2, 2, seed=0), maps(1, 1, 2, 2, seed=0), "x"), "form"),
        (lambda: value_relation(random(2, 3, 4, seed=0), random(2, 3, 8, seed=0), heads=3), "heads"),
        (lambda: value_relation(random(2, 3, 4, seed=0), random(2, 5, 4, seed=0), heads=2), "tokens"),
        (lambda: hidden_states(random(2, 3, 4, seed=0), random(2, 3, 8, seed=0)), 'adapter="linear"'),
        (lambda: ValueRelation(heads=0), "heads"),
        (lambda: HiddenStates(adapter="convolution"), "adapter"),
    ],
)
def test_errors_say_what_would_help(call, says):
    with pytest.raises(ValueError, match=says):
        call()


def test_a_distillation_brings_the_students_maps_to_the_teachers():
    data = kd.datasets.pairs(labels=64)
    teacher, student = (kd.models.encoder(56, 6, width=width, length=5, seed=width) for width in (32, 16))
    loss = AttentionDistribution("block2.maps")
    run = kd.distill(teacher, student, data, 1.0 * loss, steps=40, learning_rate=1e-2).finish()
    inputs, layers = data.transfer.inputs, ["block2.maps"]
    before, after = (
        loss(kd.trace(one, inputs, layers), kd.trace(teacher, inputs, layers))
        for one in (student, run.student)
    )
    assert after < before / 2
