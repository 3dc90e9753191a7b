"""Comparing any teacher with any student: numbers against direct workings, inputs of every kind."""

import numpy as np
import pytest
import torch
from setups import CLASSES, Named, Pair, Residual, Transformer, conv, made, mlp, pictures, points, sentences
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.inputs.models import outputs_of as class_logits
from kdviz.measure import accuracy, agreement, calibration_error, cka_map, kl_to_teacher
from kdviz.measure.predictions import negative_log_likelihood
from kdviz.models import cost
from kdviz.study._layers import pooled
from kdviz.tracing import trace


def compared(teacher, student, data, **settings):
    return kd.compare(teacher, student, data, **{"progress": False, **settings})


def table_pair():
    return made(mlp, 32).eval(), made(mlp, 8, seed=1).eval()


def test_every_number_is_that_of_all_samples_at_once():
    inputs, labels = points()
    (teacher, student), other = table_pair(), made(mlp, 8, seed=2).eval()
    found = compared(teacher, student, (inputs, labels), baselines=[other], batch_size=37)
    with torch.no_grad():
        logits = {"teacher": teacher(inputs), "student": student(inputs), "label-only 1": other(inputs)}
    for name, values in logits.items():
        row = found.table.loc[name]
        assert row.accuracy == pytest.approx(accuracy(values, labels))
        assert row.calibration_error == pytest.approx(calibration_error(values, labels), abs=1e-6)
        assert row.log_loss == pytest.approx(negative_log_likelihood(values, labels), rel=1e-5)
        if name != "teacher":
            assert row.agreement == pytest.approx(agreement(values, logits["teacher"]))
            assert row.kl == pytest.approx(kl_to_teacher(values, logits["teacher"]), rel=1e-5)
    assert found.table.parameters.tolist() == [
        cost(each, inputs).parameters for each in found.models.values()
    ]
    assert found.table.macs["teacher"] == cost(teacher, inputs).macs
    wrong = logits["teacher"].argmax(1) != labels
    same = (logits["student"].argmax(1) == logits["teacher"].argmax(1))[wrong].float().mean()
    assert found.table.shared_errors["student"] == pytest.approx(float(same))


def test_per_class_gaps_are_paired_over_the_samples():
    inputs, labels = points()
    teacher, student = table_pair()
    found = compared(teacher, student, (inputs, labels), classes="abcd")
    own = labels == 2
    with torch.no_grad():
        theirs, ours = ((model(inputs[own]).argmax(1) == 2).double() for model in (teacher, student))
    row = found.per_class.loc["c"]
    assert row.samples == int(own.sum()) and row.teacher == pytest.approx(float(theirs.mean()))
    assert row.gap == pytest.approx(float((ours - theirs).mean()))
    # Half a sample more of each outcome: both right, both wrong, only one of them, only the other.
    more = torch.cat([ours - theirs, torch.zeros(1), torch.tensor([0.5, -0.5])])
    square, mean = float((more.abs()).sum()), float(more.sum())
    count = row.samples + 2
    assert row.half == pytest.approx(1.959964 * (square - mean**2 / count) ** 0.5 / count, rel=1e-5)


def test_layers_are_those_of_all_samples_at_once():
    inputs, labels = pictures()
    teacher, student = made(conv, 12).eval(), made(conv, 4, seed=1).eval()
    found = compared(teacher, student, (inputs, labels), batch_size=33)
    assert found.layers["student"] == ["0", "1", "2", "5"]
    with torch.no_grad():
        sides = [trace(model, inputs, found.layers["student"]).features for model in (teacher, student)]
    expected = cka_map(*([pooled(values) for values in side.values()] for side in sides))
    np.testing.assert_allclose(found.cka, expected, atol=1e-6)
    assert found.cka_table.loc["5", "0"] == found.cka[3, 0]


def everything():
    inputs, labels = points()
    forest = HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(inputs.numpy(), labels.numpy())
    images, tokens = pictures(), sentences()
    rows = [{"input_ids": x, "labels": y} for x, y in zip(*tokens, strict=True)]
    return {
        "tensors": (*table_pair(), (inputs, labels)),
        "arrays": (*table_pair(), (inputs.numpy(), labels.numpy())),
        "inputs without labels": (*table_pair(), inputs),
        "a data set": (*table_pair(), TensorDataset(inputs, labels)),
        "a shuffling loader": (
            *table_pair(),
            DataLoader(TensorDataset(inputs, labels), batch_size=50, shuffle=True),
        ),
        "a list of batches": (*table_pair(), [(inputs[:50], labels[:50]), (inputs[50:], labels[50:])]),
        "tuples": (made(Pair, 32), made(mlp, 8), (inputs, labels)),
        "boosted trees": (forest, made(mlp, 8), (inputs, labels)),
        "ResNets": (made(Residual, 12), made(Residual, 4, seed=1), images),
        "transformers": (made(Transformer, 32), made(Transformer, 8, seed=1), tokens),
        "dictionary and object": (made(Named, 32, True), made(Named, 8), DataLoader(rows, batch_size=64)),
    }


@pytest.mark.parametrize("name", everything())
def test_models_and_data_of_every_kind(name):
    teacher, student, data = everything()[name]
    if isinstance(student, nn.Module):
        student.train()
    found = compared(teacher, student, data, batch_size=64, logits=0 if name == "tuples" else None)
    text = str(found)
    assert len(found) in (200, 240) and 100 < len(found.samples) <= 200
    assert len(text.splitlines()) < 24 and max(map(len, text.splitlines())) <= 100
    assert student.training
    assert 0 < found.table.agreement["student"] < 1
    unlike = found.disagreements
    assert 0 < len(unlike) <= 24
    for theirs, ours in zip(unlike.logits["teacher"], unlike.logits["student"], strict=True):
        assert theirs.argmax() != ours.argmax()
    if name == "inputs without labels":
        assert "no labels" in text and found.per_class.empty
    else:
        assert found.table.accuracy.between(0, 1).all() and len(found.per_class) == CLASSES
    if name == "boosted trees":
        assert found.cka is None and found.table.accuracy["teacher"] > 0.9
    else:
        assert np.isfinite(found.cka).all()


def test_disagreements_are_the_furthest_of_all():
    inputs, labels = points()
    teacher, student = table_pair()
    found = compared(teacher, student, (inputs, labels), batch_size=20).disagreements
    with torch.no_grad():
        log_q, log_p = (class_logits(model, inputs).double().log_softmax(1) for model in (teacher, student))
    apart = (log_q.exp() * (log_q - log_p)).sum(1)
    apart[log_q.argmax(1) == log_p.argmax(1)] = -1
    assert found.indices.tolist() == apart.argsort(descending=True)[:24].tolist()
    torch.testing.assert_close(torch.cat(found.inputs), inputs[found.indices])
    assert found.labels.tolist() == labels[found.indices].tolist()


def test_the_student_itself_is_called_null_against_itself():
    inputs, labels = points()
    teacher, student = table_pair()
    text = " ".join(
        str(compared(teacher, student, (inputs, labels), baselines={"its twin": student})).split()
    )
    assert "its twin" in text and "+0.0 ± 0.8 points, null" in text
    alone = str(compared(teacher, teacher, (inputs, labels)))
    assert "agree on 100.0%" in alone and "pass baselines" in alone


def test_a_teacher_that_was_copied_scores_its_size():
    inputs, labels = points()
    teacher, _ = table_pair()
    assert compared(teacher, teacher, (inputs, labels)).distillation_score() == pytest.approx(0.5)


def test_kdviz_digits_are_compared_on_their_test_part(capsys):
    digits = kd.datasets.digits(labels=50, seed=0)
    found = kd.compare(kd.models.mlp(64, 32, 10), kd.models.mlp(64, 8, 10, seed=1), digits)
    assert len(found) == len(digits.test) and found.classes == list(digits.classes)
    assert "397/397 [" in capsys.readouterr().err


def test_the_bar_counts_what_can_be_counted(capsys):
    pair, (inputs, labels) = table_pair(), points()
    known = DataLoader(TensorDataset(inputs, labels), batch_size=50, shuffle=True)
    for data, words in ((known, "240/240 ["), ([(inputs, labels)], "240 samples [")):
        kd.compare(*pair, data)
        assert words in capsys.readouterr().err
    compared(*pair, known)
    assert capsys.readouterr().err == ""


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.relu, self.head = nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.head(self.relu(self.first(self.relu(self.first(x)))))


class Overflowing(nn.Module):
    """Its hidden layer is infinite for some samples; its logits are not."""

    def __init__(self):
        super().__init__()
        self.hidden, self.head = nn.Linear(12, 4), nn.Linear(12, CLASSES)
        with torch.no_grad():
            self.hidden.weight.fill_(1e38)

    def forward(self, x):
        self.hidden(x * 10)
        return self.head(x)


def bad():
    inputs, labels = points()
    teacher, student = table_pair()
    spoiled = inputs.clone()
    spoiled[7] = float("nan")
    short = DataLoader(TensorDataset(inputs[:5], labels[:5]), batch_size=32, drop_last=True)
    return {
        "class counts": ((made(nn.Linear, 12, 7), student, inputs), {}, "7 for teacher, 4 for student"),
        "NaN logits": ((teacher, student, (spoiled, labels)), {}, "NaN"),
        "NaN activations": ((teacher, Overflowing(), inputs), {}, "layer 'hidden' of the student"),
        "a layer that runs twice": (
            (teacher, Twice(), inputs),
            {"layers": ["relu"], "teacher_layers": ["1"]},
            "runs 2 times",
        ),
        "an unknown layer": ((teacher, student, inputs), {"layers": ["nine"]}, "no layer 'nine'"),
        "an empty loader": ((teacher, student, short), {}, "no sample"),
        "labels out of range": ((teacher, student, (inputs, labels + 1)), {}, "from 0 to 3"),
        "class names": ((teacher, student, inputs), {"classes": "ab"}, "got 2 names"),
        "a label a picture for maps": (
            (nn.Conv2d(1, 4, 3), nn.Conv2d(1, 4, 3), pictures()),
            {},
            "do not belong to outputs",
        ),
        "a name that is taken": ((teacher, student, inputs), {"baselines": {"student": student}}, "called"),
    }


@pytest.mark.parametrize("name", bad())
def test_bad_input_is_refused_in_words(name):
    given, settings, words = bad()[name]
    with pytest.raises(ValueError, match=words):
        compared(*given, **settings)


def test_models_are_left_as_they_were():
    inputs, labels = pictures()
    teacher, student = made(conv, 12).train(), made(conv, 4, seed=1).train()
    student[1].eval()
    before = [{k: v.clone() for k, v in model.state_dict().items()} for model in (teacher, student)]
    compared(teacher, student, (inputs, labels))
    for model, kept in zip((teacher, student), before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
        assert not any(module._forward_hooks for module in model.modules())
    assert teacher.training and student.training and not student[1].training
    with pytest.raises(ValueError):
        compared(teacher, student, (inputs, labels + 9))
    assert teacher.training and not any(module._forward_hooks for module in student.modules())


def test_the_linear_maps_of_a_transformer_are_counted():
    pair = kd.compare(made(Transformer, 32), made(Transformer, 8), sentences(), progress=False)
    for name, width in (("teacher", 32), ("student", 8)):
        # Twelve tokens through queries, keys, values, output and two layers of 2 × width; then the head.
        linear = 12 * (4 * width**2 + 2 * width * 2 * width) + CLASSES * width
        assert pair.table.macs[name] >= linear
    assert torch.backends.mha.get_fastpath_enabled()
