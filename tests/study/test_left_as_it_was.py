"""What is the reader's stays as it was, also after an error: batches, modes, hooks, gradients, randomness."""

import random
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from setups import CLASSES, conv, good_step, healthy, made, mlp, pictures, points
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

import kdviz as kd


class InPlace(nn.Module):
    """Standardises its batch in place before it looks at it."""

    def __init__(self, inner, in_place=True):
        super().__init__()
        self.inner, self.in_place = inner, in_place

    def forward(self, x):
        return self.inner(x.mul_(3).sub_(1) if self.in_place else x * 3 - 1)


class Drawing(Dataset):
    """Draws from every generator that there is, as augmentation does; its last label is out of range."""

    def __init__(self, last=0):
        self.inputs, self.labels = points(60)
        self.labels = self.labels.clone()
        self.labels[-1] += last

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, row):
        noise = random.random() + np.random.rand() + torch.rand(())
        return self.inputs[row] + 1e-3 * noise, self.labels[row]


@contextmanager
def nothing_changes(*models, generators=()):
    """Modes, hooks, weights, gradients and random numbers are those from before."""

    def everything():
        modules = [module for model in models for module in model.modules()]
        tensors = [t for model in models for t in (*model.parameters(), *model.buffers())]
        return {
            "modes": [module.training for module in modules],
            "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in modules],
            "values": [tensor.detach().clone() for tensor in tensors],
            "gradients": [None if tensor.grad is None else tensor.grad.clone() for tensor in tensors],
            "wanted": [tensor.requires_grad for tensor in tensors],
            "drawn": [each.get_state() for each in (torch.default_generator, *generators)],
            "numpy": np.random.get_state()[1].tolist(),
            "python": random.getstate(),
        }

    for model in models:
        # Part of it is frozen, and some gradients are there.
        next(iter(model.children())).eval()
        next(model.parameters()).grad = torch.ones_like(next(model.parameters()))
    before = everything()
    yield
    after = everything()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0, equal_nan=True, msg=name)


def test_a_model_that_works_in_place_changes_no_batch_and_no_other_model():
    inputs, labels = points()
    given = inputs.clone()
    inner, student = made(mlp, 32), made(mlp, 8, seed=1)
    batches = [(given[:100], labels[:100]), (given[100:], labels[100:])]
    baselines = [made(mlp, 8, seed=2)]
    found = kd.compare(InPlace(inner), student, batches, baselines=baselines, progress=False)
    assert torch.equal(given, inputs)
    polite = kd.compare(InPlace(inner, False), student, batches, baselines=baselines, progress=False)
    assert found.table.equals(polite.table)
    np.testing.assert_array_equal(found.cka, polite.cka)
    np.testing.assert_array_equal(found.samples.tensor(), polite.samples.tensor())
    assert found.attributions("occlusion", count=10).table.equals(
        polite.attributions("occlusion", count=10).table
    )


def hidden(in_place):
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(in_place), nn.Linear(8, CLASSES))


def test_a_layer_before_an_in_place_relu_is_what_it_gave():
    teacher, data, paths = made(mlp, 16), points(), {"layers": ["0", "1"], "teacher_layers": ["0"]}
    usual, in_place = (
        kd.compare(teacher, made(hidden, kind), data, **paths, progress=False).cka for kind in (False, True)
    )
    np.testing.assert_array_equal(in_place, usual)
    assert in_place[0, 0] != in_place[0, 1]


@pytest.mark.parametrize("last", [0, 9], ids=["well", "an error in the last batch"])
def test_compare_leaves_all_as_it_was(last):
    teacher, student = made(mlp, 32, 12, 0.2).train(), made(mlp, 8, 12, 0.2).train()
    own = torch.Generator().manual_seed(3)
    data = DataLoader(Drawing(last), batch_size=20, shuffle=True, generator=own)
    with nothing_changes(teacher, student, generators=[own]):
        if last:
            with pytest.raises(ValueError, match="labels must be") as problem:
                kd.compare(teacher, student, data, progress=False)
            # While the error is looked at, nothing of it waits to be put back.
            assert problem.traceback
        else:
            kd.compare(teacher, student, data, progress=False)


@pytest.mark.parametrize("objective", [None, lambda z, t, y: z], ids=["well", "an error in a check"])
def test_diagnose_leaves_all_as_it_was(objective):
    setup = healthy(data=DataLoader(Drawing(), batch_size=20, shuffle=True))
    teacher, student = setup["teacher"].train(), setup["student"]
    given = {"step": good_step, "optimizer": setup["optimizer"]} if objective is None else {}
    with nothing_changes(teacher, student):
        if objective is None:
            kd.diagnose(teacher, student, setup["data"], **given)
        else:
            with pytest.raises(TypeError, match="one number") as problem:
                kd.diagnose(teacher, student, setup["data"], objective=objective)
            assert problem.traceback


def test_a_step_that_works_in_place_changes_no_batch():
    inputs, labels = points()
    given, setup = inputs.clone(), healthy()

    def step(teacher, student, optimizer, batch):
        batch[0].mul_(2)
        return good_step(teacher, student, optimizer, *batch)

    batches = [(given[:120], labels[:120]), (given[120:], labels[120:])]
    kd.diagnose(setup["teacher"], setup["student"], batches, step=step, optimizer=setup["optimizer"])
    assert torch.equal(given, inputs)


class Failing(nn.Module):
    """Stops with an error from its third answer on."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.calls = inner, 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 2:
            raise RuntimeError("no more answers")
        return self.inner(x)


@pytest.mark.parametrize("method", kd.explain.METHODS)
@pytest.mark.parametrize("fails", [False, True], ids=["well", "an error on the way"])
def test_attributions_leave_all_as_they_were(method, fails):
    inner, (inputs, labels) = made(conv, 4).train(), pictures(12)
    given = inputs.clone()
    model = Failing(inner) if fails else inner
    with nothing_changes(inner):
        if fails:
            with pytest.raises(RuntimeError, match="no more answers") as problem:
                while True:
                    kd.explain.attribute(model, given, labels, method)
            assert problem.traceback
        else:
            kd.explain.attribute(model, given, labels, method)
    assert torch.equal(given, inputs) and not given.requires_grad and given.grad is None


def test_an_exported_student_leaves_all_as_it_was(tmp_path):
    student, (inputs, _) = InPlace(made(mlp, 8)), points(20)
    given = inputs.clone()
    with nothing_changes(student):
        exported = kd.study.export_student(student, tmp_path / "student.pt2", given, "torch")
    assert torch.equal(given, inputs)
    run = torch.export.load(exported.path).module()
    torch.testing.assert_close(run(given), student.eval()(inputs.clone()))
    assert torch.equal(given, inputs)


def test_samples_kept_hold_on_to_no_batch():
    inputs, labels = points()
    found = kd.compare(
        made(mlp, 16), made(mlp, 8), DataLoader(TensorDataset(inputs, labels), 80), progress=False
    )
    for chosen in (found.samples, found.disagreements):
        assert all(one.untyped_storage().nbytes() == 12 * 4 for one in chosen.inputs)
        torch.testing.assert_close(chosen.tensor(), inputs[chosen.indices])
