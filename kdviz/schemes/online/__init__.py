"""Online distillation: students that learn at the same time are teachers of each other."""

from kdviz.schemes.online._collaborative import collaborative, ensemble_logits, general_weights
from kdviz.schemes.online.branches import GroupTargets, diverse_peers, feature_fusion, native_ensemble
from kdviz.schemes.online.peers import codistillation, mutual

__all__ = [
    "GroupTargets",
    "codistillation",
    "collaborative",
    "diverse_peers",
    "ensemble_logits",
    "feature_fusion",
    "general_weights",
    "mutual",
    "native_ensemble",
]
