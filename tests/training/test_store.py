import dataclasses
import errno
import json
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import pytest
import torch
from torch import nn

import kdviz as kd
from kdviz.training import Store, load_weights, save_weights
from kdviz.training import store as store_module

SETTINGS = {"recipe": "test", "steps": 3}


def make(value=1.0):
    return {"weight": torch.full((4,), value)}


def fail():
    raise AssertionError("this should have come from the store")


def test_comes_from_the_folder_the_second_time(tmp_path):
    first = Store(tmp_path).fetch(SETTINGS, make)
    assert torch.equal(Store(tmp_path).fetch(SETTINGS, fail)["weight"], first["weight"])


def test_a_changed_setting_is_never_served_stale(tmp_path):
    store = Store(tmp_path)
    store.fetch(SETTINGS, make)
    other = store.fetch({**SETTINGS, "steps": 4}, lambda: make(2.0))
    assert other["weight"][0] == 2


def test_the_folder_can_be_set_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path / "mine"))
    assert Store().folder == tmp_path / "mine"


def damage_truncate(folder):
    path = next(folder.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-3])


def damage_flip_a_byte(folder):
    path = next(folder.glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def damage_remove_weights(folder):
    next(folder.glob("*.safetensors")).unlink()


def damage_cut_description(folder):
    path = next(folder.glob("*.json"))
    path.write_text(path.read_text()[:20])


def damage_other_settings(folder):
    path = next(folder.glob("*.json"))
    described = json.loads(path.read_text())
    described["settings"]["steps"] = 99
    path.write_text(json.dumps(described))


def damage_point_outside(folder):
    path = next(folder.glob("*.json"))
    described = json.loads(path.read_text())
    described["weights"] = f"../{described['weights']}"
    path.write_text(json.dumps(described))


@pytest.mark.parametrize(
    "damage, message",
    [
        (damage_truncate, "damaged"),
        (damage_flip_a_byte, "damaged"),
        (damage_remove_weights, "missing"),
        (damage_cut_description, "not a readable description"),
        (damage_other_settings, "other settings"),
        (damage_point_outside, "tampered"),
    ],
)
def test_damage_is_an_error_to_load_and_a_warning_to_fetch(tmp_path, damage, message):
    store = Store(tmp_path)
    store.fetch(SETTINGS, make)
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_weights(next(tmp_path.glob("*.json")), SETTINGS)
    with pytest.warns(UserWarning, match=f"{message}.*trained again"):
        assert store.fetch(SETTINGS, make)["weight"][0] == 1
    assert torch.equal(store.fetch(SETTINGS, fail)["weight"], make()["weight"])


def test_an_unwritable_folder_warns_and_work_goes_on(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.warns(UserWarning, match="Work goes on.*KDVIZ_CACHE"):
        assert Store(blocked / "inside").fetch(SETTINGS, make)["weight"][0] == 1


def test_a_full_disk_warns_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store_module.os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left"):
        assert Store(tmp_path).fetch(SETTINGS, make)["weight"][0] == 1
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_must_be_unpickled_is_written(tmp_path):
    save_weights(tmp_path / "model.json", make(), SETTINGS)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]


def fetch_often(folder, worker):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for round in range(20):
            settings = {"round": round}
            # Workers train to different weights, as other processors would.
            weights = Store(folder).fetch(settings, lambda: make(worker))["weight"]
            assert len(set(weights.tolist())) == 1
    return os.getpid()


def test_many_kernels_share_one_folder(tmp_path):
    with ProcessPoolExecutor(4) as pool:
        assert len(list(pool.map(fetch_often, [tmp_path] * 8, range(8)))) == 8
    left = {path.suffix for path in Path(tmp_path).iterdir()}
    assert left == {".json", ".safetensors"}


ROWS = [{"accuracy": 91.5, "problem": ""}, {"accuracy": None, "problem": "the loss was no finite number"}]


def test_rows_come_back_as_they_were_kept(tmp_path):
    Store(tmp_path).keep_rows(SETTINGS, ROWS)
    assert Store(tmp_path).rows(SETTINGS) == ROWS
    assert Store(tmp_path).rows({**SETTINGS, "steps": 4}) is None


def kept(folder):
    store = Store(folder)
    store.keep_rows(SETTINGS, ROWS)
    store.fetch(SETTINGS, make)
    return store, sorted(folder.iterdir())


@pytest.mark.parametrize("seed", range(12))
def test_no_flipped_bit_and_no_truncation_is_accepted(tmp_path, seed):
    """Either the right content comes back, or none with a warning that names the file."""
    random = Random(seed)
    store, files = kept(tmp_path)
    before = {path: path.read_bytes() for path in files}
    for _ in range(100):
        path = random.choice(files)
        content = bytearray(before[path])
        if random.random() < 0.2:
            content = content[: random.randrange(len(content))]
        else:
            content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        path.write_bytes(content)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            rows, weights = store.rows(SETTINGS), store.find(SETTINGS)
        assert rows in (ROWS, None) and (weights is None or torch.equal(weights["weight"], make()["weight"]))
        lost = (rows is None) + (weights is None)
        assert len(said) == lost and all(str(tmp_path) in str(one.message) for one in said)
        path.write_bytes(before[path])
    assert store.rows(SETTINGS) == ROWS and store.find(SETTINGS) is not None


@pytest.mark.parametrize("content", ["[]", "null", "3", '"a"', "{}", "[" * 100_000, "\udcff"])
def test_a_foreign_file_in_its_place_is_no_error(tmp_path, content):
    store, files = kept(tmp_path)
    for path in files:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.warns(UserWarning) as said:
        assert store.rows(SETTINGS) is None and store.find(SETTINGS) is None
    assert len(said) == 2


def test_folders_in_the_place_of_files_are_no_error(tmp_path):
    store, files = kept(tmp_path)
    for path in files:
        path.unlink()
        path.mkdir()
    with pytest.warns(UserWarning):
        assert store.fetch(SETTINGS, make)["weight"][0] == 1
        assert store.fetch_rows(SETTINGS, lambda: ROWS) == ROWS


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 10)
        self.b.weight = self.a.weight

    def forward(self, x):
        return self.c(self.b(self.a(x.flatten(1)).relu()).relu())


def test_a_teacher_with_tied_weights_is_kept(tmp_path, monkeypatch):
    data, start = kd.datasets.digits(labels=50), Tied()
    first = kd.teacher(data, start, steps=20, store=Store(tmp_path))
    monkeypatch.setattr("kdviz.schemes.supervised.train", None)
    again = kd.teacher(data, start, steps=20, store=Store(tmp_path))
    assert torch.equal(first.b.weight, again.a.weight)


def test_a_teacher_in_bfloat16_is_kept(tmp_path, monkeypatch):
    data = kd.datasets.digits(labels=50)
    low = dataclasses.replace(
        data,
        **{
            name: dataclasses.replace(getattr(data, name), inputs=getattr(data, name).inputs.bfloat16())
            for name in ("train", "validation")
        },
    )
    start = nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).bfloat16()
    first = kd.teacher(low, start, steps=3, store=Store(tmp_path))
    monkeypatch.setattr("kdviz.schemes.supervised.train", None)
    again = kd.teacher(low, start, steps=3, store=Store(tmp_path))
    assert torch.equal(first[1].weight, again[1].weight)


@pytest.mark.parametrize("folder", ["x" * 300, "a\0b"])
def test_a_folder_that_cannot_be_is_stepped_aside_from(folder):
    with pytest.warns(UserWarning, match="Work goes on"):
        assert Store(folder).fetch(SETTINGS, make)["weight"][0] == 1


def test_whatever_goes_wrong_the_training_goes_on(tmp_path, monkeypatch):
    store = Store(tmp_path)
    monkeypatch.setattr(store_module, "save", lambda tensors: 1 / 0)
    with pytest.warns(UserWarning, match="could not be kept.*division by zero"):
        assert store.fetch(SETTINGS, make)["weight"][0] == 1
    monkeypatch.undo()
    store.fetch(SETTINGS, make)
    monkeypatch.setattr(store_module, "load", lambda content: {"weight": torch.zeros(7)})
    with pytest.warns(UserWarning, match="another model"):
        assert store.fetch(SETTINGS, make, like=make())["weight"][0] == 1


def test_what_cannot_be_described_is_neither_kept_nor_found(tmp_path):
    assert Store(tmp_path).fetch(None, make)["weight"][0] == 1
    assert Store(tmp_path).fetch_rows(None, lambda: ROWS) == ROWS
    assert list(tmp_path.iterdir()) == []


def test_leftovers_and_what_nobody_used_are_removed_and_nothing_else(tmp_path):
    store, files = kept(tmp_path)
    store_module._tidy.cache_clear()
    left, mine = tmp_path / ".writing-1a2b", tmp_path / "notes.json"
    young = tmp_path / ".writing-9z"
    for path in (left, mine, young):
        path.write_text("")
    for path in (left, mine, files[0]):
        os.utime(path, (0, 0))
    store.keep_rows({"another": 1}, ROWS)
    names = set(tmp_path.iterdir())
    assert not names & {left, files[0]} and {mine, young, *files[1:]} <= names


def test_reading_marks_an_entry_as_used(tmp_path):
    store, files = kept(tmp_path)
    for path in files:
        os.utime(path, (0, 0))
    store.rows(SETTINGS), store.find(SETTINGS)
    assert all(path.stat().st_mtime > 0 for path in files)


def test_it_says_how_large_it_is_and_is_emptied(tmp_path):
    store, files = kept(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "data").mkdir()
    assert store.size() == sum(path.stat().st_size for path in files) > 100
    store.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine.txt"]
    assert Store(tmp_path / "nowhere").size() == 0


def test_files_are_as_readable_as_any_new_file(tmp_path):
    _, files = kept(tmp_path)
    (tmp_path / "usual").write_text("")
    assert {path.stat().st_mode for path in files} == {(tmp_path / "usual").stat().st_mode}
