"""The experiments behind the course's claims. Each returns rows for one seed: one dictionary a student.

Within a seed, all students share the split, the initial weights and the order of the batches, so that
their differences are paired. Shares are in percent, as the course shows them.
"""

import torch

from kdviz.datasets import digits
from kdviz.knowledge.response import (
    CrossEntropy,
    LabelSmoothing,
    SoftTargets,
    permute_dark_knowledge,
)
from kdviz.measure import accuracy, class_bias, recall
from kdviz.models import mlp
from kdviz.schemes import distill, teacher, train

FEW_LABELS_ARMS = (
    "hard labels",
    "label smoothing",
    "soft targets",
    "permuted dark knowledge",
    "teacher with the same labels",
)


def few_labels(seed, labels=50, temperature=4.0, soft_weight=0.9, arms=FEW_LABELS_ARMS):
    """Few labelled images, the same images for soft targets: does the teacher help, and why?

    Two arms are controls. In "permuted dark knowledge" each image keeps the teacher's confidence, but
    its probabilities of the wrong digits are shuffled. "teacher with the same labels" learns from a
    teacher that saw only the student's own labelled images.
    """
    data = digits(labels=labels, transfer="labelled", seed=seed)
    student = mlp(64, 16, 10, seed=seed)
    objective = (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)

    def soft(answers):
        return distill(answers, student, data, objective)

    def permuted():
        with torch.no_grad():
            logits = teacher(data)(data.transfer.inputs)
        return permute_dark_knowledge(logits, data.transfer.labels, seed)

    lessons = {
        "hard labels": lambda: train(student, data),
        "label smoothing": lambda: train(student, data, LabelSmoothing(0.1)),
        "soft targets": lambda: soft(teacher(data)),
        "permuted dark knowledge": lambda: soft(permuted()),
        "teacher with the same labels": lambda: soft(teacher(data, on="labelled")),
    }
    rows = []
    for arm in arms:
        logits = _answer(lessons[arm]().finish().student, data.test)
        rows.append(
            {
                "seed": seed,
                "labels": labels,
                "arm": arm,
                "accuracy": 100 * accuracy(logits, data.test.labels),
            }
        )
    return rows


def omitted_digit(seed, omit=3, temperatures=(1, 2, 4, 8), steps=1500):
    """The student never sees one digit. Can the teacher's answers on the others still teach it?

    The first row is the student that learned from hard labels. ``recall_after`` and ``accuracy_after``
    follow a label-free correction: one number is added to the omitted digit's logit, so that its mean
    probability on the unlabelled training images is its expected share, one in ten.
    """
    data = digits(omit=omit, seed=seed)
    student = mlp(64, 32, 10, seed=seed)
    rows = []
    for temperature in (None, *temperatures):
        if temperature is None:
            run = train(student, data, steps=steps)
        else:
            run = distill(teacher(data), student, data, SoftTargets(temperature), steps=steps)
        rows.append(
            {
                "seed": seed,
                "arm": "hard labels" if temperature is None else "soft targets",
                "temperature": temperature,
                **_omitted_measures(run.finish().student, data, omit),
            }
        )
    return rows


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


def _answer(model, samples):
    with torch.no_grad():
        return model(samples.inputs)
