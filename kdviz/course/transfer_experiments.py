"""The experiments of notebook 11: what passes from teacher to student, and what only seems to.

As in :mod:`kdviz.course.experiments`, all students of a seed share the split, the initial weights and the
order of the batches, and shares are in percent.
"""

from dataclasses import replace

import torch

from kdviz.datasets import digits
from kdviz.explain import attribute, rank_correlation
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure import accuracy, agreement, calibration_error, negative_log_likelihood, recall
from kdviz.models import mlp
from kdviz.schemes import distill_stack, teachers, train_stack
from kdviz.tracing import trace
from kdviz.training.stacked import StackedModel

# Added to a seed, it draws other initial weights and another order of the batches for the same split.
OTHER = 1000


def cast(seeds, labels=50, temperature=4.0, soft_weight=0.9):
    """For each seed a split and the networks of notebook 11 by name.

    "student" hears the teacher on all 1,200 training images and knows 50 labels; "student of the poor
    teacher" hears a teacher that saw these 50 labels only. The others never hear a teacher.
    """
    data = [digits(labels=labels, seed=seed) for seed in seeds]
    labelled = [digits(seed=seed) for seed in seeds]
    good, poor = teachers(data), teachers(data, on="labelled")
    objective = (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)
    start = StackedModel([mlp(64, 16, 10, seed=seed) for seed in seeds])
    other = StackedModel([mlp(64, 16, 10, seed=seed + OTHER) for seed in seeds])
    runs = {
        "student": distill_stack(good, start, data, objective),
        "student of the poor teacher": distill_stack(poor, start, data, objective),
        f"{labels} labels": train_stack(start, data),
        f"{labels} labels, other seed": train_stack(other, data, seeds=[seed + OTHER for seed in seeds]),
        "1,200 labels": train_stack(start, labelled),
    }
    students = {name: run.finish().student for name, run in runs.items()}
    return [
        (
            part,
            {
                "teacher": good[row],
                "poor teacher": poor[row],
                **{name: stack.student(row, 0).eval() for name, stack in students.items()},
            },
        )
        for row, part in enumerate(data)
    ]


def answers(cast):
    """How right each network is, how often it says what either teacher says, and how sure it is."""
    return [row for part, models in cast for row in _answers(part, models)]


def _answers(data, models):
    label = data.test.labels
    logits = {name: logits_of(model, data.test.inputs) for name, model in models.items()}
    for name, one in logits.items():
        confidence = one.double().softmax(-1).max(-1).values.mean()
        yield {
            "seed": data.seed,
            "arm": name,
            "accuracy": 100 * accuracy(one, label),
            "with the teacher": 100 * agreement(one, logits["teacher"]),
            "with the poor teacher": 100 * agreement(one, logits["poor teacher"]),
            "confidence": 100 * float(confidence),
            "calibration error": 100 * calibration_error(one, label),
            "log loss": negative_log_likelihood(one, label),
        }


def reliability(cast, names, bins=10):
    """Mean confidence, share right and number of test images, of all seeds together: (bins, 3) by network."""
    tables = {}
    for name in names:
        p = torch.cat(
            [logits_of(models[name], data.test.inputs).double().softmax(-1) for data, models in cast]
        )
        label = torch.cat([data.test.labels for data, _ in cast])
        confidence, answer = p.max(-1)
        place = ((confidence * bins).ceil().long() - 1).clamp(0, bins - 1)
        inside = torch.nn.functional.one_hot(place, bins).double().T
        count = inside.sum(1)
        sums = torch.stack([inside @ confidence, inside @ (answer == label).double()], 1)
        tables[name] = torch.cat([sums / count.clamp(min=1)[:, None], count[:, None]], 1).numpy()
    return tables


PAIRS = {
    "student": ("teacher", "student"),
    "50 labels": ("teacher", "50 labels"),
    "1,200 labels": ("teacher", "1,200 labels"),
    "two label-only students": ("50 labels", "50 labels, other seed"),
}


def attributions(cast, images=100, method="integrated_gradients"):
    """How alike two networks' attributions are: the mean rank correlation over test images, by seed.

    All are asked about the teacher's answer. The arms are those of ``PAIRS``, and the teacher with the
    student's attributions of other images.
    """
    rows = []
    for data, models in cast:
        inputs = data.test.inputs[:images]
        asked = logits_of(models["teacher"], inputs).argmax(-1)
        names = {name for pair in PAIRS.values() for name in pair}
        maps = {name: attribute(models[name], inputs, asked, method) for name in names}
        likeness = {arm: rank_correlation(maps[a], maps[b]) for arm, (a, b) in PAIRS.items()}
        likeness["student, other images"] = rank_correlation(maps["teacher"], maps["student"].roll(1, 0))
        rows += [
            {"seed": data.seed, "arm": arm, "likeness": 100 * float(values.mean())}
            for arm, values in likeness.items()
        ]
    return rows


def rare(data, digit=3, keep=10, images=1080):
    """The same split with only ``keep`` training images of one digit, cut to ``images`` images in all.

    Teacher and student both learn from these, all of them labelled.
    """
    own = (data.train.labels == digit).nonzero().flatten()
    kept = torch.ones(len(data.train), dtype=torch.bool)
    kept[own[keep:]] = False
    few = data.train[kept.nonzero().flatten()[:images]]
    return replace(data, train=few, labelled=few, transfer=few)


def rare_class(seeds, keep=10, digit=3, temperatures=(1.0, 4.0), steps=600):
    """A digit that is rare for teacher and student: rows with the recall of it and that of the others.

    ``keep=120`` keeps about its due share and is the control.
    """
    data = [rare(digits(seed=seed), digit, keep) for seed in seeds]
    large = StackedModel([mlp(64, 256, 10, seed=seed) for seed in seeds])
    # Not from the store, which tells splits apart by their settings alone.
    schooled = train_stack(large, data, on="train", steps=1000, learning_rate=3e-3).finish().student
    taught = [schooled.student(row, 0).eval() for row in range(len(data))]
    start = StackedModel([mlp(64, 16, 10, seed=seed) for seed in seeds])
    stacks = {"hard labels": train_stack(start, data, steps=steps).finish().student}
    for t in temperatures:
        objective = 0.1 * CrossEntropy() + 0.9 * SoftTargets(t)
        run = distill_stack(taught, start, data, objective, steps=steps)
        stacks[f"soft targets, T = {t:g}"] = run.finish().student
    arms = {name: [stack.student(row, 0) for row in range(len(data))] for name, stack in stacks.items()}
    return [
        {"seed": part.seed, "arm": arm, **_recalls(model, part.test, digit)}
        for arm, models in {"teacher": taught, **arms}.items()
        for part, model in zip(data, models, strict=True)
    ]


def _recalls(model, samples, digit):
    logits, label = logits_of(model, samples.inputs), samples.labels
    others = label != digit
    return {
        "accuracy": 100 * accuracy(logits, label),
        "rare digit": 100 * recall(logits, label, digit),
        "the others": 100 * accuracy(logits[others], label[others]),
    }


def logits_of(model, inputs):
    """The logits of a model in eval mode."""
    with torch.no_grad():
        return trace(model.eval(), inputs).logits
