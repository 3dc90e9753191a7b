"""Response-based knowledge: what the last layer of the teacher says.

Every function takes logits of shape (..., N, C), samples by classes, and returns the loss averaged
over the N samples, of shape (...). For one student that is a scalar; leading axes hold a stack of
students, each with its own value. All values are in nats and 0 or more, unless the function says
otherwise. The teacher's logits never receive a gradient.
"""

from kdviz.losses.response._conditional import ConditionalTargets, conditional_targets
from kdviz.losses.response._controls import permute_dark_knowledge
from kdviz.losses.response._cross_entropy import (
    CrossEntropy,
    LabelSmoothing,
    cross_entropy,
    label_smoothing,
)
from kdviz.losses.response._decoupled import Decoupled, decoupled, other_classes, target_class
from kdviz.losses.response._deit import DeiTHard, DeiTSoft, deit_hard, deit_soft
from kdviz.losses.response._divergences import JensenShannon, ReverseKL, jensen_shannon, reverse_kl
from kdviz.losses.response._logit_matching import LogitMatching, logit_matching
from kdviz.losses.response._multi_level import MultiLevel, batch_level, class_level, multi_level
from kdviz.losses.response._prediction_correlation import PredictionCorrelation, prediction_correlation
from kdviz.losses.response._soft_targets import SoftTargets, soft_targets
from kdviz.losses.response._standardised import (
    StandardisedSoftTargets,
    standardise,
    standardised_soft_targets,
)
from kdviz.losses.response._temperatures import (
    CurriculumTemperature,
    SampleTemperature,
    curriculum,
    learned_temperature,
    reverse_gradient,
    sample_temperature,
    soft_targets_by_sample,
)
from kdviz.losses.response._virtual_teacher import VirtualTeacher, virtual_teacher
from kdviz.losses.response._weighted_soft_labels import WeightedSoftLabels, weighted_soft_labels

__all__ = [
    "ConditionalTargets",
    "CrossEntropy",
    "CurriculumTemperature",
    "Decoupled",
    "DeiTHard",
    "DeiTSoft",
    "JensenShannon",
    "LabelSmoothing",
    "LogitMatching",
    "MultiLevel",
    "PredictionCorrelation",
    "ReverseKL",
    "SampleTemperature",
    "SoftTargets",
    "StandardisedSoftTargets",
    "VirtualTeacher",
    "WeightedSoftLabels",
    "batch_level",
    "class_level",
    "conditional_targets",
    "cross_entropy",
    "curriculum",
    "decoupled",
    "deit_hard",
    "deit_soft",
    "jensen_shannon",
    "label_smoothing",
    "learned_temperature",
    "logit_matching",
    "multi_level",
    "other_classes",
    "permute_dark_knowledge",
    "prediction_correlation",
    "reverse_gradient",
    "reverse_kl",
    "sample_temperature",
    "soft_targets",
    "soft_targets_by_sample",
    "standardise",
    "standardised_soft_targets",
    "target_class",
    "virtual_teacher",
    "weighted_soft_labels",
]
