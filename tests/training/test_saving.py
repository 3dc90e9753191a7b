"""A run saved, and gone on with in another process, ends as if it had never been left."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from saved_runs import CASES, begun

import kdviz as kd

HERE = Path(__file__).parent


def in_another_process(*arguments):
    subprocess.run([sys.executable, HERE / "saved_runs.py", *map(str, arguments)], check=True)


def test_the_end_is_the_same_bit_for_bit(tmp_path):
    in_another_process("leave", tmp_path)
    in_another_process("go_on", tmp_path)
    for case in CASES:
        whole = begun(case).finish()
        ended = load_file(tmp_path / case / "ended.weights")
        for name, part in whole.student.state_dict().items():
            assert torch.equal(part, ended[name]), (case, name)
        told = json.loads((tmp_path / case / "records.json").read_text())
        assert told == [[record.step, record.total, record.measures] for record in whole.records]


def test_settings_changed_on_the_way_stay_changed(tmp_path):
    run = begun("digits")
    next(run)
    run.set("soft_targets.temperature", 7.0)
    run.save(tmp_path)
    again = kd.load_run(tmp_path, begun("digits"))
    assert again.objective.settings()["soft_targets.temperature"] == 7.0
    assert next(again).changes == next(run).changes != ()


def test_a_second_save_takes_the_place_of_the_first(tmp_path):
    run = begun("digits")
    for _ in range(3):
        next(run)
        run.save(tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]
    assert kd.load_run(tmp_path, begun("digits")).step == run.step


def test_what_does_not_fit_is_told(tmp_path):
    run = begun("digits")
    next(run)
    path = run.save(tmp_path / "new" / "folder")
    folder, kept = path.parent, path.read_text()
    other = kd.train(kd.models.mlp(64, 8, 10), kd.datasets.digits(labels=50), steps=40)
    for error, wanted, message in (
        (ValueError, other, "another record_every: 10, and the one handed in has 2"),
        (ValueError, run, "has not begun"),
        (ValueError, begun("digits", steps=50), "another steps: 40, and the one handed in has 50"),
        (ValueError, begun("digits", learning_rate=0.1), "another learning_rate"),
    ):
        with pytest.raises(error, match=message):
            kd.load_run(folder, wanted)
    with pytest.raises(FileNotFoundError, match="no saved run"):
        kd.load_run(tmp_path, begun("digits"))
    checksum = json.loads(kept)["settings"]["checksum"]
    for damaged in (kept.replace(checksum, checksum[::-1]), kept.replace("]", "", 1), "[]", ""):
        path.write_text(damaged)
        with pytest.raises(ValueError, match="damaged"):
            kd.load_run(folder, begun("digits"))
    path.write_text(kept)
    [weights] = folder.glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-8] + b"12345678")
    with pytest.raises(ValueError, match="damaged"):
        kd.load_run(folder, begun("digits"))


def test_runs_that_keep_more_than_their_place_cannot_be_saved(tmp_path):
    data = kd.datasets.digits(labels=50)
    with pytest.raises(TypeError, match="kdviz.distill and kdviz.train can be saved"):
        kd.schemes.mean_teacher(kd.models.mlp(64, 8, 10), data, steps=4).save(tmp_path)
    run = kd.train(
        kd.models.mlp(64, 8, 10),
        data,
        steps=2,
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, _Half()),
    )
    next(run)
    with pytest.raises(TypeError, match="cannot be kept as numbers"):
        run.save(tmp_path)


class _Half:
    """A schedule's function with something in it that is no number."""

    def __init__(self):
        self.what = object()

    def __call__(self, step):
        return 0.5
