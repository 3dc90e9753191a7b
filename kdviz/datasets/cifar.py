"""CIFAR-10 and CIFAR-100: small colour photographs."""

from kdviz.datasets.card import Card
from kdviz.datasets.dataset import Dataset
from kdviz.datasets.download import fetched
from kdviz.datasets.formats import read_cifar
from kdviz.datasets.published import split
from kdviz.datasets.sources import Source, register

_LICENCE = (
    "none stated; the authors ask that you cite the report. The photographs were found on the web, as part "
    "of the 80 Million Tiny Images, which their makers have withdrawn"
)
_SOURCE = (
    "Krizhevsky 2009, 'Learning Multiple Layers of Features from Tiny Images', "
    "www.cs.toronto.edu/~kriz/cifar.html (binary version); get it by 'kdviz data fetch {}'"
)
_SIZE = "60,000 images; kdviz splits them 45,000 train, 5,000 validation, 10,000 test"


_ADDRESS = "https://www.cs.toronto.edu/~kriz"
_CIFAR10, _CIFAR100 = "cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz"
_CHECKSUMS = {
    _CIFAR10: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    _CIFAR100: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
}


def _registered(name, file, megabytes, title, what, classes):
    pixels = "colour photographs, 32 × 32 pixels with values 0 to 255 (here divided by 255)"
    return register(
        Card(title, pixels + what, _SOURCE.format(name), _LICENCE, _SIZE, classes=tuple(classes.split())),
        Source(name, {file: f"{_ADDRESS}/{file}"}, {file: _CHECKSUMS[file]}, megabytes),
    )


CIFAR10_CARD = _registered(
    "cifar10", _CIFAR10, 170, "CIFAR-10", "", "airplane automobile bird cat deer dog frog horse ship truck"
)
CIFAR100_CARD = _registered(
    "cifar100",
    _CIFAR100,
    169,
    "CIFAR-100",
    "; the fine labels",
    """apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
    camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
    dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
    leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
    otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road
    rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower
    sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale
    willow_tree wolf woman worm""",
)


def cifar10(
    labels: int | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Dataset:
    """CIFAR-10, split by seed, once it is fetched (``kdviz data fetch cifar10``).

    ``labels``, ``train`` and ``test`` take only so many labelled, training and test images, evenly over the
    classes; None takes all. The teacher's training images are the student's transfer set; the published test
    images are the test part for both. All of it holds 740 MB of memory, and 920 MB while it is read.
    """
    folder = "cifar-10-batches-bin"
    training, testing = read_cifar(
        fetched("cifar10", _CIFAR10),
        [f"{folder}/data_batch_{part}.bin" for part in range(1, 6)],
        [f"{folder}/test_batch.bin"],
    )
    settings = {"labels": labels, "train": train, "test": test, "seed": seed}
    return split("cifar10", CIFAR10_CARD, training, testing, **settings)


def cifar100(
    labels: int | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> Dataset:
    """CIFAR-100 with its fine labels, once it is fetched (``kdviz data fetch cifar100``); see ``cifar10``."""
    training, testing = read_cifar(
        fetched("cifar100", _CIFAR100),
        ["cifar-100-binary/train.bin"],
        ["cifar-100-binary/test.bin"],
        label_bytes=2,
    )
    settings = {"labels": labels, "train": train, "test": test, "seed": seed}
    return split("cifar100", CIFAR100_CARD, training, testing, **settings)
