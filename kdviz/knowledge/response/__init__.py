"""Response-based knowledge: what the last layer of the teacher says.

Every function takes logits of shape (..., N, C), samples by classes, and returns the loss averaged
over the N samples, of shape (...). For one student that is a scalar; leading axes hold a stack of
students, each with its own value. All values are in nats and 0 or more, unless the function says
otherwise. The teacher's logits never receive a gradient.
"""

from kdviz.knowledge.response.controls import permute_dark_knowledge
from kdviz.knowledge.response.cross_entropy import (
    CrossEntropy,
    LabelSmoothing,
    cross_entropy,
    label_smoothing,
)
from kdviz.knowledge.response.logit_matching import LogitMatching, logit_matching
from kdviz.knowledge.response.soft_targets import SoftTargets, soft_targets

__all__ = [
    "CrossEntropy",
    "LabelSmoothing",
    "LogitMatching",
    "SoftTargets",
    "cross_entropy",
    "label_smoothing",
    "logit_matching",
    "permute_dark_knowledge",
    "soft_targets",
]
