"""What teacher and student look at: attributions by captum, and how alike they are."""

from kdviz.explain._conductance import conductance, units_for_half
from kdviz.explain._side_by_side import SideBySide, side_by_side
from kdviz.explain.likeness import rank_correlation, top_overlap
from kdviz.explain.methods import METHODS, attribute, map_layer

__all__ = [
    "METHODS",
    "SideBySide",
    "attribute",
    "conductance",
    "map_layer",
    "rank_correlation",
    "side_by_side",
    "top_overlap",
    "units_for_half",
]
