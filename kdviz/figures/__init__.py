"""Arrays and tables in, one plotly figure out. No training, no widget, no model."""

from kdviz.figures._procrustes_overlay import laid_upon
from kdviz.figures._landscape import landscape
from kdviz.figures.alignment import cka_map
from kdviz.figures.attention import attention_maps
from kdviz.figures.attributions import attribution_maps
from kdviz.figures.calibration import reliability
from kdviz.figures.classes import class_bars, image_row
from kdviz.figures.curves import learning_curves, lines, temperature_curves
from kdviz.figures._omitted_digit import omitted_digit
from kdviz.figures.relations import similarity_matrices
from kdviz.figures.seed_plots import paired_dots, seed_dots
from kdviz.figures.class_heatmaps import class_sheets
from kdviz.figures.template import BASELINE, INK, STUDENT, TEACHER

__all__ = [
    "BASELINE",
    "INK",
    "STUDENT",
    "TEACHER",
    "attention_maps",
    "attribution_maps",
    "cka_map",
    "class_bars",
    "class_sheets",
    "image_row",
    "laid_upon",
    "landscape",
    "learning_curves",
    "lines",
    "omitted_digit",
    "paired_dots",
    "reliability",
    "similarity_matrices",
    "seed_dots",
    "temperature_curves",
]
