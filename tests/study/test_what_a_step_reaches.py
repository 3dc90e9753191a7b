"""Whatever a step reaches is put back: the trials of people who had it changed, and what cannot be, named."""

import collections
import functools
import io
import logging
import random
import threading
import types

import numpy as np
import pytest
import torch
from setups import CLASSES, good_step, healthy, made, mlp, points
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.study import sandbox
from kdviz.study.sandbox import Snapshot


class MovingAverage:
    def __init__(self, model):
        self.shadow = {name: part.detach().clone() for name, part in model.state_dict().items()}

    def update(self, model):
        for name, part in model.state_dict().items():
            self.shadow[name].mul_(0.9).add_(part.detach(), alpha=0.1)


class Slotted:
    __slots__ = ("count", "tensor")

    def __init__(self):
        self.count, self.tensor = 0, torch.zeros(2)


class Counting:
    steps = 0


COUNTER = 0
KEPT = []


def helper(value):
    global COUNTER
    COUNTER += 1
    KEPT.append(value)


def reached():
    """A step that moves one thing of every kind, those things, and what each looks like."""
    setup = healthy()
    student, optimizer = setup["student"], setup["optimizer"]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=12)
    scaler, average = (
        torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1),
        MovingAverage(student),
    )
    space = types.SimpleNamespace(adapter=nn.Linear(CLASSES, CLASSES), inner={"bank": [torch.zeros(1)]})
    adapting = torch.optim.Adam(space.adapter.parameters())
    meters, queue, seen = {"loss": torch.zeros(()), "n": 0}, collections.deque(maxlen=4), set()
    counter, array = collections.Counter(), np.zeros(3)
    generator, draws, dice = torch.Generator(), np.random.default_rng(0), random.Random(0)
    slotted, count = Slotted(), 0
    batches = [torch.zeros(3, 12)]

    def step(teacher, student, optimizer, inputs, labels):
        nonlocal count
        count += 1
        with torch.no_grad():
            answers = teacher(inputs)
        loss = (
            cross_entropy(space.adapter(student(inputs)), labels) + ((student(inputs) - answers) ** 2).mean()
        )
        optimizer.zero_grad()
        adapting.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        adapting.step()
        schedule.step()
        average.update(student)
        meters["loss"] += loss.detach()
        meters["n"] += 1
        space.inner["bank"].append(student(inputs).detach())
        space.inner["bank"][0].add_(1)
        queue.append(count), seen.add(count), counter.update(["a"])
        array[0] += 1
        slotted.count += 1
        slotted.tensor.add_(1)
        Counting.steps += 1
        batches[0].add_(1)
        inputs.mul_(2)
        student.extra = count
        torch.rand(1, generator=generator), draws.random(), dice.random()
        helper(count)
        return loss

    def look():
        return {
            "schedule": (schedule.last_epoch, optimizer.param_groups[0]["lr"]),
            "scaler": (scaler.get_scale(), scaler._growth_tracker),
            "average": {name: part.tolist() for name, part in average.shadow.items()},
            "adapter": (space.adapter.weight.tolist(), adapting.state_dict()["state"]),
            "meters": (float(meters["loss"]), meters["n"]),
            "bank": [part.tolist() for part in space.inner["bank"]],
            "containers": (list(queue), set(seen), dict(counter), array.tolist(), list(KEPT)),
            "counters": (count, COUNTER, Counting.steps, slotted.count, slotted.tensor.tolist()),
            "generators": (
                generator.get_state().tolist(),
                draws.random.__self__.bit_generator.state,
                dice.getstate(),
            ),
            "batches": batches[0].tolist(),
            "student": {name: part.tolist() for name, part in student.state_dict().items()},
            "attributes": sorted(vars(student)),
            "grads": [weight.grad is None for weight in student.parameters()],
        }

    return {**setup, "step": step}, look


@pytest.mark.filterwarnings("ignore:.*lr_scheduler")
def test_all_that_a_step_moves_is_put_back():
    setup, look = reached()
    inputs, labels = points()
    given = inputs.clone()
    setup["data"] = [(given[:64], labels[:64]), (given[64:], labels[64:])]
    before = look()
    given_setup = {name: setup.pop(name) for name in ("teacher", "student", "data")}
    found = kd.diagnose(*given_setup.values(), **setup)
    after = look()
    for name in before:
        assert after[name] == before[name], name
    assert torch.equal(given, inputs)
    assert found.not_put_back == () and "step_fails" not in found.names
    # It really ran: each step takes one of these.
    assert any(check.name == "student_stands_still" for check in found.passed)


@pytest.mark.filterwarnings("ignore:.*lr_scheduler")
def test_training_goes_on_as_if_nobody_had_looked():
    """A schedule of just so many steps crashed after the doctor, once."""
    inputs, labels = points()
    data = DataLoader(TensorDataset(inputs, labels), 40, shuffle=True)

    def run(look):
        setup = healthy()
        student, optimizer = setup["student"], setup["optimizer"]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2 * len(data))

        def step(teacher, student, optimizer, inputs, labels):
            value = good_step(teacher, student, optimizer, inputs, labels)
            schedule.step()
            return value

        if look:
            kd.diagnose(setup["teacher"], student, data, step=step, optimizer=optimizer)
        torch.manual_seed(0)
        for _ in range(2):
            for batch in data:
                step(setup["teacher"], student, optimizer, *batch)
        return student.state_dict()

    for mine, other in zip(run(True).values(), run(False).values(), strict=True):
        assert torch.equal(mine, other)


def test_what_cannot_be_put_back_is_named_before_anything_runs(tmp_path):
    setup, calls = healthy(), []
    log = (tmp_path / "log.txt").open("w")
    numbers, logger = iter(range(10**6)), logging.getLogger("mine")
    worker = threading.Thread(target=lambda: None)

    def step(teacher, student, optimizer, inputs, labels):
        calls.append(1)
        log.write("step\n")
        next(numbers)
        logger.info("step")
        assert not worker.is_alive()
        print("", end="")
        return good_step(teacher, student, optimizer, inputs, labels)

    with pytest.warns(UserWarning, match="cannot be") as told:
        found = kd.diagnose(
            setup["teacher"], setup["student"], setup["data"], step=step, optimizer=setup["optimizer"]
        )
    assert calls == []
    words = str(told[0].message)
    for name in ("log (TextIOWrapper)", "numbers (range_iterator)", "worker (Thread)"):
        assert name in words and name in found.not_put_back and name in str(found)
    assert len(found.not_put_back) == 3
    log.close()


def test_the_warning_comes_before_the_first_step():
    order, numbers = [], iter(range(10**6))

    def step(student, inputs):
        order.append("step")
        next(numbers)
        return student(inputs).sum()

    class Note(io.StringIO):
        pass

    def noted(message, *args, **kwargs):
        order.append("warning")

    setup = healthy()
    import warnings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warnings, "warn", noted)
        told = Snapshot(step=step)
        assert told.strangers
        # The list itself is put back, so the order is seen from a place that nothing reaches.
        patch.setattr(sandbox.Snapshot, "put_back", lambda self: None)
        kd.diagnose(setup["teacher"], setup["student"], setup["data"], step=step)
    assert order[0] == "warning" and "step" in order


def test_a_step_that_stops_halfway_leaves_nothing_behind():
    setup, history = healthy(), []

    def step(teacher, student, optimizer, inputs, labels):
        history.append(1)
        student.train(False)
        student[0].weight.data.add_(1)
        student[0].weight.data = student[0].weight.data.clone()
        student.register_buffer("more", torch.zeros(1))
        torch.set_grad_enabled(False)
        raise KeyError("halfway")

    home = setup["student"][0].weight.data_ptr()
    before = {name: part.clone() for name, part in setup["student"].state_dict().items()}
    found = kd.diagnose(
        setup["teacher"], setup["student"], setup["data"], step=step, optimizer=setup["optimizer"]
    )
    assert "step_fails" in found.names and history == [] and torch.is_grad_enabled()
    assert setup["student"].training and setup["student"][0].weight.data_ptr() == home
    after = setup["student"].state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_an_interrupt_leaves_nothing_behind():
    setup, history = healthy(), []

    def step(student, inputs):
        history.append(1)
        student[0].weight.data.zero_()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kd.diagnose(setup["teacher"], setup["student"], setup["data"], step=step)
    assert history == [] and setup["student"][0].weight.any()
    assert not any(module._forward_hooks for module in setup["student"].modules())


@pytest.mark.parametrize("wrap", ["partial", "method", "callable", "decorated", "lambda"])
def test_a_step_is_followed_in_whatever_form_it_comes(wrap):
    history, model = [], made(mlp, 8)

    class Stepper:
        def __init__(self):
            self.history = history

        def step(self, student, inputs):
            self.history.append(1)
            return student(inputs).sum()

        __call__ = step

    def plain(kept, student, inputs):
        kept.append(1)
        return student(inputs).sum()

    @torch.enable_grad()
    def decorated(student, inputs):
        history.append(1)
        return student(inputs).sum()

    step = {
        "partial": functools.partial(plain, history),
        "method": Stepper().step,
        "callable": Stepper(),
        "decorated": decorated,
        "lambda": lambda student, inputs: plain(history, student, inputs),
    }[wrap]
    kd.diagnose(made(mlp, 16, seed=1).eval(), model, points(), step=step)
    assert history == []


def test_containers_are_followed_within_bounds(monkeypatch):
    monkeypatch.setattr(sandbox, "MOST_OBJECTS", 50)
    long = [[number] for number in range(1000)]
    with Snapshot(long=long) as kept:
        long[0].append(1)
    assert long[0] == [0] and any("more than 50 objects" in why for why in kept.strangers.values())
    monkeypatch.setattr(sandbox, "MOST_BYTES", 1000)
    kept = Snapshot(data={"table": torch.zeros(10_000), "weights": torch.zeros(10_000, requires_grad=True)})
    assert list(kept.strangers) == ["data.table"] and "GB" in kept.strangers["data.table"]


def test_a_graph_that_was_made_before_can_still_be_learned_from():
    setup = healthy()
    inputs, labels = points()
    loss = cross_entropy(setup["student"](inputs), labels)
    kd.diagnose(
        setup["teacher"], setup["student"], setup["data"], step=good_step, optimizer=setup["optimizer"]
    )
    loss.backward()


def test_odd_tensors_are_put_back():
    sparse = torch.eye(3).to_sparse()
    with torch.inference_mode():
        inference = torch.zeros(3)
    expanded, view = torch.zeros(1).expand(3), torch.arange(6.0)
    things = {
        "sparse": sparse,
        "inference": inference,
        "expanded": expanded,
        "view": view[2:4],
        "half": torch.ones(2).half(),
    }
    with Snapshot(things=things):
        with torch.inference_mode():
            inference.add_(1)
        things["view"].zero_()
        things["half"].add_(1)
        things["new"] = 1
    assert list(things) == ["sparse", "inference", "expanded", "view", "half"]
    assert view.tolist() == list(range(6)) and not inference.any() and things["half"].tolist() == [1, 1]
