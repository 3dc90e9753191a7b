import errno
import json
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch

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
