"""Numbers about models: how good, how alike, how calibrated, and how sure we are."""

from kdviz.measure._class_bias import class_bias
from kdviz.measure._clock import clock_faults, clock_measures, text_log_probabilities
from kdviz.measure._distillation_score import (
    best_by_weight,
    distillation_score,
    distillation_scores,
    score_lines,
)
from kdviz.measure._pixels import class_iou
from kdviz.measure.answer_measures import (
    average_precision,
    correlation,
    explained,
    mean_iou,
    perplexity,
    root_mean_square,
)
from kdviz.measure.answers import KINDS, AnswerKind, answer_kind
from kdviz.measure.numbering import other_numbering
from kdviz.measure.predictions import (
    accuracy,
    agreement,
    calibration_bins,
    calibration_error,
    calibration_gap,
    kl_to_teacher,
    negative_log_likelihood,
    recall,
)
from kdviz.measure.selection import rank_in_class, stratified_rows
from kdviz.measure.similarity import (
    cka,
    cka_map,
    hsic,
    neighbour_overlap,
    neighbours,
    procrustes,
    procrustes_distance,
)
from kdviz.measure.statistics import Interval, bootstrap, mcnemar, paired, seeds_needed, unpaired

__all__ = [
    "AnswerKind",
    "Interval",
    "KINDS",
    "accuracy",
    "agreement",
    "answer_kind",
    "average_precision",
    "best_by_weight",
    "bootstrap",
    "calibration_bins",
    "calibration_error",
    "calibration_gap",
    "cka",
    "cka_map",
    "class_bias",
    "class_iou",
    "clock_faults",
    "clock_measures",
    "correlation",
    "distillation_score",
    "distillation_scores",
    "explained",
    "hsic",
    "kl_to_teacher",
    "mcnemar",
    "mean_iou",
    "negative_log_likelihood",
    "neighbour_overlap",
    "neighbours",
    "other_numbering",
    "paired",
    "perplexity",
    "procrustes",
    "procrustes_distance",
    "rank_in_class",
    "recall",
    "root_mean_square",
    "score_lines",
    "seeds_needed",
    "stratified_rows",
    "text_log_probabilities",
    "unpaired",
]
