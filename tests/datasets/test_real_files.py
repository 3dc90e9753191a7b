"""Real photographs and recordings, packed in the true formats, where KDVIZ_DATA holds copies of them."""

import io
import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from kdviz.datasets import cifar10, spoken_digits
from kdviz.datasets.cifar import CIFAR10_CARD

GIVEN = os.environ.get("KDVIZ_DATA", "")


def copy_of(name):
    path = Path(GIVEN) / name
    return pytest.param(
        path, marks=pytest.mark.skipif(not (GIVEN and path.is_file()), reason=f"KDVIZ_DATA holds no {name}")
    )


def packed(path, members):
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))


def accuracy(data):
    flat = [(part.inputs.flatten(1).numpy(), part.labels.numpy()) for part in (data.train, data.test)]
    return LogisticRegression(C=0.01, max_iter=100).fit(*flat[0]).score(*flat[1])


def some_photographs(path, most):
    """(part, CIFAR record) of the first photographs of each class."""
    with tarfile.open(path) as archive:
        for member in archive:
            named = re.search(r"(train|test)/(\w+)/(\d+)\.jpg$", member.name)
            if named and int(named[3]) < most[named[1]]:
                image = np.asarray(Image.open(archive.extractfile(member)).convert("RGB"))
                label = CIFAR10_CARD.classes.index(named[2])
                yield named[1], bytes([label]) + image.transpose(2, 0, 1).tobytes()


@pytest.mark.parametrize("path", [copy_of("cifar10-jpg.tar.xz")])
def test_real_photographs(path, monkeypatch, tmp_path):
    found = list(some_photographs(path, {"train": 120, "test": 40}))
    train, test = ([record for part, record in found if part == wanted] for wanted in ("train", "test"))
    folder = "cifar-10-batches-bin"
    members = {f"{folder}/data_batch_{part + 1}.bin": b"".join(train[part::5]) for part in range(5)}
    members[f"{folder}/test_batch.bin"] = b"".join(test)
    packed(tmp_path / "cifar10" / "cifar-10-binary.tar.gz", members)
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    data = cifar10()
    assert (len(data.train), len(data.validation), len(data.test)) == (1080, 120, 400)
    assert data.test.labels.bincount().tolist() == [40] * 10
    # A linear model of so few is poor, but far above the tenth that guessing gets.
    assert accuracy(data) > 0.2


@pytest.mark.parametrize("path", [copy_of("fsdd-recordings.tar.xz")])
def test_real_recordings(path, monkeypatch, tmp_path):
    with tarfile.open(path) as archive:
        members = {
            f"free-spoken-digit-dataset-1.0.9/{member.name}": archive.extractfile(member).read()
            for member in archive
            if member.isfile() and member.name.endswith(".wav")
        }
    packed(tmp_path / "spoken-digits" / "free-spoken-digit-dataset-1.0.9.tar.gz", members)
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    data = spoken_digits()
    assert len(members) == 3000  # a later version: one speaker more than the card says
    assert (len(data.train), len(data.validation), len(data.test)) == (2430, 270, 300)
    assert data.test.labels.bincount().tolist() == [30] * 10
    assert accuracy(data) > 0.8
