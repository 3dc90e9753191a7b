"""The measures of each kind of answers, as a row of the table of a comparison."""

import numpy as np

from kdviz.measure import answer_measures as measures
from kdviz.measure.predictions import calibration_bins, calibration_gap
from kdviz.study.predictions import fraction

# Whether more of a measure is better.
BETTER = {"accuracy": True, "absolute_error": False}


def headline(kind):
    """The column by which models of this kind are ranked."""
    return "absolute_error" if kind.has_numbers else "accuracy"


def right(kind, found, wanted):
    """For each target whether it is met, or how far off a number is."""
    return np.abs(found.value - wanted) if kind.has_numbers else found.answer == wanted


def row_of(kind, found, theirs, targets, classes, is_student):
    """One model's measures by name; those with the teacher are NaN for the teacher itself."""
    if kind.has_numbers:
        return _of_numbers(found, theirs, targets, is_student)
    known = targets.label >= 0
    hits = found.answer[known] == targets.label[known]
    row = {"accuracy": fraction(hits)}
    if kind.name == "pixels":
        row["mean_iou"] = measures.mean_iou(found.answer, targets.label, classes)
    if kind.name == "tokens":
        row["perplexity"] = measures.perplexity(found.nll)
    if kind.name in ("binary", "labels"):
        columns = targets.position if kind.name == "labels" else None
        row["average_precision"] = measures.average_precision(found.value, targets.label, columns)
    wrong = known & (theirs.answer != targets.label)
    row |= {
        "agreement": fraction(found.answer == theirs.answer) if is_student else np.nan,
        "kl": float(found.kl.mean()) if is_student and len(found.kl) else np.nan,
        "shared_errors": fraction(found.answer[wrong] == theirs.answer[wrong]) if is_student else np.nan,
    }
    if found.rank is not None:
        row["top5"] = fraction(found.rank[known] < 5)
    bins = calibration_bins(found.confidence[known], hits)
    row["calibration_error"] = calibration_gap(bins) if known.any() else np.nan
    if kind.name != "tokens":
        row["log_loss"] = float(np.nanmean(found.nll)) if known.any() else np.nan
    return row


def _of_numbers(found, theirs, targets, is_student):
    label, columns = targets.label.astype(float), targets.position
    value, other = found.value.astype(float), theirs.value.astype(float)
    off = value - label
    known = ~np.isnan(off)
    return {
        "absolute_error": float(np.abs(off[known]).mean()) if known.any() else np.nan,
        "rmse": measures.root_mean_square(off),
        "r2": measures.explained(value, label, columns),
        "correlation": measures.correlation(value, label, columns),
        "distance": float(np.abs(value - other).mean()) if is_student else np.nan,
        "teacher_correlation": measures.correlation(value, other, columns) if is_student else np.nan,
    }
