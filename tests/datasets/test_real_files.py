"""Real photographs and recordings, packed in the true formats, where KDVIZ_DATA holds copies of them."""

import tarfile

import pytest
from real_copies import copy_of, packed, packed_photographs
from sklearn.linear_model import LogisticRegression

from kdviz.datasets import cifar10, spoken_digits


def accuracy(data):
    flat = [(part.inputs.flatten(1).numpy(), part.labels.numpy()) for part in (data.train, data.test)]
    return LogisticRegression(C=0.01, max_iter=100).fit(*flat[0]).score(*flat[1])


@pytest.mark.parametrize("path", [copy_of("cifar10-jpg.tar.xz")])
def test_real_photographs(path, monkeypatch, tmp_path):
    packed_photographs(path, tmp_path, train=120, test=40)
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
