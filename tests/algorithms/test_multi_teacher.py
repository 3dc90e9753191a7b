"""Panels, amalgams and votes against their definitions: who is heard, who moves, what is refused."""

import math

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.algorithms.multi_teacher import (
    Amalgam,
    LearnedWeights,
    Panel,
    RandomTeacher,
    by_confidence,
    by_loss,
    mixture,
    noisy_counts,
    privacy_spent,
    privacy_spent_on,
    private_labels,
    votes,
)
from kdviz.datasets import digits
from kdviz.losses.response import SoftTargets
from kdviz.models import Ensemble, mlp
from kdviz.schemes import distill_stack
from kdviz.tracing import Trace
from kdviz.training.stacked import StackedModel

PANEL = [mlp(64, 8, 10, seed=seed) for seed in range(3)]


def drawn(*shape, seed=0):
    return 3 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_to_learn_from_the_mixture_is_to_learn_from_the_weighted_sum():
    said, student = drawn(6, 3, 4), drawn(6, 4, seed=1).requires_grad_()
    weights = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    each = sum(w * SoftTargets(4.0)(student, said[:, k]) for k, w in enumerate(weights))
    mixed = SoftTargets(4.0)(student, mixture(said, weights, temperature=4.0))
    ours, theirs = (torch.autograd.grad(loss, student)[0] for loss in (mixed, each))
    assert torch.allclose(ours, theirs, atol=1e-12) and ours.abs().max() > 1e-3


def test_each_image_may_have_weights_of_its_own():
    said = drawn(2, 2, 3)
    mixed = mixture(said, torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
    q = said.softmax(-1)
    assert torch.allclose(mixed.softmax(-1)[0], q[0, 0])
    assert torch.allclose(mixed.softmax(-1)[1], 0.25 * q[1, 0] + 0.75 * q[1, 1])


@pytest.mark.parametrize(
    "weights", [torch.ones(3), torch.tensor([1.5, -0.5]), torch.tensor([0.5, 0.6]), torch.ones(3, 2) / 2]
)
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(ValueError, match="weights must"):
        mixture(drawn(5, 2, 4), weights)


def test_who_is_sure_is_heard_and_who_knows_nothing_is_not():
    said = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [0.0, 0.0, 9.0]]])
    weights = by_confidence(said)
    assert torch.allclose(weights.sum(-1), torch.ones(2)) and (weights.max(-1).values > 0.7).all()
    assert weights.argmax(-1).tolist() == [0, 1]
    # exp(-H): of a sure teacher 1, of one that knows nothing 1/3.
    assert weights[0, 1] == pytest.approx(1 / 4, abs=2e-3)


def test_weights_by_loss_are_shares_of_at_most_one_over_the_others():
    weights = by_loss(torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64))
    powers = [math.exp(loss) for loss in (1.0, 2.0, 0.5)]
    assert weights.tolist() == pytest.approx([(1 - p / sum(powers)) / 2 for p in powers])
    assert float(weights.sum()) == pytest.approx(1) and weights.max() <= 0.5
    with pytest.raises(ValueError, match="two or more teachers"):
        by_loss(torch.tensor([1.0]))


def test_a_panel_of_equals_is_an_ensemble_and_its_members_can_be_told_apart():
    images = digits(50).test.inputs[:5]
    panel = Panel(PANEL, temperature=4.0)
    assert torch.allclose(panel(images), Ensemble(PANEL, temperature=4.0)(images), atol=1e-5)
    seen = kd.trace(panel, images, ["each", "networks.1.hidden1"])
    assert torch.allclose(seen.features["each"][:, 1], PANEL[1](images))
    assert seen.features["networks.1.hidden1"].shape == (5, 8)
    alone = Panel(PANEL, torch.tensor([0.0, 1.0, 0.0]))(images)
    assert torch.allclose(alone.softmax(-1), PANEL[1](images).softmax(-1), atol=1e-6)


def panel_trace(said):
    return Trace(said.mean(1), {"each": said})


def test_the_learned_weights_move_to_the_teacher_that_is_nearest_already():
    said, student = drawn(6, 2, 4), drawn(6, 4, seed=1)
    said[:, 1] = student + 0.1
    a = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    loss = LearnedWeights(2.0)(Trace(student), panel_trace(said), learned={"a": a})
    losses = [SoftTargets(2.0)(student, said[:, k]) for k in range(2)]
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(sum(losses)) / 2)
    # Of sum softmax(a)_k L_k the gradient is w_k (L_k - the sum).
    assert a.grad.tolist() == pytest.approx([float(own - sum(losses) / 2) / 2 for own in losses])
    assert a.grad[0] > 0 > a.grad[1]


def test_a_random_teacher_is_one_of_them_and_each_has_its_turn():
    said, student = drawn(6, 3, 4), drawn(6, 4, seed=1)
    losses = {float(SoftTargets(4.0)(student, said[:, k])) for k in range(3)}
    assert {float(RandomTeacher(4.0)(Trace(student), panel_trace(said))) for _ in range(60)} == losses


@pytest.mark.parametrize("loss", [SoftTargets(4.0), RandomTeacher(4.0), LearnedWeights(4.0)])
def test_the_student_moves_and_the_teachers_do_not(loss):
    panel, start = Panel(PANEL, temperature=4.0), mlp(64, 8, 10, seed=7)
    before = [weights.clone() for weights in (*panel.parameters(), *start.parameters())]
    run = kd.distill(panel, start, digits(50), loss, steps=3).finish()
    after = [*panel.parameters(), *start.parameters()]
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert not torch.equal(run.student.hidden1.weight, start.hidden1.weight)


@pytest.mark.parametrize("loss", [RandomTeacher(4.0), LearnedWeights(4.0)])
def test_in_a_stack_each_learns_as_alone(loss):
    data = [digits(50, seed=seed) for seed in (0, 0)]
    panels = [Panel(PANEL), Panel(PANEL)]
    starts = [mlp(64, 8, 10, seed=seed) for seed in (5, 6)]
    stack = distill_stack(panels, StackedModel(starts), data, loss, steps=10).finish().student
    for row, start in enumerate(starts):
        alone = kd.distill(panels[row], start, data[row], loss, steps=10).finish().student
        assert torch.allclose(stack.student(row, 0).hidden1.weight, alone.hidden1.weight, atol=2e-4)


def test_a_run_that_was_left_goes_on_as_if_it_had_not_been():
    def run():
        return kd.distill(Panel(PANEL), mlp(64, 8, 10, seed=7), digits(50), RandomTeacher(4.0), steps=20)

    left = run()
    next(left)
    torch.rand(3)  # what a reader draws in between
    assert torch.equal(left.finish().student.hidden1.weight, run().finish().student.hidden1.weight)


def test_a_teacher_that_is_no_panel_is_refused():
    with pytest.raises(ValueError, match="Panel"):
        LearnedWeights(4.0)(Trace(drawn(2, 3)), Trace(drawn(2, 3)), learned={"a": torch.zeros(2)})


# --- teachers of different classes


def test_an_amalgam_puts_each_class_in_its_place():
    first, second, images = nn.Linear(4, 2), nn.Linear(4, 3), torch.randn(5, 4)
    joined = Amalgam([first, second], [[3, 0], [1, 4, 2]])(images)
    assert torch.equal(joined[:, [3, 0]], first(images))
    assert torch.equal(joined[:, [1, 4, 2]], second(images))


def test_a_number_added_to_all_logits_of_a_teacher_moves_the_joined_and_not_the_surest():
    first, second, images = nn.Linear(4, 2), nn.Linear(4, 3), torch.randn(5, 4)
    raised = nn.Linear(4, 3)
    raised.load_state_dict({"weight": second.weight, "bias": second.bias + 2})
    classes = [[0, 1], [2, 3, 4]]
    for rule, moves in (("joined", True), ("surest", False)):
        plain, higher = (Amalgam([first, one], classes, rule)(images).softmax(-1) for one in (second, raised))
        assert torch.allclose(plain, higher, atol=1e-6) != moves


def test_the_surest_teacher_says_all():
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[5.0, 0.0], [0.0, 0.0]]))
        second.weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 3.0]]))
    q = Amalgam([first, second], [[0, 1], [2, 3]], "surest")(torch.eye(2)).softmax(-1)
    assert torch.allclose(q[0, :2], first(torch.eye(2))[0].softmax(-1)) and q[0, 2:].sum() == 0
    assert torch.allclose(q[1, 2:], second(torch.eye(2))[1].softmax(-1)) and q[1, :2].sum() == 0


@pytest.mark.parametrize("classes", [[[0, 1]], [[0, 1], [1, 2]], [[0, 1], [2, 4]]])
def test_classes_that_are_missing_or_twice_are_refused(classes):
    with pytest.raises(ValueError, match="classes, together"):
        Amalgam([nn.Linear(2, 2), nn.Linear(2, 2)], classes)


# --- votes


def test_votes_count_the_networks_and_without_noise_the_most_win():
    data = digits(50)
    counts = votes(PANEL, data.test.inputs[:7], 10)
    said = torch.stack([network(data.test.inputs[:7]).argmax(-1) for network in PANEL])
    assert (counts.sum(-1) == 3).all()
    assert all(int(counts[n, c]) == int((said[:, n] == c).sum()) for n in range(7) for c in range(10))
    assert torch.equal(noisy_counts(counts, math.inf), counts.double())


def test_the_noise_is_laplace_of_scale_one_over_gamma():
    # Of two counts that are a apart, the smaller wins with the probability exp(-ga) (2 + ga) / 4.
    counts, gamma = torch.tensor([[3.0, 0.0]]).repeat(40_000, 1), 0.5
    noisy = noisy_counts(counts, gamma, seed=3)
    lost = float((noisy.argmax(-1) == 1).double().mean())
    assert lost == pytest.approx(math.exp(-1.5) * (2 + 1.5) / 4, abs=0.008)
    assert torch.equal(noisy_counts(counts, gamma, seed=3), noisy)
    assert float((noisy - counts).abs().mean()) == pytest.approx(1 / gamma, rel=0.02)
    with pytest.raises(ValueError, match="gamma must be above 0"):
        noisy_counts(counts, 0.0)


def test_the_student_of_pate_gets_noisy_answers_to_its_queries_and_nothing_else():
    data = digits(50)
    given = private_labels(PANEL, data, math.inf, queries=30)
    assert torch.equal(given.labelled.inputs, data.transfer.inputs[:30])
    said = votes(PANEL, data.transfer.inputs[:30], 10).argmax(-1)
    assert torch.equal(given.labelled.labels, said)
    assert kd.train(mlp(64, 8, 10), given, steps=2).finish().step == 2


def test_privacy_is_spent_by_each_answer_and_no_more_than_by_the_sum():
    assert privacy_spent(1, 0.05) == pytest.approx(0.1)
    spent = [privacy_spent(n, 0.05) for n in (1, 10, 100, 1000, 10_000)]
    assert spent == sorted(spent) and spent[-1] < 0.1 * 10_000
    # Over all real orders the bound is 2 g² n + 2 g sqrt(2 n ln 1/d); whole ones come near.
    best = 2 * 0.005**2 * 1000 + 2 * 0.005 * math.sqrt(2 * 1000 * math.log(1e5))
    assert best <= privacy_spent(1000, 0.005) < 1.01 * best
    with pytest.raises(ValueError, match="delta"):
        privacy_spent(10, 0.1, delta=0)


def spent_one_by_one(counts, gamma, delta=1e-5):
    """The same number from the theorems, one query and one order after another."""
    spent = [2 * gamma * len(counts)]
    sure = (math.exp(2 * gamma) - 1) / (math.exp(4 * gamma) - 1)
    for order in range(1, 300):
        total = math.log(1 / delta)
        for cast in counts:
            first, *rest = sorted(cast, reverse=True)
            q = sum((2 + gamma * (first - n)) / (4 * math.exp(gamma * (first - n))) for n in rest)
            moment = 2 * gamma**2 * order * (order + 1)
            if q < sure:
                kept = (1 - q) * ((1 - q) / (1 - math.exp(2 * gamma) * q)) ** order
                moment = min(moment, math.log(kept + q * math.exp(2 * gamma * order)))
            total += moment
        spent.append(total / order)
    return min(spent)


@pytest.mark.parametrize("gamma", [0.02, 0.05, 0.2, 0.5])
def test_privacy_that_looks_at_the_votes_follows_the_theorems(gamma):
    draws = torch.Generator().manual_seed(1)
    share = torch.tensor([0.7] + [0.03] * 10)
    counts = torch.stack(
        [torch.multinomial(share, 60, True, generator=draws).bincount(minlength=11) for _ in range(9)]
    )
    assert privacy_spent_on(counts, gamma) == pytest.approx(
        spent_one_by_one(counts.tolist(), gamma), rel=1e-6
    )


def test_clear_votes_cost_less_and_even_ones_what_is_the_most_whatever_they_are():
    clear, even = torch.tensor([[60, 0, 0]] * 300), torch.tensor([[20, 20, 20]] * 300)
    most = privacy_spent(300, 0.2)
    assert privacy_spent_on(even, 0.2) == pytest.approx(most)
    assert privacy_spent_on(clear, 0.2) < 0.2 * most
    ahead = [privacy_spent_on(torch.tensor([[30 + n, 30 - n]] * 300), 0.2) for n in range(0, 31, 5)]
    assert ahead == sorted(ahead, reverse=True)
    # Votes that nobody can turn cost what one asks delta for, and no more.
    sure = privacy_spent_on(torch.tensor([[10_000, 0]]), 0.2)
    assert sure == pytest.approx(math.log(1e5) / 999, rel=1e-3)
    with pytest.raises(ValueError, match="counts must be votes"):
        privacy_spent_on(torch.tensor([1, 2]), 0.2)


def test_its_settings_are_those_of_the_formula():
    assert set((0.9 * LearnedWeights(2.0)).settings()) == {
        "learned_weights.weight",
        "learned_weights.temperature",
        "learned_weights.layer",
    }
