"""What is in eval mode when it comes stays so, and a teacher's memory is bounded."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from kdviz import SoftTargets, distill, train
from kdviz.datasets import digits
from kdviz.datasets.dataset import Samples
from kdviz.models import Ensemble, Residual, exits, low_rank, mlp
from kdviz.schemes import mutual, snapshot


def network(seed=0, width=16):
    torch.manual_seed(seed)
    layers = [nn.Flatten(), nn.Linear(64, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 10)]
    return nn.Sequential(*layers)


def frozen_norm(seed=0):
    """In train mode, but for its batch normalisation."""
    model = network(seed)
    model[2].eval()
    return model


def modes(model):
    return [module.training for module in model.modules()]


def statistics(norm):
    return norm.running_mean.clone()


def with_a_peer(teacher, student, data, objective, **settings):
    return mutual([teacher, frozen_norm(1)], data, objective, **settings)


@pytest.mark.parametrize("scheme", [distill, with_a_peer])
def test_a_frozen_norm_of_the_readers_own_teacher_stays_frozen(scheme, data):
    teacher = frozen_norm()
    before, seen = modes(teacher), statistics(teacher[2])
    run = scheme(teacher, mlp(64, 8, 10), data, SoftTargets(4), steps=3)
    next(run)
    assert modes(teacher) == before and not teacher[2].training
    assert torch.equal(statistics(teacher[2]), seen)


def test_what_is_frozen_in_a_student_stays_so_while_the_rest_learns(data):
    start = frozen_norm()
    run = train(start, data, steps=5).finish()
    assert torch.equal(statistics(run.student[2]), statistics(start[2]))
    assert not torch.equal(run.student[1].weight, start[1].weight)
    assert not any(modes(run.student))
    with run.training_mode() as student:
        assert modes(student) == modes(start)
    assert not any(modes(run.student))


def test_a_student_wholly_in_eval_mode_is_trained_wholly(data):
    start = network().eval()
    run = train(start, data, steps=5).finish()
    assert not torch.equal(statistics(run.student[2]), statistics(start[2]))
    assert not any(modes(start))


def test_it_stays_frozen_from_stage_to_stage(data):
    start = frozen_norm()
    stages = snapshot(start, data, generations=2, steps=3).finish()
    assert torch.equal(statistics(stages.student[2]), statistics(start[2]))
    thawed = snapshot(network(), data, generations=2, steps=3).finish()
    first, second = (statistics(run.student[2]) for run in thawed.runs)
    assert not torch.equal(first, second)


def test_each_peer_is_trained_as_it_came(data):
    starts = [frozen_norm(0), network(1).eval(), network(2)]
    run = mutual(starts, data, steps=3).finish()
    moved = [
        not torch.equal(statistics(own[2]), statistics(start[2]))
        for own, start in zip(run.student, starts, strict=True)
    ]
    assert moved == [False, True, True]


def test_a_network_made_from_another_keeps_what_is_frozen_in_it(data):
    names = ("flatten", "hidden", "norm", "relu", "logits")
    start = nn.Sequential(OrderedDict(zip(names, frozen_norm(), strict=True)))
    made = exits(start, ["hidden"], data.transfer.inputs[:2])
    assert made.training and made.exit1.training
    assert [part.training for part in made.modules() if isinstance(part, nn.BatchNorm1d)] == [False]
    assert not any(modes(exits(start.eval(), ["hidden"], data.transfer.inputs[:2])))
    assert not low_rank(frozen_norm(), 2)[2].training
    assert Residual(network(), network().eval()).assistant.training


class Counting(nn.Module):
    """The largest batch that came by."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, inputs):
        self.sizes.append(len(inputs))
        return inputs


def test_a_teacher_answers_in_passes_of_bounded_memory(data):
    """A transfer set of 200 MB goes through the teacher 8 MB at a time."""
    count, pixels = 400, 128 * 1024
    counter = Counting()
    teacher = nn.Sequential(nn.AdaptiveAvgPool1d(64), counter, nn.Flatten(), nn.Linear(64, 10))
    part = Samples(
        torch.zeros(1, 1, 1).expand(count, 1, pixels), torch.zeros(count).long(), torch.arange(count)
    )
    large = type(data)(**{**vars(data), "transfer": part, "validation": part[:1]})
    student = nn.Sequential(nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(8, 10))
    distill(teacher, student, large, SoftTargets(4), steps=1, batch_size=4)
    assert sum(counter.sizes) == count + 1
    assert max(counter.sizes) * pixels <= 2**20


def test_the_random_numbers_of_a_teachers_dropout_leave_the_readers_alone(data):
    teacher = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(64, 10))
    torch.manual_seed(3)
    before = torch.get_rng_state()
    distill(teacher, mlp(64, 8, 10), data, SoftTargets(4), steps=2).finish()
    assert torch.equal(torch.get_rng_state(), before) and teacher.training


def test_an_ensemble_of_frozen_networks_teaches(data):
    teacher = Ensemble([frozen_norm(seed) for seed in range(2)])
    before = modes(teacher)
    distill(teacher, mlp(64, 8, 10), digits(labels=50), SoftTargets(4), steps=1).finish()
    assert modes(teacher) == before
