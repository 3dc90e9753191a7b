"""Four ways to make a network small, and what labels and a teacher mend of each."""

from functools import partial

import torch

from kdviz.algorithms.quantised import factorised, pruned, qkd, stored_bytes
from kdviz.course.experiments.arms import (
    best_on_validation,
    from_labels,
    from_teacher,
    right,
    rows,
    starts,
    students,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.models import quantised

WIDTH = 32
FAMILIES = {
    "quantise": {f"{bits} bits": partial(quantised, bits=bits) for bits in (4, 3, 2)},
    "prune": {f"{100 * share:.0f} % cut": partial(pruned, share=share) for share in (0.8, 0.9, 0.95)},
    "factorise": {f"rank {rank}": partial(factorised, rank=rank) for rank in (8, 4, 2)},
    "narrow": {f"{width} units": width for width in (8, 4, 2)},
}
TEMPERATURES = (1.0, 4.0)
FULL = 600  # steps of the network that is made small


def mixture(temperature):
    return 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature)


def networks(data, steps=FULL):
    """The network that is made small, of each split: 32 hidden units, trained on all its labels."""
    return [
        network.requires_grad_() for network in students(from_labels(data, starts(data, WIDTH), steps=steps))
    ]


def small(family, strength, full, data):
    """The networks cut in one way; a narrow one has nothing of the full one, and begins anew."""
    cut = FAMILIES[family][strength]
    if family == "narrow":
        return starts(data, cut)
    return [cut(network) for network in full]


def mended(data, begin, taught_by, steps=300):
    """Trained on, by labels, or by a teacher at each temperature: the arms by name and temperature."""
    arms = {("labels", 0): from_labels(data, begin, steps=steps)}
    for t in TEMPERATURES:
        arms["teacher", t] = from_teacher(data, begin, taught_by, mixture(t), steps=steps)
    return arms


@result({"family": tuple(FAMILIES)}, tolerance=8.0)
def compressed(seeds, family, steps=300):
    """One network made small in four ways and strengths: as cut, and mended by labels or by a teacher.

    A narrow network begins anew, so it takes the steps of the full one besides. The teacher has 256 hidden
    units. It is heard at two temperatures; choose by ``validation_accuracy``.
    """
    data = [digits(seed=seed) for seed in seeds]
    full, taught_by, found = networks(data), usual_teachers(data), []
    found += rows(data, {"all of it": full}, measured, student=family, network="all of it", temperature=0)
    for strength in FAMILIES[family]:
        begin = [one.requires_grad_() for one in small(family, strength, full, data)]
        patience = steps + FULL if family == "narrow" else steps
        arms = {("as cut", 0): begin, **mended(data, begin, taught_by, patience)}
        for (arm, t), learned in arms.items():
            found += rows(data, {arm: learned}, measured, student=family, network=strength, temperature=t)
    return found


def measured(network, data):
    return {
        "bytes": stored_bytes(network),
        "validation_accuracy": right(network, data.validation),
        "accuracy": right(network, data.test),
    }


def weights_of_first_layer(full, data):
    """The first layer's weights as they are used, of the full network and by family and strength."""
    cut = {
        family: {strength: _first_layer(small(family, strength, [full], [data])[0]) for strength in strengths}
        for family, strengths in FAMILIES.items()
    }
    return {"all of it": _first_layer(full), **cut}


def _first_layer(network):
    layer = network.hidden1
    parts = [layer.weight] if hasattr(layer, "weight") else [layer[1].weight, layer[0].weight]
    return torch.linalg.multi_dot(parts).detach() if len(parts) == 2 else parts[0].detach()


def chosen(table):
    """The rows of each arm, the teacher's at the temperature with the best mean validation accuracy.

    One temperature for each family and strength, and for all seeds.
    """
    of = [name for name in ("student", "network", "arm") if name in table]
    return best_on_validation(table, of, ["temperature"])


# --- the order

ORDERS = ("K-P-Q", "K-Q-P", "P-K-Q", "Q-K-P", "P-Q-K", "Q-P-K")
CUTS = {"P": partial(pruned, share=0.85), "Q": partial(quantised, bits=3)}


@result({"network": ORDERS}, tolerance=8.0)
def orders(seeds, network, steps=300):
    """Prune 85 % (P), quantise to 3 bits (Q) and train once more (K), in six orders.

    What is cut before K stays cut while it trains. K is by labels, or by a teacher at two temperatures.
    """
    data = [digits(seed=seed) for seed in seeds]
    before, _, after = network.partition("K")
    ready = cut_by(before, networks(data))
    found = []
    for (arm, t), learned in mended(data, ready, usual_teachers(data), steps).items():
        done = {arm: cut_by(after, students(learned))}
        found += rows(data, done, measured, network=network, temperature=t)
    return found


def cut_by(steps, networks):
    """Networks cut by each of some steps, such as "P-Q-"."""
    for step in steps.replace("-", ""):
        networks = [CUTS[step](network) for network in networks]
    return networks


# --- methods for few bits


@result({"bits": (2,)}, tolerance=10.0)
def few_bits(seeds, bits, steps=300):
    """Quantised distillation, Apprentice and QKD, and what few bits reach without any teacher.

    All take ``steps`` with few bits; QKD shares them out among its three phases. "rounded" takes none.
    Quantised distillation and "labels, anew" begin anew, the others from the network trained with all bits.
    """
    data = [digits(seed=seed) for seed in seeds]
    taught_by, full = usual_teachers(data), networks(data)
    rounded, anew = ([quantised(network, bits) for network in own] for own in (full, starts(data, WIDTH)))
    arms = {("all bits", 0): full, ("rounded", 0): rounded}
    # As `quantised_distillation` and the second stage of `apprentice`, all seeds in one stack.
    for begin, names in (
        (anew, {"labels": "labels, anew", "teacher": "quantised distillation"}),
        (rounded, {"labels": "labels", "teacher": "Apprentice"}),
    ):
        arms |= {
            (names[arm], t): learned for (arm, t), learned in mended(data, begin, taught_by, steps).items()
        }
    for t in TEMPERATURES:
        arms["QKD", t] = [
            qkd(teacher, own, part, mixture(t), bits=bits, steps=steps // 3).finish().student
            for teacher, own, part in zip(taught_by, full, data, strict=True)
        ]
    return [
        row
        for (arm, t), learned in arms.items()
        for row in rows(data, {arm: learned}, measured, bits=bits, temperature=t)
    ]
