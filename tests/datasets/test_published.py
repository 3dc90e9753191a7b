"""The loaders, on small made files in the true formats."""

import gzip
import io
import os
import shutil
import tarfile

import numpy as np
import pytest
import torch
from real_copies import declared
from scipy.io import wavfile

from kdviz.datasets import cards, cifar10, cifar100, fashion_mnist, spoken_digits
from kdviz.datasets._spoken_digits import LENGTH, spectrogram
from kdviz.datasets.formats import read_cifar, read_idx, read_recordings

RANDOM = np.random.default_rng(0)
LOADERS = {
    "fashion-mnist": (fashion_mnist, (1, 28, 28), 10),
    "cifar10": (cifar10, (3, 32, 32), 10),
    "cifar100": (cifar100, (3, 32, 32), 100),
    "spoken-digits": (spoken_digits, (1, 64, 64), 10),
}


def idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + values.tobytes())
    declared(path)


def archive(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    declared(path)


def records(count, classes, label_bytes):
    made = RANDOM.integers(0, 256, (count, label_bytes + 3072), dtype=np.uint8)
    made[:, label_bytes - 1] = RANDOM.permutation(count) % classes
    return made.tobytes()


def recording(samples, rate=8000):
    file = io.BytesIO()
    wavfile.write(file, rate, samples)
    return file.getvalue()


def make_fashion_mnist(folder):
    folder.mkdir()
    for part, count in (("train", 200), ("t10k", 50)):
        idx(folder / f"{part}-images-idx3-ubyte.gz", RANDOM.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        idx(folder / f"{part}-labels-idx1-ubyte.gz", (np.arange(count) % 10).astype(np.uint8))


def make_cifar10(folder):
    members = {f"cifar-10-batches-bin/data_batch_{part}.bin": records(40, 10, 1) for part in range(1, 6)}
    members["cifar-10-batches-bin/test_batch.bin"] = records(50, 10, 1)
    archive(folder / "cifar-10-binary.tar.gz", members)


def make_cifar100(folder):
    members = {"cifar-100-binary/train.bin": records(400, 100, 2)}
    members["cifar-100-binary/test.bin"] = records(200, 100, 2)
    archive(folder / "cifar-100-binary.tar.gz", members)


def make_spoken_digits(folder):
    members = {"free-spoken-digit-dataset-1.0.9/README.md": b"# Spoken digits"}
    for digit in range(10):
        for index in range(15):
            noise = RANDOM.integers(-9000, 9000, 3000 + 400 * index).astype(np.int16)
            name = f"free-spoken-digit-dataset-1.0.9/recordings/{digit}_jo_{index}.wav"
            members[name] = recording(noise)
    archive(folder / "free-spoken-digit-dataset-1.0.9.tar.gz", members)


@pytest.fixture(scope="module", autouse=True)
def made_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    make_fashion_mnist(folder / "fashion-mnist")
    make_cifar10(folder / "cifar10")
    make_cifar100(folder / "cifar100")
    make_spoken_digits(folder / "spoken-digits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDVIZ_DATA", str(folder))
        yield folder


@pytest.mark.parametrize("name", LOADERS)
def test_a_split_keeps_its_parts_apart(name):
    load, shape, classes = LOADERS[name]
    data = load(seed=2)
    parts = [data.train, data.validation, data.test]
    rows = torch.cat([part.indices for part in parts])
    assert len(rows.unique()) == len(rows)
    assert data.train.inputs.shape[1:] == shape and len(data.classes) == classes
    # Nothing but training images for teacher and student alike.
    assert data.train.indices.max() < data.test.indices.min()
    assert set(data.transfer.indices.tolist()) <= set(data.train.indices.tolist())
    pixels = data.test.inputs + data.mean
    assert pixels.min() >= -1e-6 and pixels.max() <= 1 + 1e-6
    torch.testing.assert_close(data.train.inputs.mean(0), torch.zeros(shape), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", LOADERS)
def test_a_split_belongs_to_its_seed(name):
    load = LOADERS[name][0]
    assert torch.equal(load(seed=1).validation.indices, load(seed=1).validation.indices)
    assert not torch.equal(load(seed=1).validation.indices, load(seed=2).validation.indices)


def test_images_and_labels_are_those_of_the_file(made_files):
    data = cifar100()
    path = made_files / "cifar100" / "cifar-100-binary.tar.gz"
    (images, labels), _ = read_cifar(path, ["cifar-100-binary/train.bin"], ["cifar-100-binary/test.bin"], 2)
    row = int(data.train.indices[7])
    assert data.train.labels[7] == labels[row]
    pixels = ((data.train.inputs[7] + data.mean) * 255).numpy()
    np.testing.assert_allclose(pixels, images[row], atol=1e-3)


def test_the_planes_of_a_cifar_record_are_red_green_blue(tmp_path):
    record = bytes([7]) + bytes([10] * 1024) + bytes([20] * 1024) + bytes(range(32)) * 32
    archive(tmp_path / "one.tar.gz", {"batch.bin": record, "other.bin": record[::-1] * 2})
    (images, labels), (others, _) = read_cifar(tmp_path / "one.tar.gz", ["batch.bin"], ["other.bin"])
    assert len(others) == 2
    assert labels.tolist() == [7] and images.shape == (1, 3, 32, 32)
    assert (images[0, 0] == 10).all() and (images[0, 1] == 20).all()
    assert images[0, 2, 5].tolist() == list(range(32))


def test_few_of_each_class_and_fewer_are_part_of_more():
    data = cifar10(50, train=100, test=20, seed=3)
    assert [len(part) for part in (data.train, data.labelled, data.transfer, data.test)] == [100, 50, 100, 20]
    assert data.labelled.labels.bincount().tolist() == [5] * 10
    known = data.transfer.labels >= 0
    assert set(data.transfer.indices[known].tolist()) == set(data.labelled.indices.tolist())
    fewer = cifar10(20, train=100, test=20, seed=3)
    assert set(fewer.labelled.indices.tolist()) < set(data.labelled.indices.tolist())
    assert torch.equal(fewer.test.inputs, data.test.inputs)
    assert data.settings == {"name": "cifar10", "labels": 50, "train": 100, "test": 20, "seed": 3}


def test_the_published_test_recordings_are_the_test_part():
    data = spoken_digits()
    assert len(data.test) == 50 and len(data.train) + len(data.validation) == 100


def test_a_tone_is_bright_at_its_own_frequency():
    tone = np.sin(2 * np.pi * 1000 * np.arange(LENGTH) / 8000).astype(np.float32)
    image = spectrogram(tone)
    assert image.shape == (1, 64, 64)
    # 64 frequencies from 0 to 4,000 Hz.
    assert set(image[0].argmax(0).tolist()) == {round(1000 / 4000 * 63)}
    assert image[0, 40:].max() < 0.3
    short = spectrogram(tone[: LENGTH // 2])
    assert short[0, 16, 50] == 0 and short[0, 16, 10] > 0.9


def test_what_is_not_fetched_says_how_to_fetch_it(monkeypatch, tmp_path):
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    for name, (load, _, _) in LOADERS.items():
        with pytest.raises(FileNotFoundError, match=f"run 'kdviz data fetch {name}'.*MB"):
            load()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"labels": 5}, "labels must be a whole number from 10 .* to 180"),
        ({"labels": 101, "train": 100}, "to 100"),
        ({"train": 2.5}, "train must be"),
        ({"test": 51}, "test must be a whole number from 10 .* to 50"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_settings_say_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        cifar10(**settings)


def test_broken_files_are_named(monkeypatch, tmp_path):
    with gzip.open(tmp_path / "short.gz", "wb") as file:
        file.write(bytes([0, 0, 8, 1, 0, 0, 0, 9, 1, 2]))
    with pytest.raises(ValueError, match="says 9 bytes follow, but there are 2"):
        read_idx(tmp_path / "short.gz")
    with gzip.open(tmp_path / "other.gz", "wb") as file:
        file.write(b"something else")
    with pytest.raises(ValueError, match="is not an IDX file"):
        read_idx(tmp_path / "other.gz")

    archive(tmp_path / "cifar.tar.gz", {"a.bin": b"12345"})
    with pytest.raises(ValueError, match="a.bin .*records of 3,073 bytes: it has 5"):
        read_cifar(tmp_path / "cifar.tar.gz", ["a.bin"], [])
    with pytest.raises(ValueError, match="holds no b.bin"):
        read_cifar(tmp_path / "cifar.tar.gz", ["b.bin"], [])

    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    spoken = tmp_path / "spoken-digits" / "free-spoken-digit-dataset-1.0.9.tar.gz"
    archive(spoken, {"recordings/1_jo_0.wav": recording(np.zeros(99, np.int16), rate=44100)})
    with pytest.raises(ValueError, match="16 bits at 8,000 Hz.*44,100"):
        spoken_digits()
    archive(spoken, {"README.md": b""})
    with pytest.raises(ValueError, match="holds no recordings"):
        spoken_digits()


@pytest.mark.parametrize("name", LOADERS)
def test_a_file_with_one_wrong_bit_is_refused(made_files, monkeypatch, tmp_path, name):
    shutil.copytree(made_files / name, tmp_path / name)
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    LOADERS[name][0]()
    path = min((tmp_path / name).glob("*gz"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, (1, 1))
    with pytest.raises(ValueError, match=f"{path.name} is not the published file.*kdviz data fetch {name}"):
        LOADERS[name][0]()
    path.with_name(f"{path.name}.sha256").unlink()
    with pytest.raises(ValueError, match="its SHA-256 checksum is not"):
        LOADERS[name][0]()


def test_an_archive_whose_last_check_fails_is_refused(tmp_path):
    """The archive itself ends before gzip says whether its content was right."""
    raw, unpacked = bytes(3073 * 3), io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w") as file:
        for name in ("train.bin", "test.bin"):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            file.addfile(member, io.BytesIO(raw))
    content = bytearray(gzip.compress(unpacked.getvalue(), 0))
    content[700] ^= 255
    (tmp_path / "x.tgz").write_bytes(content)
    with pytest.raises(ValueError, match="x.tgz is damaged.*fetch it again"):
        read_cifar(tmp_path / "x.tgz", ["train.bin"], ["test.bin"])


@pytest.mark.parametrize("kept", [0, 1, 3, 11, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_named_with_the_remedy(made_files, tmp_path, kept):
    readers = {
        "fashion-mnist": read_idx,
        "cifar100": lambda path: read_cifar(
            path, ["cifar-100-binary/train.bin"], ["cifar-100-binary/test.bin"], 2
        ),
        "spoken-digits": read_recordings,
    }
    for name, read in readers.items():
        content = min((made_files / name).glob("*gz")).read_bytes()
        path = tmp_path / f"{name}.gz"
        path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
        with pytest.raises(ValueError, match=f"{name}.gz is (damaged|not an IDX file)"):
            read(path)


def test_a_file_that_unpacks_without_end_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("kdviz.datasets.formats.MOST", 10_000)
    with gzip.open(tmp_path / "bomb.gz", "wb") as file:
        file.write(bytes([0, 0, 8, 1, 0, 0, 255, 255]) + bytes(65_535))
    with pytest.raises(ValueError, match="bomb.gz unpacks to more than 10,000 bytes"):
        read_idx(tmp_path / "bomb.gz")
    archive(tmp_path / "bomb.tgz", {"a.bin": bytes(20_000)})
    with pytest.raises(ValueError, match="a.bin of .*bomb.tgz is larger"):
        read_cifar(tmp_path / "bomb.tgz", ["a.bin"], [])


def test_three_bytes_are_no_idx_file_and_garbage_no_recording(tmp_path):
    with gzip.open(tmp_path / "three.gz", "wb") as file:
        file.write(b"\0\0\x08")
    with pytest.raises(ValueError, match="three.gz is not an IDX file"):
        read_idx(tmp_path / "three.gz")
    archive(tmp_path / "bad.tgz", {"recordings/1_jo_0.wav": b"RIFF"})
    with pytest.raises(ValueError, match="1_jo_0.wav of .*bad.tgz is not a WAV file"):
        read_recordings(tmp_path / "bad.tgz")


def test_every_card_says_source_licence_and_classes():
    *embedded, _, _, _, _ = cards()
    fetched = {card.name.split(" (")[0]: card for card in cards()[len(embedded) :]}
    assert list(fetched) == ["CIFAR-10", "CIFAR-100", "Fashion-MNIST", "Spoken digits"]
    assert all("kdviz data fetch" in card.source for card in fetched.values())
    assert not any("kdviz data fetch" in card.source for card in embedded)
    assert len(set(fetched["CIFAR-100"].classes)) == 100
    assert list(fetched["CIFAR-100"].classes) == sorted(fetched["CIFAR-100"].classes)
    assert fetched["Fashion-MNIST"].licence == "MIT"
    assert fetched["Spoken digits"].licence == "CC BY-SA 4.0"
