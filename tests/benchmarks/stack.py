"""How fast 320 students train, beside the ways others train them, side by side in one run.

    python tests/benchmarks/stack.py [threads]

The students: 8 temperatures x 8 weights x 5 seeds, mlp(64, 8, 10), 20 epochs of 1,200 digits in batches
of 64 (360 steps), the learning rate falling along a cosine. The one-by-one loops are timed on a few of
them, since their time is linear in the number. Rounds are interleaved, so that a busy machine slows all
alike; the medians are printed.

a  what tutorials do: a DataLoader, the teacher run again at each step, torch's default Adam
b  the best loop for one student: tensors in memory, cached teacher, fused Adam
c  torchdistill, where it is installed
d  b in one process a core, by joblib
e  kdviz.schemes.distill_stack, with one thread, with all, and with all in a process of its own whose threads
   wait for one another awake (OMP_WAIT_POLICY=active: only for cores that nobody else needs)
f  e in one process a core with one thread each, as kdviz.sweep(executor=...) does it
"""

import importlib.util
import itertools
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import joblib
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from kdviz import CrossEntropy, SoftTargets, teacher
from kdviz.datasets import digits
from kdviz.measure import accuracy
from kdviz.models import convnet, mlp
from kdviz.schemes import distill_stack
from kdviz.training.mapped import stacked_objective
from kdviz.training.stacked import StackedModel
from kdviz.training.updates import cosine

SEEDS, STEPS, BATCH, RATE = range(5), 360, 64, 5e-3
GRID = list(itertools.product((1, 2, 3, 4, 6, 8, 12, 16), (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)))
ROUNDS = 5
student = partial(mlp, 64, 8, 10)
small_convnet = partial(convnet, 4, 8)


def plain_loss(logits, answers, labels, temperature, weight):
    hard = F.cross_entropy(logits, labels)
    log_p = F.log_softmax(logits / temperature, 1)
    soft = F.kl_div(log_p, F.softmax(answers / temperature, 1), reduction="batchmean")
    return (1 - weight) * hard + weight * temperature**2 * soft


def loop_a(taught, data, temperature, weight, make=student, steps=STEPS):
    model = make(seed=data.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    samples = TensorDataset(data.transfer.inputs, data.transfer.labels)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cosine(step, steps))
    for _ in range(steps // 18):
        for inputs, labels in DataLoader(samples, BATCH, shuffle=True, drop_last=True):
            with torch.no_grad():
                answers = taught(inputs)
            loss = plain_loss(model(inputs), answers, labels, temperature, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


def loop_b(taught, data, temperature, weight, make=student, steps=STEPS):
    model = make(seed=data.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    inputs, labels = data.transfer.inputs, data.transfer.labels
    with torch.no_grad():
        answers = taught(inputs)
    rates = iter([RATE * cosine(step, steps) for step in range(steps)])
    for _ in range(steps // 18):
        for rows in torch.randperm(len(labels)).split(BATCH)[:18]:
            loss = plain_loss(model(inputs[rows]), answers[rows], labels[rows], temperature, weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.step()
    return model


def stacked(taught, data, grid=GRID, threads=1, make=student, steps=STEPS):
    objectives = [(1 - weight) * CrossEntropy() + weight * SoftTargets(t) for t, weight in grid]
    students = StackedModel([make(seed=part.seed) for part in data], len(grid))
    return distill_stack(
        taught,
        students,
        data,
        stacked_objective(objectives),
        steps=steps,
        learning_rate=RATE,
        batch_size=BATCH,
        record_every=steps,
        threads=threads,
    ).finish()


def stacked_elsewhere(taught, data, grid):
    torch.set_num_threads(1)
    stacked(taught, data, grid)


def one_elsewhere(taught, data, temperature, weight):
    torch.set_num_threads(1)
    loop_b(taught, data, temperature, weight)


def awake(cores):
    """The rate with threads that wait awake; in a process of its own, since they never rest again."""
    environment = {**os.environ, "OMP_WAIT_POLICY": "active"}
    command = [sys.executable, __file__, str(cores), "awake"]
    return float(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)


def print_rate(cores):
    data = [digits(seed=seed) for seed in SEEDS]
    taught = [teacher(part) for part in data]
    stacked(taught, data, threads=cores)
    print(rate(320, lambda: stacked(taught, data, threads=cores)))


def rate(count, work):
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def with_threads(count, work):
    torch.set_num_threads(count)
    try:
        return work()
    finally:
        torch.set_num_threads(1)


def matrix_throughput(threads):
    """The machine's largest rate of single-precision matrix products, in FLOP/s."""
    left, right = torch.randn(2048, 2048), torch.randn(2048, 2048)
    return with_threads(threads, lambda: max(rate(2 * 2048**3, lambda: left @ right) for _ in range(8)))


def measure(taught, data, cores):
    pool = ProcessPoolExecutor(cores, mp_context=get_context("spawn"))
    jobs = joblib.Parallel(cores)
    few = [(seed, *GRID[9 * seed]) for seed in SEEDS]
    parts = [GRID[start::cores] for start in range(cores)]

    def share_out():
        list(pool.map(partial(stacked_elsewhere, taught, data), parts))

    def by_joblib():
        jobs(joblib.delayed(one_elsewhere)(taught[s], data[s], t, w) for s, t, w in few * cores)

    ways = {
        "a  DataLoader, teacher each step": lambda: rate(
            3, lambda: [loop_a(taught[s], data[s], t, w) for s, t, w in few[:3]]
        ),
        "b  in memory, cached teacher": lambda: rate(
            5, lambda: [loop_b(taught[s], data[s], t, w) for s, t, w in few]
        ),
        f"d  b in {cores} processes": lambda: rate(5 * cores, by_joblib),
        "e  stack, 1 thread": lambda: rate(320, lambda: stacked(taught, data)),
        f"e  stack, {cores} threads": lambda: rate(320, lambda: stacked(taught, data, threads=cores)),
        f"e  stack, {cores} threads, awake": lambda: awake(cores),
        f"f  stack, {cores} processes": lambda: rate(320, share_out),
    }
    for way in ways.values():
        way()
    rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    return {name: statistics.median(found[name] for found in rounds) for name in ways}


def measure_convnet(taught, data, cores):
    def loop():
        for s in range(3):
            loop_b(taught[s], data[s], 4.0, 0.9, small_convnet, 54)

    grid = GRID[::4]
    ways = {
        "b": lambda: rate(3, loop),
        "e1": lambda: rate(80, lambda: stacked(taught, data, grid, 1, small_convnet, 54)),
        "e4": lambda: rate(80, lambda: stacked(taught, data, grid, cores, small_convnet, 54)),
    }
    rounds = [{name: way() for name, way in ways.items()} for _ in range(ROUNDS)]
    b, one, many = (statistics.median(found[name] for found in rounds) for name in ways)
    print(
        f"\nconvnet(4, 8), 54 steps, 80 students: b {b:.1f} a second, stack {one / b:.1f} times that with one"
    )
    print(f"thread, {many / b:.1f} times with {cores}")


def main(cores):
    torch.set_num_threads(1)
    data = [digits(seed=seed) for seed in SEEDS]
    taught = [teacher(part) for part in data]
    found = measure(taught, data, cores)
    a, b, *_ = found.values()
    print(f"{'':36}{'students/s':>10}{'x a':>8}{'x b':>8}")
    for name, students in found.items():
        print(f"{name:36}{students:10.1f}{students / a:8.1f}{students / b:8.1f}")
    if importlib.util.find_spec("torchdistill") is None:
        print("c  torchdistill is not installed (it needs a torchvision that fits this torch)")
    # Forwards and the weights' gradient for both layers, the inputs' gradient for the second only.
    flop = (4 * 64 * 8 + 6 * 8 * 10) * BATCH * STEPS
    for threads, way in ((1, "e  stack, 1 thread"), (cores, f"e  stack, {cores} threads")):
        floor = matrix_throughput(threads) / flop
        print(
            f"arithmetic floor, {threads} threads: {flop / 1e6:.0f} MFLOP a student, {floor:.0f} students/s; "
            f"the stack reaches {found[way] / floor:.0%} of it"
        )
    compare_accuracies(taught, data)
    measure_convnet(taught, data, cores)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def compare_accuracies(taught, data):
    run = stacked(taught, data)
    place = GRID.index((4, 0.9))
    for name, models in {
        "a": [loop_a(taught[s], data[s], 4, 0.9) for s in SEEDS],
        "b": [loop_b(taught[s], data[s], 4, 0.9) for s in SEEDS],
        "e": [run.student.student(s, place) for s in SEEDS],
    }.items():
        right = [accuracy(model(data[s].test.inputs), data[s].test.labels) for s, model in enumerate(models)]
        print(f"mean test accuracy of {name} at T = 4, soft_weight 0.9: {statistics.mean(right):.1%}")


if __name__ == "__main__":
    cores, how = int(sys.argv[1]) if sys.argv[1:] else os.cpu_count(), sys.argv[2:]
    print_rate(cores) if how else main(cores)
