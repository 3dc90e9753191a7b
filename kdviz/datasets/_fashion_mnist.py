"""Fashion-MNIST: small grey pictures of clothes, harder than digits."""

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset
from kdviz.datasets.download import fetched
from kdviz.datasets.formats import read_idx
from kdviz.datasets.published import split
from kdviz.datasets.sources import Source, register

NAME = "fashion-mnist"
CARD = Card(
    name="Fashion-MNIST",
    what="grey pictures of articles of clothing, 28 × 28 pixels with values 0 to 255 (here divided by 255)",
    source="Xiao, Rasul and Vollgraf 2017 (arXiv 1708.07747), github.com/zalandoresearch/fashion-mnist; "
    "get it by 'kdviz data fetch fashion-mnist'",
    licence="MIT",
    size="70,000 images; kdviz splits them 54,000 train, 6,000 validation, 10,000 test",
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)
_FILES = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
register(CARD, Source(NAME, {file: f"{_ADDRESS}/{file}" for file in _FILES}, _FILES, 31))


def fashion_mnist(
    labels: int | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Dataset:
    """Fashion-MNIST, split by seed, once it is fetched (``kdviz data fetch fashion-mnist``).

    ``labels``, ``train`` and ``test`` take only so many labelled, training and test images, evenly over the
    classes; None takes all. The teacher's training images are the student's transfer set; the published test
    images are the test part for both.
    """
    return split(NAME, CARD, _part("train"), _part("t10k"), labels=labels, train=train, test=test, seed=seed)


def _part(name):
    images = read_idx(fetched(NAME, f"{name}-images-idx3-ubyte.gz"))
    truth = read_idx(fetched(NAME, f"{name}-labels-idx1-ubyte.gz"))
    if images.ndim != 3 or truth.shape != images.shape[:1]:
        raise ValueError(f"{CARD.name}'s {name} files hold {images.shape} pixels, {truth.shape} labels")
    return images[:, None], truth.astype("int64")
