"""A stage of a chain may bring its own data and settings."""

from dataclasses import replace

import pytest
import torch
from networks import weights

from kdviz import CrossEntropy, SoftTargets, distill, train
from kdviz.datasets import digits
from kdviz.models import mlp
from kdviz.schemes import Chain, Stage, stack_chains

OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(2)


def tasks(seed=0):
    """Two tasks: the digits up to 4, then the others."""
    whole = digits(labels=100, transfer="labelled", seed=seed)
    for low, high in ((0, 4), (5, 9)):
        parts = {}
        for name in ("labelled", "transfer"):
            part = getattr(whole, name)
            parts[name] = part[(part.labels >= low) & (part.labels <= high)]
        yield replace(whole, **{name: part[:40] for name, part in parts.items()})


def lifelong(seed=0, **training):
    """Each task on its own data; in the second the student is also taught by what it was."""
    data = list(tasks(seed))

    def link(index, before):
        if index == 0:
            return Stage(None, mlp(64, 8, 10, seed=seed), CrossEntropy(), data[0])
        return Stage(before, before, OBJECTIVE, data[1], {"steps": 6})

    return Chain(link, 2, training={"steps": 4, "record_every": 2, **training})


def test_a_stage_learns_on_its_own_data_with_its_own_settings():
    stages = lifelong().finish()
    first, second = tasks()
    one = train(mlp(64, 8, 10), first, steps=4).finish().student
    two = distill(one, one, second, OBJECTIVE, steps=6).finish().student
    assert torch.equal(weights(stages.runs[0].student), weights(one))
    assert torch.equal(weights(stages.student), weights(two))
    assert [record.step for record in stages.records] == [2, 4, 6, 8, 10]
    assert set(stages.runs[1].lesson.samples.labels.tolist()) <= {5, 6, 7, 8, 9}


def test_the_chains_data_serve_stages_that_bring_none():
    first, second = tasks()

    def link(index, before):
        return Stage(None, before or mlp(64, 8, 10), CrossEntropy(), second if index else None)

    stages = Chain(link, 2, first, {"steps": 2}).finish()
    seen = [set(run.lesson.samples.labels.tolist()) for run in stages.runs]
    assert max(seen[0]) <= 4 and min(seen[1]) >= 5


def test_a_stage_without_any_data_says_so():
    with pytest.raises(ValueError, match="no data for stage 0"):
        Chain(lambda index, before: Stage(None, mlp(64, 8, 10), CrossEntropy()), 1)


def test_chains_with_data_of_their_own_end_in_a_stack_as_they_do_alone():
    together = stack_chains([lifelong(seed) for seed in range(2)]).finish()
    for seed in range(2):
        alone = lifelong(seed).finish().student
        torch.testing.assert_close(
            weights(together.student.student(seed, 0)), weights(alone), rtol=1e-3, atol=1e-4
        )
