"""Time and peak memory of kdviz.compare on 10,000 photographs, on a CPU with one thread.

    python tests/benchmarks/compare_memory.py

The saved pair of notebook 12, with its two baselines, on the test images of CIFAR-10 where they were fetched,
else on noise of the same shape; then a pair four times as wide, untrained, on 1,000 of them. Each case runs
in a process of its own. "before" is the peak once libraries and images are there: to read all of CIFAR-10
takes more than to compare. The last column is how far the streamed linear CKA is from the one of all samples
at once.
"""

import multiprocessing
import resource
import sys
import time

import torch

import kdviz as kd
from kdviz.course import cifar_pair
from kdviz.measure import cka_map
from kdviz.study._layers import pooled_features

CASES = {"saved pair, 10,000 images": (None, 10_000), "widths 64 and 24, 1,000 images": ((64, 24), 1_000)}


def main():
    print(f"{'case':34}{'images':>9}{'before':>10}{'peak':>10}{'seconds':>9}{'CKA off by':>12}")
    for name, case in CASES.items():
        with multiprocessing.get_context("spawn").Pool(1) as alone:
            images, *sizes, seconds, off = alone.apply(measure, case)
        shown = "".join(f"{size / 1e6:>7,.0f} MB" for size in sizes)
        print(f"{name:34}{images:>9}{shown}{seconds:>9.1f}{off:>12.1e}")


def measure(widths, count):
    torch.set_num_threads(1)
    images, (inputs, labels) = _images(count)
    if widths is None:
        models = cifar_pair.models()
    else:
        names = ("teacher", "student")
        models = {name: cifar_pair.resnet(width).eval() for name, width in zip(names, widths, strict=True)}
    teacher, student = models.pop("teacher"), models.pop("student")
    before, start = _peak(), time.perf_counter()
    found = kd.compare(teacher, student, (inputs, labels), baselines=models)
    seconds, peak = time.perf_counter() - start, _peak()
    layers = found.layers
    wanted = cka_map(
        _at_once(teacher, layers["teacher"], inputs), _at_once(student, layers["student"], inputs)
    )
    return images, before, peak, seconds, float(abs(found.cka - wanted).max())


def _images(count):
    try:
        test = kd.datasets.cifar10(test=count).test
        return "CIFAR-10", (test.inputs, test.labels)
    except FileNotFoundError:
        return "noise", (torch.rand(count, 3, 32, 32) - 0.5, torch.randint(10, (count,)))


def _at_once(model, paths, inputs):
    kept = {path: [] for path in paths}
    with torch.no_grad(), pooled_features(model, paths) as found:
        for part in inputs.split(500):
            model(part)
            for path in paths:
                kept[path].append(found[path].double())
    return [torch.cat(parts) for parts in kept.values()]


def _peak():
    """In bytes; the system counts kilobytes, but for one that counts bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


if __name__ == "__main__":
    main()
