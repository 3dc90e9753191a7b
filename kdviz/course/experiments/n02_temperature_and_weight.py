"""Which temperature and weight? The grid, longer training, wrong labels, and a grid of nothing."""

from functools import partial

from kdviz.course.experiments.arms import (
    along,
    from_labels,
    from_teacher,
    right,
    rows,
    starts,
    students,
    swept,
    usual_teachers,
)
from kdviz.course.results import result
from kdviz.datasets import digits
from kdviz.measure import accuracy
from kdviz.schemes._sweep import SOFT_WEIGHTS, TEMPERATURES, mixture, small_student


@result({"regime": ("omitted digit", "all labels")})
def landscape(seeds, regime):
    """The grid of temperature and weight, where one digit is omitted or where all labels are given."""
    data, width, steps = {
        "omitted digit": (partial(digits, omit=3), 32, 1500),
        "all labels": (digits, 16, 600),
    }[regime]
    baseline, student = {"temperature": 1.0, "soft_weight": 0.0}, partial(small_student, width=width)
    cells = [{"temperature": t, "soft_weight": w} for t in TEMPERATURES for w in SOFT_WEIGHTS]
    found = swept([baseline, *cells], seeds, data=data, student=student, steps=steps)
    return [{"regime": regime, **row} for row in found]


@result({"steps": (600, 1800, 3600)})
def longer_training(seeds, steps, temperature=4.0, soft_weight=0.9):
    """All labels: baseline and student after more steps, each on a schedule of its own."""
    data = [digits(seed=seed) for seed in seeds]
    begin, objective = starts(data, 16), mixture(temperature, soft_weight)
    arms = {
        "hard labels": from_labels(data, begin, steps=steps),
        "soft targets": from_teacher(data, begin, usual_teachers(data), objective, steps=steps),
    }
    return rows(data, arms, steps=steps)


@result({"copies": (64,)})
def other_orders(seeds, copies=64):
    """A grid without any setting: the hard-label baseline with all labels, in other orders of its batches.

    Copy 0 is in the place of the baseline, copies 1 to ``copies`` in the places of the cells. They share
    the split and the initial weights.
    """
    found = []
    for seed in seeds:
        data = [digits(seed=seed)] * (copies + 1)
        orders = [seed * len(data) + copy for copy in range(len(data))]
        run = from_labels(data, starts(data, 16), seeds=orders)
        found += [
            {
                "seed": seed,
                "copy": copy,
                "validation_accuracy": right(network, data[0].validation),
                "accuracy": right(network, data[0].test),
            }
            for copy, network in enumerate(students(run))
        ]
    return found


# Networks that learn wrong labels by heart magnify rounding: 1.5 points were seen on one machine.
@result({"steps": (600, 1500)}, tolerance=5.0)
def label_noise(seeds, steps=600, noise=0.4):
    """Wrong training labels, for teacher and student alike: accuracies along the training.

    The teacher of "soft targets" trains for 300 steps; in the control it trains for 1,000 and learns the
    wrong labels too. Validation and test labels are right.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    begin = starts(data, 64)

    def soft(teacher_steps):
        taught_by = usual_teachers(data, steps=teacher_steps)
        return from_teacher(data, begin, taught_by, mixture(4.0, 0.9), steps=steps)

    runs = {
        "hard labels": from_labels(data, begin, steps=steps),
        "soft targets": soft(300),
        "teacher trained longer": soft(1000),
    }
    tests = [part.test for part in data]
    return [
        {
            "seed": seed,
            "steps": steps,
            "arm": arm,
            "step": step,
            "validation_accuracy": validation,
            "accuracy": 100 * accuracy(said, test.labels),
        }
        for arm, run in runs.items()
        for step, *measured in along(run, tests)
        for seed, test, validation, said in zip(seeds, tests, *measured, strict=True)
    ]
