"""The parts of the experiments on features and relations that the pages rest on."""

import pandas as pd
import pytest
import torch

from kdviz.course.experiments import n04_features as experiments
from kdviz.course.experiments import n05_relations
from kdviz.course.experiments.n05_relations import nearest_neighbours
from kdviz.datasets import digits
from kdviz.measure import paired
from kdviz.models import mlp
from kdviz.tracing import trace


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled", seed=3)


@pytest.mark.parametrize("within_class", [False, True])
def test_shuffled_pairs_leave_no_sample_in_its_place(data, within_class):
    order = experiments.shuffled(data, within_class)
    assert sorted(order.tolist()) == list(range(50))
    assert (order != torch.arange(50)).all()


def test_within_a_class_the_labels_stay_and_otherwise_they_do_not(data):
    labels = data.transfer.labels
    assert (labels[experiments.shuffled(data, within_class=True)] == labels).all()
    assert (labels[experiments.shuffled(data)] == labels).float().mean() < 0.4


def test_a_seed_has_one_order(data):
    assert (experiments.shuffled(data) == experiments.shuffled(data)).all()


def test_a_shuffled_teacher_gives_its_own_logits_and_the_features_of_others(data):
    teacher = mlp(64, 12, 10, seed=1)
    order = experiments.shuffled(data)
    mixed = experiments.ShuffledPairs(teacher, "activation1", order)
    with torch.no_grad():
        right = trace(teacher, data.transfer.inputs, ("activation1",))
        wrong = trace(mixed, data.transfer.inputs, ("shuffled",))
    assert torch.equal(wrong.logits, right.logits)
    assert torch.equal(wrong.features["shuffled"], right.features["activation1"][order])


def table(validation, accuracy):
    """Rows of six seeds: a baseline, and one kind of knowledge at two weights."""
    rows = []
    for seed in range(6):
        for base, lift in (("hard labels", 0.0), ("soft targets", 5.0)):
            common = {"seed": seed, "labels": 50, "base": base}
            none = {"arm": "none", "weight": 0.0, "validation_accuracy": 80.0}
            rows.append({**common, **none, "accuracy": 70.0 + seed + lift})
            for weight in validation:
                kind = {"arm": "hint", "weight": weight, "validation_accuracy": validation[weight]}
                rows.append({**common, **kind, "accuracy": 70.0 + seed + lift + accuracy[weight] + seed % 2})
    return pd.DataFrame(rows)


def test_the_weight_is_chosen_on_validation_and_never_on_test():
    rows = experiments.chosen(table({1.0: 90.0, 10.0: 85.0}, {1.0: 1.0, 10.0: 9.0}))
    assert set(rows[rows.arm == "hint"].weight) == {1.0}
    assert set(rows[rows.arm == "none"].weight) == {0.0}
    assert len(rows) == 6 * 4


def test_gains_are_paired_with_their_own_base():
    found = experiments.gains(table({1.0: 90.0}, {1.0: 2.0}))
    differences = [2 + seed % 2 for seed in range(6)]
    interval = paired(differences, [0] * 6)
    half = (interval.high - interval.low) / 2
    assert found["hard labels", 50]["hint"] == found["soft targets", 50]["hint"] == f"+2.5 ± {half:.1f}"
    assert found["hard labels", 50]["soft targets"] == "+5.0 ± 0.0"
    assert found["soft targets", 50]["soft targets"] == ""


def test_a_gain_that_may_be_nothing_is_called_null():
    found = experiments.gains(table({1.0: 90.0}, {1.0: -0.5}))
    assert found["hard labels", 50]["hint"].endswith(" null")


def test_the_nearest_neighbour_of_a_known_embedding_is_itself(data):
    known = data.labelled.inputs.flatten(1)
    said = nearest_neighbours(known, data.labelled.labels, known, count=1)
    assert (said == data.labelled.labels).all()


def test_a_point_without_knowledge_is_its_base_alone():
    objective = experiments.with_knowledge("soft targets", "none", 0.0)
    assert list(objective.named) == ["cross_entropy", "soft_targets"]
    added = experiments.with_knowledge("hard labels", "hint", 0.5)
    assert added.named["hint"].weight == 0.5 and added.teacher_layers == ("activation1",)


def test_rows_do_not_depend_on_the_seeds_beside_them():
    together = experiments.knowledge((0, 7), 50, kinds=("similarities",), bases=("hard labels",))
    alone = experiments.knowledge((7,), 50, kinds=("similarities",), bases=("hard labels",))
    mine = [row for row in together if row["seed"] == 7]
    assert [row["weight"] for row in mine] == [row["weight"] for row in alone]
    for one, other in zip(mine, alone, strict=True):
        assert one["accuracy"] == pytest.approx(other["accuracy"], abs=1.0)


def test_every_sense_is_of_the_same_sample_in_every_part():
    plain = digits(labels=50, seed=3)
    data = n05_relations.senses(plain)
    assert torch.equal(data.test.inputs["image"], plain.test.inputs)
    place = {int(index): row for row, index in enumerate(data.train.indices)}
    rows = [place[int(index)] for index in data.labelled.indices]
    for sense, size in n05_relations.SENSES.items():
        assert data.test.inputs[sense].flatten(1).shape == (len(plain.test), size)
        assert torch.equal(data.labelled.inputs[sense], data.train.inputs[sense][rows])
    # The mean tone of a digit is its two sines: the noise on it averages out.
    heard = data.train.inputs["tone"][data.train.labels == 1].mean(0)
    time = 2 * torch.pi * torch.arange(96) / 8000
    sines = torch.sin(697 * time) + torch.sin(1209 * time)
    assert torch.corrcoef(torch.stack([heard, sines]))[0, 1] > 0.9


def test_a_prior_by_worth_is_the_softmax_of_the_losses_of_all_others():
    samples = digits(labels=50).validation[:50]
    networks = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    losses = [
        float(torch.nn.functional.cross_entropy(one(samples.inputs), samples.labels).detach())
        for one in networks
    ]
    weights = torch.tensor(losses).neg().exp()
    for row, own in enumerate(n05_relations.by_worth(networks, samples)):
        others = weights.clone().index_fill(0, torch.tensor(row), 0.0)
        assert torch.allclose(own.detach(), others / others.sum(), atol=1e-5)
