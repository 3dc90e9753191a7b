"""Comparisons of every kind of answers: numbers against direct workings and scikit-learn, pages, and
memory.
"""

import numpy as np
import pytest
import torch
from random_setups import build, inputs_for
from setups import made
from sklearn import metrics
from torch import nn
from torch.nn import functional as F

import kdviz as kd
from kdviz.study import predictions as collecting
from kdviz.tracing import logits_of

GENERATOR = torch.Generator().manual_seed(0)


def compared(*given, **settings):
    return kd.compare(*given, **{"progress": False, "layers": [], **settings})


def asked(models, inputs):
    with torch.no_grad():
        return [logits_of(model.eval()(inputs)) for model in models]


def pair(name, classes):
    return build(name, 16, classes, 1).eval(), build(name, 8, classes, 2).eval()


def tokens():
    inputs, labels = inputs_for("tokens", 50, GENERATOR), torch.randint(5, (50, 12), generator=GENERATOR)
    labels[torch.rand(50, 12, generator=GENERATOR) < 0.3] = -100
    return pair("tokens", 5), inputs, labels


def pixels():
    inputs, labels = inputs_for("pixels", 40, GENERATOR), torch.randint(4, (40, 8, 8), generator=GENERATOR)
    labels[:, 0] = 255
    return pair("pixels", 4), inputs, labels


def test_tokens():
    models, inputs, labels = tokens()
    found = compared(*models, (inputs, labels), batch_size=16)
    q, p = asked(models, inputs)
    known = labels >= 0
    rows, wanted = p[known], labels[known]
    assert len(found) == 50 and len(found.labels) == int(known.sum()) and found.kind.name == "tokens"
    table = found.table.loc["student"]
    assert table.perplexity == pytest.approx(float(F.cross_entropy(rows, wanted).exp()), rel=1e-5)
    assert table.accuracy == pytest.approx(metrics.accuracy_score(wanted, rows.argmax(1)))
    log_p, log_q = rows.double().log_softmax(1), q[known].double().log_softmax(1)
    assert table.kl == pytest.approx(
        float(F.kl_div(log_p, log_q, reduction="batchmean", log_target=True)), rel=1e-5
    )
    assert "perplexity" in found.numbers and "tokens" in str(found)
    # The interval is over texts, not over tokens: those of one text are no samples of their own.
    right = (rows.argmax(1) == wanted).double() - (q[known].argmax(1) == wanted).double()
    text = torch.nonzero(known)[:, 0]
    sums, sizes = (
        torch.zeros(50).double().index_add_(0, text, part) for part in (right, torch.ones_like(right))
    )
    rest = sums - right.mean() * sizes
    half = 1.959964 * float((rest.square().sum() * 50 / 49).sqrt() / len(right))
    assert found.difference("student", "teacher")[:2] == pytest.approx((float(right.mean()), half), rel=1e-5)


def test_texts_without_labels_leave_their_padding_out():
    models, inputs, _ = tokens()
    mask = (torch.arange(12)[None] < torch.randint(3, 13, (50, 1), generator=GENERATOR)).long()

    class Masked(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, input_ids, attention_mask=None):
            return self.inner(input_ids)

    found = compared(*map(Masked, models), [{"input_ids": inputs, "attention_mask": mask}])
    assert len(found.labels) == int(mask.sum())
    q, p = (part[mask.bool()].argmax(1) for part in asked(models, inputs))
    assert found.table.agreement["student"] == pytest.approx(float((p == q).double().mean()))


def test_labels_that_are_the_inputs_are_about_the_next_token():
    models, inputs, _ = tokens()
    wide = [build("tokens", width, 20, seed).eval() for width, seed in ((16, 1), (8, 2))]
    found = compared(*wide, (inputs, inputs.clone()))
    assert found.kind.shifted and len(found.labels) == 50 * 11
    head = found.numbers.split("\n\n")[0]
    assert "next one" in " ".join(head.split()) and max(map(len, head.splitlines())) <= 96
    p = asked(wide, inputs)[1]
    wanted = F.cross_entropy(p[:, :-1].reshape(-1, 20), inputs[:, 1:].reshape(-1))
    assert found.table.perplexity["student"] == pytest.approx(float(wanted.exp()), rel=1e-5)


def test_pixels(tmp_path):
    models, inputs, labels = pixels()
    found = compared(*models, (inputs, labels))
    p = asked(models, inputs)[1].argmax(1)
    known = labels != 255
    assert len(found.labels) == int(known.sum())
    wanted = metrics.jaccard_score(labels[known], p[known], average="macro", labels=range(4))
    assert found.table.mean_iou["student"] == pytest.approx(wanted)
    recall = metrics.recall_score(labels[known], p[known], average=None, labels=range(4))
    np.testing.assert_allclose(found.per_class.student, recall)
    cards = found.gallery().cards
    assert cards[0].count("<img") == 4 and ">teacher</span>" in cards[0] and "% right" in cards[0]
    assert "This part could not be drawn" not in found.to_html(tmp_path / "maps.html").read_text()


def test_several_labels(tmp_path):
    models = pair("mlp", 3)
    inputs = inputs_for("mlp", 90, GENERATOR)
    labels = (torch.rand(90, 3, generator=GENERATOR) < torch.tensor([0.5, 0.2, 0.7])).float()
    found = compared(*models, (inputs, labels), classes=["red", "round", "ripe"])
    p = torch.sigmoid(asked(models, inputs)[1])
    table = found.table.loc["student"]
    assert table.average_precision == pytest.approx(
        metrics.average_precision_score(labels, p, average="macro")
    )
    assert table.accuracy == pytest.approx(1 - metrics.hamming_loss(labels, p > 0.5))
    assert table.log_loss == pytest.approx(float(F.binary_cross_entropy(p, labels)), rel=1e-5)
    recall = metrics.recall_score(labels, p > 0.5, average=None)
    np.testing.assert_allclose(found.per_class.student, recall)
    assert list(found.per_class.index) == ["red", "round", "ripe"]
    assert "labels" in found.gallery().cards[0]
    assert "This part could not be drawn" not in found.to_html(tmp_path / "labels.html").read_text()


@pytest.mark.parametrize("shape", [(90,), (90, 1)])
def test_one_logit(shape, tmp_path):
    models, inputs = pair("mlp", 1), inputs_for("mlp", 90, GENERATOR)
    labels = torch.randint(2, shape, generator=GENERATOR)
    found = compared(*models, (inputs, labels))
    z = asked(models, inputs)[1][:, 0]
    table = found.table.loc["student"]
    assert table.accuracy == pytest.approx(float(((z > 0) == labels.flatten()).double().mean()))
    wanted = F.binary_cross_entropy_with_logits(z, labels.flatten().float())
    assert table.log_loss == pytest.approx(float(wanted), rel=1e-5)
    assert table.average_precision == pytest.approx(metrics.average_precision_score(labels.flatten(), z))
    assert found.table.kl["student"] > 0 and found.table.agreement["student"] < 1
    assert "This part could not be drawn" not in found.to_html(tmp_path / "one.html").read_text()


@pytest.mark.parametrize("width", [1, 2])
def test_numbers(width, tmp_path):
    models, inputs = pair("mlp", width), inputs_for("mlp", 90, GENERATOR)
    labels = torch.randn(90, width, generator=GENERATOR)
    other = build("mlp", 8, width, 3)
    found = compared(*models, (inputs, labels), baselines=[other])
    q, p = asked(models, inputs)
    table = found.table.loc["student"]
    assert table.rmse == pytest.approx(
        metrics.root_mean_squared_error(labels.flatten(), p.flatten()), rel=1e-5
    )
    assert table.absolute_error == pytest.approx(metrics.mean_absolute_error(labels, p), rel=1e-5)
    assert table.r2 == pytest.approx(metrics.r2_score(labels, p), rel=1e-5)
    assert table.distance == pytest.approx(float((p - q).abs().mean()), rel=1e-5)
    assert table.teacher_correlation == pytest.approx(
        np.mean([np.corrcoef(p[:, n], q[:, n])[0, 1] for n in range(width)]), rel=1e-4
    )
    words = " ".join(found.sentences)
    assert "Mean absolute error of the student minus that of: teacher" in words and "points" not in words
    assert "This part could not be drawn" not in found.to_html(tmp_path / "numbers.html").read_text()
    with pytest.raises(ValueError, match="here is numbers"):
        _ = found.confusions


def test_numbers_without_labels_are_asked_about_or_declared():
    models, inputs = pair("mlp", 1), inputs_for("mlp", 90, GENERATOR)
    with pytest.raises(ValueError, match="answers='binary' or answers='numbers'"):
        compared(*models, inputs)
    found = compared(*models, inputs, answers="numbers")
    assert np.isnan(found.table.absolute_error["student"]) and found.table.distance["student"] > 0


def test_of_many_positions_a_part_is_kept_and_memory_is_bounded(monkeypatch):
    models, inputs, labels = pixels()
    every = compared(*models, (inputs, labels))
    monkeypatch.setattr(collecting, "MOST", 800)
    some = compared(*models, (inputs, labels))
    assert 600 < len(some.labels) < 1000 and some.share < 0.5
    assert abs(some.table.agreement["student"] - every.table.agreement["student"]) < 0.08
    assert f"{some.share:.1%} of them" in some.numbers
    # Where the length of the data is not known, half of it goes each time that there is too much.
    unknown = compared(*models, [(inputs[n : n + 5], labels[n : n + 5]) for n in range(0, 40, 5)])
    assert 300 < len(unknown.labels) <= 1600
    # The same comparison is drawn alike each time.
    assert some.table.equals(compared(*models, (inputs, labels)).table)


@pytest.mark.parametrize("pick", [1, "logits", lambda output: output[1]])
def test_the_reader_says_which_output_holds_the_logits(pick):
    class Both(nn.Module):
        def __init__(self, width, seed):
            super().__init__()
            self.body = made(nn.Linear, 12, width, seed=seed)
            self.head = made(nn.Linear, width, 4, seed=seed)

        def forward(self, x):
            h = self.body(x)
            return {"features": h, "logits": self.head(h)} if pick == "logits" else (h, self.head(h))

    inputs = inputs_for("mlp", 60, GENERATOR)
    models = Both(8, 1), Both(8, 2)
    found = compared(*models, inputs, logits=pick)
    with torch.no_grad():
        q, p = (model.head(model.body(inputs)).argmax(1) for model in models)
    assert found.table.agreement["student"] == pytest.approx(float((p == q).double().mean()))
    assert len(found.classes) == 4
    told = found.attributions("occlusion", count=6)
    assert told.maps["teacher"].shape == (6, 12)
    if pick != "logits":
        with pytest.raises(TypeError, match=r"several tensors .*logits=0 for the first"):
            compared(*models, inputs)


def test_unlike_shapes_of_answers_are_named():
    inputs = inputs_for("pixels", 20, GENERATOR)
    small = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2, padding=1))
    with pytest.raises(ValueError, match="bring maps of pixels to one size"):
        compared(build("pixels", 4, 4, 1), small, inputs)
