"""A search among small networks, with a teacher and without, and a policy that removes layers."""

import itertools
import math

import pandas as pd

from kdviz.algorithms.architecture_search import remove_layers, small_and_right
from kdviz.course.experiments.arms import (
    from_labels,
    from_teacher,
    logits,
    right,
    starts,
    students,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.losses.response import SoftTargets
from kdviz.measure import kl_to_teacher

LAYERS = ((0, 4, 8, 16),) * 3  # of a student with up to three hidden layers; 0 leaves it out
BRIEFLY = {"steps": 100, "learning_rate": 2e-2}


def without_gaps(widths):
    """The widths of the layers that are there, such as (16, 4) of (16, 0, 4): one network has one name."""
    return tuple(width for width in widths if width)


def named(widths):
    return "-".join(map(str, widths)) or "none"


@result({"steps": (600,)}, tolerance=10.0)
def small_networks(seeds, steps):
    """All 40 networks of up to three layers of 4, 8 or 16 units: after 100 steps, and after all of them.

    In the end all learn 1,200 images from the usual teacher. Before that each learns for 100 steps, by labels
    and by the teacher, and is measured on the validation images: its accuracy, and its distance to the
    teacher.
    """
    data = [digits(seed=seed) for seed in seeds]
    taught_by, found = usual_teachers(data), []
    for widths in dict.fromkeys(map(without_gaps, itertools.product(*LAYERS))):
        begin = starts(data, *widths)
        brief = {
            "labels": students(from_labels(data, begin, on="train", **BRIEFLY)),
            "taught": students(from_teacher(data, begin, taught_by, SoftTargets(4.0), **BRIEFLY)),
        }
        learned = students(from_teacher(data, begin, taught_by, SoftTargets(4.0), steps=steps))
        size = sum(weights.numel() for weights in begin[0].parameters())
        for row, (part, teacher) in enumerate(zip(data, taught_by, strict=True)):
            seen = part.validation
            said, heard = logits(teacher, seen), logits(brief["taught"][row], seen)
            found.append(
                {
                    "seed": part.seed,
                    "network": named(widths),
                    "parameters": size,
                    "brief_by_labels": right(brief["labels"][row], seen),
                    "brief_by_teacher": right(brief["taught"][row], seen),
                    "brief_distance": kl_to_teacher(heard, said, 4.0),
                    "brief_distance_at_1": kl_to_teacher(heard, said),
                    "validation_accuracy": right(learned[row], seen),
                    "accuracy": right(learned[row], part.test),
                }
            )
    return found


GRADES = {
    "by size alone": "parameters",
    "accuracy, by labels": "brief_by_labels",
    "accuracy, by the teacher": "brief_by_teacher",
    "distance to the teacher": "brief_distance",
    "distance at temperature 1": "brief_distance_at_1",
    "trained to the end": "validation_accuracy",
}


def graded(rows, most):
    """What each grade is worth: of each seed its rank correlation with the accuracy, and whom it chooses.

    The choice is among networks of at most so many parameters: rows for each seed and grade.
    """
    found = []
    for seed, own in rows.groupby("seed"):
        small = own[own.parameters <= most]
        for grade, column in GRADES.items():
            sign = -1 if grade.startswith("distance") else 1
            rank = (sign * own[column]).corr(own.accuracy, method="spearman")
            chosen = small.loc[(sign * small[column]).idxmax()]
            row = {"seed": seed, "arm": grade, "rank_correlation": rank}
            found.append(row | {"network": chosen.network, "accuracy": chosen.accuracy})
        found.append({"seed": seed, "arm": "at random", "accuracy": small.accuracy.mean()})
    return pd.DataFrame(found)


def policies(rows, steps):
    """For each seed a policy that removes layers of the largest network, beside drawing as many at random.

    Its rewards are those of N2N, times 100, from the accuracy after a brief distillation. What is drawn at
    random is taken as the mean over all draws of as many different networks.
    """
    found = []
    for seed, own in rows.groupby("seed"):
        whole = own.loc[own.parameters.idxmax()]
        teacher = int(whole.parameters), whole.brief_by_teacher
        worth = {
            one.network: 100 * small_and_right(one.parameters, one.brief_by_teacher, teacher)
            for one in own.itertuples()
        }
        run = remove_layers(
            LAYERS,
            lambda widths, worth=worth: worth[named(without_gaps(widths))],
            **{"steps": steps, "seed": seed, "learning_rate": 0.3, "record_every": steps},
        ).finish()
        tried = {named(without_gaps(widths)) for widths in run.lesson.rewards}
        every = sorted(worth.values())
        row = {"seed": seed, "networks": len(tried), "policy": max(run.lesson.rewards.values())}
        found.append(row | {"at random": best_of(every, len(tried)), "best of all": every[-1]})
    return pd.DataFrame(found)


def best_of(values, count):
    """The mean of the largest of so many, over all ways to draw them from sorted values without return.

    >>> best_of([0.0, 3.0, 6.0], 2)
    5.0
    """
    ways = [math.comb(below, count - 1) for below in range(len(values))]
    return sum(way * value for way, value in zip(ways, values, strict=True)) / sum(ways)
