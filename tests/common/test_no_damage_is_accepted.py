"""1,200 bits flipped and files cut short, over every kind of file that kdviz reads again.

Either what was written comes back, or an answer in words: a ``ValueError`` that names the file, or a warning
that the work is done again. Never other content, and never an error of a library's own.
"""

import hashlib
import json
import shutil
import warnings
from contextlib import contextmanager
from random import Random

import pytest
import torch

import kdviz as kd
from kdviz.course import cifar_pair, paths, results
from kdviz.datasets import download
from kdviz.datasets.sources import SOURCES, Source
from kdviz.study import Comparison
from kdviz.training.store import Store

DAMAGES = 150  # of each kind of file
SETTINGS = {"recipe": "test"}


def rows(folder, patch):
    store, kept = Store(folder), [{"accuracy": 91.5, "problem": ""}]
    store.keep_rows(SETTINGS, kept)
    return lambda: store.rows(SETTINGS)


def weights(folder, patch):
    store = Store(folder)
    store.keep(SETTINGS, {"weight": torch.arange(6.0), "bias": torch.ones(2)})
    return lambda: _listed(store.find(SETTINGS))


def _listed(tensors):
    return None if tensors is None else {name: tensor.tolist() for name, tensor in tensors.items()}


def run(folder, patch):
    data = kd.datasets.digits(labels=50)

    def begun():
        return kd.train(kd.models.mlp(64, 2, 10), data, steps=4, record_every=2)

    saved = begun()
    next(saved)
    saved.save(folder)

    def read():
        found = kd.load_run(folder, begun())
        return found.step, _listed(found.student.state_dict()), [record.total for record in found.records]

    return read


def comparison(folder, patch):
    inputs, labels = torch.randn(12, 6, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
    networks = [torch.nn.Linear(6, 3), torch.nn.Linear(6, 3)]
    kd.compare(*networks, (inputs, labels), progress=False).save(folder / "found.npz")
    return lambda: Comparison.load(folder / "found.npz").table.to_csv()


def table(folder, patch):
    name = next(iter(results.every()))
    found = results.load(name)
    patch.setattr(results, "_file", lambda name, ending: folder / f"{name}.{ending}")
    found.rows.head(20).to_csv(results._file(name, "csv"), index=False, lineterminator="\n")
    results._write_made(name, found.made)

    def read():
        found = results.load(name)
        return found.rows.to_csv(), found.made

    return read


def pair(folder, patch):
    for path in cifar_pair.folder().iterdir():
        if path.name in ("card.json", "2000_labels.safetensors"):
            shutil.copy(path, folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["models"] = {
        "2,000 labels": next(m for m in card["models"].values() if m["file"].startswith("2000_labels."))
    }
    del card["checksum"]
    card["checksum"] = cifar_pair.checksum_of(card)
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    patch.setattr(cifar_pair, "folder", lambda: folder)

    def read():
        (network,) = cifar_pair.models().values()
        return cifar_pair.card(), float(network.head.weight.detach().double().sum())

    return read


def archive(folder, patch):
    patch.setenv("KDVIZ_DATA", str(folder))
    content = bytes(range(256)) * 20
    source = Source("own", {"a.bin": "http://127.0.0.1/"}, {"a.bin": hashlib.sha256(content).hexdigest()}, 1)
    patch.setitem(SOURCES, "own", source)
    (folder / "own").mkdir()
    (folder / "own" / "a.bin").write_bytes(content)

    def read():
        download._checksum.cache_clear()  # as in another process
        return download.fetched("own", "a.bin").read_bytes()

    return read


KINDS = (rows, weights, run, comparison, table, pair, archive)


@contextmanager
def damaged(path, random):
    content = path.read_bytes()
    changed = bytearray(content)
    if random.random() < 0.2:
        changed = changed[: random.randrange(len(changed))]
    else:
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    path.write_bytes(changed)
    yield
    path.write_bytes(content)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_read_is_what_was_written_or_is_refused_in_words(kind, tmp_path, monkeypatch):
    folder = tmp_path / "files"
    folder.mkdir()
    read, random, refused = kind(folder, monkeypatch), Random(7), 0
    right = read()
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for _ in range(DAMAGES):
        path = random.choice(files)
        with damaged(path, random), warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                found = read()
            except ValueError as error:
                # In words of ours, with the file's name or its folder's.
                assert str(folder) in str(error), f"{path.name}: {error}"
                refused += 1
                continue
        if found is None:
            assert any(str(folder) in str(one.message) for one in said), path.name
            refused += 1
        else:
            assert found == right, f"{path.name} was changed, and other content came back"
    assert refused > DAMAGES / 2
    assert read() == right


def test_a_damaged_list_of_copies_costs_a_reader_nothing(tmp_path, monkeypatch):
    """150 damages of the course copy's manifest: what she changed stays, and the rest is what it was."""
    source, copy = tmp_path / "course", tmp_path / "copy"
    for name in ("notebooks/a.ipynb", "notebooks/b.ipynb", "data/c.csv"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    monkeypatch.setattr(paths, "course_folder", lambda: source)
    paths.copy_course(copy)
    (copy / "notebooks" / "a.ipynb").write_text("hers")
    random = Random(3)
    for _ in range(DAMAGES):
        with damaged(copy / ".kdviz-copied.json", random):
            paths.copy_course(copy)
        assert (copy / "notebooks" / "a.ipynb").read_text() == "hers"
        assert (copy / "notebooks" / "b.ipynb").read_text() == "notebooks/b.ipynb"
    assert len(list((copy / "notebooks").iterdir())) <= 3
