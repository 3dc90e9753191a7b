"""The saved pair of notebook 12, and where KDVIZ_DATA holds CIFAR-10, a comparison of all of it."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from real_copies import copy_of, packed_photographs

import kdviz as kd
from kdviz.course import cifar_pair


def test_the_files_are_those_on_the_card():
    card = cifar_pair.card()
    for saved in (*card["models"].values(), card["answers"]):
        content = (cifar_pair.folder() / saved["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == saved["sha256"]
    assert sum(path.stat().st_size for path in cifar_pair.folder().iterdir()) < 500_000


def test_the_networks_answer_photographs():
    models = cifar_pair.models()
    assert list(models) == ["teacher", "student", *cifar_pair.BASELINES]
    with torch.no_grad():
        shapes = {model(torch.zeros(2, 3, 32, 32)).shape for model in models.values()}
    assert shapes == {(2, 10)} and not any(model.training for model in models.values())


def test_a_fifth_of_the_answers_is_as_good_as_the_card_says_of_all():
    answers, labels = cifar_pair.answers()
    assert len(labels) == 2000 and len(labels.unique()) == 10
    for name, saved in cifar_pair.card()["models"].items():
        right = float((answers[name].argmax(1) == labels).double().mean())
        half = 3 * (saved["test_accuracy"] * (1 - saved["test_accuracy"]) / len(labels)) ** 0.5
        assert abs(right - saved["test_accuracy"]) < half


MEASURED = """
import json, resource, sys
import kdviz as kd
from kdviz.course import cifar_pair
models = cifar_pair.models()
data = kd.datasets.cifar10(seed=0)
found = kd.compare(models.pop("teacher"), models.pop("student"), data, baselines=models)
found.to_html(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps({"peak": peak, "accuracy": found.table.accuracy.to_dict(), "samples": len(found)}))
"""


@pytest.mark.parametrize("path", [copy_of("cifar10-jpg.tar.xz")])
def test_ten_thousand_photographs(path, monkeypatch, tmp_path):
    """All test images, in a process of its own: below 2 GB, with a bar, and what the card says comes out."""
    packed_photographs(path, tmp_path)
    monkeypatch.setenv("KDVIZ_DATA", str(tmp_path))
    call = [sys.executable, "-c", MEASURED, tmp_path / "report.html"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["samples"] == 10_000 and told["peak"] < 2e9, told["peak"]
    assert "10000/10000 [" in done.stderr
    for name, saved in cifar_pair.card()["models"].items():
        assert told["accuracy"][name] == pytest.approx(saved["test_accuracy"], abs=5e-4)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("data-kdviz-explorer") >= 3

    test = kd.datasets.cifar10(seed=0, test=1000).test
    models, (answers, labels) = cifar_pair.models(), cifar_pair.answers()
    every = kd.datasets.cifar10(seed=0).test
    assert torch.equal(every.labels[::5], labels)
    with torch.no_grad():
        for name, model in models.items():
            torch.testing.assert_close(model(every.inputs[::5]), answers[name], rtol=2e-3, atol=2e-2)
    teacher, student = models.pop("teacher"), models.pop("student")
    found = kd.compare(teacher, student, (test.inputs, test.labels), baselines=models, progress=False)
    for method in kd.explain.METHODS:
        asked = found.attributions(method, count=20)
        assert list(asked.maps) == ["teacher", "student", *models]
        assert np.isfinite(asked.table.rank_correlation).all()
    assert kd.diagnose(teacher, student.train(), (test.inputs, test.labels)).names == []
    written = kd.study.export_student(student, tmp_path / "student.pt2", test.inputs[:20], "torch")
    assert written.difference < 1e-3
