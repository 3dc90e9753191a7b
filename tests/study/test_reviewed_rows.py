"""Rows of the two reviews that no other test goes through: the right value, or words that say what to do."""

import collections
import copy
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from reviewed import DATA, INPUTS, LABELS, OBJECTIVE, STUDENT, TEACHER, compared, distilled, net, right_loss
from setups import loss_step
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler, TensorDataset

import kdviz as kd

# The same samples in other hands ------------------------------------------------------------------------


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(INPUTS, LABELS, strict=True))


class Sum(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, a, b):
        return self.inner(a + b)


class Big(nn.Module):
    """Takes what the student does not."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x, token_type_ids=None):
        return {"logits": self.inner(x)}


class Small(Big):
    def forward(self, x):
        return {"logits": self.inner(x)}


Answer = collections.namedtuple("Answer", "features logits")


class Both(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        h = self.inner[:2](x)
        return Answer(h, self.inner[2](h))


class LossFirst(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        z = self.inner(x)
        return z.mean(), z


NAMES = {"x": INPUTS, "token_type_ids": LABELS * 0, "idx": torch.arange(200), "text": ["a"] * 200}
SAME = {
    "paths": lambda m: (m, [(INPUTS, LABELS, ["a.png"] * 200)]),
    "row numbers": lambda m: (m, [(INPUTS, LABELS, torch.arange(200))]),
    "sampler": lambda m: (
        m,
        DataLoader(TensorDataset(*DATA), 50, sampler=SequentialSampler(TensorDataset(*DATA))),
    ),
    "stream": lambda m: (m, Stream()),
    "names of one model": lambda m: (
        Big(m) if m is TEACHER else Small(m),
        [{**NAMES, "labels": LABELS}],
    ),
    "a named tuple": lambda m: (Both(m), DATA),
    "the loss before the logits": lambda m: (LossFirst(m), DATA),
    "DataParallel": lambda m: (nn.DataParallel(m), DATA),
    "compiled": lambda m: (torch.compile(m, backend="eager"), DATA),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_answers_in_other_forms_are_the_same_everywhere(name):
    (teacher, data), (student, _) = (SAME[name](model) for model in (TEACHER, STUDENT))
    columns = ["accuracy", "agreement", "kl"]
    pd.testing.assert_frame_equal(compared(teacher, student, data).table[columns], compared().table[columns])
    assert kd.diagnose(teacher, student, data).names == kd.diagnose(TEACHER, STUDENT, DATA).names
    if name != "compiled":
        measures = distilled(teacher, student, data, validation=data).records[0].measures
        assert measures == pytest.approx(distilled(validation=DATA).records[0].measures)


@pytest.mark.complete
def test_a_model_compiled_by_inductor_answers_the_same():
    table = compared(student=torch.compile(STUDENT)).table
    assert table.kl["student"] == pytest.approx(compared().table.kl["student"], rel=1e-4)


def test_two_inputs():
    halves = INPUTS / 2
    table = compared(Sum(TEACHER), Sum(STUDENT), [((halves, halves), LABELS)]).table
    assert table.kl["student"] == pytest.approx(compared().table.kl["student"], rel=1e-5)


def test_double_precision_by_default_trains_a_teacher():
    torch.set_default_dtype(torch.float64)
    try:
        digits = kd.datasets.digits(labels=50, seed=0)
        run = kd.train(kd.models.mlp(64, 16, 10), digits, steps=3).finish()
        table = kd.compare(run.student, kd.models.mlp(64, 16, 10, seed=1), digits, progress=False).table
    finally:
        torch.set_default_dtype(torch.float32)
    assert run.step == 3 and np.isfinite(table.kl["student"])


def test_dropout_is_drawn_from_the_seed():
    model = nn.Sequential(nn.Linear(6, 16), nn.Dropout(0.5), nn.ReLU(), nn.Linear(16, 10))
    ends = {distilled(student=model, steps=20, seed=1).records[-1].total for _ in range(2)}
    assert len(ends) == 1


def test_teachers_that_answer_in_inference_mode():
    def step(teacher, student, optimizer, inputs, labels):
        with torch.inference_mode():
            answers = teacher(inputs)
        loss = right_loss(student(inputs), answers, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    student = net(seed=1).train()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    found = kd.diagnose(TEACHER, student, DATA, step=step, optimizer=optimizer, objective=OBJECTIVE)
    assert {*found.names} <= {"teacher_miscalibrated"}, str(found)
    with torch.inference_mode():
        kept = TEACHER(INPUTS)
    assert distilled(kept, objective=kd.losses.CurriculumTemperature()).step == 2


def test_cached_answers_of_every_number_type_teach_the_same():
    def first(kept):
        return distilled(kept, steps=1, batch_size=200).records[0].total

    with torch.no_grad():
        kept = TEACHER(INPUTS)
    wanted = first(TEACHER)
    for answers in (kept.numpy(), kept.double(), kept.clone().requires_grad_()):
        assert first(answers) == pytest.approx(wanted, rel=1e-5)
    for half in (kept.half(), kept.bfloat16()):
        assert first(half) == pytest.approx(wanted, rel=0.01)


def test_a_calibrated_classifier_teaches_and_is_compared():
    labels = (INPUTS[:, 0] > 0).long()
    machine = CalibratedClassifierCV(SVC(), ensemble=False).fit(INPUTS.numpy(), labels.numpy())
    table = compared(machine, net(2), (INPUTS, labels)).table
    right = (machine.predict_proba(INPUTS.numpy()).argmax(1) == labels.numpy()).mean()
    assert table.accuracy["teacher"] == pytest.approx(right) and np.isnan(table.parameters["teacher"])


# What is refused, in words ------------------------------------------------------------------------------


class Pair(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.body, self.head = nn.Linear(6, width), nn.Linear(width, 10)

    def forward(self, x):
        h = self.body(x)
        return h, self.head(h)


class KeepsItsAnswer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(6, 10)

    def forward(self, x):
        self.last = self.inner(x)
        return self.last


def asked(model):
    model(INPUTS)
    return model


def normed(how):
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 10))
    how(model[0])
    return asked(model)


def batches():
    yield DATA


def fit(labels):
    return RandomForestClassifier(3, random_state=0).fit(INPUTS.numpy(), labels)


def swept(layer):
    def make(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), layer(), nn.Linear(16, 10))

    def mixture(temperature):
        return kd.CrossEntropy() + kd.SoftTargets(temperature)

    sweep = kd.sweep({"temperature": [1.0, 4.0]}, mixture, student=make, seeds=2, steps=5)
    return sweep.finish(progress=False).table


class Boxes(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, row):
        return INPUTS[row], {"boxes": torch.rand(row + 1, 4), "labels": torch.ones(row + 1)}


# More than any machine has.
AWAY = "cuda:99"
NOT_THERE = "finds no device 'cuda:99' on this machine; there is: cpu.*Leave device out"
NORMED = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))
ODD = DataLoader(TensorDataset(INPUTS[:41], LABELS[:41]), 20)
ONE = "normalisation '1' got a batch of one sample.*drop_last=True.*larger batches.*eval mode"
BOXES = [([torch.rand(3, 8, 8)] * 4, [{"boxes": torch.rand(2, 4), "labels": torch.ones(2)}] * 4)]
TEXTS = INPUTS, np.array(["cat", "dog"] * 100)

REFUSED = {
    "boxes compared": (lambda: compared(data=BOXES), "got dictionaries.*detection is not supported"),
    "boxes diagnosed": (lambda: kd.diagnose(TEACHER, STUDENT, BOXES), "detection is not supported"),
    "boxes distilled": (lambda: distilled(data=BOXES), "detection is not supported"),
    "boxes trained": (lambda: kd.train(STUDENT, BOXES).finish(), "detection is not supported"),
    "boxes of unequal number": (
        lambda: compared(data=[(INPUTS[:2], [torch.rand(2, 4), torch.rand(3, 4)])]),
        r"such as \[\(2, 4\), \(3, 4\)\].*detection is not supported",
    ),
    "a data set of boxes": (lambda: compared(data=Boxes()), "a sample has any number of boxes"),
    "a data set of boxes distilled": (lambda: distilled(data=Boxes()), "a sample has any number of boxes"),
    "one sample and batch statistics distilled": (lambda: distilled(student=NORMED, data=ODD, steps=3), ONE),
    "one sample and batch statistics trained": (
        lambda: kd.train(NORMED, DATA, batch_size=1, steps=1).finish(),
        ONE,
    ),
    "a device that is not there distilled": (lambda: distilled(device=AWAY), NOT_THERE),
    "a device that is not there trained": (lambda: kd.train(STUDENT, DATA, device=AWAY), NOT_THERE),
    "a device that is not there, a kdviz data set": (
        lambda: kd.train(kd.models.mlp(64, 8, 10), kd.datasets.digits(), device=AWAY),
        NOT_THERE,
    ),
    "a device of no such name": (lambda: distilled(device="gpu"), "finds no device 'gpu'"),
    "texts diagnosed": (lambda: kd.diagnose(TEACHER, STUDENT, TEXTS), "LabelEncoder"),
    "texts distilled": (lambda: distilled(data=TEXTS), "LabelEncoder"),
    "texts trained": (lambda: kd.train(STUDENT, TEXTS).finish(), "LabelEncoder"),
    "a generator compared": (lambda: compared(data=batches()), "used up after one pass"),
    "a generator diagnosed": (lambda: kd.diagnose(TEACHER, STUDENT, batches()), "used up after one pass"),
    "a generator distilled": (lambda: distilled(data=batches()), "used up after one pass"),
    "other classes compared": (lambda: compared(net(16)), "keep the columns of your classes"),
    "other classes distilled": (lambda: distilled(net(16)), "keep the columns of your classes"),
    "two outputs distilled": (lambda: distilled(Pair(), Pair()), "logits=0 for the first"),
    "one of three outputs": (lambda: compared(Pair(10), Pair(10)), "logits=0 for the first"),
    "old weight norm": (lambda: distilled(student=normed(nn.utils.weight_norm)), "parametrizations"),
    "old spectral norm": (lambda: distilled(student=normed(nn.utils.spectral_norm)), "parametrizations"),
    "a kept answer": (lambda: distilled(student=asked(KeepsItsAnswer())), "must be detached"),
    "a scripted student": (
        lambda: distilled(student=torch.jit.script(net())),
        "Hand in the module that it was scripted from",
    ),
    "a teacher of one's own data": (lambda: kd.teacher(DATA), r"kdviz.train\(model, data\)"),
    "an explorer of one's own data": (
        lambda: kd.explorers.soft_targets(TEACHER, STUDENT, DATA),
        "must be a kdviz data set",
    ),
    "data that are a number": (lambda: distilled(data=3), "a DataLoader"),
    "a list of lists as teacher": (lambda: distilled(LABELS.tolist()), "or logits; got list"),
    "classes by name": (
        lambda: compared(fit(np.array(list("abcdefghij"))[LABELS.numpy()])),
        "LabelEncoder",
    ),
    "two questions at once": (
        lambda: compared(fit(np.stack([LABELS, LABELS], 1))),
        "one estimator for each",
    ),
    "without gradients": (torch.no_grad()(lambda: distilled()), "does not depend on the student's weights"),
    "batch statistics in a stack": (lambda: swept(lambda: nn.BatchNorm1d(16)), "Use GroupNorm or LayerNorm"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_what_to_do(name):
    call, words = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=words):
        call()


def test_an_output_that_is_not_said_is_a_finding():
    assert kd.diagnose(Pair(), Pair(), DATA).names[:2] == ["teacher_stops", "student_stops"]


def test_the_doctor_names_the_layer_that_needs_two_samples():
    student = copy.deepcopy(NORMED).train()
    # Every step of 41 samples in twenties is right, but for the last one.
    for data, names in (
        (DataLoader(ODD.dataset, 20, drop_last=True), []),
        (DataLoader(ODD.dataset, 19), []),
        (ODD, ["lone_sample"]),
        (DataLoader(TensorDataset(*DATA), 1), ["step_fails", "lone_sample"]),
    ):
        optimizer = torch.optim.SGD(student.parameters(), 0.1)
        step = loss_step(right_loss)
        found = kd.diagnose(TEACHER, student, data, step=step, optimizer=optimizer)
        told = [*found.names, *(one.name for one in found.questions)]
        assert [name for name in told if name != "teacher_miscalibrated"] == names, str(found)
        assert bool(names) == bool(re.search(ONE, " ".join(str(found).split())))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, pickle.dumps, lambda run: torch.save(run, "a")])
def test_a_run_is_not_copied_but_saved(how, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stages = kd.schemes.born_again([kd.models.mlp(64, 8, 10)] * 2, kd.datasets.digits(), steps=1)
    for run in (distilled(), stages):
        with pytest.raises(TypeError, match=r"run.save\(folder\).*kdviz.load_run\(folder, run\)"):
            how(run)


def test_dropout_trains_in_a_stack():
    table = swept(lambda: nn.Dropout(0.2))
    assert (table.problem == "").all() and len(table) == 4
