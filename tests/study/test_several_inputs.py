"""A pair of networks with different senses, compared and diagnosed."""

from dataclasses import replace

import pytest
import torch

import kdviz as kd
from kdviz.datasets.dataset import PARTS
from kdviz.models import Reads, mlp


def rows_and_columns(images):
    """Another sense of an image: the sums of its rows and of its columns."""
    return torch.cat([images.sum((1, 2)), images.sum((1, 3))], 1)


def sensed(data, make):
    parts = {name: getattr(data, name) for name in PARTS}
    return replace(data, **{name: replace(part, inputs=make(part.inputs)) for name, part in parts.items()})


@pytest.fixture(scope="module")
def plain():
    return kd.datasets.digits(labels=50)


@pytest.fixture(scope="module")
def networks():
    return mlp(64, 16, 10, seed=1), mlp(16, 8, 10, seed=2)


KINDS = {
    "by name": (
        lambda images: {"image": images, "sound": rows_and_columns(images)},
        ("image", "sound"),
    ),
    "in order": (lambda images: (images, rows_and_columns(images)), (0, 1)),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def pair(request, plain, networks):
    make, senses = request.param
    eye, ear = (Reads(network, sense) for network, sense in zip(networks, senses, strict=True))
    return eye, ear, sensed(plain, make)


def test_they_are_compared_on_the_test_samples(pair, plain, networks):
    eye, ear, data = pair
    compared = kd.compare(eye, ear, data)
    theirs = networks[0](plain.test.inputs).argmax(1)
    own = networks[1](rows_and_columns(plain.test.inputs)).argmax(1)
    assert compared.table.loc["student", "accuracy"] == pytest.approx(
        float((own == plain.test.labels).double().mean())
    )
    assert compared.table.loc["student", "agreement"] == pytest.approx(float((own == theirs).double().mean()))
    assert compared.table.loc["teacher", "macs"] == 64 * 16 + 16 * 10


def test_a_report_of_them_is_made(pair, tmp_path):
    eye, ear, data = pair
    compared = kd.compare(eye, ear, data)
    assert "test part of" in compared.to_html(tmp_path / "report.html").read_text("utf-8")


def test_the_doctor_reads_them_and_finds_what_is_wrong(pair):
    eye, ear, data = pair
    assert "class_mismatch" not in kd.diagnose(eye, ear, data, samples=100).names
    few = Reads(mlp(64, 16, 9, seed=1), eye.names[0])
    assert "class_mismatch" in kd.diagnose(few, ear, data, samples=100).names
    stuck = Reads(mlp(16, 8, 10), ear.names[0])
    stuck.requires_grad_(False)
    assert "student_frozen" in kd.diagnose(eye, stuck, data, samples=100).names


def test_samples_alone_are_enough(pair):
    eye, ear, data = pair
    assert len(kd.compare(eye, ear, data.validation[:30]).table) == 2
