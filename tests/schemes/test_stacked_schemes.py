"""A scheme in a stack gives what it gives seed by seed."""

import pytest
import torch
from networks import weights

from kdviz import CrossEntropy, SoftTargets, teacher, train
from kdviz.datasets import digits
from kdviz.losses.feature import Hint
from kdviz.models import mlp
from kdviz.schemes import (
    assistants,
    born_again,
    checkpoints,
    mutual,
    mutual_stack,
    residual,
    route_constrained,
    snapshot,
    stack_chains,
    teacher_free,
    two_stages,
)

SEEDS = (0, 1, 2)
OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(2)


@pytest.fixture(scope="module")
def data():
    return [digits(labels=50, transfer="labelled", seed=seed) for seed in SEEDS]


def start(seed, width=8):
    return mlp(64, width, 10, seed=seed)


def guide(part):
    return teacher(part, mlp(64, 12, 10, seed=part.seed), steps=60)


def route(part):
    run = train(mlp(64, 12, 10, seed=part.seed), part, steps=20, record_every=10)
    return list(checkpoints(run).values())


CHAINS = {
    "born_again": lambda part, **s: born_again(
        [start(part.seed), start(10 + part.seed)], part, OBJECTIVE, **s
    ),
    "teacher_free": lambda part, **s: teacher_free(start(part.seed), part, OBJECTIVE, **s),
    "snapshot": lambda part, **s: snapshot(start(part.seed), part, OBJECTIVE, generations=3, **s),
    "assistants": lambda part, **s: assistants(
        guide(part), [start(part.seed), start(part.seed, 4)], part, OBJECTIVE, **s
    ),
    "route_constrained": lambda part, **s: route_constrained(
        route(part), start(part.seed), part, OBJECTIVE, **s
    ),
    "two_stages": lambda part, **s: two_stages(
        guide(part), start(part.seed), part, 1.0 * Hint("hidden1", adapter="linear"), OBJECTIVE, **s
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_in_a_stack_end_as_they_do_alone(name, data):
    together = stack_chains([CHAINS[name](part, steps=15, record_every=5) for part in data]).finish()
    for row, part in enumerate(data):
        alone = CHAINS[name](part, steps=15, record_every=5).finish()
        torch.testing.assert_close(
            weights(together.student.student(row, 0)), weights(alone.student), rtol=1e-3, atol=1e-4
        )
        assert [record.step for record in together.records] == [record.step for record in alone.records]


def test_chains_that_are_not_alike_cannot_be_stacked(data):
    with pytest.raises(ValueError, match="trained alike.*'steps': 5.*'steps': 6"):
        stack_chains([CHAINS["snapshot"](part, steps=5 + place) for place, part in enumerate(data)])


def test_a_chain_with_frozen_parts_says_why_it_cannot_be_stacked(data):
    chains = [
        residual(guide(part), start(0), start(1), part, OBJECTIVE, steps=2, record_every=2) for part in data
    ]
    stages = stack_chains(chains)
    next(stages)
    with pytest.raises(ValueError, match="frozen"):
        next(stages)


def test_pairs_of_peers_in_a_stack_end_as_they_do_alone(data):
    pairs = [[start(part.seed), start(10 + part.seed)] for part in data]
    shares = torch.tensor([0.0, 0.7])
    objective = CrossEntropy() + shares * SoftTargets(2)
    run = mutual_stack(pairs, data, objective, settings=2, steps=25).finish()
    assert run.records[-1].total.shape == (6, 2)
    for seed, (pair, part) in enumerate(zip(pairs, data, strict=True)):
        for column, share in enumerate(shares.tolist()):
            alone = mutual(pair, part, CrossEntropy() + share * SoftTargets(2), steps=25).finish()
            for place in range(2):
                stacked = run.student.student(2 * seed + place, column)
                torch.testing.assert_close(
                    weights(stacked), weights(alone.student[place]), rtol=1e-3, atol=1e-4
                )


def test_pairs_learn_from_each_others_layers_in_a_stack(data):
    pairs = [[start(part.seed), start(10 + part.seed)] for part in data]
    objective = CrossEntropy() + 0.1 * Hint("hidden1", adapter="linear")
    run = mutual_stack(pairs, data, objective, steps=10).finish()
    alone = mutual(pairs[1], data[1], objective, steps=10).finish()
    torch.testing.assert_close(
        weights(run.student.student(3, 0)), weights(alone.student[1]), rtol=1e-3, atol=1e-4
    )


def test_more_than_a_pair_is_refused_in_a_stack(data):
    with pytest.raises(ValueError, match="pairs of peers; got 3"):
        mutual_stack([[start(0), start(1), start(2)]], data[:1])
