"""Killed writers, a full disk, one that is read only: nothing is torn, and nothing is lost."""

import errno
import multiprocessing
import os
import signal
import subprocess
import time
import warnings
from random import Random

import pytest
import torch

import kdviz as kd
from kdviz.training import Store
from kdviz.training import store as store_module

WRITERS, ENTRIES = 20, 12


def weights_of(entry):
    """Some are written in no time, and some take longer than a turn of the processor."""
    return {"weight": torch.full((1 + entry * 60_000,), float(entry)), "bias": torch.arange(float(entry + 1))}


def rows_of(entry):
    return [{"entry": entry, "row": row} for row in range(1 + entry * 300)]


def write_for_ever(folder, seed):
    random, store = Random(seed), Store(folder)
    while True:
        entry = random.randrange(ENTRIES)
        store.keep({"entry": entry}, weights_of(entry))
        store.keep_rows({"entry": entry}, rows_of(entry))


def read_whole(folder):
    """How many entries are found; each is what was written, and no file is warned of."""
    store, found = Store(folder), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for entry in range(ENTRIES):
            weights, rows = store.find({"entry": entry}), store.rows({"entry": entry})
            if weights is not None:
                torch.testing.assert_close(weights, weights_of(entry), rtol=0, atol=0)
            assert rows in (None, rows_of(entry))
            found += (weights is not None) + (rows is not None)
    return found


@pytest.mark.complete
@pytest.mark.skipif(not hasattr(os, "fork"), reason="writers are forked, so that twenty begin at once")
def test_twenty_killed_writers_tear_nothing(tmp_path):
    random, fork = Random(0), multiprocessing.get_context("fork")
    writers = [fork.Process(target=write_for_ever, args=(tmp_path, seed)) for seed in range(WRITERS)]
    try:
        for writer in writers:
            writer.start()
        time.sleep(0.5)
        for writer in random.sample(writers, WRITERS):
            time.sleep(random.uniform(0, 0.2))
            read_whole(tmp_path)
            os.kill(writer.pid, signal.SIGKILL)
    finally:
        for writer in writers:
            writer.kill()
            writer.join()
    assert {writer.exitcode for writer in writers} == {-signal.SIGKILL}
    assert read_whole(tmp_path) > ENTRIES
    left = [path for path in Store(tmp_path).files() if path.name.startswith(".writing-")]
    assert left, "no writer was killed while it wrote: the test has shown nothing"

    for path in left:
        os.utime(path, (0, 0))
    store_module._tidy.cache_clear()
    Store(tmp_path).keep({"entry": 0}, weights_of(0))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".writing-")]
    assert read_whole(tmp_path) > ENTRIES


# Of 2 MB, which the weights of no teacher below fit into; or one that is there to be read only.
DISKS = {"full": (errno.ENOSPC, "size=2m"), "read-only": (errno.EROFS, "ro,size=2m")}


@pytest.fixture(params=DISKS)
def bad_disk(request, tmp_path, monkeypatch):
    """A real disk where we may mount one, else what the system says of such a disk."""
    problem, options = DISKS[request.param]
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    if mounted and request.param == "full":
        # But for a few bytes, as a disk is on which something else has grown.
        (folder / "hers").write_bytes(bytes(2 * 2**20 - 4096))
    if not mounted:

        def refuse(*given):
            raise OSError(problem, os.strerror(problem))

        monkeypatch.setattr("kdviz.files.os.open", refuse)
    yield folder
    if mounted:
        subprocess.run(["umount", folder], check=True)


def warned(work):
    """What work gives, and what is said meanwhile to somebody whose Python warns as it does by itself."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        found = work()
    return found, [str(one.message) for one in said]


def test_a_teacher_is_not_lost_on_a_bad_disk(bad_disk, tmp_path):
    data, start = kd.datasets.digits(labels=50), kd.models.mlp(64, 8000, 10, seed=0)
    found, said = warned(lambda: kd.teacher(data, start, steps=2, store=Store(bad_disk)))
    right = kd.teacher(data, start, steps=2, store=Store(tmp_path / "good"))
    torch.testing.assert_close(found.state_dict(), right.state_dict(), rtol=0, atol=0)
    (sentence,) = said
    assert str(bad_disk) in sentence and "Work goes on" in sentence and "KDVIZ_CACHE" in sentence
    assert not [path for path in bad_disk.iterdir() if path.name != "hers"]


def test_a_sweep_is_not_lost_on_a_bad_disk(bad_disk, tmp_path):
    def swept(store):
        found = kd.sweep([{}], kd.CrossEntropy(), seeds=4, steps=5, students_at_once=2, store=store)
        return found.finish(progress=False).table

    found, said = warned(lambda: swept(Store(bad_disk)))
    assert found.equals(swept(Store(tmp_path / "good"))) and len(found) == 4
    # Not one for each job; a few bytes of rows may still fit.
    assert len(said) <= 1 and all(str(bad_disk) in one and "Work goes on" in one for one in said)
    assert not list(bad_disk.glob(".writing-*"))
