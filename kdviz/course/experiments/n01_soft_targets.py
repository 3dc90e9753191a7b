"""Do soft targets help, and is it their dark knowledge? Few labels, and a digit that is never shown."""

from functools import partial

from kdviz.course.experiments.arms import (
    answers,
    from_labels,
    from_teacher,
    logits,
    permuted,
    rows,
    starts,
    usual_teachers,
)
from kdviz.datasets import digits
from kdviz.losses.response import CrossEntropy, LabelSmoothing, SoftTargets
from kdviz.measure import accuracy, class_bias, recall

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
    begin = starts(data, 16)
    objective = (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)
    # With all labels that is the same teacher.
    same = "labelled" if len(data[0].labelled) < len(data[0].train) else "train"
    lessons = {
        "hard labels": lambda: from_labels(data, begin),
        "label smoothing": lambda: from_labels(data, begin, LabelSmoothing(0.1)),
        "soft targets": lambda: from_teacher(data, begin, usual_teachers(data), objective),
        "permuted dark knowledge": lambda: from_teacher(
            data, begin, permuted(answers(usual_teachers(data), data), data), objective
        ),
        "teacher with the same labels": lambda: from_teacher(
            data, begin, usual_teachers(data, on=same), objective
        ),
    }
    return rows(data, {arm: lessons[arm]() for arm in arms}, labels=labels)


def omitted_digit(seeds, omit=3, temperatures=(1, 2, 4, 8), steps=1500):
    """The student never sees one digit. Can the teacher's answers on the others still teach it?

    The rows without a temperature are the students that learned from hard labels. ``recall_after`` and
    ``accuracy_after`` follow a label-free correction: one number is added to the omitted digit's logit,
    so that its mean probability on the unlabelled training images is its expected fraction, one in ten.
    """
    data = [digits(omit=omit, seed=seed) for seed in seeds]
    begin, taught_by = starts(data, 32), usual_teachers(data)
    measure = partial(_omitted, digit=omit)
    found = rows(data, {"hard labels": from_labels(data, begin, steps=steps)}, measure, temperature=None)
    for temperature in temperatures:
        soft = from_teacher(data, begin, taught_by, SoftTargets(temperature), steps=steps)
        found += rows(data, {"soft targets": soft}, measure, temperature=temperature)
    return found


def _omitted(student, data, digit):
    said = logits(student, data.test)
    corrected = said.clone()
    corrected[:, digit] += class_bias(logits(student, data.train), digit, rate=0.1)
    return {
        "recall": 100 * recall(said, data.test.labels, digit),
        "accuracy": 100 * accuracy(said, data.test.labels),
        "recall_after": 100 * recall(corrected, data.test.labels, digit),
        "accuracy_after": 100 * accuracy(corrected, data.test.labels),
    }
