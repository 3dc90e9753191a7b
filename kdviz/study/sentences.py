"""What the numbers of a comparison say, each in a sentence or two; empty where they say nothing."""

import numpy as np
import torch

from kdviz.measure.numbering import other_numbering
from kdviz.measure.similarity import procrustes_distance
from kdviz.study.predictions import fraction


def numbering(comparison):
    """Nothing below means anything where the teacher's classes have other numbers than the labels."""
    known = comparison.known
    if comparison.kind.name != "classes" or not known.any():
        return ""
    answers = torch.from_numpy(comparison.predictions["teacher"].answer[known]).long()
    labels = torch.from_numpy(comparison.labels[known]).long()
    better, sure = other_numbering(answers, labels, len(comparison.classes))
    if not sure:
        return ""
    return (
        f"The teacher is right on {comparison.table.accuracy.teacher:.1%}, and on "
        f"{better / len(labels):.1%} if its classes are renumbered: it numbers them in another order than "
        "your labels. Compare the two class lists (class_to_idx, id2label) and reorder its logits."
    )


def agreement(comparison):
    student = comparison.students[0]
    if comparison.kind.has_numbers:
        return _distance(comparison)
    same = {group: comparison.table.agreement[group] for group in comparison.all_groups if group != "teacher"}
    unit = f"{comparison.kind.unit}s"
    if not comparison.baselines:
        text = f"{_capital(student)} and teacher agree on {same[student]:.1%} of the {unit}"
        text += "".join(f", {other} on {same[other]:.1%}" for other in comparison.students[1:])
        return (
            f"{text}. Whether that is much can be said only beside a label-only student: pass "
            "baselines=[...]."
        )
    parts = [f"{_capital(student)} agrees with the teacher on {same[student]:.1%}"]
    parts += [
        f"{other} on {same[other]:.1%} (difference "
        f"{_points(comparison.difference(student, other, 'closeness'))})"
        for other in (*comparison.students[1:], *comparison.baselines)
    ]
    return f"{', '.join(parts)}. {_about_seeds(comparison)}"


def _distance(comparison):
    student, distance = comparison.students[0], comparison.table.distance
    correlated = comparison.table.teacher_correlation
    text = f"{_capital(student)} is {distance[student]:.3g} from the teacher on average, "
    text += f"correlation {correlated[student]:.3f}"
    text = text.replace("-", "−")
    if not comparison.baselines:
        return f"{text}. Whether that is near can be said only beside a label-only student: baselines=[...]."
    text += "".join(
        f"; {other} {distance[other]:.3g}, {correlated[other]:.3f}" for other in comparison.baselines
    )
    return f"{text}. {_about_seeds(comparison)}"


def _about_seeds(comparison):
    seeds = [len(comparison.members(group)) for group in comparison.all_groups[1:]]
    if max(seeds) == 1:
        return "That is for these trained models; other seeds may say otherwise."
    return "Intervals over seeds are for students of two seeds or more; a single one may be another tomorrow."


def accuracy(comparison):
    known, student = comparison.known, comparison.students[0]
    if not known.any():
        return "There are no labels, so nothing is said about accuracy, calibration and classes."
    others = ("teacher", *comparison.students[1:], *comparison.baselines)
    shown = _plain if comparison.kind.has_numbers else _points
    differences = [f"{other} {shown(comparison.difference(student, other))}" for other in others]
    what = "Mean absolute error" if comparison.kind.has_numbers else "Accuracy"
    text = f"{what} of {_the(student)} minus that of: {'; '.join(differences)}."
    if len(comparison.baselines) > 1:
        values = comparison.table["absolute_error" if comparison.kind.has_numbers else "accuracy"]
        spread = np.ptp([values[name] for name in comparison.baselines])
        apart = f"{spread:.3g}" if comparison.kind.has_numbers else f"{100 * spread:.1f} points"
        text += f" The label-only students are up to {apart} from each other."
    return text


def mcnemar(comparison):
    """The student beside the strongest label-only student, on what tells them apart."""
    single = comparison.kind.name in ("classes", "binary") and comparison.known.any()
    if not comparison.baselines or not single:
        return ""
    ours, theirs = comparison.student, comparison.members(comparison.baselines[0])[0]
    table = comparison.paired_tests.set_index(["model", "other"])
    only, other, p = table.loc[(ours, theirs)]
    if not only + other:
        return ""
    verdict = "" if p < 0.05 else ": null"
    return (
        f"Of {int(only + other):,} samples that only one of {_the(ours)} and {theirs} gets right, it is "
        f"{_the(ours)} on {int(only):,} (McNemar's exact test, p = {p:.2g}{verdict})."
    )


def worst_class(comparison):
    from kdviz.study.comparison import FEW

    table = comparison.per_class
    if table.empty or comparison.kind.has_numbers:
        return ""
    enough = table[table.samples >= FEW]
    if enough.empty:
        return f"No class has {FEW} samples or more, so none is singled out as the worst."
    worst = enough.gap.idxmin()
    # The worst of many classes looks worse than it is: the interval allows for all of them.
    level = 1 - 0.05 / len(enough)
    mean, half = comparison.gap_of_class(comparison.classes.index(worst), level)
    row = enough.loc[worst]
    if mean >= 0:
        return "There is no class of which the student recognises fewer samples than the teacher."
    few = len(table) - len(enough)
    left = f" with {FEW} samples or more" if few else ""
    return (
        f"{_capital(comparison.students[0])} loses most on class {worst}: it recognises "
        f"{row[comparison.students[0]]:.1%}, the teacher {row.teacher:.1%} of {int(row.samples):,} "
        f"{_samples(comparison)}, {_points((mean, half, np.nan))}. The interval allows for the choice among "
        f"{len(enough):,} classes{left}."
    )


def _samples(comparison):
    return "samples" if comparison.sample_of_each is None else f"{comparison.kind.unit}s"


def layers(comparison):
    if comparison.cka is None or np.isnan(comparison.cka).all():
        return ""
    row, column = np.unravel_index(np.nanargmax(comparison.cka), comparison.cka.shape)
    return (
        f"Most alike are the teacher's layer {comparison.layers['teacher'][row]} and the student's "
        f"{comparison.layers['student'][column]}: CKA {comparison.cka[row, column]:.2f}."
    )


def cost(comparison):
    sizes, student = comparison.table.parameters, comparison.students[0]
    if not (sizes.teacher > 0 and sizes[student] > 0):
        return ""
    text = f"{_capital(student)} has {sizes[student] / sizes.teacher:.1%} of the teacher's parameters"
    if comparison.kind.has_numbers or not comparison.table.accuracy.teacher > 0:
        return f"{text}."
    score = f"distillation score {comparison.distillation_score():.2f}"
    for name in (*comparison.students[1:], *comparison.baselines):
        if sizes[name] > 0:
            score += f", {name} {comparison.distillation_score(model=name):.2f}"
    return f"{text}: {score} (size and accuracy weigh alike; lower is better, keeping the teacher is 0.50)."


# What is printed of a comparison, and stands at the head of its report.
SUMMARY = (numbering, agreement, accuracy, mcnemar, worst_class, layers, cost)


def calibration(comparison):
    error = comparison.table.calibration_error
    names = ("teacher", *comparison.students, *comparison.baselines)
    errors = [f"{name} {error[name]:.3f}" for name in names]
    return (
        "Calibration error, from 0 (best): "
        + ", ".join(errors)
        + ". Where a line is below the diagonal, the network is surer than it is right. Bins with less than "
        "0.5 % of the samples are left out."
    )


def disagreements(comparison):
    teacher, student = (comparison.predictions[name] for name in ("teacher", comparison.student))
    if comparison.kind.has_numbers:
        apart = np.abs(teacher.value - student.value)
        return f"The median distance of the two is {np.median(apart):.3g}, the largest {apart.max():.3g}."
    apart = teacher.answer != student.answer
    unit = "samples" if comparison.sample_of_each is None else f"{comparison.kind.unit}s"
    text = f"Teacher and student answer differently on {int(apart.sum()):,} of {len(apart):,} {unit}."
    known = apart & comparison.known
    if not known.any():
        return text
    right = [fraction((found.answer == comparison.labels)[known]) for found in (teacher, student)]
    return f"{text} There the teacher is right on {right[0]:.0%}, the student on {right[1]:.0%}."


def confusions(comparison):
    table = comparison.confusions
    if table.empty:
        return "Nobody takes one class for another."
    (label, answer), row = next(table.iterrows())
    return (
        f"The student takes {label} for {answer} most often: {int(row.student):,} times, the teacher "
        f"{int(row.teacher):,} times."
    )


def embeddings(comparison, count=120):
    shown = comparison.samples.of_every_class(count).embeddings
    distance = procrustes_distance(shown["student"], shown["teacher"])
    return (
        f"Turned, shifted and scaled as well as can be, the student's last layer before the logits is "
        f"{distance:.2f} from the teacher's (0 is the same, 2 the most). A short line joins a sample that "
        "both see alike."
    )


def soft_targets(comparison):
    text = "Move the temperature; choose a sample."
    if len(comparison.classes) > 20:
        text += (
            f" Of {len(comparison.classes):,} classes only those that matter for these samples are here, and "
            "the softmax is among them."
        )
    return text


def relations(comparison):
    text = "Which pairs do both find alike? Choose a cell."
    if short_names(comparison.classes) == comparison.classes or len(comparison.classes) > 50:
        return text
    numbered = (f"{number} {name}" for number, name in enumerate(comparison.classes))
    return f"{text} The classes: {', '.join(numbered)}."


def attribution(comparison):
    return "Choose a method and an image."


def per_class(comparison):
    if comparison.kind.has_numbers:
        return "The mean absolute error of each network; gap is student minus teacher."
    return (
        "The fraction recognised by each network; gap is student minus teacher, and half the half "
        "width of its "
        "95 % interval over samples."
    )


def short_names(classes):
    """The names of the classes, or their numbers where names would not fit beside a matrix."""
    return classes if all(len(name) <= 8 for name in classes) else [str(n) for n in range(len(classes))]


def _the(name):
    return "the student" if name == "student" else name


def _capital(name):
    return "The student" if name == "student" else name


def _points(found):
    return _shown(found, 100, ".1f", " points")


def _plain(found):
    return _shown(found, 1, ".3g", "")


def _shown(found, scale, form, unit):
    """A difference with its half width over samples, and over seeds if there are some; null within both."""
    mean, *halves = found
    halves = [half for half in halves if not np.isnan(half)]
    verdict = "" if not halves or abs(mean) > max(halves) else ", null"
    number = f"{'+' if mean >= 0 else '−'}{abs(scale * mean):{form}}"
    if len(halves) < 2:
        interval = f" ± {scale * halves[0]:{form}}" if halves else ""
        return f"{number}{interval}{unit}{verdict}"
    samples, seeds = (f"± {scale * half:{form}}" for half in halves)
    return f"{number}{unit} {samples} over samples {seeds} over seeds{verdict}"
