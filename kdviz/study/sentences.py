"""What the numbers of a comparison say, each in a sentence or two; empty where they say nothing."""

import numpy as np

from kdviz.measure.similarity import procrustes_distance
from kdviz.study.predictions import fraction, paired_difference


def agreement(comparison):
    answers = _answers(comparison)
    same = {name: values == answers["teacher"] for name, values in answers.items()}
    if not comparison.baselines:
        return (
            f"Student and teacher agree on {fraction(same['student']):.1%} of the samples. Whether that is "
            "much can be said only beside a label-only student: pass baselines=[...]."
        )
    name = comparison.baselines[0]
    difference = _points(*paired_difference(same["student"], same[name]))
    return (
        f"The student agrees with the teacher on {fraction(same['student']):.1%}, {name} on "
        f"{fraction(same[name]):.1%}: difference {difference}. That is for these trained models; other seeds "
        "may say otherwise."
    )


def accuracy(comparison):
    known = comparison.labels >= 0
    if not known.any():
        return "There are no labels, so nothing is said about accuracy, calibration and classes."
    right = {name: (found == comparison.labels)[known] for name, found in _answers(comparison).items()}
    differences = [
        f"{other} {_points(*paired_difference(right['student'], right[other]))}"
        for other in ("teacher", *comparison.baselines)
    ]
    return "Accuracy of the student minus that of: " + "; ".join(differences) + "."


def worst_class(comparison):
    table = comparison.per_class
    if table.empty:
        return ""
    worst = table.gap.idxmin()
    # The worst of many classes looks worse than it is: the interval allows for all of them.
    level = 1 - 0.05 / len(table)
    mean, half = comparison.gap_of_class(comparison.classes.index(worst), level)
    row = table.loc[worst]
    if mean >= 0:
        return "There is no class of which the student recognises fewer samples than the teacher."
    return (
        f"The student loses most on class {worst}: it recognises {row.student:.1%}, the teacher "
        f"{row.teacher:.1%} of {int(row.samples):,} samples, {_points(mean, half)}. The interval allows "
        f"for the choice among {len(table)} classes."
    )


def layers(comparison):
    if comparison.cka is None or np.isnan(comparison.cka).all():
        return ""
    row, column = np.unravel_index(np.nanargmax(comparison.cka), comparison.cka.shape)
    return (
        f"Most alike are the teacher's layer {comparison.layers['teacher'][row]} and the student's "
        f"{comparison.layers['student'][column]}: CKA {comparison.cka[row, column]:.2f}."
    )


def cost(comparison):
    sizes = comparison.table.parameters
    if not (sizes.teacher > 0 and sizes.student > 0 and comparison.table.accuracy.teacher > 0):
        return ""
    score = f"distillation score {comparison.distillation_score():.2f}"
    for name in comparison.baselines[:1]:
        score += f", {name} {comparison.distillation_score(model=name):.2f}"
    return (
        f"The student has {sizes.student / sizes.teacher:.1%} of the teacher's parameters: {score} (size "
        "and accuracy weigh alike; lower is better, keeping the teacher is 0.50)."
    )


# What is printed of a comparison, and stands at the head of its report.
SUMMARY = (agreement, accuracy, worst_class, layers, cost)


def calibration(comparison):
    error = comparison.table.calibration_error
    errors = [f"{name} {error[name]:.3f}" for name in ("teacher", "student", *comparison.baselines[:1])]
    return (
        "Calibration error, from 0 (best): "
        + ", ".join(errors)
        + ". Where a line is below the diagonal, the network is surer than it is right. Bins with less than "
        "0.5 % of the samples are left out."
    )


def disagreements(comparison):
    answers, labels = _answers(comparison), comparison.labels
    apart = answers["teacher"] != answers["student"]
    text = f"Teacher and student answer differently on {int(apart.sum()):,} of {len(comparison):,} samples."
    known = apart & (labels >= 0)
    if not known.any():
        return text
    right = [fraction((answers[name] == labels)[known]) for name in ("teacher", "student")]
    return f"{text} There the teacher is right on {right[0]:.0%}, the student on {right[1]:.0%}."


def embeddings(comparison, count=120):
    shown = comparison.samples.of_every_class(count).embeddings
    distance = procrustes_distance(shown["student"], shown["teacher"])
    return (
        f"Turned, shifted and scaled as well as can be, the student's last layer before the logits is "
        f"{distance:.2f} from the teacher's (0 is the same, 2 the most). A short line joins a sample that "
        "both see alike."
    )


def soft_targets(comparison):
    return "Move the temperature; choose an image."


def relations(comparison):
    text = "Which pairs do both find alike? Choose a cell."
    if short_names(comparison.classes) == comparison.classes:
        return text
    numbered = (f"{number} {name}" for number, name in enumerate(comparison.classes))
    return f"{text} The classes: {', '.join(numbered)}."


def attribution(comparison):
    return "Choose a method and an image."


PER_CLASS = (
    "The fraction recognised by each network; gap is student minus teacher, and half the half width of its "
    "95 % interval over samples."
)


def short_names(classes):
    """The names of the classes, or their numbers where names would not fit beside a matrix."""
    return classes if all(len(name) <= 8 for name in classes) else [str(n) for n in range(len(classes))]


def _answers(comparison):
    return {name: found.answer for name, found in comparison.predictions.items()}


def _points(mean, half):
    verdict = "" if abs(mean) > half else ", null"
    return f"{100 * mean:+.1f} ± {100 * half:.1f} points{verdict}".replace("-", "−")
