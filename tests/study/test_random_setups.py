"""The doctor on set-ups drawn at random: never an alarm about a healthy one, each planted fault by
its name.
"""

import copy
import re

import pytest
import torch
from random_setups import BUILDS, build, healthy_setup, inputs_for, trained
from setups import loss_step
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd

# How many of the 300 the normal run tries.
SAMPLE = range(0, 300, 25)


def everything(things):
    """All that stands in some objects, in words that are equal only where it is."""

    def shown(thing):
        if isinstance(thing, nn.Module):
            return {name: part.tolist() for name, part in thing.state_dict().items()}
        if hasattr(thing, "state_dict"):
            state = {name: part for name, part in thing.state_dict().items() if not callable(part)}
            return re.sub(r"0x\w+", "", repr(state))
        return repr(vars(thing) if hasattr(thing, "__dict__") else thing)

    return [shown(thing) for thing in things]


def check(number):
    setup, things, words = healthy_setup(number)
    given = {name: setup.pop(name) for name in ("teacher", "student", "data")}
    things = [*things, *(given[name] for name in ("teacher", "student")), setup["optimizer"]]
    before = copy.deepcopy(everything(things))
    found = kd.diagnose(*given.values(), **setup)
    assert found.names == [], f"{words}\n{found}"
    assert len(found.passed) >= 12, f"{words}\n{found}"
    assert everything(things) == before, words


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", SAMPLE)
def test_a_healthy_set_up_raises_no_alarm_and_is_left_as_it_was(number):
    check(number)


@pytest.mark.complete
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("number", [number for number in range(300) if number not in SAMPLE])
def test_three_hundred_healthy_set_ups_raise_no_alarm(number):
    check(number)


# Planted faults --------------------------------------------------------------------------------------

T = 4.0


def ce(z, y):
    return F.cross_entropy(z, y)


def soft(z, t, at=T, **how):
    return at**2 * F.kl_div(
        F.log_softmax(z / at, 1), F.softmax(t / at, 1), **{"reduction": "batchmean", **how}
    )


MEANT = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=T)
# Name: the loss of student's logits, teacher's logits and labels, what is found, and the objective.
WITHOUT = {
    "logarithm forgotten": (
        lambda z, t, y: (
            0.1 * ce(z, y) + F.kl_div(F.softmax(z / T, 1), F.softmax(t / T, 1), reduction="batchmean")
        ),
        "log_forgotten",
    ),
    "log_target of probabilities": (
        lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t, log_target=True),
        "log_target",
    ),
    "logarithms for probabilities": (
        lambda z, t, y: (
            0.1 * ce(z, y) + F.kl_div(F.log_softmax(z / T, 1), F.log_softmax(t / T, 1), reduction="batchmean")
        ),
        "log_target",
    ),
    "softmax over the samples": (
        lambda z, t, y: (
            0.1 * ce(z, y) + F.kl_div(F.log_softmax(z / T, 0), F.softmax(t / T, 0), reduction="batchmean")
        ),
        "softmax_axis",
    ),
    "teacher's softmax over the samples": (
        lambda z, t, y: F.kl_div(F.log_softmax(z / T, 1), F.softmax(t / T, 0), reduction="batchmean"),
        "softmax_axis",
    ),
    "teacher softmaxed twice": (
        lambda z, t, y: 0.1 * ce(z, y) + soft(z, F.softmax(t, 1)),
        "teacher_softmaxed_twice",
    ),
    "softmaxed twice after the temperature": (
        lambda z, t, y: F.kl_div(
            F.log_softmax(z / T, 1), F.softmax(F.softmax(t / T, 1), 1), reduction="batchmean"
        ),
        "teacher_softmaxed_twice",
    ),
    "student softmaxed twice": (
        lambda z, t, y: 0.1 * ce(z, y) + soft(F.softmax(z, 1), t),
        "student_softmaxed_twice",
    ),
    "cross-entropy of probabilities": (
        lambda z, t, y: ce(F.softmax(z, 1), y) + soft(z, t),
        "cross_entropy_of_probabilities",
    ),
    "temperature on the labels too": (lambda z, t, y: 0.1 * ce(z / T, y) + 0.9 * soft(z, t), "hard_tempered"),
    "temperature of the teacher alone": (
        lambda z, t, y: (
            0.1 * ce(z, y) + F.kl_div(F.log_softmax(z, 1), F.softmax(t / T, 1), reduction="batchmean")
        ),
        "teacher_side_only",
    ),
    "temperature of the student alone": (
        lambda z, t, y: 0.1 * ce(z, y) + F.cross_entropy(z / T, F.softmax(t, 1)),
        "student_side_only",
    ),
    "wrong sign": (lambda z, t, y: 0.5 * ce(z, y) - 0.5 * soft(z, t), "soft_term_repels"),
    "tiny": (lambda z, t, y: ce(z, y) + 1e-3 * soft(z, t), "soft_term_small"),
    "detached": (lambda z, t, y: ce(z, y) + soft(z.detach(), t), "teacher_has_no_effect"),
    "no student in it": (
        lambda z, t, y: soft(z.detach().clone().requires_grad_(), t),
        "student_learns_nothing",
    ),
    "one logit": (lambda z, t, y: soft(z[:, :1], t[:, :1]), "one_logit"),
}
WITH = {
    "averaged over the classes": (
        lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t, reduction="mean"),
        "reduction",
    ),
    "summed": (lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t, reduction="sum"), "reduction"),
    "T squared forgotten": (lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t) / T**2, "temperature_squared"),
    "another weight": (lambda z, t, y: 0.1 * ce(z, y) + 0.4 * soft(z, t), "other_weight"),
    "another temperature": (lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t, 2.0), "not_the_objective"),
    "exchanged": (lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(t, z), "not_the_objective"),
}
ALSO = {
    "one logit": {"student_learns_nothing", "student_stands_still"},
    "no student in it": {"learned_part_left_out", "student_stands_still"},
    "logarithms for probabilities": {"loss_not_finite"},
    "temperature of the student alone": {"soft_term_small"},
    "temperature of the teacher alone": {"soft_term_small"},
    "logarithm forgotten": {"soft_term_small"},
}
_PAIRS = {}


def pair(name, scale):
    """A trained teacher and a student whose logits have this size."""
    if name not in _PAIRS:
        generator = torch.Generator().manual_seed(7)
        inputs = inputs_for(name, 128, generator)
        with torch.no_grad():
            rule = build(name, 16, 6, 3).eval()(inputs)
            labels = (rule / rule.std(0)).argmax(1)
        noisy = torch.where(torch.rand(128, generator=generator) < 0.1, labels.roll(1), labels)
        _PAIRS[name] = trained(build(name, 16, 6, 1), inputs, noisy), inputs, noisy
    teacher, inputs, labels = _PAIRS[name]

    class Scaled(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x) * scale

    student = build(name, 8, 6, 2).train()
    with torch.no_grad():
        size = student(inputs).std()
        last = [one for one in student.modules() if isinstance(one, nn.Linear)][-1]
        last.weight.mul_(scale / size)
        last.bias.mul_(scale / size)
        # A teacher of the same size. Its calibration suffers, which is a finding of its own.
        factor = scale / float(teacher(inputs).std())
    teacher = copy.deepcopy(teacher)
    last = [one for one in teacher.modules() if isinstance(one, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)
    return teacher, student, DataLoader(TensorDataset(inputs, labels), 32, shuffle=True)


def diagnosed(name, scale, loss, objective=None):
    teacher, student, data = pair(name, scale)

    optimizer = torch.optim.SGD(student.parameters(), lr=0.05)
    return kd.diagnose(teacher, student, data, step=loss_step(loss), optimizer=optimizer, objective=objective)


PLACES = [(name, scale) for name in ("mlp", "conv", "transformer") for scale in (0.05, 1.0, 15.0)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", [*WITHOUT, *WITH])
def test_a_planted_fault_is_found_by_its_name_in_every_network_at_every_size(fault):
    loss, expected = {**WITHOUT, **WITH}[fault]
    # The normal run takes one network for each size; all of them are in the complete run.
    for name, scale in PLACES[sum(map(ord, fault)) % 3 :: 4]:
        check_fault(fault, name, scale, loss, expected)


@pytest.mark.complete
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("fault", [*WITHOUT, *WITH])
@pytest.mark.parametrize("name, scale", PLACES)
def test_planted_faults_in_every_network(fault, name, scale):
    check_fault(fault, name, scale, *{**WITHOUT, **WITH}[fault])


def check_fault(fault, name, scale, loss, expected):
    found = diagnosed(name, scale, loss, MEANT if fault in WITH else None)
    names = {*found.names} - {"teacher_miscalibrated"}
    assert expected in names, f"{name} × {scale}: {found}"
    assert names - {expected} <= ALSO.get(fault, set()), f"{name} × {scale}: {found}"


@pytest.mark.parametrize("name, scale", PLACES[::2])
def test_the_right_loss_at_every_size_is_clean(name, scale):
    found = diagnosed(name, scale, lambda z, t, y: 0.1 * ce(z, y) + 0.9 * soft(z, t), MEANT)
    assert {*found.names} <= {"teacher_miscalibrated"} and not found.questions, str(found)
    assert set(BUILDS) > {"mlp", "conv", "transformer"}
