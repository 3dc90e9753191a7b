"""The memory of contrastive representation distillation, against RepDistiller's worked sample by sample."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.func import vmap

from kdviz.losses import relation
from kdviz.losses.relation import ContrastiveRepresentation, contrastive_representation, draw_negatives
from kdviz.tracing import Trace
from kdviz.training.mapped import each_value

SAMPLES, WIDTH, TAU, MOMENTUM = 11, 4, 0.3, 0.4
LOSS = ContrastiveRepresentation(
    "hidden", samples=SAMPLES, negatives=3, width=WIDTH, temperature=TAU, momentum=MOMENTUM
)
BATCHES = [torch.tensor(rows) for rows in ([4, 0, 7], [1, 4, 10], [7, 2, 0])]
LABELS = torch.arange(SAMPLES) % 3


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def traces(rows, seed=0):
    """What both say to a batch, and its labels."""
    student, teacher = (
        Trace(random(len(rows), 3, seed=seed), {"hidden": random(len(rows), width, seed=seed + 1)}, rows)
        for width in (5, 6)
    )
    return student, teacher, LABELS[rows]


def one(vector):
    return vector / math.sqrt(sum(v * v for v in vector))


def embedded(features, learned, side):
    return [one(learned[f"{side}_weight"].numpy() @ x + learned[f"{side}_bias"].numpy()) for x in features]


class ByHand:
    """Two banks, and their constants once the first batch has set them."""

    def __init__(self, learned, form):
        self.banks = {side: learned[f"{side}_bank"].numpy().copy() for side in ("student", "teacher")}
        self.constants, self.form = {}, form

    def step(self, student, teacher, rows, negatives):
        total, count, noise = 0.0, negatives.shape[1], negatives.shape[1] / SAMPLES
        epsilon = 1e-7 if self.form == "repdistiller" else 0.0
        anchors = {"student": student, "teacher": teacher}
        for side, other in (("student", "teacher"), ("teacher", "student")):
            if self.form == "paper":
                self.constants[side] = 1.0
            elif side not in self.constants:
                scores = [
                    math.exp(x @ self.banks[other][row] / TAU)
                    for x, own, others in zip(anchors[side], rows, negatives, strict=True)
                    for row in (own, *others)
                ]
                self.constants[side] = SAMPLES * sum(scores) / len(scores)
            for i, x in enumerate(anchors[side]):
                positive = self.banks[other][rows[i]] if self.form == "repdistiller" else anchors[other][i]
                right = math.exp(x @ positive / TAU) / self.constants[side]
                total -= math.log(right / (right + noise + epsilon))
                for k in range(count):
                    wrong = math.exp(x @ self.banks[other][negatives[i, k]] / TAU) / self.constants[side]
                    total -= math.log(noise / (wrong + noise + epsilon))
        for side, bank in self.banks.items():
            for i, x in enumerate(anchors[side]):
                bank[rows[i]] = one(MOMENTUM * bank[rows[i]] + (1 - MOMENTUM) * x)
        return total / len(rows)


@pytest.mark.parametrize("form", ["repdistiller", "paper"])
def test_three_batches_equal_the_memory_worked_by_hand(form):
    loss = replace(LOSS, form=form)
    learned = loss.initial(*traces(BATCHES[0])[:2])
    by_hand = ByHand(learned, form)
    for step, rows in enumerate(BATCHES):
        student, teacher, labels = traces(rows, seed=10 * step)
        same = (learned["classes"] == labels[:, None]).numpy()
        drawn = draw_negatives(rows, 3, SAMPLES, step, same_class=torch.from_numpy(same)).numpy()
        embeddings = [
            embedded(trace.features["hidden"].numpy(), learned, side)
            for side, trace in (("student", student), ("teacher", teacher))
        ]
        expected = by_hand.step(*embeddings, rows.numpy(), drawn)
        assert loss(student, teacher, labels, learned).item() == pytest.approx(expected, rel=1e-11)
        learned = learned | loss.remembered(student, teacher, labels, learned)
        for side, bank in by_hand.banks.items():
            np.testing.assert_allclose(learned[f"{side}_bank"].numpy(), bank, rtol=1e-11, atol=1e-13)
            assert learned[f"{side}_log_z"].exp().item() == pytest.approx(by_hand.constants[side], rel=1e-11)
    seen = torch.cat(BATCHES).unique()
    assert torch.equal(learned["classes"][seen], LABELS[seen]) and learned["step"] == 3
    assert (learned["classes"] >= 0).sum() == len(seen)


@pytest.mark.parametrize("form", ["repdistiller", "paper"])
def test_the_gradient_is_that_of_the_formula_and_reaches_no_bank(form):
    banks = [torch.nn.functional.normalize(random(SAMPLES, WIDTH, seed=s)).requires_grad_() for s in (1, 2)]
    inputs = [random(3, WIDTH, seed=seed).requires_grad_() for seed in (3, 4)]
    rows, constants = BATCHES[0], (torch.tensor(2.0).double(), torch.tensor(5.0).double())
    drawn = draw_negatives(rows, 4, SAMPLES)

    def value(student, teacher):
        return contrastive_representation(student, teacher, *banks, rows, drawn, TAU, constants, form)

    torch.autograd.gradcheck(value, inputs)
    value(*inputs).backward()
    assert all(bank.grad is None for bank in banks)


def test_negatives_are_others_of_other_classes_and_none_twice():
    rows = torch.arange(SAMPLES)
    same = LABELS[rows][:, None] == LABELS
    for step in range(20):
        drawn = draw_negatives(rows, 5, SAMPLES, step, same_class=same)
        assert not same.gather(1, drawn).any()
        assert all(len(set(row)) == 5 for row in drawn.tolist())
    # Seven or eight samples are of other classes: eleven can only be drawn with repeats.
    drawn = draw_negatives(rows, SAMPLES, SAMPLES, same_class=same)
    assert not same.gather(1, drawn).any() and all(len(set(row)) in (7, 8) for row in drawn.tolist())


def test_every_other_sample_is_drawn_equally_often():
    steps = 4000
    drawn = torch.cat([draw_negatives(torch.tensor([3]), 4, SAMPLES, step, seed=5) for step in range(steps)])
    counts = torch.bincount(drawn.flatten(), minlength=SAMPLES)
    expected, deviation = steps * 0.4, math.sqrt(steps * 0.4 * 0.6)
    assert counts[3] == 0
    others = counts[torch.arange(SAMPLES) != 3]
    assert ((others - expected).abs() < 4 * deviation).all()


def test_negatives_belong_to_the_sample_the_step_and_the_seed():
    first = draw_negatives(torch.tensor([3, 8]), 4, 1000, 7)
    assert torch.equal(first, draw_negatives(torch.tensor([8, 3]), 4, 1000, torch.tensor(7)).flip(0))
    for other in (draw_negatives(torch.tensor([3, 8]), 4, 1000, 8), draw_negatives(first[:, 0], 4, 1000, 7)):
        assert not torch.equal(first, other)
    assert not torch.equal(first, draw_negatives(torch.tensor([3, 8]), 4, 1000, 7, seed=1))


def test_many_students_remember_what_each_would_alone():
    rows = BATCHES[0]
    student, teacher, labels = traces(rows)
    students = torch.stack([random(3, 5, seed=seed) for seed in range(4)])
    start = LOSS.initial(student, teacher)
    learned = {name: part.expand(4, *part.shape).clone() for name, part in start.items()}
    learned["step"] = torch.arange(4)

    def remembered(features, learned):
        return LOSS.remembered(Trace(student.logits, {"hidden": features}), teacher, labels, learned)

    values = each_value(
        LOSS, Trace(student.logits.expand(4, 3, 3), {"hidden": students}), teacher, labels, learned
    )
    together = vmap(remembered)(students, learned)
    for i in range(4):
        own = {name: part[i] for name, part in learned.items()}
        alone = LOSS(Trace(student.logits, {"hidden": students[i]}), teacher, labels, own)
        assert values[i].item() == pytest.approx(alone.item(), rel=1e-12)
        for name, part in remembered(students[i], own).items():
            torch.testing.assert_close(together[name][i], part, rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", ["paper", "repdistiller"])
def test_low_temperatures_stay_finite(form):
    loss = replace(LOSS, temperature=0.001, form=form)
    features = random(3, 5).float().requires_grad_()
    student = Trace(random(3, 3).float(), {"hidden": features})
    teacher = Trace(random(3, 3).float(), {"hidden": random(3, 6, seed=1).float()}, BATCHES[0])
    value = loss(student, teacher, LABELS[BATCHES[0]])
    value.backward()
    assert torch.isfinite(value) and torch.isfinite(features.grad).all()


def test_a_trace_without_rows_or_a_data_set_too_small_is_refused():
    student, teacher, _ = traces(BATCHES[0])
    with pytest.raises(ValueError, match="rows"):
        LOSS(student, replace(teacher, rows=None))
    with pytest.raises(ValueError, match=r"sample 7 .* samples=5"):
        replace(LOSS, samples=5)(student, teacher)
    with pytest.raises(ValueError, match=r"\(3, 4\).*\(11, 5\)"):
        bank = random(SAMPLES, 5)
        contrastive_representation(random(3, 4), random(3, 4), bank, bank, BATCHES[0], BATCHES[0][:, None])


def test_bank_rows_move_by_the_momentum():
    bank, rows = torch.nn.functional.normalize(random(7, WIDTH)), torch.tensor([5, 2])
    before, embeddings = bank.clone(), random(2, WIDTH, seed=6)
    moved = relation.updated_bank(bank, rows, embeddings, momentum=0.3)
    for row, embedding in zip(rows.tolist(), embeddings.numpy(), strict=True):
        expected = one(0.3 * bank[row].numpy() + 0.7 * one(embedding))
        np.testing.assert_allclose(moved[row], expected, rtol=1e-12)
    untouched = [row for row in range(7) if row not in (5, 2)]
    assert torch.equal(moved[untouched], bank[untouched]) and torch.equal(bank, before)


def test_the_normaliser_makes_the_mean_chance_one_in_the_data():
    anchors, bank = random(3, WIDTH), torch.nn.functional.normalize(random(SAMPLES, WIDTH, seed=1))
    drawn = draw_negatives(BATCHES[0], 4, SAMPLES)
    constant = relation.log_normaliser(anchors, bank, BATCHES[0], drawn, TAU).exp().item()
    chances = [
        math.exp(one(x) @ bank[row].numpy() / TAU) / constant
        for x, own, others in zip(anchors.numpy(), BATCHES[0].tolist(), drawn.tolist(), strict=True)
        for row in (own, *others)
    ]
    assert sum(chances) / len(chances) == pytest.approx(1 / SAMPLES, rel=1e-12)
