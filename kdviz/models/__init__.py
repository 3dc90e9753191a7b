"""WHO: small teachers and students with named layers, and what a model costs."""

from kdviz.models._convnet import convnet
from kdviz.models._cost import Cost, cost, latency
from kdviz.models._encoder import encoder
from kdviz.models._low_rank import low_rank
from kdviz.models._mlp import mlp
from kdviz.models._patch_network import patch_network
from kdviz.models._patch_network import patches as patches
from kdviz.models._quantised import quantised
from kdviz.models._transformer import transformer
from kdviz.models._window_network import window_network
from kdviz.models.branches import exits, fused_branches, gated_branches, grouped_branches
from kdviz.models.ensemble import Ensemble
from kdviz.models.frozen import Frozen, Residual
from kdviz.models.reads import Reads
from kdviz.models.separable import separable_convnet

__all__ = [
    "Cost",
    "Ensemble",
    "Frozen",
    "Reads",
    "Residual",
    "convnet",
    "cost",
    "encoder",
    "exits",
    "fused_branches",
    "gated_branches",
    "grouped_branches",
    "latency",
    "low_rank",
    "mlp",
    "patch_network",
    "quantised",
    "separable_convnet",
    "transformer",
    "window_network",
]
