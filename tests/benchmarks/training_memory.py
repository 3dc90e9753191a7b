"""Peak memory of distill and compare beside the data: 45,000 random images of CIFAR-10's size, on a CPU.

    python tests/benchmarks/training_memory.py

The teacher has two convolutions of 64 channels: one pass of all images would take 37 GB. Each case runs in a
process of its own. "data" is the peak once libraries and images are there.
"""

import multiprocessing
import resource
import sys
import time

import torch
from torch import nn

import kdviz as kd

IMAGES = 45_000


def main(images=IMAGES):
    print(f"{'case':34}{'data':>10}{'beside':>10}{'seconds':>9}")
    for name in CASES:
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            data, beside, seconds = alone.apply(measure, (name, images))
        print(f"{name:34}{data / 1e6:>7,.0f} MB{beside / 1e6:>7,.0f} MB{seconds:>9.0f}")


def measure(name, images):
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.empty(images, 3, 32, 32).uniform_(generator=generator)
    labels = torch.randint(10, (images,), generator=generator)
    before, start = _peak(), time.perf_counter()
    CASES[name](_conv(64, 1), _conv(8, 2), (inputs, labels))
    return before, _peak() - before, time.perf_counter() - start


def _logits(teacher, student, data):
    objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(4)
    few = tuple(part[:2000] for part in data)
    kd.distill(teacher, student, data, objective, steps=20, validation=few).finish()


def _features(teacher, student, data):
    objective = kd.CrossEntropy() + kd.Hint("block", adapter="convolution")
    kd.distill(teacher, student, data, objective, steps=20, validation=None).finish()


def _compare(teacher, student, data):
    kd.compare(teacher, student, data, progress=False)


CASES = {"distill, logits": _logits, "distill, a layer of 64 maps": _features, "compare": _compare}


def _conv(width, seed):
    torch.manual_seed(seed)
    layers = {
        "first": nn.Conv2d(3, width, 3, padding=1),
        "bend": nn.ReLU(),
        "block": nn.Conv2d(width, width, 3, padding=1),
        "turn": nn.ReLU(),
        "mean": nn.AdaptiveAvgPool2d(1),
        "flat": nn.Flatten(),
        "head": nn.Linear(width, 10),
    }
    model = nn.Sequential()
    for name, layer in layers.items():
        model.add_module(name, layer)
    return model


def _peak():
    """In bytes; the system counts kilobytes, but for one that counts bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main()
