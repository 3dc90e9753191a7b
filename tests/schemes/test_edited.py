"""Edit a cell and run it again: the store never shows what the code before the edit gave."""

import dataclasses
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.losses.objective import Loss
from kdviz.training import describe, mapped
from kdviz.training.store import Store

STEPS = 60


@pytest.fixture(scope="module")
def split():
    return kd.datasets.digits(labels=50, seed=0)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def accuracy(objective, store, **settings):
    found = kd.sweep([{}], objective, steps=STEPS, seeds=1, store=store, **settings)
    return found.finish(progress=False).table.accuracy[0]


def run_cell(text, **names):
    """What running a cell does: the names that it defines, as in a notebook."""
    names |= {"__name__": "__main__"}
    exec(text, names)
    return names


LOSS = """
import dataclasses
from kdviz.losses.objective import Loss
FACTOR = {factor}
def apart(one, other): return FACTOR * ((one - other) ** 2).mean((-1, -2))
@dataclasses.dataclass(frozen=True)
class Mine(Loss):
    name = "mine"
    def value(self, student, teacher, labels, learned):
        return {weight} * apart(student.logits, teacher.logits)
    def latex(self): return "x"
"""


@pytest.mark.parametrize("edit", [{"weight": 0.0}, {"factor": 0}])
def test_an_edited_loss_is_trained_again(store, tmp_path, edit):
    before = {"weight": 0.01, "factor": 1}
    first = run_cell(LOSS.format(**before))["Mine"]()
    second = run_cell(LOSS.format(**{**before, **edit}))["Mine"]()
    shown = accuracy(first, store)
    truth = accuracy(second, Store(tmp_path / "other"))
    assert accuracy(second, store) == truth != shown
    assert accuracy(run_cell(LOSS.format(**before))["Mine"](), store) == shown


NETWORK = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.f = nn.Linear(64, 10)
    def forward(self, x): return {sign}self.f(x.flatten(1))
"""


class Signed(nn.Module):
    """What it keeps beside its weights is seen in no weight and in no repr."""

    def __init__(self, sign):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.f, self.sign = nn.Linear(64, 10), sign

    def forward(self, x):
        return self.sign * self.f(x.flatten(1))


def networks():
    with torch.random.fork_rng():
        yield [run_cell(NETWORK.format(sign=sign))["Net"]() for sign in ("", "-")]
    yield [Signed(1), Signed(-1)]


@pytest.mark.parametrize("which", [0, 1])
def test_a_teacher_whose_forward_was_edited_is_trained_again(split, store, which):
    first, second = list(networks())[which]
    kd.teacher(split, first, steps=STEPS, store=store)
    taught = kd.teacher(split, second, steps=STEPS, store=store)
    assert kd.measure.accuracy(taught(split.test.inputs), split.test.labels) > 0.5


@pytest.mark.parametrize("which", [0, 1])
def test_a_student_whose_forward_was_edited_is_trained_again(store, tmp_path, which):
    first, second = list(networks())[which]
    shown = accuracy(kd.SoftTargets(4), store, student=first)
    truth = accuracy(kd.SoftTargets(4), Store(tmp_path / "other"), student=second)
    assert accuracy(kd.SoftTargets(4), store, student=second) == truth != shown


def few(seed):
    return kd.datasets.digits(labels=50, seed=seed)


def other_inputs(seed):
    was = few(seed)
    noise = torch.randn(was.transfer.inputs.shape, generator=torch.Generator().manual_seed(1))
    return dataclasses.replace(was, transfer=dataclasses.replace(was.transfer, inputs=noise))


def test_other_inputs_under_the_same_settings_are_other_data(store, tmp_path):
    shown = accuracy(kd.SoftTargets(4), store, data=few)
    truth = accuracy(kd.SoftTargets(4), Store(tmp_path / "other"), data=other_inputs)
    assert accuracy(kd.SoftTargets(4), store, data=other_inputs) == truth != shown


def test_a_teacher_of_other_images_under_the_same_settings_is_another_one(split, store):
    noise = torch.randn(split.train.inputs.shape, generator=torch.Generator().manual_seed(1))
    edited = dataclasses.replace(split, train=dataclasses.replace(split.train, inputs=noise))
    first = kd.teacher(split, steps=20, store=store)
    assert not torch.equal(first[1].weight, kd.teacher(edited, steps=20, store=store)[1].weight)


def test_teachers_are_shared_by_splits_that_train_them_alike(split, store, monkeypatch):
    first = kd.teacher(split, steps=20, store=store)
    monkeypatch.setattr("kdviz.schemes.supervised.train", lambda *given, **more: pytest.fail("trains"))
    again = kd.teacher(kd.datasets.digits(labels=100, omit=3, seed=0), steps=20, store=store)
    assert torch.equal(first[1].weight, again[1].weight)


def test_a_teacher_alone_and_one_in_a_stack_are_two_entries(split, store):
    from kdviz.schemes.stacked import teachers

    (stacked,) = teachers([split], steps=20, store=store)
    alone = kd.teacher(split, steps=20, store=store)
    assert len(list(store.folder.glob("*.json"))) == 2
    torch.testing.assert_close(alone[1].weight, stacked[1].weight)


def test_two_checkouts_share_a_cache_and_no_numbers(store, monkeypatch):
    """The other checkout has a gradient that does nothing, in kdviz's own code."""
    shown = accuracy(kd.SoftTargets(4), store)
    other = {**describe.versions(), "kdviz": "0.1.0 of another checkout"}
    for name in ("kdviz.schemes._sweep", "kdviz.schemes.supervised"):
        monkeypatch.setattr(f"{name}.versions", lambda: other)
    describe._installed.cache_clear()

    def nothing(objective, student, teacher, labels):
        return 0 * student.logits

    monkeypatch.setattr(mapped, "each_gradient", nothing)
    monkeypatch.setattr("kdviz.training.stacked.run.each_gradient", nothing)
    assert accuracy(kd.SoftTargets(4), store) < 30 < shown


def test_the_code_of_kdviz_is_part_of_every_key(tmp_path):
    """A copy of the package with one line more says another version of itself."""
    import shutil

    root = Path(kd.__file__).parent
    shutil.copytree(root, tmp_path / "kdviz", ignore=shutil.ignore_patterns("__pycache__", "*.webp"))
    code = "from kdviz.training.describe import versions; print(versions()['kdviz'])"

    def said(folder):
        ran = [sys.executable, "-c", code]  # the folder that it starts in is looked at first
        done = subprocess.run(ran, capture_output=True, text=True, check=True, cwd=folder)
        return done.stdout

    assert said(tmp_path) == said(root.parent)
    loss = tmp_path / "kdviz" / "losses" / "response" / "_soft_targets.py"
    loss.write_text(loss.read_text() + "\nEDITED = 1\n")
    assert said(tmp_path) != said(root.parent)


def test_what_cannot_be_described_is_trained_each_time_and_says_so_once(store):
    generator = torch.Generator()

    @dataclasses.dataclass(frozen=True)
    class Drawing(Loss):
        name = "drawing"

        def value(self, student, teacher, labels, learned):
            assert generator is not None
            return ((student.logits - teacher.logits) ** 2).mean((-1, -2))

        def latex(self):
            return "x"

    describe.say_once.cache_clear()
    with pytest.warns(UserWarning, match="Generator cannot be described.*not kept in the store") as said:
        accuracy(Drawing(), store)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        accuracy(Drawing(), store)
    assert not list(store.folder.glob("*.rows.json")) or all(
        "students at once" in path.read_text() for path in store.folder.glob("*.rows.json")
    )


def test_arrays_of_the_readers_own_are_part_of_the_key(store):
    table = np.ones(3)

    def data(seed):
        return few(seed) if table[0] else other_inputs(seed)

    first = describe.describe(data)
    table[0] = 0
    assert describe.describe(data) != first
