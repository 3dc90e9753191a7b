"""How long one student takes, beside the plain way to train it, measured side by side in one run.

    python tests/benchmarks/single_student.py

Both train the same student 64-16-10 on 1,200 digits for 600 steps of 64 with soft targets and hard
labels. "plain" is what tutorials do: a DataLoader, the teacher run again at each step, torch's default
Adam. The rounds are interleaved, so that a busy machine slows both alike.
"""

import statistics
import subprocess
import sys
import time

import torch
from torch.utils.data import DataLoader, TensorDataset

from kdviz import CrossEntropy, SoftTargets, distill, teacher
from kdviz.datasets import digits
from kdviz.losses.response import cross_entropy, soft_targets
from kdviz.models import mlp

STEPS, ROUNDS = 600, 7


def plain(taught, data):
    student = mlp(64, 16, 10)
    optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
    samples = TensorDataset(data.transfer.inputs, data.transfer.labels)
    step = 0
    while step < STEPS:
        for inputs, labels in DataLoader(samples, 64, shuffle=True, drop_last=True):
            with torch.no_grad():
                answers = taught(inputs)
            logits = student(inputs)
            loss = 0.1 * cross_entropy(logits, labels) + 0.9 * soft_targets(logits, answers, 4.0)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1


def ours(taught, data):
    objective = 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature=4)
    distill(taught, mlp(64, 16, 10), data, objective, steps=STEPS).finish()


def seconds(work, *arguments):
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def import_seconds():
    command = [sys.executable, "-c", "import kdviz"]
    bare = [sys.executable, "-c", "pass"]
    return seconds(subprocess.run, command) - seconds(subprocess.run, bare)


def main():
    torch.set_num_threads(1)
    data = digits()
    taught = teacher(data)
    rounds = [(seconds(plain, taught, data), seconds(ours, taught, data)) for _ in range(ROUNDS)]
    ratios = [slow / fast for slow, fast in rounds]
    print(f"plain loop  {statistics.median(r[0] for r in rounds):.2f} s a student (median)")
    print(f"kdviz       {statistics.median(r[1] for r in rounds):.2f} s a student (median)")
    print(f"ratio       {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
    imports = [import_seconds() for _ in range(ROUNDS)]
    print(f"import      {statistics.median(imports):.3f} s over a bare interpreter (median)")


if __name__ == "__main__":
    main()
