"""The inputs: data embedded or fetched, their splits by seed, and regimes that make distillation visible."""

from kdviz.datasets._digits import CARD as DIGITS_CARD
from kdviz.datasets._digits import digits
from kdviz.datasets._fashion_mnist import CARD as FASHION_MNIST_CARD
from kdviz.datasets._fashion_mnist import fashion_mnist
from kdviz.datasets._multi_view import CARD as MULTI_VIEW_CARD
from kdviz.datasets._multi_view import multi_view, shown_views
from kdviz.datasets._spoken_digits import CARD as SPOKEN_DIGITS_CARD
from kdviz.datasets._spoken_digits import spoken_digits
from kdviz.datasets.card import Card
from kdviz.datasets.cifar import CIFAR10_CARD, CIFAR100_CARD, cifar10, cifar100
from kdviz.datasets.dataset import Dataset, Samples
from kdviz.datasets.download import fetch

__all__ = [
    "Card",
    "Dataset",
    "Samples",
    "cards",
    "cifar10",
    "cifar100",
    "digits",
    "fashion_mnist",
    "fetch",
    "multi_view",
    "shown_views",
    "spoken_digits",
]


def cards():
    """The cards of all data sets that kdviz can give you: first those embedded, then those to be fetched."""
    fetched = [FASHION_MNIST_CARD, CIFAR10_CARD, CIFAR100_CARD, SPOKEN_DIGITS_CARD]
    return [DIGITS_CARD, MULTI_VIEW_CARD, *fetched]
