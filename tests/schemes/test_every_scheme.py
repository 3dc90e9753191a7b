"""What must hold for every scheme, whoever is teacher in it."""

import inspect
import pkgutil
from collections import OrderedDict
from importlib import import_module

import pytest
import torch
from torch import nn

from kdviz import CrossEntropy, SoftTargets, schemes
from kdviz.losses.feature import AttentionTransfer, Hint
from kdviz.models import exits, fused_branches, gated_branches, grouped_branches


class Witness(nn.Module):
    """Sees each forward pass: whether in train mode, and whether it learns from it."""

    seen = []

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, inputs):
        self.seen.append((self.training, torch.is_grad_enabled() and self.scale.requires_grad))
        return self.scale * inputs


def network(seed=0):
    torch.manual_seed(seed)
    layers = {
        "flatten": nn.Flatten(),
        "hidden1": nn.Linear(64, 6),
        "norm1": nn.BatchNorm1d(6),
        "witness": Witness(),
        "activation1": nn.ReLU(),
        "hidden2": nn.Linear(6, 6),
        "activation2": nn.ReLU(),
        "logits": nn.Linear(6, 10),
    }
    return nn.Sequential(OrderedDict(layers))


class Maps(nn.Module):
    """A small network with maps of two sizes, for attention."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.low, self.norm, self.witness = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), Witness()
        self.deep, self.logits = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Linear(4, 10)

    def forward(self, inputs):
        low = self.witness(self.norm(self.low(inputs)))
        return self.logits(self.deep(low).relu().mean((2, 3)))


def two():
    return [network(0), network(1)]


def branched(maker):
    return maker(network(), "activation1", 3, torch.zeros(2, 1, 8, 8))


OBJECTIVE = 0.5 * CrossEntropy() + 0.5 * SoftTargets(2)
ATTENTION = CrossEntropy() + AttentionTransfer("low", "deep", pool=True)
SCHEMES = {
    "mutual": lambda data, **s: schemes.mutual(two(), data, OBJECTIVE, **s),
    "codistillation": lambda data, **s: schemes.codistillation(two(), data, OBJECTIVE, exchange=3, **s),
    "collaborative": lambda data, **s: schemes.collaborative(two(), data, OBJECTIVE, **s),
    "general": lambda data, **s: schemes.collaborative(two(), data, OBJECTIVE, ensemble="general", **s),
    "native_ensemble": lambda data, **s: schemes.native_ensemble(
        branched(gated_branches), data, OBJECTIVE, **s
    ),
    "feature_fusion": lambda data, **s: schemes.feature_fusion(
        branched(fused_branches), data, OBJECTIVE, **s
    ),
    "rocket": lambda data, **s: schemes.rocket(network(), network(), data, **s),
    "diverse_peers": lambda data, **s: schemes.diverse_peers(branched(grouped_branches), data, **s),
    "born_again": lambda data, **s: schemes.born_again(two(), data, OBJECTIVE, **s),
    "teacher_free": lambda data, **s: schemes.teacher_free(network(), data, OBJECTIVE, **s),
    "snapshot": lambda data, **s: schemes.snapshot(network(), data, OBJECTIVE, **s),
    "mean_teacher": lambda data, **s: schemes.mean_teacher(network(), data, OBJECTIVE, **s),
    "progressive": lambda data, **s: schemes.progressive(network(), data, OBJECTIVE, batch_size=25, **s),
    "class_wise": lambda data, **s: schemes.class_wise(network(), data, OBJECTIVE, **s),
    "two_views": lambda data, **s: schemes.two_views(network(), data, OBJECTIVE, **s),
    "be_your_own_teacher": lambda data, **s: schemes.be_your_own_teacher(
        exits(network(), ["activation1"], torch.zeros(2, 1, 8, 8)), data, OBJECTIVE, **s
    ),
    "self_attention": lambda data, **s: schemes.self_attention(Maps(), data, ATTENTION, **s),
    "assistants": lambda data, **s: schemes.assistants(network(5), two(), data, OBJECTIVE, **s),
    "route_constrained": lambda data, **s: schemes.route_constrained(two(), network(5), data, OBJECTIVE, **s),
    "two_stages": lambda data, **s: schemes.two_stages(
        network(5), network(), data, CrossEntropy() + Hint("hidden1"), OBJECTIVE, **s
    ),
    "early_stopped": lambda data, **s: schemes.early_stopped(
        network(5), network(), data, OBJECTIVE, until=5, **s
    ),
    "residual": lambda data, **s: schemes.residual(network(5), *two(), data, OBJECTIVE, **s),
    "block_wise": lambda data, **s: schemes.block_wise(network(5), network(), data, OBJECTIVE, **s),
}
every_scheme = pytest.mark.parametrize("name", SCHEMES)


def state(model):
    return torch.cat([values.detach().double().flatten() for values in model.state_dict().values()])


@every_scheme
def test_students_are_in_train_mode_at_every_step_and_in_eval_mode_between(name, data):
    run = SCHEMES[name](data, steps=6, record_every=2)
    Witness.seen.clear()
    for _ in run:
        assert not run.student.training
        assert not any(part.training for part in run.student.modules())
    learning = [training for training, learns in Witness.seen if learns]
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


# What the files of schemes hold beside them.
HELPERS = {"ensemble_logits", "general_weights", "checkpoints", "peers_of", "same_class", "teacher_trace"}
OTHERS = {"GroupTargets", "Chain", "Stage", "ramp_up", "sweep", "teacher", "train", "distill"}


def test_every_scheme_is_in_the_table_and_has_a_case():
    files = [module.name for module in pkgutil.walk_packages(schemes.__path__, "kdviz.schemes.")]
    rooms = ("kdviz.schemes.online.", "kdviz.schemes.self_distillation.", "kdviz.schemes.staged")
    defined = {
        name
        for file in files
        if file.startswith(rooms)
        for name, value in vars(import_module(file)).items()
        if inspect.isfunction(value) and value.__module__ == file and not name.startswith("_")
    }
    missing = sorted(defined - HELPERS - set(schemes.__all__))
    assert not missing, f"{missing}: name them in kdviz/schemes/__init__.py, in an import and in __all__"
    untested = sorted(set(schemes.__all__) - HELPERS - OTHERS - set(SCHEMES))
    assert not untested, f"{untested}: give each a case in SCHEMES, in this file"


@every_scheme
def test_a_scheme_is_a_few_lines(name):
    scheme = getattr(schemes, "collaborative" if name == "general" else name)
    lines, _ = inspect.getsourcelines(scheme)
    code = len(lines) - len(scheme.__doc__.splitlines())
    assert code <= 40


READS_A_LAYER = CrossEntropy() + Hint("hidden1")


@pytest.mark.parametrize(
    "scheme",
    [
        lambda data: schemes.collaborative(two(), data, READS_A_LAYER),
        lambda data: schemes.diverse_peers(branched(grouped_branches), data, READS_A_LAYER),
        lambda data: schemes.progressive(network(), data, READS_A_LAYER),
    ],
)
def test_teachers_without_layers_refuse_an_objective_that_reads_them(scheme, data):
    with pytest.raises(ValueError, match="reads hidden1"):
        scheme(data)


@pytest.mark.parametrize(
    "scheme, says",
    [
        (lambda data: schemes.codistillation(two(), data, exchange=0), "exchange"),
        (lambda data: schemes.mean_teacher(network(), data, decay=1.5), "decay"),
        (lambda data: schemes.progressive(network(), data, own_weight=-1), "own_weight"),
        (lambda data: schemes.snapshot(network(), data, generations=0), "stage"),
    ],
)
def test_impossible_settings_are_refused(scheme, says, data):
    with pytest.raises(ValueError, match=says):
        scheme(data)
