"""The verbs of the experiments: how an arm learns, how its students are measured, and the rows of it all.

An arm is a run of a stack with one student for each split, or the list of networks that came out of one.
"""

import tempfile

import torch

from kdviz.losses.response import permute_dark_knowledge
from kdviz.measure import accuracy, agreement, kl_to_teacher
from kdviz.models import mlp
from kdviz.schemes import distill_stack, sweep, teachers, train_stack
from kdviz.schemes._sweep import mixture
from kdviz.schemes.stacked import Evaluator
from kdviz.tracing import answer
from kdviz.training.stacked import StackedModel
from kdviz.training.store import Store

# --- learning


def starts(data, *widths):
    """A small network for each split, with the initial weights of its seed."""
    return [mlp(64, *widths, 10, seed=part.seed) for part in data]


def from_labels(data, starts, objective=None, **training):
    """A student for each split, on labels alone."""
    return train_stack(StackedModel(starts), data, objective, **training)


def from_teacher(data, starts, teachers, objective, **training):
    """A student for each split, taught by a network or by what one answered on ``transfer``."""
    return distill_stack(teachers, StackedModel(starts), data, objective, **training)


def usual_teachers(data, **recipe):
    """:func:`kdviz.teacher` of each split; the store keeps them."""
    return teachers(data, **recipe)


def new_teachers(data, width, steps=1000):
    """Teachers of this width by the recipe of :func:`kdviz.teacher`, never from the store."""
    run = from_labels(data, starts(data, width), on="train", steps=steps, learning_rate=3e-3)
    return students(run)


def answers(teachers, data):
    """What each teacher says on its split's transfer set: a teacher that is gone teaches by these."""
    return [logits(teacher, part.transfer) for teacher, part in zip(teachers, data, strict=True)]


def permuted(answers, data):
    """A control that should fail: answers as sure as before, with their wrong classes exchanged."""
    return [
        permute_dark_knowledge(said, part.transfer.labels, part.seed)
        for said, part in zip(answers, data, strict=True)
    ]


def exchanged(answers, data):
    """A control that should fail: what each teacher answered, each answer with another image."""
    return [
        said[torch.randperm(len(said), generator=torch.Generator().manual_seed(part.seed))]
        for said, part in zip(answers, data, strict=True)
    ]


def students(arm):
    """The networks of an arm, one for each split; a run is trained to its end."""
    if isinstance(arm, list):
        return arm
    stack = arm.finish().student
    return [stack.student(row, 0) for row in range(stack.shape[0])]


def stopped(run):
    """The networks as they are at the end, and as each was when its validation accuracy was best."""
    best, kept = {}, {}
    for record in run:
        for row, found in enumerate(record.measures["accuracy"][:, 0]):
            if found > best.get(row, -1.0):
                best[row], kept[row] = found, run.student.student(row, 0)
    return students(run), list(kept.values())


def along(run, samples):
    """While a run trains: the step, and of each student the validation accuracy and its logits on samples."""
    evaluator = Evaluator(samples)
    for record in run:
        yield record.step, 100 * record.measures["accuracy"][:, 0], evaluator.logits(run.student)[:, 0]


# --- measuring, in percent


def logits(network, samples):
    return answer(network, samples.inputs).logits


def right(network, samples):
    return 100 * accuracy(logits(network, samples), samples.labels)


def scores(network, data):
    """What can be said without a teacher."""
    return {"accuracy": right(network, data.test)}


def fidelity(network, data, teacher, kl_temperature=4.0):
    """Accuracy, and beside it how near the student is to its teacher."""
    own, taught = logits(network, data.test), logits(teacher, data.test)
    return {
        "accuracy": 100 * accuracy(own, data.test.labels),
        "agreement": 100 * agreement(own, taught),
        "kl": kl_to_teacher(own, taught, kl_temperature),
        "kl_temperature": kl_temperature,
    }


# --- rows


def rows(data, arms, measure=scores, teachers=None, **columns):
    """A row for each arm and seed: the columns, and what ``measure(network, split[, teacher])`` says."""
    beside = [data] if teachers is None else [data, teachers]
    return [
        {"seed": part.seed, **columns, "arm": arm, **measure(network, part, *teacher)}
        for arm, learners in arms.items()
        for network, part, *teacher in zip(students(learners), *beside, strict=True)
    ]


def swept(points, seeds, objective=mixture, **settings):
    """The rows of :func:`kdviz.sweep`, never from the store: what is computed again must be computed."""
    with tempfile.TemporaryDirectory() as folder:
        found = sweep(points, objective, seeds=list(seeds), store=Store(folder), **settings)
        table = found.finish(progress=False).table
    named = dict.fromkeys(name for point in points for name in point)
    return table[["seed", *named, "validation_accuracy", "accuracy"]].to_dict("records")


# --- choosing


def best_on_validation(table, of, tuned):
    """For each value of the columns ``of`` the rows whose ``tuned`` columns are best in validation accuracy.

    One setting for all seeds: a seed's own 200 validation images tell neighbouring settings badly apart.
    """
    means = table.groupby([*of, *tuned], sort=False).validation_accuracy.mean()
    best = means.groupby(of, sort=False).idxmax()
    return table.set_index([*of, *tuned]).loc[best.to_list()].reset_index()


def short(interval):
    """A gain in a cell of a table."""
    half = (interval.high - interval.low) / 2
    return f"{interval.mean:+.1f} ± {half:.1f}" + ("" if interval.sure else " null")
