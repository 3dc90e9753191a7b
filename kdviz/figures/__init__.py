"""Arrays and tables in, one plotly figure out. No training, no widget, no model."""

from kdviz.figures._class_heatmaps import class_heatmaps, similarity_matrices
from kdviz.figures._landscape import gain_maps, landscape
from kdviz.figures._neighbour_graph import neighbour_graph
from kdviz.figures._omitted_digit import omitted_digit
from kdviz.figures._procrustes_overlay import procrustes_overlay
from kdviz.figures.alignment import cka_map
from kdviz.figures.calibration import reliability
from kdviz.figures.classes import class_bars, image_row
from kdviz.figures.curves import learning_curves, lines, temperature_curves
from kdviz.figures.image_maps import attention_maps, attribution_maps
from kdviz.figures.seed_plots import paired_dots, seed_dots
from kdviz.figures.template import BASELINE, INK, STUDENT, TEACHER

# The older names.
class_sheets, laid_upon = class_heatmaps, procrustes_overlay

__all__ = [
    "BASELINE",
    "INK",
    "STUDENT",
    "TEACHER",
    "attention_maps",
    "attribution_maps",
    "cka_map",
    "class_bars",
    "class_heatmaps",
    "gain_maps",
    "image_row",
    "landscape",
    "learning_curves",
    "lines",
    "neighbour_graph",
    "omitted_digit",
    "paired_dots",
    "procrustes_overlay",
    "reliability",
    "seed_dots",
    "similarity_matrices",
    "temperature_curves",
]
