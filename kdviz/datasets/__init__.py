"""The inputs: embedded data, its splits by seed, and the regimes in which distillation is visible."""

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.digits import digits

__all__ = ["Card", "Dataset", "Samples", "cards", "digits"]


def cards():
    """The cards of all data sets that kdviz can give you."""
    from kdviz.datasets.digits import CARD

    return [CARD]
