"""Copies of real data in KDVIZ_DATA, packed in the formats in which they are published."""

import io
import os
import re
import tarfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kdviz.datasets.cifar import CIFAR10_CARD

GIVEN = os.environ.get("KDVIZ_DATA", "")


def copy_of(name):
    """The path of a copy, as a parameter of a test that is skipped where there is none."""
    path = Path(GIVEN) / name
    return pytest.param(
        path, marks=pytest.mark.skipif(not (GIVEN and path.is_file()), reason=f"KDVIZ_DATA holds no {name}")
    )


def declared(path):
    """Say in ``NAME.sha256`` beside a file that it is meant to be as it is."""
    path.with_name(f"{path.name}.sha256").write_text(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
    )


def packed(path, members):
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz", compresslevel=1) as file:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    declared(path)


def packed_photographs(path, folder, train=5000, test=1000):
    """CIFAR-10 as it is published, from the first so many photographs of each class, class after class."""
    most, found = {"train": train, "test": test}, {"train": [], "test": []}
    with tarfile.open(path) as archive:
        for member in archive:
            named = re.search(r"(train|test)/(\w+)/(\d+)\.jpg$", member.name)
            if named and int(named[3]) < most[named[1]]:
                image = np.asarray(Image.open(archive.extractfile(member)).convert("RGB"))
                label = CIFAR10_CARD.classes.index(named[2])
                record = bytes([label]) + image.transpose(2, 0, 1).tobytes()
                found[named[1]].append((int(named[3]), label, record))
    records = {part: [record for _, _, record in sorted(each)] for part, each in found.items()}
    fifth = len(records["train"]) // 5
    parts = {f"data_batch_{n + 1}": records["train"][n * fifth : (n + 1) * fifth] for n in range(5)}
    parts["test_batch"] = records["test"]
    members = {f"cifar-10-batches-bin/{name}.bin": b"".join(each) for name, each in parts.items()}
    packed(folder / "cifar10" / "cifar-10-binary.tar.gz", members)
