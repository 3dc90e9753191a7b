"""The inputs: embedded data, its splits by seed, and the regimes in which distillation is visible."""

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.digits import CARD as DIGITS_CARD
from kdviz.datasets.digits import digits
from kdviz.datasets.multi_view import CARD as MULTI_VIEW_CARD
from kdviz.datasets.multi_view import multi_view, shown_views

__all__ = ["Card", "Dataset", "Samples", "cards", "digits", "multi_view", "shown_views"]


def cards():
    """The cards of all data sets that kdviz can give you."""
    return [DIGITS_CARD, MULTI_VIEW_CARD]
