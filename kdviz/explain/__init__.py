"""What teacher and student look at: attributions by captum, and how similar they are."""

from kdviz.explain._attribute import METHODS, attribute, map_layer, methods_of
from kdviz.explain._compare_attributions import AttributionComparison, compare_attributions, interval
from kdviz.explain._conductance import conductance, units_for_half
from kdviz.explain.similarity import rank_correlation, strongest, top_overlap

# The older name.
side_by_side = compare_attributions

__all__ = [
    "METHODS",
    "AttributionComparison",
    "attribute",
    "compare_attributions",
    "conductance",
    "interval",
    "map_layer",
    "methods_of",
    "rank_correlation",
    "strongest",
    "top_overlap",
    "units_for_half",
]
