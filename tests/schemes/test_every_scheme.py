"""What must hold for every scheme, whoever is teacher in it."""

import pytest
import torch
from torch import nn

from kdviz import CrossEntropy, SoftTargets
from kdviz.datasets import digits
from kdviz.schemes import online, self_distillation


class Witness(nn.Module):
    """Sees each forward pass: whether in train mode, and whether a gradient will be asked for."""

    seen = []

    def forward(self, inputs):
        self.seen.append((self.training, torch.is_grad_enabled()))
        return inputs


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 6), nn.BatchNorm1d(6), Witness(), nn.ReLU(), nn.Linear(6, 10)
    )


OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(2)
SCHEMES = {
    "mutual": lambda data, **s: online.mutual([network(0), network(1)], data, OBJECTIVE, **s),
    "born_again": lambda data, **s: self_distillation.born_again(
        [network(0), network(1)], data, OBJECTIVE, **s
    ),
    "mean_teacher": lambda data, **s: self_distillation.mean_teacher(network(), data, OBJECTIVE, **s),
}
every_scheme = pytest.mark.parametrize("name", SCHEMES)


@pytest.fixture(scope="module")
def data():
    return digits(labels=50, transfer="labelled")


def state(model):
    return torch.cat([values.detach().double().flatten() for values in model.state_dict().values()])


@every_scheme
def test_students_are_in_train_mode_at_every_step_and_in_eval_mode_between(name, data):
    run = SCHEMES[name](data, steps=6, record_every=2)
    Witness.seen.clear()
    for _ in run:
        assert not run.student.training
        assert not any(part.training for part in run.student.modules())
    learning = [training for training, with_gradient in Witness.seen if with_gradient]
    assert len(learning) >= 6 and all(learning)


@every_scheme
def test_two_runs_are_the_same_and_no_global_random_number_is_drawn(name, data):
    one = SCHEMES[name](data, steps=6, record_every=3).finish()
    run = SCHEMES[name](data, steps=6, record_every=2)
    torch.manual_seed(99)
    before = torch.get_rng_state()
    run.finish()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(state(one.student), state(run.student))


@every_scheme
def test_an_interrupt_keeps_what_was_trained_and_the_run_goes_on(name, data):
    whole = SCHEMES[name](data, steps=6, record_every=2).finish()
    run = SCHEMES[name](data, steps=6, record_every=2)
    current = next(run) and getattr(run, "runs", [run])[-1]
    lesson = current.lesson

    def interrupted(student, step):
        if step == 3:
            raise KeyboardInterrupt
        return lesson(student, step)

    current.lesson = interrupted
    start = state(run.student)
    with pytest.raises(KeyboardInterrupt):
        run.finish()
    assert current.step == 3 and not run.student.training
    assert not torch.equal(state(run.student), start)
    current.lesson = lesson
    assert torch.equal(state(run.finish().student), state(whole.student))


@every_scheme
def test_a_weight_set_while_it_trains_acts_on_the_steps_to_come(name, data):
    run = SCHEMES[name](data, steps=8, record_every=2)
    address = "cross_entropy.weight"
    next(run)
    run.set(address, 0.25)
    record = next(run)
    assert [(step, where) for step, where, *_ in record.changes] == [(2, address)]
    assert run.finish().objective.settings()[address] == 0.25
    unchanged = SCHEMES[name](data, steps=8, record_every=2).finish()
    assert not torch.equal(state(run.student), state(unchanged.student))
