"""What an accelerator computes is what the processor computes, and how fast: ``make gpu``.

Where there is none, the one line that pytest prints says so; ``kdviz gpu --device cpu`` tries the checks.
"""

import copy
import os
import time

import pytest
import torch
from loss_examples import EXAMPLES, student, teacher
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd

DEVICE = torch.device(os.environ.get("KDVIZ_ACCELERATOR", "cuda"))
if DEVICE.type != "cpu" and not getattr(torch, DEVICE.type).is_available():
    pytest.skip("NO CHECK ON AN ACCELERATOR RUNS: torch sees none", allow_module_level=True)

SOFT = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(4)


def conv(width, seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * width, 10),
    )


@pytest.fixture(scope="module")
def digits():
    return kd.datasets.digits(labels=64, transfer="labelled")


@pytest.fixture(scope="module")
def photographs():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(600, 3, 32, 32, generator=generator)
    return inputs, torch.randint(10, (600,), generator=generator)


def parameters(model):
    return torch.cat([part.detach().cpu().double().flatten() for part in model.parameters()])


@pytest.mark.parametrize("loss", EXAMPLES, ids=lambda loss: loss.name)
def test_every_loss(loss, digits):
    objective = kd.CrossEntropy() + 0.1 * loss
    here, there = (
        kd.distill(teacher(), student(), digits, objective, steps=4, batch_size=32, device=device).finish()
        for device in ("cpu", DEVICE)
    )
    assert next(there.student.parameters()).device.type == DEVICE.type
    assert there.records[0].losses[loss.name] == pytest.approx(here.records[0].losses[loss.name], rel=2e-3)
    assert there.records[-1].total == pytest.approx(here.records[-1].total, rel=2e-2, abs=1e-4)


@pytest.mark.parametrize("as_loader", [True, False])
def test_distill_takes_data_and_networks_from_elsewhere(as_loader, photographs):
    big, small = conv(16, 1), conv(4, 2)
    data = DataLoader(TensorDataset(*photographs), 64) if as_loader else photographs
    runs = [
        kd.distill(big, small, data, SOFT, steps=8, device=device, validation=photographs).finish()
        for device in ("cpu", DEVICE)
    ]
    assert next(big.parameters()).device.type == next(small.parameters()).device.type == "cpu"
    torch.testing.assert_close(*(parameters(run.student) for run in runs), rtol=0, atol=5e-3)
    here, there = (run.records[-1].measures for run in runs)
    assert there == pytest.approx(here, abs=0.05)


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision(precision, photographs):
    runs = [
        kd.distill(conv(16, 1), conv(4, 2), photographs, SOFT, steps=10, device=DEVICE, precision=how)
        for how in (None, precision)
    ]
    whole, half = (run.finish().records for run in runs)
    assert half[0].total == pytest.approx(whole[0].total, rel=0.03)
    assert half[-1].total == pytest.approx(whole[-1].total, rel=0.1)


def test_a_saved_run_goes_on(photographs, tmp_path):
    def begun():
        return kd.distill(conv(8, 1), conv(4, 2), photographs, SOFT, steps=6, record_every=3, device=DEVICE)

    run = begun()
    next(run)
    run.save(tmp_path)
    again = kd.load_run(tmp_path, begun()).finish()
    torch.testing.assert_close(
        *(parameters(each.finish().student) for each in (run, again)), atol=1e-4, rtol=0
    )


def test_a_stack_of_students(digits):
    ends = []
    for device in ("cpu", DEVICE):
        data = digits.to(device)
        stack = kd.training.stacked.StackedModel([kd.models.mlp(64, 8, 10).to(device)], 2)
        teachers = [kd.models.mlp(64, 16, 10, seed=1).to(device)]
        run = kd.schemes.distill_stack(teachers, stack, [data], SOFT, steps=5)
        ends.append(parameters(run.finish().student.student(0, 1)))
    torch.testing.assert_close(*ends, rtol=0, atol=1e-3)


def test_a_sweep():
    def mixture(temperature):
        return kd.CrossEntropy() + kd.SoftTargets(temperature)

    here, there = (
        kd.sweep({"temperature": [1.0, 4.0]}, mixture, seeds=2, steps=20, device=device).finish().table
        for device in ("cpu", str(DEVICE))
    )
    assert here.accuracy.tolist() == pytest.approx(there.accuracy.tolist(), abs=0.02)


def test_compare_and_the_doctor(photographs):
    models = conv(16, 1).eval(), conv(4, 2).eval()
    here = kd.compare(*models, photographs, progress=False)
    moved = [copy.deepcopy(model).to(DEVICE) for model in models]
    there = kd.compare(*moved, photographs, progress=False)
    assert there.table.accuracy.to_dict() == pytest.approx(here.table.accuracy.to_dict(), abs=0.01)
    assert abs(there.cka - here.cka).max() < 1e-3
    moved[1].train()
    optimizer = torch.optim.Adam(moved[1].parameters(), 1e-3)

    def step(teacher, student, optimizer, inputs, labels):
        inputs, labels = inputs.to(DEVICE), labels.to(DEVICE)
        with torch.no_grad():
            answers = teacher(inputs)
        loss, _ = SOFT(student(inputs), answers, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    found = kd.diagnose(*moved, photographs, step=step, optimizer=optimizer, objective=SOFT, samples=200)
    # Nobody has trained this teacher, and the doctor says so.
    assert set(found.names) <= {"teacher_at_chance"}, str(found)


def test_images_a_second_beside_a_plain_loop(photographs):
    """Prints the speed of a student on CIFAR-sized images, in kdviz's loop and in a plain one."""
    steps, size = (300, 256) if DEVICE.type != "cpu" else (4, 64)
    big, small = conv(64, 1).to(DEVICE).eval(), conv(16, 2).to(DEVICE).train()
    data = tuple(part.to(DEVICE) for part in photographs)
    batches = [tuple(part[n : n + size] for part in data) for n in range(0, 600 - size + 1, size)]
    optimizer = torch.optim.Adam(small.parameters(), 1e-3, fused=True)

    def plain():
        for number in range(steps):
            inputs, labels = batches[number % len(batches)]
            with torch.no_grad():
                soft = softmax(big(inputs) / 4, 1)
            logits = small(inputs)
            kl = kl_div(log_softmax(logits / 4, 1), soft, reduction="batchmean")
            loss = 0.1 * cross_entropy(logits, labels) + 0.9 * 16 * kl
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss)

    def ours():
        kd.distill(big, small, batches, SOFT, steps=steps, record_every=steps).finish()

    speeds = {}
    for name, loop in (("plain loop", plain), ("kd.distill", ours)):
        loop()
        start = time.perf_counter()
        loop()
        speeds[name] = steps * size / (time.perf_counter() - start)
    print(", ".join(f"{name} {speed:,.0f} images a second" for name, speed in speeds.items()))
    assert speeds["kd.distill"] > speeds["plain loop"] / 3
