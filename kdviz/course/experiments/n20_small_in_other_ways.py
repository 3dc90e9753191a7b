"""Four ways to make a network small, and what labels and a teacher mend of each."""

from functools import partial

import torch

from kdviz.algorithms.quantised import apprentice, factorised, pruned, qkd, stored_bytes
from kdviz.course.experiments.arms import (
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
from kdviz.models import mlp, quantised
from kdviz.schemes import stack_chains

WIDTH = 32
FAMILIES = {
    "quantise": {f"{bits} bits": partial(quantised, bits=bits) for bits in (4, 3, 2)},
    "prune": {f"{100 * share:.0f} % cut": partial(pruned, share=share) for share in (0.8, 0.9, 0.95)},
    "factorise": {f"rank {rank}": partial(factorised, rank=rank) for rank in (8, 4, 2)},
    "narrow": {f"{width} units": width for width in (8, 4, 2)},
}
TEMPERATURES = (1.0, 4.0)


def mixture(temperature):
    return 0.1 * CrossEntropy() + 0.9 * SoftTargets(temperature)


def networks(data, steps=600):
    """The network that is made small, of each split: 32 hidden units, trained on all its labels."""
    return [
        network.requires_grad_() for network in students(from_labels(data, starts(data, WIDTH), steps=steps))
    ]


def small(family, strength, full):
    """The networks cut in one way; a narrow one has nothing of the full one, and begins anew."""
    cut = FAMILIES[family][strength]
    if family == "narrow":
        return [mlp(64, cut, 10, seed=seed) for seed in range(len(full))]
    return [cut(network) for network in full]


@result({"family": tuple(FAMILIES)}, tolerance=8.0)
def compressed(seeds, family, steps=200):
    """One network made small in four ways and strengths: as cut, and mended by labels or by a teacher.

    The teacher has 256 hidden units. It is heard at two temperatures; choose by ``validation_accuracy``.
    """
    data = [digits(seed=seed) for seed in seeds]
    full, taught_by, found = networks(data), usual_teachers(data), []
    found += rows(data, {"all of it": full}, measured, student=family, network="all of it", temperature=0)
    for strength in FAMILIES[family]:
        begin = [one.requires_grad_() for one in small(family, strength, full)]
        arms = {("as cut", 0): begin, ("labels", 0): from_labels(data, begin, steps=steps)}
        for t in TEMPERATURES:
            arms["teacher", t] = from_teacher(data, begin, taught_by, mixture(t), steps=steps)
        for (arm, t), learned in arms.items():
            found += rows(data, {arm: learned}, measured, student=family, network=strength, temperature=t)
    return found


def measured(network, data):
    return {
        "bytes": stored_bytes(network),
        "validation_accuracy": right(network, data.validation),
        "accuracy": right(network, data.test),
    }


def weights_of_first_layer(full):
    """The first layer's weights as they are used, of the full network and by family and strength."""
    cut = {
        family: {strength: _first_layer(small(family, strength, [full])[0]) for strength in strengths}
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
    setting = ["student", "network", "arm", "temperature"]
    means = table.groupby(setting).validation_accuracy.mean()
    best = means.groupby(setting[:-1]).idxmax()
    return table.set_index(setting).loc[best.to_list()].reset_index()


# --- the order

ORDERS = ("K-P-Q", "K-Q-P", "P-K-Q", "Q-K-P", "P-Q-K", "Q-P-K")
CUTS = {"P": partial(pruned, share=0.85), "Q": partial(quantised, bits=3)}


@result({"arm": ("labels", "teacher")}, tolerance=8.0)
def orders(seeds, arm, steps=200):
    """Prune 85 % (P), quantise to 3 bits (Q) and train once more (K), in six orders.

    What is cut before K stays cut while it trains. K is by labels, or by a teacher at temperature 4.
    """
    data = [digits(seed=seed) for seed in seeds]
    full, taught_by, found = networks(data), usual_teachers(data), []
    learn = {
        "labels": lambda begin: from_labels(data, begin, steps=steps),
        "teacher": lambda begin: from_teacher(data, begin, taught_by, mixture(4.0), steps=steps),
    }
    for order in ORDERS:
        ready = full
        for step in order.split("-"):
            ready = students(learn[arm](ready)) if step == "K" else [CUTS[step](one) for one in ready]
        found += rows(data, {arm: ready}, measured, network=order)
    return found


# --- methods for few bits


@result({"bits": (2,)}, tolerance=10.0)
def few_bits(seeds, bits, steps=300):
    """Apprentice, quantised distillation and QKD, and what few bits reach without any teacher.

    All take ``steps`` with few bits; QKD shares them out among its three phases. "rounded" takes none.
    "labels, from all bits" and Apprentice begin from the trained network, the others anew.
    """
    data = [digits(seed=seed) for seed in seeds]
    begin, taught_by = starts(data, WIDTH), usual_teachers(data)
    full = networks(data)
    rounded, anew = ([quantised(network, bits) for network in own] for own in (full, begin))
    taught = {"objective": mixture(4.0), "bits": bits, "steps": steps}
    split = list(zip(taught_by, begin, data, strict=True))
    chains = [apprentice(teacher, own, part, **taught) for teacher, own, part in split]
    phases = [qkd(teacher, own, part, **{**taught, "steps": steps // 3}) for teacher, own, part in split]
    arms = {
        "all bits": full,
        "rounded": rounded,
        "labels": from_labels(data, anew, steps=steps),
        "labels, from all bits": from_labels(data, rounded, steps=steps),
        # As `quantised_distillation`, all seeds in one stack.
        "quantised distillation": from_teacher(data, anew, taught_by, mixture(4.0), steps=steps),
        "Apprentice": stack_chains(chains),
        "QKD": [stages.finish().student for stages in phases],
    }
    return rows(data, arms, measured, bits=bits)
