"""The data sets that kdviz knows: each registers its card, and where it is to be fetched from."""

from dataclasses import dataclass

from kdviz.datasets.card import Card


@dataclass(frozen=True)
class Source:
    """The files of one data set: their addresses and their SHA-256 checksums, by file name.

    The checksums are those that TensorFlow Datasets publishes, in the files
    tensorflow_datasets/url_checksums/{fashion_mnist,cifar10,cifar100}.txt and
    tensorflow_datasets/audio/spoken_digit/checksums.tsv of github.com/tensorflow/datasets
    (commit 333639b37af6c6fedf3610a4a2d42f1c6ef6f7d5). Zalando and Toronto themselves publish MD5 sums only.
    """

    name: str
    urls: dict[str, str]
    checksums: dict[str, str]
    megabytes: int


SOURCES: dict[str, Source] = {}
_EMBEDDED, _FETCHED = {}, {}


def register(card: Card, source: Source | None = None) -> Card:
    """Make a data set known to ``kdviz data`` and, by its source, to ``kdviz data fetch``."""
    (_EMBEDDED if source is None else _FETCHED)[card.name] = card
    if source is not None:
        SOURCES[source.name] = source
    return card


def cards() -> list[Card]:
    """The cards of all data sets that kdviz can give you: first those embedded, then those to be fetched."""
    return [card for group in (_EMBEDDED, _FETCHED) for _, card in sorted(group.items())]
