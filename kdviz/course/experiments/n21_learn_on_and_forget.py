"""Learn on, and forget: yesterday's network as teacher, kept images, networks that grow, better labels."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from kdviz.algorithms.exemplars import Icarl, NearestMean
from kdviz.algorithms.growing import wider
from kdviz.algorithms.lifelong import (
    ANSWERS,
    Head,
    by_class,
    label_refinery,
    of_classes,
    remembering,
    with_images,
)
from kdviz.course.experiments.arms import (
    answers,
    best_on_validation,
    exchanged,
    from_labels,
    logits,
    right,
    short,
    starts,
    students,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.datasets.augmentations import shifted
from kdviz.losses.feature import Hint
from kdviz.losses.relation import SimilarityPreserving
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import paired
from kdviz.models import mlp
from kdviz.schemes import distill_stack, stack_chains, train, train_stack
from kdviz.training.stacked import StackedModel

OLD, NEW = tuple(range(5)), tuple(range(5, 10))
IMAGES = 500  # of each task: what a stack learns from must be equally many
HEADS = ("own", "all")
LAYER = "activation1"

# --- two tasks


def tasks(data, classes):
    """The task of some classes for each split, with as many images for all."""
    narrowed = [of_classes(part, classes) for part in data]
    return [
        replace(task, labelled=task.labelled[:IMAGES], transfer=task.transfer[:IMAGES]) for task in narrowed
    ]


def yesterdays(data, steps=300):
    """A network for each split that has learned the digits 0 to 4, in the head of these."""
    return students(from_labels(tasks(data, OLD), starts(data, 16), Head(CrossEntropy(), OLD), steps=steps))


def asked(network, samples, heads):
    """The accuracy on old, on new and on all digits, in percent.

    ``heads`` says what may answer: the head of the image's "own" task, or "all" ten logits.
    """
    said, labels = logits(network, samples), samples.labels
    old = labels < len(OLD)
    if heads == "own":
        said = said.masked_fill(old[:, None] != (torch.arange(10) < len(OLD)), -torch.inf)
    hits = 100 * (said.argmax(-1) == labels).double()
    return {
        "old_accuracy": float(hits[old].mean()),
        "new_accuracy": float(hits[~old].mean()),
        "accuracy": float(hits.mean()),
    }


def asked_rows(data, networks, points, **columns):
    """The rows of networks, those of each split under settings that ``points`` name; asked in both ways."""
    return [
        {
            "seed": part.seed,
            **columns,
            **point,
            "heads": heads,
            **asked(network, part.test, heads),
            "validation_accuracy": asked(network, part.validation, heads)["accuracy"],
        }
        for part, own in zip(data, networks, strict=True)
        for point, network in zip(points, own, strict=True)
        for heads in HEADS
    ]


def trained(run):
    """The networks of a stack that is trained to its end: for each split one for each setting."""
    stack = run.finish().student
    return [
        [stack.student(row, setting) for setting in range(stack.shape[1])] for row in range(stack.shape[0])
    ]


def ignorant(data):
    return [mlp(64, 16, 10, seed=900 + part.seed) for part in data]


WEIGHTS = (0.3, 1.0, 3.0, 10.0, 30.0)
REGIMES = ("own head", "one head")


def learn_on(before, today, teachers, weights, keep=ANSWERS, one_head=False, steps=300):
    """The second task for each split, at several weights of what keeps the old: a run of a stack."""
    objective = remembering(OLD, NEW, torch.tensor(weights) * keep, one_head=one_head)
    return distill_stack(teachers, StackedModel(before, len(weights)), today, objective, steps=steps)


@result({"regime": REGIMES}, tolerance=10.0)
def forgetting(seeds, regime, steps=300):
    """Digits 0 to 4 are learned, then 5 to 9 on their images alone, with yesterday's network as teacher.

    ``regime``: whether the labels of today are learned in a head of their own, or among all ten digits.
    Controls: no teacher (weight 0), yesterday's answers of other images, and a teacher that knows nothing.
    """
    data = [digits(seed=seed) for seed in seeds]
    before, today, one_head = yesterdays(data), tasks(data, NEW), regime == "one head"
    teachers = {
        "yesterday": (before, (0.0, *WEIGHTS)),
        "shuffled": (exchanged(answers(before, today), today), WEIGHTS),
        "knows nothing": (ignorant(data), WEIGHTS),
    }
    found = []
    for arm, (teaching, weights) in teachers.items():
        run = learn_on(before, today, teaching, weights, one_head=one_head, steps=steps)
        named = [{"arm": arm if weight else "no teacher", "weight": weight} for weight in weights]
        found += asked_rows(data, trained(run), named, regime=regime)
    return found


def while_it_learns(at, weight, seeds=range(20)):
    """Old and new accuracy, from 0 to 1, at these steps of the second task: {heads: (steps, seeds, 2)}."""
    data = [digits(seed=seed) for seed in seeds]
    before, today = yesterdays(data), tasks(data, NEW)
    objective = remembering(OLD, NEW, weight * ANSWERS, one_head=True)
    run = distill_stack(before, StackedModel(before), today, objective, steps=max(at), record_every=1)
    found = {heads: [] for heads in HEADS}
    for networks in [before, *(networks_of(run) for record in run if record.step in at)]:
        for heads, points in found.items():
            told = [asked(network, part.test, heads) for network, part in zip(networks, data, strict=True)]
            points.append([[one["old_accuracy"] / 100, one["new_accuracy"] / 100] for one in told])
    return {heads: np.array(points) for heads, points in found.items()}


def networks_of(run):
    return [run.student.student(row, 0) for row in range(run.student.shape[0])]


def by_weight(rows, regime):
    """Means over the seeds: for each teacher and weight the old and new accuracy, under both ways to ask."""
    own = rows[rows.regime == regime].rename(columns={"old_accuracy": "old", "new_accuracy": "new"})
    means = own.groupby(["arm", "weight", "heads"], sort=False)[["old", "new"]].mean().round(1)
    return means.unstack("heads").swaplevel(axis=1)[list(HEADS)].rename_axis(["teacher", "λ"])


# --- other ways to keep the old

RATES = (0.0003, 0.001, 0.002, 0.005)
TERMS = {
    "features": (Hint(LAYER), (0.03, 0.1, 0.3, 1.0)),
    "relations": (SimilarityPreserving(LAYER), (10.0, 100.0, 300.0, 1000.0)),
}


def only_the_head(before, today, **training):
    """Transfer learning: yesterday's layers stay as they are, and a head is learned on them."""
    frozen = [copy.deepcopy(network) for network in before]
    for network in frozen:
        network.hidden1.requires_grad_(False)
    return [
        train(network, task, Head(CrossEntropy(), NEW), record_every=1000, **training).finish().student
        for network, task in zip(frozen, today, strict=True)
    ]


@result({"steps": (300,)}, tolerance=10.0)
def other_keepers(seeds, steps):
    """The second task without forgetting, in other ways: features, relations, smaller steps, the head alone.

    The labels are learned in a head of their own. "both at once" has the images of both tasks and all heads.
    """
    data = [digits(seed=seed) for seed in seeds]
    before, today = yesterdays(data), tasks(data, NEW)
    usual = {"steps": steps, "learning_rate": 0.005, "weight": 0.0}
    slower = train_stack(
        StackedModel(before, len(RATES)),
        today,
        Head(CrossEntropy(), NEW),
        steps=steps,
        learning_rate=torch.tensor(RATES),
    )
    points = [{"arm": "slower", **usual, "learning_rate": rate} for rate in RATES]
    found = asked_rows(data, trained(slower), points)
    for arm, (loss, weights) in TERMS.items():
        run = learn_on(before, today, before, weights, keep=loss, steps=steps)
        found += asked_rows(data, trained(run), [{"arm": arm, **usual, "weight": own} for own in weights])
    both = [with_images(task, [old.labelled]) for task, old in zip(today, tasks(data, OLD), strict=True)]
    joint = from_labels(both, starts(data, 16), steps=2 * steps)
    found += asked_rows(data, trained(joint), [{"arm": "both at once", **usual}])
    heads = [[network] for network in only_the_head(before, today, steps=steps)]
    return found + asked_rows(data, heads, [{"arm": "only the head", **usual}])


def chosen(rows, heads="own"):
    """The rows of the setting of each arm that is best on validation, where these heads may answer."""
    return best_on_validation(rows[rows.heads == heads], ["arm"], ["weight", "learning_rate"])


def at_their_best(others, forgetting):
    """All ways to keep the old where the labels have a head of their own, each as chosen on validation."""
    lwf = forgetting[(forgetting.regime == "own head") & forgetting.arm.isin(["no teacher", "yesterday"])]
    return chosen(pd.concat([lwf.assign(learning_rate=0.005), others]))


def beside(others, forgetting):
    """Each way to keep the old at its best: means, and what it gains over learning on as it is."""
    rows = at_their_best(others, forgetting)
    plain, found = rows[rows.arm == "no teacher"].set_index("seed"), {}
    for arm, own in rows.groupby("arm", sort=False):
        own = own.set_index("seed")
        found[arm] = {
            "λ": own.weight.iloc[0],
            "learning rate": own.learning_rate.iloc[0],
            **{name: round(own[f"{name}_accuracy"].mean(), 1) for name in ("old", "new")},
            "all": round(own.accuracy.mean(), 1),
            "minus no teacher": "" if arm == "no teacher" else short(paired(own.accuracy, plain.accuracy)),
        }
    return pd.DataFrame(found).T


# --- kept images

KEPT, KEPT_WEIGHTS = (1, 5, 20), (0.0, 0.3, 1.0, 3.0)


def first_of_each(samples, count):
    return [part[:count] for part in by_class(samples)]


@result({"kept": KEPT}, tolerance=10.0)
def kept_images(seeds, kept, steps=300):
    """Of each old digit a few images are kept and shown again; all ten may answer.

    ``heads``: "all" logits, or the "nearest" mean of kept images of all ten digits. Controls: kept images
    without a teacher (weight 0), and a network that never learned on, which only answers by nearest means.
    """
    data = [digits(seed=seed) for seed in seeds]
    before, today = yesterdays(data), tasks(data, NEW)
    old = [first_of_each(task.labelled, kept) for task in tasks(data, OLD)]
    new = [first_of_each(task.labelled, kept) for task in today]
    both = [with_images(task, own) for task, own in zip(today, old, strict=True)]
    stack = learn_on(before, both, before, KEPT_WEIGHTS, one_head=True, steps=steps).finish().student
    chains = [
        Icarl(mlp(64, 16, 10, seed=part.seed), [first, second], 10 * kept, LAYER, steps=steps)
        for part, first, second in zip(data, tasks(data, OLD), today, strict=True)
    ]
    twins, found = stack_chains(chains).finish().student, []
    for row, part in enumerate(data):
        images = old[row] + new[row]
        arms = {
            ("yesterday" if weight else "no teacher", weight): (
                stack.student(row, setting),
                NearestMean(stack.student(row, setting), images, LAYER),
            )
            for setting, weight in enumerate(KEPT_WEIGHTS)
        }
        arms["iCaRL", 1.0] = twins.student(row, 0), chains[row].classifier(twins.student(row, 0))
        arms["never learned on", 0.0] = before[row], NearestMean(before[row], images, LAYER)
        for (arm, weight), answering in arms.items():
            for heads, network in zip(("all", "nearest"), answering, strict=True):
                found.append(
                    {
                        "seed": part.seed,
                        "kept": kept,
                        "arm": arm,
                        "weight": weight,
                        "heads": heads,
                        **asked(network, part.test, "all"),
                        "validation_accuracy": asked(network, part.validation, "all")["accuracy"],
                    }
                )
    return found


def by_kept(rows):
    """Means over the seeds: the accuracy on all digits by how many images of each old one are kept."""
    best = pd.concat(
        best_on_validation(own, ["arm"], ["weight"]) for _, own in rows.groupby(["heads", "kept"])
    )
    means = best.groupby(["arm", "heads", "kept"], sort=False).accuracy.mean().round(1)
    return means.unstack(["heads", "kept"]).sort_index(axis=1)


# --- from small to large

LARGE, GROWN_RATES, TARGET, EVERY = 128, (0.002, 0.005, 0.01, 0.02, 0.05), 96.0, 5


def small_networks(data, steps=300):
    """Networks of 16 units, trained on all labels."""
    return students(from_labels(data, starts(data, 16), steps=steps))


def padded(small, large):
    """A control: the small network's units inside a large one, whose other units speak at random."""
    twin = mlp(64, LARGE, 10)
    twin.load_state_dict(large.state_dict())
    units = len(small.hidden1.weight)
    with torch.no_grad():
        twin.hidden1.weight[:units], twin.hidden1.bias[:units] = small.hidden1.weight, small.hidden1.bias
        twin.logits.weight[:, :units], twin.logits.bias[:] = small.logits.weight, small.logits.bias
    return twin


def larger(data, small):
    """Where a network of 128 units starts from, for each way to begin."""
    scratch = [mlp(64, LARGE, 10, seed=500 + part.seed) for part in data]
    grown = {
        name: [
            wider(network, "hidden1", LARGE, noise=noise, seed=part.seed)
            for network, part in zip(small, data, strict=True)
        ]
        for name, noise in (("Net2Net", 0.0), ("Net2Net, noise", 0.5))
    }
    pads = [padded(network, large) for network, large in zip(small, scratch, strict=True)]
    return {"scratch": scratch, **grown, "padded": pads, "taught": scratch}


@result({"steps": (400,)}, tolerance=50.0)
def grown(seeds, steps):
    """A network of 16 units helps one of 128: its units are copied, or it teaches; at five learning rates.

    ``needed``: the steps until 96 % of the validation images are named, looked at every 5 steps; 405 where
    they never are. Controls: the large network from scratch, and "padded", whose new units are random.
    """
    data = [digits(seed=seed) for seed in seeds]
    small, rates, found = small_networks(data), torch.tensor(GROWN_RATES), []
    recipe = {"steps": steps, "learning_rate": rates, "record_every": EVERY}
    for arm, begin in larger(data, small).items():
        stack = StackedModel(begin, len(rates))
        if arm == "taught":
            objective = 0.5 * CrossEntropy() + 0.5 * SoftTargets(4.0)
            run = distill_stack(small, stack, data, objective, **recipe)
        else:
            run = train_stack(stack, data, **recipe)
        along = np.stack([100 * record.measures["accuracy"] for record in run])
        reached = along >= TARGET
        needed = np.where(reached.any(0), EVERY * (reached.argmax(0) + 1), steps + EVERY)
        for row, part in enumerate(data):
            for setting, rate in enumerate(GROWN_RATES):
                found.append(
                    {
                        "seed": part.seed,
                        "arm": arm,
                        "learning_rate": rate,
                        "steps": steps,
                        "needed": int(needed[row, setting]),
                        "validation_accuracy": float(along[-1, row, setting]),
                        "accuracy": right(run.student.student(row, setting), part.test),
                    }
                )
    return found


def by_start(rows):
    """Each way to begin, at the rate that needs the fewest steps on the mean."""
    rows = rows.assign(seeds=rows.needed <= rows.steps)
    means = rows.groupby(["arm", "learning_rate"], sort=False).agg(
        needed=("needed", "mean"), seeds=("seeds", "sum"), accuracy=("accuracy", "mean")
    )
    best = means.groupby("arm", sort=False).needed.idxmin()
    named = {"needed": f"steps to {TARGET:g} %", "seeds": "seeds that get there"}
    return means.loc[best].round(1).rename(columns=named)


# --- labels that are made better


@result({"labels": (100,)}, tolerance=10.0)
def refined(seeds, labels, steps=300):
    """Label refinery: three generations, each taught by the one before on every crop.

    A crop is an image moved by up to a pixel. The rival, "labels", starts from the same weights and learns
    the hard labels of the same crops again; the first generation is the same in both.
    """
    augment, recipe, found = shifted(1), {"steps": steps, "record_every": steps}, []
    for seed in seeds:
        data = digits(labels=labels, transfer="labelled", seed=seed)
        begin = [mlp(64, 32, 10, seed=100 * generation + seed) for generation in range(3)]
        runs = label_refinery(begin, data, augment, **recipe).finish().runs
        again = [train(start, data, augment=augment, **recipe).finish() for start in begin[1:]]
        for arm, learned in (("refinery", runs), ("labels", [runs[0], *again])):
            for generation, run in enumerate(learned):
                found.append(
                    {
                        "seed": seed,
                        "labels": labels,
                        "arm": arm,
                        "generation": generation,
                        "accuracy": right(run.student, data.test),
                    }
                )
    return found


def by_generation(rows):
    """Means over the seeds of each generation."""
    means = rows.groupby(["arm", "generation"], sort=False).accuracy.mean()
    return means.round(1).unstack("generation")
