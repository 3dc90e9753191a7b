"""Numbers about models: how good, how alike, how calibrated, and how sure we are."""

from kdviz.measure.class_bias import class_bias
from kdviz.measure.predictions import (
    accuracy,
    agreement,
    calibration_error,
    kl_to_teacher,
    negative_log_likelihood,
    recall,
)
from kdviz.measure.statistics import Interval, bootstrap, paired, seeds_needed, unpaired

__all__ = [
    "Interval",
    "accuracy",
    "agreement",
    "bootstrap",
    "calibration_error",
    "class_bias",
    "kl_to_teacher",
    "negative_log_likelihood",
    "paired",
    "recall",
    "seeds_needed",
    "unpaired",
]
