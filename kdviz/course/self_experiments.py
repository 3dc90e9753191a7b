"""The experiments behind notebook 09: networks that teach themselves. Seeds in, rows out.

As in ``experiments``, all arms of a seed share the split, the initial weights and the order of the batches.
"""

from dataclasses import replace

import torch
from torch import nn

from kdviz.datasets import digits, multi_view, shown_views
from kdviz.datasets.augmentations import noisy
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, agreement
from kdviz.models import Ensemble, cost, exits, mlp, patches
from kdviz.schemes import (
    be_your_own_teacher,
    born_again,
    distill_stack,
    mean_teacher,
    ramp_up,
    stack_chains,
    train,
    train_stack,
)
from kdviz.training.stacked import StackedModel


def answers(model, samples):
    with torch.no_grad():
        return model(samples.inputs)


def right(logits, samples):
    """Percent of right answers."""
    return 100 * accuracy(logits, samples.labels)


# --- born again


def generation_starts(seed, count=5, width=64):
    """Where each generation of a seed starts from: weights of its own."""
    return [mlp(64, width, 10, seed=1000 * generation + seed) for generation in range(count)]


# Furlanello et al. tell generations apart that hear only their teacher, and those that hear the labels too.
GENERATIONS = {
    "born again": 1.0 * SoftTargets(1.0),
    "born again, with labels": CrossEntropy() + SoftTargets(1.0),
}


def generations(seeds, noise, count=5, steps=1000):
    """Born-again generations, and beside each a twin: the same initial weights, taught by labels alone.

    Generation 0 is its own twin. The twin is examined at its end, and at the step with the best validation
    accuracy ("alone, stopped"). In generation "all" the networks of an arm answer as an ensemble.
    ``agreement`` is that with the generation before it, on the test images.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    starts = [generation_starts(seed, count) for seed in seeds]
    arms = dict(zip(("alone", "alone, stopped"), _twins(starts, data, steps), strict=True))
    for arm, objective in GENERATIONS.items():
        chains = [
            born_again(own, part, objective, steps=steps) for own, part in zip(starts, data, strict=True)
        ]
        stages = stack_chains(chains).finish()
        arms[arm] = [[run.student.student(row, 0) for run in stages.runs] for row in range(len(data))]
    return [
        {"seed": part.seed, "noise": noise, "arm": arm, **measures}
        for arm, networks in arms.items()
        for own, part in zip(networks, data, strict=True)
        for measures in _generations(own, part.test)
    ]


def _generations(networks, samples):
    said = [answers(network, samples) for network in networks]
    for generation, logits in enumerate(said):
        like = 100 * agreement(logits, said[generation - 1]) if generation else None
        yield {"generation": str(generation), "accuracy": right(logits, samples), "agreement": like}
    together = answers(Ensemble(networks), samples)
    yield {"generation": "all", "accuracy": right(together, samples), "agreement": None}


def _twins(starts, data, steps):
    """The same networks on labels alone: as they end, and as they were when validation was best."""
    count = len(starts[0])
    each = [part for part in data for _ in range(count)]
    run = train_stack(StackedModel([one for own in starts for one in own]), each, steps=steps)
    best, kept = [-1.0] * len(each), [None] * len(each)
    for record in run:
        for row, found in enumerate(record.measures["accuracy"][:, 0]):
            if found > best[row]:
                best[row], kept[row] = found, run.student.student(row, 0)
    ended = [run.student.student(row, 0) for row in range(len(each))]
    return [[own[start : start + count] for start in range(0, len(own), count)] for own in (ended, kept)]


# --- two views

VIEW_TRAINING = {"steps": 1000, "learning_rate": 1e-2}
MEMBERS = 6


def view_network(seed, member):
    """Where one of the networks of a seed starts from; member ``MEMBERS`` is the student."""
    return patches(20, 10, 5, seed=100 * seed + member)


def learn_views(places, data, teachers=None, units="learned", temperature=4.0):
    """Train the networks of these (seed, member), each on its data set, from labels and a teacher if any.

    Units that are "fixed" are 200 random ones that never learn; only the last layer does.
    """
    seeds = [100 * seed + member for seed, member in places]
    if units == "learned":
        eyes, seen = [nn.Identity()] * len(places), data
        starts = [view_network(*place) for place in places]
    else:
        eyes = [patches(20, 200, 5, power=1, seed=seed)[:-1].eval() for seed in seeds]
        seen = [_through(eye, part) for eye, part in zip(eyes, data, strict=True)]
        starts = [mlp(200, 5, seed=seed) for seed in seeds]
    students = StackedModel(starts)
    if teachers is None:
        run = train_stack(students, seen, seeds=seeds, **VIEW_TRAINING)
    else:
        said = [answers(teacher, part.transfer) for teacher, part in zip(teachers, data, strict=True)]
        both = CrossEntropy() + SoftTargets(temperature)
        run = distill_stack(said, students, seen, both, seeds=seeds, **VIEW_TRAINING)
    trained = run.finish().student
    return [nn.Sequential(eye, trained.student(row, 0)) for row, eye in enumerate(eyes)]


def _through(eye, data):
    """The same data as a layer that never learns sees it."""
    parts = ("train", "labelled", "transfer", "validation", "test")
    return replace(data, **{part: _seen(eye, getattr(data, part)) for part in parts})


def _seen(eye, samples):
    return replace(samples, inputs=answers(eye, samples))


def two_views(seeds, units="learned"):
    """Multi-view data: one network, an ensemble of six, and students of the ensemble and of one network.

    The students, and the network "alone", share initial weights and batches. With units that are "fixed"
    there are no features to learn: the control of Allen-Zhu and Li. ``both`` is the accuracy on images
    that show both views; ``views`` the share of classes and views of which most images are recognised.
    """
    data = [multi_view(seed=seed) for seed in seeds]
    places = [(seed, member) for seed in seeds for member in range(MEMBERS)]
    every = learn_views(places, [part for part in data for _ in range(MEMBERS)], units=units)
    members = [every[start : start + MEMBERS] for start in range(0, len(every), MEMBERS)]
    pupil = [(seed, MEMBERS) for seed in seeds]
    ensembles = [Ensemble(own) for own in members]
    first = [own[0] for own in members]
    arms = {
        "its teacher": first,
        "ensemble": ensembles,
        "alone": learn_views(pupil, data, units=units),
        "distilled": learn_views(pupil, data, ensembles, units),
        "self-distilled": learn_views(pupil, data, first, units),
    }
    return [
        {"seed": part.seed, "units": units, "arm": arm, **view_measures(network, part)}
        for arm, networks in arms.items()
        for part, network in zip(data, networks, strict=True)
    ]


def view_measures(network, data):
    """Accuracy on images with one view and with both, and the share of views that were learned."""
    both = multi_view(**{**_settings(data), "test_single": 0.0})
    return {
        "accuracy": right(answers(network, data.test), data.test),
        "both": right(answers(network, both.test), both.test),
        "views": 100 * float((learned_views(network, data) > 0.5).double().mean()),
    }


def learned_views(network, data):
    """The share of right answers for each class (row) and each view (column) of the test images."""
    correct = (answers(network, data.test).argmax(-1) == data.test.labels).double()
    place = 2 * data.test.labels + shown_views(data)
    counts = place.bincount(minlength=10)
    return (place.bincount(correct, minlength=10) / counts).view(5, 2)


def _settings(data):
    return {name: value for name, value in data.settings.items() if name != "name"}


# --- early exits

EXIT_OBJECTIVES = {
    "deep supervision": 1.0 * CrossEntropy(),
    "be your own teacher": None,
}


def exit_network(data, seed):
    """A network with an exit after its first layer, after its second, and at its end."""
    network = mlp(64, 16, 64, 64, 32, 10, seed=seed)
    return exits(network, ["activation1", "activation2"], data.train.inputs, seed=seed)


def early_exits(seeds, steps=600):
    """Each exit's accuracy and MACs: trained together in two ways, and each exit as a network of its own."""
    rows = []
    for seed in seeds:
        data = digits(seed=seed)
        start = exit_network(data, seed)
        parts = {head: start.subnetwork(head) for head in start.heads}
        for arm, objective in EXIT_OBJECTIVES.items():
            run = be_your_own_teacher(start, data, objective, steps=steps, record_every=steps).finish()
            rows += _exit_rows(data, arm, {head: run.student.subnetwork(head) for head in start.heads})
        alone = {
            head: train(part, data, steps=steps, record_every=steps).finish().student
            for head, part in parts.items()
        }
        rows += _exit_rows(data, "alone", alone)
    return rows


def _exit_rows(data, arm, networks):
    return [
        {
            "seed": data.seed,
            "arm": arm,
            "exit": head,
            "macs": cost(network, data.test.inputs).macs,
            "accuracy": right(answers(network, data.test), data.test),
        }
        for head, network in networks.items()
    ]


# --- few labels and the average of oneself

CONSISTENCY = 4.0


def averages(seeds, labels=50, steps=1000):
    """Mean teacher with few labels, where the weight of consistency rises slowly or is there at once.

    Controls: the same noisy batches without consistency, and the labelled images alone. "own answers" is a
    born-again student: taught on all images by a network that learned from the labelled ones. ``accuracy``
    is the student's, ``average`` that of the average of its weights.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    starts = [mlp(64, 64, 10, seed=seed) for seed in seeds]
    alone = train_stack(StackedModel(starts), data, steps=steps).finish().student
    first = [alone.student(row, 0) for row in range(len(data))]
    again = distill_stack(first, StackedModel(starts), data, SoftTargets(1.0), steps=steps).finish().student
    found = {
        "labels alone": [(network, None) for network in first],
        "own answers": [(again.student(row, 0), None) for row in range(len(data))],
    }
    for arm, rise in {"mean teacher": 0.5, "at once": 0.0, "no consistency": None}.items():
        runs = [averaged(start, part, rise, steps) for start, part in zip(starts, data, strict=True)]
        found[arm] = [(run.student, run.teacher) for run in runs]
    return [
        {
            "seed": part.seed,
            "arm": arm,
            "accuracy": right(answers(student, part.test), part.test),
            "average": None if average is None else right(answers(average, part.test), part.test),
        }
        for arm, networks in found.items()
        for part, (student, average) in zip(data, networks, strict=True)
    ]


def averaged(start, data, rise, steps):
    """A mean teacher whose consistency reaches its weight after this share of the steps; None for never."""
    objective = CrossEntropy() + (0.0 if rise is None else CONSISTENCY) * SoftTargets(1.0)
    run = mean_teacher(start, data, objective, augment=noisy(0.3), steps=steps, record_every=steps // 40)
    if rise:
        for _ in ramp_up(run, "soft_targets.weight", CONSISTENCY, over=round(rise * steps)):
            pass
    return run.finish()
