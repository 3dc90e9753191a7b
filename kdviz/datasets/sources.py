"""Where data sets come from, and the published checksums that their files must have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """The files of one data set: their addresses and their SHA-256 checksums, by file name."""

    name: str
    urls: dict[str, str]
    checksums: dict[str, str]
    megabytes: int


# The checksums are those that TensorFlow Datasets publishes, in the files
# tensorflow_datasets/url_checksums/{fashion_mnist,cifar10,cifar100}.txt and
# tensorflow_datasets/audio/spoken_digit/checksums.tsv of github.com/tensorflow/datasets
# (commit 333639b37af6c6fedf3610a4a2d42f1c6ef6f7d5). Zalando and Toronto themselves publish MD5 sums only.
_FASHION = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
_CIFAR10 = {"cifar-10-binary.tar.gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"}
_CIFAR100 = {"cifar-100-binary.tar.gz": "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"}
# Version 1.0.9: no checksum of a later one is published.
_SPOKEN = {
    "free-spoken-digit-dataset-1.0.9.tar.gz": (
        "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0"
    )
}

_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_TORONTO = "https://www.cs.toronto.edu/~kriz"
_GITHUB = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive"

SOURCES = {
    source.name: source
    for source in (
        Source("fashion-mnist", {file: f"{_ZALANDO}/{file}" for file in _FASHION}, _FASHION, 31),
        Source("cifar10", {file: f"{_TORONTO}/{file}" for file in _CIFAR10}, _CIFAR10, 170),
        Source("cifar100", {file: f"{_TORONTO}/{file}" for file in _CIFAR100}, _CIFAR100, 169),
        Source("spoken-digits", {file: f"{_GITHUB}/v1.0.9.tar.gz" for file in _SPOKEN}, _SPOKEN, 12),
    )
}
