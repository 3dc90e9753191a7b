"""The experiments behind the course's claims. Each takes seeds and returns rows, one dictionary a student.

Within a seed, all students share the split, the initial weights and the order of the batches, so that
their differences are paired. All seeds of an arm train as one stack. Shares are in percent, as the
course shows them.
"""

import tempfile
from dataclasses import replace
from functools import partial

import torch

from kdviz.datasets import digits
from kdviz.losses.response import (
    CrossEntropy,
    Decoupled,
    JensenShannon,
    LabelSmoothing,
    LogitMatching,
    PredictionCorrelation,
    ReverseKL,
    SoftTargets,
    StandardisedSoftTargets,
    permute_dark_knowledge,
)
from kdviz.measure import accuracy, class_bias, recall
from kdviz.models import mlp
from kdviz.schemes import distill_stack, sweep, teachers, train_stack
from kdviz.schemes._sweep import SOFT_WEIGHTS, TEMPERATURES, mixture, small_student
from kdviz.schemes.stacked import Evaluator
from kdviz.training.stacked import StackedModel
from kdviz.training.store import Store

FEW_LABELS_ARMS = (
    "hard labels",
    "label smoothing",
    "soft targets",
    "permuted dark knowledge",
    "teacher with the same labels",
)


def few_labels(seeds, labels=50, temperature=4.0, soft_weight=0.9, arms=FEW_LABELS_ARMS):
    """Few labelled images, the same images for soft targets: does the teacher help, and why?

    Two arms are controls. In "permuted dark knowledge" each image keeps the teacher's confidence, but
    its probabilities of the wrong digits are shuffled. "teacher with the same labels" learns from a
    teacher that saw only the student's own labelled images.
    """
    data = [digits(labels=labels, transfer="labelled", seed=seed) for seed in seeds]
    students = StackedModel([mlp(64, 16, 10, seed=seed) for seed in seeds])
    objective = (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)

    def soft(answers):
        return distill_stack(answers, students, data, objective)

    def permuted():
        return [
            permute_dark_knowledge(_answer(teacher, part.transfer), part.transfer.labels, part.seed)
            for teacher, part in zip(teachers(data), data, strict=True)
        ]

    def with_the_same_labels():
        # With all labels that is the same teacher.
        return teachers(data, on="labelled" if len(data[0].labelled) < len(data[0].train) else "train")

    lessons = {
        "hard labels": lambda: train_stack(students, data),
        "label smoothing": lambda: train_stack(students, data, LabelSmoothing(0.1)),
        "soft targets": lambda: soft(teachers(data)),
        "permuted dark knowledge": lambda: soft(permuted()),
        "teacher with the same labels": lambda: soft(with_the_same_labels()),
    }
    return [
        {
            "seed": part.seed,
            "labels": labels,
            "arm": arm,
            "accuracy": 100 * accuracy(_answer(student, part.test), part.test.labels),
        }
        for arm in arms
        for part, (student,) in zip(data, _by_seed(lessons[arm]()), strict=True)
    ]


def omitted_digit(seeds, omit=3, temperatures=(1, 2, 4, 8), steps=1500):
    """The student never sees one digit. Can the teacher's answers on the others still teach it?

    The rows without a temperature are the students that learned from hard labels. ``recall_after`` and
    ``accuracy_after`` follow a label-free correction: one number is added to the omitted digit's logit,
    so that its mean probability on the unlabelled training images is its expected share, one in ten.
    """
    data = [digits(omit=omit, seed=seed) for seed in seeds]
    starts = [mlp(64, 32, 10, seed=seed) for seed in seeds]
    objective = SoftTargets(torch.tensor(temperatures, dtype=torch.float64))
    hard = train_stack(StackedModel(starts), data, steps=steps)
    soft = distill_stack(
        teachers(data), StackedModel(starts, len(temperatures)), data, objective, steps=steps
    )
    students = zip(_by_seed(hard), _by_seed(soft), strict=True)
    return [
        {
            "seed": part.seed,
            "arm": "hard labels" if temperature is None else "soft targets",
            "temperature": temperature,
            **_omitted_measures(student, part, omit),
        }
        for part, (never, heard) in zip(data, students, strict=True)
        for temperature, student in zip((None, *temperatures), never + heard, strict=True)
    ]


def _omitted_measures(student, data, omit):
    logits = _answer(student, data.test)
    corrected = logits.clone()
    corrected[:, omit] += class_bias(_answer(student, data.train), omit, rate=0.1)
    return {
        "recall": 100 * recall(logits, data.test.labels, omit),
        "accuracy": 100 * accuracy(logits, data.test.labels),
        "recall_after": 100 * recall(corrected, data.test.labels, omit),
        "accuracy_after": 100 * accuracy(corrected, data.test.labels),
    }


def landscape_points():
    """The baseline, and every temperature with every weight."""
    cells = [{"temperature": t, "soft_weight": w} for t in TEMPERATURES for w in SOFT_WEIGHTS]
    return [{"temperature": 1.0, "soft_weight": 0.0}, *cells]


def landscape(seeds, regime):
    """The grid of temperature and weight, where one digit is omitted or where all labels are given."""
    data, width, steps = {
        "omitted digit": (partial(digits, omit=3), 32, 1500),
        "all labels": (digits, 16, 600),
    }[regime]
    rows = _swept(
        landscape_points(), seeds, data=data, student=partial(small_student, width=width), steps=steps
    )
    return [{"regime": regime, **row} for row in rows]


def longer_training(seeds, steps, temperature=4.0, soft_weight=0.9):
    """All labels: baseline and student after more steps, each on a schedule of its own."""
    points = [{"temperature": temperature, "soft_weight": weight} for weight in (0.0, soft_weight)]
    names = dict(zip((0.0, soft_weight), ("hard labels", "soft targets"), strict=True))
    return [
        {
            "seed": row["seed"],
            "steps": steps,
            "arm": names[row["soft_weight"]],
            "accuracy": row["test_accuracy"],
        }
        for row in _swept(points, seeds, steps=steps)
    ]


def other_orders(seeds, copies=64):
    """A grid without any setting: the hard-label baseline with all labels, in other orders of its batches.

    Copy 0 is in the place of the baseline, copies 1 to ``copies`` in the places of the cells. They share
    the split and the initial weights.
    """
    rows = []
    for seed in seeds:
        data, order = digits(seed=seed), range(copies + 1)
        students = StackedModel([small_student(seed=seed)] * len(order))
        batches = [seed * len(order) + copy for copy in order]
        run = train_stack(students, [data] * len(order), seeds=batches).finish()
        validation, test = (
            _stack_accuracy(run.student, [part] * len(order)) for part in (data.validation, data.test)
        )
        rows += [
            {"seed": seed, "copy": copy, "validation_accuracy": chosen_by, "test_accuracy": reported}
            for copy, chosen_by, reported in zip(order, validation, test, strict=True)
        ]
    return rows


RESPONSE_LOSSES = {
    "soft targets": SoftTargets(),
    "decoupled (DKD)": Decoupled(),
    "correlation (DIST)": PredictionCorrelation(),
    "reverse KL": ReverseKL(form="scaled"),
    "Jensen-Shannon": JensenShannon(form="normalised"),
    "logit standardisation": StandardisedSoftTargets(),
    "logit matching": LogitMatching("limit"),
}


def response_mixture(arm, soft_weight=0.0, temperature=None):
    """Hard labels and a response loss by name; without a temperature the loss keeps its own."""
    if arm == "hard labels":
        return 1.0 * CrossEntropy()
    loss = RESPONSE_LOSSES[arm]
    if temperature is not None:
        loss = replace(loss, temperature=temperature)
    return (1 - soft_weight) * CrossEntropy() + soft_weight * loss


def response_points(arms=tuple(RESPONSE_LOSSES), temperatures=(1.0, 4.0, 16.0), soft_weights=(0.1, 0.5, 0.9)):
    """The hard-label baseline, and every loss at every weight and, where it has one, temperature."""
    points = [{"arm": "hard labels"}]
    for arm in arms:
        for weight in soft_weights:
            here = {"arm": arm, "soft_weight": weight}
            tempered = hasattr(RESPONSE_LOSSES[arm], "temperature")
            points += [{**here, "temperature": t} for t in temperatures] if tempered else [here]
    return points


def shuffled_teacher(data):
    """A control that should fail: the teacher's answers with their dark knowledge permuted."""
    (teacher,) = teachers([data])
    return permute_dark_knowledge(_answer(teacher, data.transfer), data.transfer.labels, data.seed)


def response_losses(seeds, regime):
    """Every response loss at several weights and temperatures, beside the hard-label baseline."""
    few = partial(digits, labels=50, transfer="labelled")
    settings = {
        "50 labels": {"data": few},
        "50 labels, shuffled": {"data": few, "teacher": shuffled_teacher},
        "all labels": {"data": digits},
    }[regime]
    rows = _swept(response_points(), seeds, response_mixture, **settings)
    return [{"regime": regime, **row} for row in rows]


def label_noise(seeds, steps=600, noise=0.4):
    """Wrong training labels, for teacher and student alike: accuracies along the training.

    The teacher of "soft targets" trains for 300 steps; in the control it trains for 1,000 and learns the
    wrong labels too. Validation and test labels are right.
    """
    data = [digits(label_noise=noise, seed=seed) for seed in seeds]
    students = StackedModel([small_student(width=64, seed=seed) for seed in seeds])

    def soft(teacher_steps):
        taught = teachers(data, steps=teacher_steps)
        return distill_stack(taught, students, data, mixture(4.0, 0.9), steps=steps)

    runs = {
        "hard labels": train_stack(students, data, steps=steps),
        "soft targets": soft(300),
        "teacher trained longer": soft(1000),
    }
    return [
        {
            "seed": seed,
            "steps": steps,
            "arm": arm,
            "step": record.step,
            "validation_accuracy": 100 * float(record.measures["accuracy"][row, 0]),
            "accuracy": tested[row],
        }
        for arm, run in runs.items()
        for record in run
        for tested in [_stack_accuracy(run.student, [part.test for part in data])]
        for row, seed in enumerate(seeds)
    ]


def _swept(points, seeds, objective=mixture, **settings):
    """The rows of a sweep, never taken from the store: what is computed again must be computed."""
    with tempfile.TemporaryDirectory() as folder:
        found = sweep(points, objective, seeds=list(seeds), store=Store(folder), **settings)
        table = found.finish(progress=False).table
    measured = ["seed", *dict.fromkeys(name for point in points for name in point)]
    return table[[*measured, "validation_accuracy", "test_accuracy"]].to_dict("records")


def _stack_accuracy(students, samples):
    """Percent right of each seed's student, on its own samples."""
    return (100 * Evaluator(samples).accuracy(students)[:, 0]).tolist()


def _by_seed(run):
    """The students of a stack, trained: for each seed a list with one for each setting."""
    students, (seeds, settings) = run.finish().student, run.student.shape
    return [[students.student(row, column) for column in range(settings)] for row in range(seeds)]


def _answer(model, samples):
    with torch.no_grad():
        return model(samples.inputs)
