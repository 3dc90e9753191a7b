"""Networks that teach themselves: generations, two views of an image, early exits, averages."""

from dataclasses import replace

from torch import nn

from kdviz.course.experiments.arms import (
    answers,
    from_labels,
    from_teacher,
    logits,
    right,
    rows,
    starts,
    stopped,
    students,
)
from kdviz.course.results import result
from kdviz.datasets import digits, multi_view, shown_views
from kdviz.datasets.augmentations import noisy
from kdviz.losses.response import CrossEntropy, LabelSmoothing, SoftTargets, VirtualTeacher
from kdviz.measure import agreement
from kdviz.models import Ensemble, cost, exits, mlp, patches
from kdviz.schemes import (
    be_your_own_teacher,
    born_again,
    class_wise,
    mean_teacher,
    progressive,
    ramp_up,
    snapshot,
    stack_chains,
    teacher_free,
    train,
)
from kdviz.schemes import (
    two_views as two_distortions,
)

# --- born again


def generation_starts(seed, count=5, width=64):
    """Where each generation of a seed starts from: weights of its own."""
    return [mlp(64, width, 10, seed=1000 * generation + seed) for generation in range(count)]


# Furlanello et al. tell generations apart that hear only their teacher, and those that hear the labels too.
GENERATIONS = {
    "born again": 1.0 * SoftTargets(1.0),
    "born again, with labels": CrossEntropy() + SoftTargets(1.0),
}


# Networks that learn wrong labels by heart magnify rounding.
@result({"noise": (0.0, 0.4)}, tolerance=6.0)
def generations(seeds, noise, count=5, steps=1000):
    """Born-again generations, and beside each a twin: the same initial weights, taught by labels alone.

    Generation 0 is its own twin. The twin is examined at its end, and at the step with the best validation
    accuracy ("alone, stopped"). In generation "all" the networks of an arm answer as an ensemble.
    ``agreement`` is that with the generation before it, on the test images.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    begin = [generation_starts(seed, count) for seed in seeds]
    arms = dict(zip(("alone", "alone, stopped"), _twins(begin, data, steps), strict=True))
    for arm, objective in GENERATIONS.items():
        each = zip(begin, data, strict=True)
        chain = stack_chains([born_again(own, part, objective, steps=steps) for own, part in each]).finish()
        arms[arm] = list(zip(*(students(run) for run in chain.runs), strict=True))
    return [
        {"seed": part.seed, "noise": noise, "arm": arm, **measures}
        for arm, networks in arms.items()
        for own, part in zip(networks, data, strict=True)
        for measures in _generations(own, part.test)
    ]


def _generations(networks, samples):
    said = [logits(network, samples) for network in networks]
    for generation, network in enumerate(networks):
        like = 100 * agreement(said[generation], said[generation - 1]) if generation else None
        yield {"generation": str(generation), "accuracy": right(network, samples), "agreement": like}
    yield {"generation": "all", "accuracy": right(Ensemble(networks), samples), "agreement": None}


def _twins(begin, data, steps):
    """The same networks on labels alone: as they end, and as they were when validation was best."""
    count = len(begin[0])
    each = [part for part in data for _ in range(count)]
    both = stopped(from_labels(each, [one for own in begin for one in own], steps=steps))
    return [[every[row : row + count] for row in range(0, len(every), count)] for every in both]


# --- two views

VIEW_TRAINING = {"steps": 1000, "learning_rate": 1e-2}
MEMBERS = 6


def view_network(seed, member):
    """Where one of the networks of a seed starts from; member ``MEMBERS`` is the student."""
    return patches(20, 10, 5, seed=100 * seed + member)


def learn_views(members, data, teachers=None, units="learned", temperature=4.0):
    """Train the networks of these (seed, member), each on its data set, from labels and a teacher if any.

    Units that are "fixed" are 200 random ones that never learn; only the last layer does.
    """
    seeds = [100 * seed + member for seed, member in members]
    if units == "learned":
        eyes, seen = [nn.Identity()] * len(members), data
        begin = [view_network(*member) for member in members]
    else:
        eyes = [patches(20, 200, 5, power=1, seed=seed)[:-1].eval() for seed in seeds]
        seen = [_through(eye, part) for eye, part in zip(eyes, data, strict=True)]
        begin = [mlp(200, 5, seed=seed) for seed in seeds]
    training = {"seeds": seeds, **VIEW_TRAINING}
    if teachers is None:
        run = from_labels(seen, begin, **training)
    else:
        objective = CrossEntropy() + SoftTargets(temperature)
        run = from_teacher(seen, begin, answers(teachers, data), objective, **training)
    return [nn.Sequential(eye, student) for eye, student in zip(eyes, students(run), strict=True)]


def _through(eye, data):
    """The same data as a layer that never learns sees it."""
    parts = {name: getattr(data, name) for name in ("train", "labelled", "transfer", "validation", "test")}
    return replace(data, **{name: replace(part, inputs=logits(eye, part)) for name, part in parts.items()})


@result({"units": ("learned", "fixed")}, tolerance=10.0)
def two_views(seeds, units="learned"):
    """Multi-view data: one network, an ensemble of six, and students of the ensemble and of one network.

    The students, and the network "alone", share initial weights and batches. With units that are "fixed"
    there are no features to learn: the control of Allen-Zhu and Li.
    """
    data = [multi_view(seed=seed) for seed in seeds]
    members = [(seed, member) for seed in seeds for member in range(MEMBERS)]
    every = learn_views(members, [part for part in data for _ in range(MEMBERS)], units=units)
    ensembles = [Ensemble(every[row : row + MEMBERS]) for row in range(0, len(every), MEMBERS)]
    first, pupils = every[::MEMBERS], [(seed, MEMBERS) for seed in seeds]
    arms = {
        "its teacher": first,
        "ensemble": ensembles,
        "alone": learn_views(pupils, data, units=units),
        "distilled": learn_views(pupils, data, ensembles, units),
        "self-distilled": learn_views(pupils, data, first, units),
    }
    return rows(data, arms, view_measures, units=units)


def view_measures(network, data):
    """Accuracy on images with one view and with both, and the fraction of views that were learned."""
    settings = {name: value for name, value in data.settings.items() if name != "name"}
    both = multi_view(**{**settings, "test_single": 0.0})
    return {
        "accuracy": right(network, data.test),
        "both_views_accuracy": right(network, both.test),
        "views": 100 * float((learned_views(network, data) > 0.5).double().mean()),
    }


def learned_views(network, data):
    """The fraction of right answers for each class (row) and each view (column) of the test images."""
    correct = (logits(network, data.test).argmax(-1) == data.test.labels).double()
    view = 2 * data.test.labels + shown_views(data)
    return (view.bincount(correct, minlength=10) / view.bincount(minlength=10)).view(5, 2)


# --- early exits

EXIT_OBJECTIVES = {
    "deep supervision": 1.0 * CrossEntropy(),
    "be your own teacher": None,
    "be your own teacher, no hint": 0.7 * CrossEntropy() + 0.3 * SoftTargets(3),
}


def exit_network(data, seed):
    """A network with an exit after its first layer, after its second, and at its end."""
    network = mlp(64, 16, 64, 64, 32, 10, seed=seed)
    return exits(network, ["activation1", "activation2"], data.train.inputs, seed=seed)


@result({"steps": (600,)})
def early_exits(seeds, steps=600):
    """Each exit's accuracy and MACs: trained together in three ways, and each exit as a network of its own.

    "be your own teacher, no hint" is an ablation: the paper's soft targets without its hint.
    """
    training = {"steps": steps, "record_every": steps}
    found = []
    for seed in seeds:
        data = digits(seed=seed)
        start = exit_network(data, seed)
        arms = {}
        for arm, objective in EXIT_OBJECTIVES.items():
            student = be_your_own_teacher(start, data, objective, **training).finish().student
            arms[arm] = {head: student.alone(head) for head in start.heads}
        arms["alone"] = {
            head: train(start.alone(head), data, **training).finish().student for head in start.heads
        }
        found += [
            {
                "seed": seed,
                "arm": arm,
                "exit": head,
                "macs": cost(network, data.test.inputs).macs,
                "accuracy": right(network, data.test),
            }
            for arm, networks in arms.items()
            for head, network in networks.items()
        ]
    return found


# --- few labels and the average of oneself

CONSISTENCY = 4.0


@result({"labels": (50,)}, tolerance=5.0)
def averages(seeds, labels=50, steps=1000):
    """Mean teacher with few labels, where the weight of consistency rises slowly or is there at once.

    Controls: the same noisy batches without consistency, and the labelled images alone. "own answers" is a
    born-again student: taught on all images by a network that learned from the labelled ones.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    begin = starts(data, 64)
    alone = students(from_labels(data, begin, steps=steps))
    again = students(from_teacher(data, begin, alone, SoftTargets(1.0), steps=steps))
    arms = {"labels alone": [(one, None) for one in alone], "own answers": [(one, None) for one in again]}
    for arm, rise in {"mean teacher": 0.5, "at once": 0.0, "no consistency": None}.items():
        runs = [averaged(start, part, rise, steps) for start, part in zip(begin, data, strict=True)]
        arms[arm] = [(run.student, run.teacher) for run in runs]
    return rows(data, arms, _with_average)


def _with_average(networks, data):
    student, average = networks
    return {
        "accuracy": right(student, data.test),
        "average_accuracy": None if average is None else right(average, data.test),
    }


def averaged(start, data, rise, steps):
    """A mean teacher whose consistency reaches its weight after ``rise`` of the steps; None: never."""
    objective = CrossEntropy() + (0.0 if rise is None else CONSISTENCY) * SoftTargets(1.0)
    run = mean_teacher(start, data, objective, augment=noisy(0.3), steps=steps, record_every=steps // 40)
    if rise:
        for _ in ramp_up(run, "soft_targets.weight", CONSISTENCY, over=round(rise * steps)):
            pass
    return run.finish()


# --- six more ways

UNHEARD = CrossEntropy() + 0.0 * SoftTargets(1.0)
CYCLES = 4


@result({"labels": (100,)}, tolerance=6.0)
def six_ways(seeds, labels=100, steps=600):
    """Six more ways to teach oneself, with the weights and temperatures of their papers where they fit.

    Controls: the labels alone, once and with the steps of two generations; label smoothing; and
    of "snapshot", which has four cycles in the same steps, and of "two views" the same with nobody listening.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    begin = starts(data, 16)

    def chained(scheme, **settings):
        each = zip(begin, data, strict=True)
        return stack_chains([scheme(start, part, **settings) for start, part in each])

    def one_by_one(scheme, *objective, **settings):
        each = zip(begin, data, strict=True)
        settings["steps"] = settings["record_every"] = steps
        return [scheme(start, part, *objective, **settings).finish().student for start, part in each]

    arms = {
        "labels alone": from_labels(data, begin, steps=steps),
        "labels alone, twice the steps": from_labels(data, begin, steps=2 * steps),
        "label smoothing": from_labels(data, begin, LabelSmoothing(0.1), steps=steps),
        "virtual teacher": from_labels(data, begin, VIRTUAL, steps=steps),
        "its own pupil": chained(teacher_free, steps=steps),
        "snapshot": chained(snapshot, generations=CYCLES, steps=steps // CYCLES),
        "snapshot, unheard": chained(snapshot, objective=UNHEARD, generations=CYCLES, steps=steps // CYCLES),
        "class-wise": one_by_one(class_wise),
        "progressive": one_by_one(progressive),
        "two views": one_by_one(two_distortions),
        "two views, unheard": one_by_one(two_distortions, UNHEARD),
    }
    return rows(data, arms)


VIRTUAL = 0.1 * CrossEntropy() + 0.9 * VirtualTeacher(form="scaled")
