"""Response-based knowledge: what the last layer of the teacher says.

Every function takes logits of shape (N, C), samples by classes, and where it needs them labels of shape (N,):
class numbers from 0 to C - 1, or -1 for a sample that is left out. It returns the loss averaged over the
samples, in nats and 0 or more, unless it says otherwise. A temperature is above 0; for the factor T² see
:mod:`kdviz.losses.response.logits`. Adding a constant to a sample's logits changes nothing unless the
function says so; the memory is N × C. The teacher's logits never receive a gradient. Errors: ValueError for
shapes that do not fit, labels out of range and settings outside their range.
"""

# ruff: noqa: F401 - these lines are the table of losses: what they import is offered.

from kdviz.losses.response._conditional import ConditionalTargets, conditional_targets
from kdviz.losses.response._controls import permute_dark_knowledge
from kdviz.losses.response._cross_entropy import CrossEntropy, LabelSmoothing, cross_entropy, label_smoothing
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
from kdviz.losses.response._top_targets import TopTargets, top_targets
from kdviz.losses.response._virtual_teacher import VirtualTeacher, virtual_teacher
from kdviz.losses.response._weighted_soft_labels import WeightedSoftLabels, weighted_soft_labels
