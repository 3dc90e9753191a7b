"""Data and models as people have them: taken, or refused with what was given, what is expected, what
to do.
"""

import pathlib

import numpy as np
import pandas as pd
import pytest
import torch
from setups import made
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.svm import SVC
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

import kdviz as kd
from kdviz.models import cost

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(200, 6, generator=GENERATOR)
LABELS = torch.randint(3, (200,), generator=GENERATOR)


def net(classes=3, width=8, seed=0):
    return nn.Sequential(
        made(nn.Linear, 6, width, seed=seed), nn.ReLU(), made(nn.Linear, width, classes, seed=seed)
    )


TEACHER, STUDENT = net(3, 32).eval(), net(seed=1).eval()


def compared(teacher=TEACHER, student=STUDENT, data=(INPUTS, LABELS), **settings):
    return kd.compare(teacher, student, data, progress=False, **settings)


@pytest.fixture(scope="module")
def wanted():
    return compared().table


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(INPUTS, LABELS, strict=True))


def frame():
    return pd.DataFrame(INPUTS.numpy(), columns=list("abcdef"))


SAME = {
    "numpy in double precision": lambda: (INPUTS.numpy().astype(float), LABELS.numpy()),
    "a table and a column": lambda: (frame(), pd.Series(LABELS.numpy())),
    "labels in a column": lambda: (INPUTS, LABELS[:, None]),
    "labels of 8 bits": lambda: (INPUTS, LABELS.to(torch.uint8)),
    "labels of 16 bits": lambda: (INPUTS, LABELS.to(torch.int16)),
    "labels of 64 unsigned bits": lambda: (INPUTS, LABELS.to(torch.uint64)),
    "a list of the two": lambda: [INPUTS, LABELS],
    "a stream": Stream,
    "a dictionary of one tensor": lambda: [{"features": INPUTS, "label": LABELS}],
    "with paths besides": lambda: [{"image": INPUTS, "label": LABELS, "path": ["a.png"] * 200}],
    "label_ids": lambda: [{"x": INPUTS, "label_ids": LABELS}],
    "half precision": lambda: (INPUTS.double(), LABELS),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_data_in_another_form_says_the_same(name, wanted):
    pd.testing.assert_frame_equal(compared(data=SAME[name]()).table, wanted)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_models_of_every_precision_get_inputs_in_theirs(dtype, wanted):
    other = net(seed=1).to(dtype).eval()
    table = compared(student=other).table
    assert table.kl["student"] == pytest.approx(wanted.kl["student"], rel=0.05)
    found = kd.diagnose(TEACHER, other, (INPUTS, LABELS))
    assert "student_stops" not in found.names


def test_numpy_numbers_are_numbers(wanted):
    pd.testing.assert_frame_equal(compared(batch_size=np.int64(30)).table, wanted)
    assert kd.diagnose(TEACHER, STUDENT, (INPUTS, LABELS), samples=np.int32(64)).passed


def test_masked_classes_count_as_torch_has_them():
    class Masked(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return torch.cat([self.inner(x), torch.full((len(x), 1), -torch.inf)], 1)

    plain, masked = compared(), compared(Masked(TEACHER), Masked(STUDENT))
    for column in ("accuracy", "agreement", "kl", "log_loss", "calibration_error"):
        assert masked.table[column].tolist() == pytest.approx(plain.table[column].tolist(), nan_ok=True)
    names = kd.diagnose(Masked(TEACHER), Masked(STUDENT), (INPUTS, LABELS)).names
    assert "outputs_not_finite" not in names
    # A class that only the student masks is one that it cannot give.
    half = compared(student=Masked(net(2, seed=1)))
    assert half.table.kl["student"] > 1e3


class Ends(Dataset):
    def __len__(self):
        return 200

    def __getitem__(self, row):
        if row == 150:
            raise StopIteration
        return torch.zeros(6), 0


class Pixels(nn.Module):
    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(0, 2)


REFUSED = {
    "string labels": ({"data": (INPUTS, np.array(["cat", "dog"] * 100))}, TypeError, "LabelEncoder"),
    "one-hot labels": ({"data": (INPUTS, nn.functional.one_hot(LABELS))}, TypeError, "argmax(1)"),
    "soft labels": ({"data": (INPUTS, torch.full((200, 3), 1 / 3))}, TypeError, "as mixup makes them"),
    "labels below": ({"data": (INPUTS, LABELS - 5)}, ValueError, "from 0 to 2, or -1 or -100"),
    "labels above": ({"data": (INPUTS, LABELS + 1)}, ValueError, "Number the classes from 0"),
    "huge labels": (
        {"data": (INPUTS, torch.full((200,), 2**64 - 1, dtype=torch.uint64))},
        ValueError,
        "above 2^63",
    ),
    "complex labels": ({"data": (INPUTS, LABELS.to(torch.complex64))}, TypeError, "complex64"),
    "a data set that ends early": ({"data": Ends(), "batch_size": 50}, ValueError, "150 of its 200 samples"),
    "samples without batches": (
        {"data": DataLoader(Stream(), batch_size=None)},
        ValueError,
        "DataLoader(dataset, batch_size=64)",
    ),
    "index first": ({"data": [(torch.arange(200), INPUTS, LABELS)]}, TypeError, "in this order"),
    "names of nobody": ({"data": [{"one": INPUTS, "two": INPUTS}]}, TypeError, "'one', 'two'"),
    "nothing with samples": ({"data": [({"a": [1, 2]}, LABELS)]}, ValueError, "no tensor with samples"),
    "flattened pixels": (
        {"teacher": Pixels(), "student": Pixels(), "data": torch.rand(8, 3, 4, 4)},
        ValueError,
        "asked without that",
    ),
    "a classifier without probabilities": (
        {"teacher": SVC().fit(INPUTS, LABELS)},
        TypeError,
        "CalibratedClassifierCV(SVC(), ensemble=False)",
    ),
    "another one": ({"teacher": RidgeClassifier().fit(INPUTS, LABELS)}, TypeError, "no predict_proba"),
    "a forest that was not fitted": ({"teacher": RandomForestClassifier()}, ValueError, "not fitted"),
    "no model": ({"teacher": 3}, TypeError, "an exported file (.onnx, .pt2"),
    "no file": ({"teacher": "nowhere.onnx"}, FileNotFoundError, "nowhere.onnx"),
    "a file of another kind": ({"teacher": pathlib.Path(__file__)}, ValueError, ".onnx, .pt2"),
    "too few stored answers": ({"teacher": torch.zeros(150, 3)}, ValueError, "150 stored answers"),
    "a name of answers": ({"answers": "ranks"}, ValueError, "'classes', 'binary'"),
    "no such output": ({"logits": "scores"}, TypeError, "not in what"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_says_what_it_is_and_what_to_do(name):
    given, problem, words = REFUSED[name]
    if name == "no such output":
        given = {**given, "teacher": lambda x: {"logits": TEACHER(x)}}
    with pytest.raises(problem) as raised:
        compared(**given)
    assert words in str(raised.value)


def test_unlabelled_are_minus_one_and_minus_a_hundred():
    labels = LABELS.clone()
    labels[:50], labels[50:80] = -1, -100
    found = compared(data=(INPUTS, labels))
    assert "120 of them labelled" in found.numbers
    known = INPUTS[80:], LABELS[80:]
    assert found.table.accuracy.tolist() == pytest.approx(compared(data=known).table.accuracy.tolist())


def test_another_numbering_of_the_teacher_is_told():
    with torch.no_grad():
        labels = TEACHER(INPUTS).argmax(1)
    found = compared(lambda x: TEACHER(x).roll(1, 1), data=(INPUTS, labels))
    assert "numbers them in another order than your labels" in found.sentences[0]
    assert "on 100.0% if its classes are renumbered" in found.sentences[0]
    assert "renumbered" not in " ".join(compared(data=(INPUTS, labels)).sentences)


# Costs ---------------------------------------------------------------------------------------------


class Cells(nn.Module):
    def __init__(self, seed):
        super().__init__()
        self.r, self.h = made(nn.LSTM, 6, 8, seed=seed), made(nn.Linear, 8, 3, seed=seed)

    def forward(self, x):
        return self.h(self.r(x.transpose(0, 1))[0][-1])


class Holding(nn.Module):
    """A training module around teacher and student."""

    def __init__(self):
        super().__init__()
        self.teacher, self.student = TEACHER, STUDENT

    def forward(self, x):
        return self.student(x)


@pytest.mark.filterwarnings("ignore")
def test_what_is_not_counted_is_a_dash_with_the_reason():
    forest = RandomForestClassifier(3, random_state=0).fit(INPUTS.numpy(), LABELS.numpy())
    small = torch.ao.quantization.quantize_dynamic(net(), {nn.Linear})
    for model, reason in (
        (forest, "a scikit-learn model has no weights of torch"),
        (small, "keeps its weights out of sight"),
        (lambda x: STUDENT(x), "a function shows no weights"),
        (STUDENT(INPUTS).detach(), "only its answers are here"),
    ):
        found = compared(student=model)
        assert found.table.loc["student", ["parameters", "bytes", "macs"]].isna().all()
        row = next(line for line in found.numbers.splitlines() if line.startswith("student"))
        assert row.split()[-2:] == ["–", "–"] and reason in found.numbers
        assert not np.isnan(found.table.macs["teacher"])
    cells = kd.compare(Cells(0), Cells(1), (torch.randn(40, 5, 6), LABELS[:40]), progress=False)
    assert cells.table.macs.isna().all() and not cells.table.parameters.isna().any()
    assert "torch does not count what LSTM does" in cells.numbers


def test_a_student_that_holds_its_teacher_is_counted_without_it():
    found = compared(student=Holding())
    alone = cost(STUDENT, INPUTS)
    assert (
        found.table.parameters["student"] == alone.parameters and found.table.bytes["student"] == alone.bytes
    )
    assert "same_model" not in kd.diagnose(TEACHER, Holding(), (INPUTS, LABELS)).names


# Models that were exported -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["logits", "function", "script", "program", "graph", "file", "script file"])
def test_what_was_exported_is_compared_again(form, tmp_path, wanted):
    with torch.no_grad():
        logits = STUDENT(INPUTS)
    if form in ("program", "graph", "file"):
        exported = kd.study.export_student(STUDENT, tmp_path / "student.pt2", INPUTS[:4], "torch")
        program = torch.export.load(exported.path)
        student = {"program": program, "graph": program.module(), "file": exported}[form]
    else:
        script = torch.jit.script(STUDENT)
        script.save(str(tmp_path / "student.pt"))
        student = {
            "logits": logits.numpy(),
            "function": lambda x: STUDENT(x),
            "script": script,
            "script file": tmp_path / "student.pt",
        }[form]
    table = compared(student=student).table
    for column in ("accuracy", "agreement", "kl"):
        assert table[column]["student"] == pytest.approx(wanted[column]["student"], rel=1e-5)


def test_stored_answers_need_the_order_of_the_data():
    loader = DataLoader(list(zip(INPUTS, LABELS, strict=True)), 50, shuffle=True)
    with pytest.raises(ValueError, match="this loader shuffles"):
        compared(student=torch.zeros(200, 3), data=loader)


def test_scripted_models_have_no_layers_and_steps_on_them_are_not_watched():
    script = torch.jit.script(net(seed=1))
    assert compared(student=script).layers == {"teacher": [], "student": []}

    def step(teacher, student, inputs):
        return nn.functional.mse_loss(student(inputs), teacher(inputs).detach())

    found = kd.diagnose(TEACHER, script, (INPUTS, LABELS), step=step)
    assert "step_fails" not in found.names
    assert any("inside a ScriptModule cannot be watched" in check.missing for check in found.unchecked)


def test_a_recurrent_layer_is_compared_by_its_first_output():
    found = kd.compare(
        Cells(0),
        Cells(1),
        (torch.randn(40, 5, 6), LABELS[:40]),
        layers=["h"],
        teacher_layers=["h"],
        progress=False,
    )
    assert found.cka.shape == (1, 1)
    table = kd.layers(Cells(0), torch.randn(4, 5, 6))
    assert table.type.to_dict() == {"r": "LSTM", "h": "Linear"} and table["shape"]["h"] == (4, 3)


def test_an_unknown_layer_lists_those_that_there_are_one_a_line():
    with pytest.raises(ValueError, match=r"kdviz.layers lists those it has:\n  0\n  1\n  2"):
        compared(layers=["nine"])


def test_missing_values_that_both_models_take_are_no_fault():
    class Filled(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x.nan_to_num())

    inputs = INPUTS.clone()
    inputs[::7, 2] = torch.nan
    forest = HistGradientBoostingClassifier(max_iter=5).fit(inputs.numpy(), LABELS.numpy())
    found = kd.diagnose(forest, Filled(STUDENT), (inputs, LABELS))
    assert "inputs_not_finite" not in found.names
    card = compared(forest, Filled(STUDENT), (inputs, LABELS)).gallery().cards[0]
    assert "nan" not in card
    with pytest.raises(ValueError, match="with NaN or infinity"):
        compared(forest, STUDENT, (inputs, LABELS))
    assert "inputs_not_finite" in kd.diagnose(Filled(TEACHER), STUDENT, (inputs, LABELS)).names


def test_a_third_entry_that_repeats_is_no_row_number():
    kept = TEACHER(INPUTS).detach()
    domain = torch.arange(200) % 4
    parts = [slice(start, start + 50) for start in range(0, 200, 50)]
    batches = [(INPUTS[part], LABELS[part], domain[part]) for part in parts]
    found = kd.diagnose(TEACHER, STUDENT, batches, cached_logits=kept)
    assert not any(name.startswith("cache") for name in found.names)
    rows = torch.arange(200).roll(1)
    moved = [(INPUTS[part], LABELS[part], rows[part]) for part in parts]
    assert "cache_order" in kd.diagnose(TEACHER, STUDENT, moved, cached_logits=kept).names
