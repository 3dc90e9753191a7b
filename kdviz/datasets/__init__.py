"""The inputs: data embedded or fetched, their splits by seed, and regimes that make distillation visible."""

from kdviz.datasets._canvases import Canvases, canvases
from kdviz.datasets._clock import Clock, clock
from kdviz.datasets._digits import digits
from kdviz.datasets._fashion_mnist import fashion_mnist
from kdviz.datasets._multi_view import multi_view, shown_views
from kdviz.datasets._pairs import pairs
from kdviz.datasets._spoken_digits import spoken_digits
from kdviz.datasets._sums import Sums, sums
from kdviz.datasets.card import Card
from kdviz.datasets.cifar import cifar10, cifar100
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.download import fetch
from kdviz.datasets.sources import Source, cards, register
from kdviz.datasets.texts import Texts

__all__ = [
    "Canvases",
    "Card",
    "Clock",
    "Dataset",
    "Samples",
    "Source",
    "Sums",
    "Texts",
    "canvases",
    "cards",
    "cifar10",
    "cifar100",
    "clock",
    "digits",
    "fashion_mnist",
    "fetch",
    "multi_view",
    "pairs",
    "register",
    "shown_views",
    "spoken_digits",
    "sums",
]
