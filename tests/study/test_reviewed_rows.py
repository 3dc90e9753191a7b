"""Rows of the two reviews that no other test goes through: the right value, or words that say what to do."""

import collections
import copy

import numpy as np
import pandas as pd
import pytest
import torch
from setups import made
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, SequentialSampler, TensorDataset

import kdviz as kd

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(200, 6, generator=GENERATOR)
SOFT = kd.SoftTargets(4.0)
OBJECTIVE = 0.1 * kd.CrossEntropy() + 0.9 * SOFT


def net(classes=10, width=8, seed=0, scale=1.0):
    model = nn.Sequential(
        made(nn.Linear, 6, width, seed=seed), nn.ReLU(), made(nn.Linear, width, classes, seed=seed)
    )
    with torch.no_grad():
        model[2].weight.mul_(scale)
    return model.eval()


TEACHER, STUDENT = net(width=32, scale=6.0), net(seed=1)
with torch.no_grad():
    LABELS = TEACHER(INPUTS).argmax(1)
DATA = INPUTS, LABELS


def compared(teacher=TEACHER, student=STUDENT, data=DATA, **settings):
    return kd.compare(teacher, student, data, progress=False, **settings)


def distilled(teacher=TEACHER, student=STUDENT, data=DATA, objective=SOFT, **settings):
    return kd.distill(teacher, student, data, objective, **{"steps": 2, **settings}).finish()


def soft(z, t, temperature=1.0):
    p, q = F.log_softmax(z / temperature, 1), F.softmax(t / temperature, 1)
    return temperature**2 * F.kl_div(p, q, reduction="batchmean")


def step_of(loss):
    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        value = loss(student(inputs), answers, labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        return value

    return step


def diagnosed(loss, teacher=TEACHER, data=DATA, **settings):
    student = net(seed=1).train()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    return kd.diagnose(teacher, student, data, step=step_of(loss), optimizer=optimizer, **settings)


# A teacher that masks classes by -inf -------------------------------------------------------------------


class Masked(nn.Module):
    """Never gives one of the last two classes; its dropout is for a test of modes."""

    def __init__(self, inner, dropout=0.0):
        super().__init__()
        self.inner, self.drop = inner, nn.Dropout(dropout)

    def forward(self, x):
        logits = self.drop(self.inner(x)).clone()
        logits[:, 8:] = -torch.inf
        return logits


MASKED = Masked(TEACHER).eval()
with torch.no_grad():
    KEPT = MASKED(INPUTS)
SEEN = INPUTS, KEPT.argmax(1)


@pytest.mark.parametrize("teacher", [MASKED, KEPT], ids=["model", "kept logits"])
def test_masked_classes_are_distilled_and_compared_as_by_torch(teacher):
    with torch.no_grad():
        z = STUDENT(INPUTS)
    first = distilled(teacher, data=SEEN, steps=1, batch_size=200).records[0]
    assert first.total == pytest.approx(float(soft(z, KEPT, 4.0)), rel=1e-5)
    table = compared(teacher, data=SEEN).table
    assert table.kl["student"] == pytest.approx(float(soft(z.double(), KEPT.double())), rel=1e-5)
    assert table.accuracy["teacher"] == 1


def right_loss(z, t, y):
    return 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0)


MISTAKES = {
    "none": (right_loss, []),
    "no T²": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0) / 16,
        ["temperature_squared"],
    ),
    "a mean over the classes": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z, t, 4.0) / 10,
        ["reduction"],
    ),
    "detached": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) + 0.9 * soft(z.detach(), t, 4.0),
        ["teacher_has_no_effect", "other_weight"],
    ),
    "minus": (
        lambda z, t, y: 0.1 * F.cross_entropy(z, y) - 0.9 * soft(z, t, 4.0),
        ["soft_term_repels"],
    ),
    "the hard term tempered": (
        lambda z, t, y: 0.1 * F.cross_entropy(z / 4, y) + 0.9 * soft(z, t, 4.0),
        ["hard_tempered"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_faults_beside_a_masked_class_are_found_by_name(name):
    loss, wanted = MISTAKES[name]
    found = diagnosed(loss, MASKED, SEEN, objective=OBJECTIVE)
    # The labels are its own answers, so that it is surer, or less sure, than it need be.
    assert [one for one in found.names if one != "teacher_miscalibrated"] == wanted, str(found)


def test_the_form_of_a_loss_is_read_beside_a_masked_class():
    told = " ".join(str(diagnosed(right_loss, MASKED, SEEN)).split())
    assert "0.1 × cross-entropy + 0.9 × soft targets at T = 4" in told


def test_a_masked_teacher_with_dropout_is_found_in_training_mode():
    training = Masked(copy.deepcopy(TEACHER), 0.5).train()
    assert "teacher_in_training_mode" in kd.diagnose(training, STUDENT, SEEN).names


def test_kept_logits_may_be_masked_but_not_altogether():
    order = torch.arange(200)

    def names(kept, rows):
        parts = [slice(start, start + 50) for start in range(0, 200, 50)]
        batches = [(INPUTS[part], SEEN[1][part], rows[part]) for part in parts]
        found = kd.diagnose(MASKED, STUDENT, batches, cached_logits=kept).names
        return [name for name in found if name.startswith("cache")]

    assert names(KEPT, order) == []
    assert names(KEPT, order.roll(1)) == ["cache_order"]
    nothing = KEPT.clone()
    nothing[3] = -torch.inf
    assert names(nothing, order) == ["cache_not_finite"]


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


BOXES = [([torch.rand(3, 8, 8)] * 4, [{"boxes": torch.rand(2, 4), "labels": torch.ones(2)}] * 4)]
TEXTS = INPUTS, np.array(["cat", "dog"] * 100)

REFUSED = {
    "boxes compared": (lambda: compared(data=BOXES), "labels must be numbers"),
    "boxes diagnosed": (lambda: kd.diagnose(TEACHER, STUDENT, BOXES), "labels must be numbers"),
    "boxes distilled": (lambda: distilled(data=BOXES), "labels must be numbers"),
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


def test_dropout_trains_in_a_stack():
    table = swept(lambda: nn.Dropout(0.2))
    assert (table.problem == "").all() and len(table) == 4
