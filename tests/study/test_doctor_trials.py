"""The trials in which the doctor was wrong or blind once: healthy steps it accused, and faults it passed."""

import pytest
import torch
from random_setups import build, inputs_for, trained
from setups import loss_step, made
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.losses import response

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(300, 6, generator=GENERATOR)
T = 4.0


def net(classes=3, width=8, seed=0):
    return nn.Sequential(
        made(nn.Linear, 6, width, seed=seed), nn.ReLU(), made(nn.Linear, width, classes, seed=seed)
    )


def labels_of(classes):
    with torch.no_grad():
        scores = net(classes, 16, seed=5)(INPUTS)
    return ((scores - scores.mean(0)) / scores.std(0)).argmax(1)


def pair(classes=3):
    labels = labels_of(classes)
    noisy = torch.where(
        torch.rand(300, generator=torch.Generator().manual_seed(1)) < 0.15, labels.roll(1), labels
    )
    teacher = trained(net(classes, 32), INPUTS, noisy, steps=80)
    student = net(classes, seed=1).train()
    return teacher, student, noisy, torch.optim.SGD(student.parameters(), 0.1)


def loader(labels, size=50):
    return DataLoader(TensorDataset(INPUTS, labels), size, shuffle=True)


def diagnosed(step, classes=3, **given):
    teacher, student, labels, optimizer = pair(classes)
    return kd.diagnose(teacher, student, loader(labels), step=step, optimizer=optimizer, **given)


def weighted(a, b, scale=1.0):
    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            q = teacher(inputs)
        z = student(inputs)
        soft = F.kl_div((z / T).log_softmax(1), (q / T).softmax(1), reduction="batchmean")
        loss = (a * F.cross_entropy(z, labels) + b * T * T * soft) * scale
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


# Healthy ---------------------------------------------------------------------------------------------


def accumulating(every):
    count = [0]

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            q = teacher(inputs)
        z = student(inputs)
        soft = F.kl_div((z / T).log_softmax(1), (q / T).softmax(1), reduction="batchmean")
        loss = (F.cross_entropy(z, labels) + T * T * soft) / every
        loss.backward()
        count[0] += 1
        if count[0] % every == 0:
            optimizer.step()
            optimizer.zero_grad()
        return loss

    return step


# (classes, step): the weights sum to 1 only with a factor C or T², by a coincidence of arithmetic.
COINCIDENCES = {
    "four batches, 3 classes": (3, lambda: accumulating(4)),
    "two batches of halves, 3 classes": (3, lambda: weighted(0.5, 0.5, 0.5)),
    "four batches of halves, 7 classes": (7, lambda: weighted(0.5, 0.5, 0.25)),
    "own weights": (3, lambda: weighted(0.2, 0.05)),
    "fives": (3, lambda: weighted(1.0, 1.0, 0.2)),
}


@pytest.mark.parametrize("name", COINCIDENCES)
def test_weights_that_sum_to_one_only_with_a_factor_are_at_most_a_question(name):
    classes, make = COINCIDENCES[name]
    found = diagnosed(make(), classes)
    assert found.names == [], str(found)
    assert {one.name for one in found.questions} <= {"reduction", "temperature_squared"}


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_an_objective_answers_the_question(scale):
    """The same step, with what is meant: nothing is asked any more, also where gradients are gathered."""
    meant = 0.2 * kd.CrossEntropy() + 0.05 * kd.SoftTargets(temperature=T)
    found = diagnosed(weighted(0.2, 0.05, scale), objective=meant)
    assert found.names == [] and found.questions == (), str(found)


class Trainer:
    """Owns its models and its optimizer, and is no function of them."""

    def __init__(self, teacher, student, optimizer):
        self.teacher, self.student, self.optimizer, self.losses = teacher, student, optimizer, []

    def step(self, batch):
        with torch.no_grad():
            q = self.teacher(batch[0])
        z = self.student(batch[0])
        loss = F.kl_div(z.log_softmax(1), q.softmax(1), reduction="batchmean")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(float(loss.detach()))
        return loss


@pytest.mark.parametrize("form", ["method", "lambda", "student too"])
def test_a_trainer_that_holds_its_models_is_watched(form):
    teacher, student, labels, optimizer = pair()
    trainer = Trainer(teacher, student, optimizer)
    before = {name: part.clone() for name, part in student.state_dict().items()}
    step = {
        "method": trainer.step,
        "lambda": lambda batch: trainer.step(batch),
        "student too": lambda student, batch: trainer.step(batch),
    }[form]
    found = kd.diagnose(teacher, student, loader(labels), step=step, optimizer=optimizer)
    assert found.names == [], str(found)
    assert {"form_of_the_loss", "student_stands_still", "gradients_accumulate"} <= {
        one.name for one in found.passed
    }
    assert trainer.losses == []
    assert all(torch.equal(part, before[name]) for name, part in student.state_dict().items())


def test_a_trainer_with_other_models_is_said_to_have_them():
    teacher, student, labels, optimizer = pair()
    own = net(seed=7)
    trainer = Trainer(teacher, own, torch.optim.SGD(own.parameters(), 0.1))
    found = kd.diagnose(teacher, student, loader(labels), step=trainer.step, optimizer=optimizer)
    assert found.names == ["student_not_used"], str(found)


@pytest.mark.parametrize("handed", ["as optimizers", "in a list", "not at all"])
def test_a_regressor_with_an_optimizer_of_its_own_is_no_fault(handed):
    teacher, student, labels, optimizer = pair()
    regressor = nn.Linear(8, 32)
    second = torch.optim.Adam(regressor.parameters())

    def step(teacher, student, inputs, labels, optimizer):
        with torch.no_grad():
            theirs = teacher[:2](inputs)
        loss = F.cross_entropy(student(inputs), labels) + F.mse_loss(regressor(student[:2](inputs)), theirs)
        optimizer.zero_grad()
        second.zero_grad()
        loss.backward()
        optimizer.step()
        second.step()
        return loss

    given = {
        "as optimizers": {"optimizer": optimizer, "optimizers": [second]},
        "in a list": {"optimizer": [optimizer, second]},
        "not at all": {"optimizer": optimizer},
    }[handed]
    found = kd.diagnose(teacher, student, loader(labels), step=step, **given)
    assert found.names == [], str(found)


def test_a_step_that_calls_parts_of_the_student_is_read_at_its_last_layer():
    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            q = teacher(inputs)
        z = student[2:](student[:2](inputs))
        loss = 0.3 * F.cross_entropy(z, labels) + 0.7 * 16 * F.kl_div(
            (z / T).log_softmax(1), (q / T).softmax(1), reduction="batchmean"
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    found = diagnosed(step)
    assert found.names == [], str(found)
    assert "0.3 × cross-entropy + 0.7 × soft targets at T = 4" in " ".join(str(found).split())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("temperature", [4.0, 20.0])
def test_autocast_with_kdvizs_own_losses_is_not_called_another_objective(kind, temperature):
    def step(teacher, student, optimizer, inputs, labels):
        optimizer.zero_grad()
        with torch.autocast("cpu", kind):
            with torch.no_grad():
                t = teacher(inputs)
            s = student(inputs)
            loss = 0.1 * response.cross_entropy(s, labels) + 0.9 * response.soft_targets(s, t, temperature)
        loss.backward()
        optimizer.step()
        return loss

    found = diagnosed(step, objective=0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature))
    assert found.names == [], str(found)


def test_a_gradient_scaler_is_no_weight():
    """Its scale was taken for the batch size, where the two are the same."""
    scaler = torch.amp.GradScaler("cpu", init_scale=50.0)

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            q = teacher(inputs)
        z = student(inputs)
        loss = 0.1 * F.cross_entropy(z, labels) + 0.9 * response.soft_targets(z, q, T)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss

    found = diagnosed(step, objective=0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(T))
    assert found.names == [], str(found)
    assert "× 1," in str(found) or "× 1\n" in str(found)


def test_a_class_that_is_nearly_all_the_data_is_no_alarm():
    labels = (torch.arange(300) % 60 == 0).long()
    teacher = trained(net(2, 32), INPUTS, labels, steps=300)
    found = kd.diagnose(teacher, net(2, seed=1), DataLoader(TensorDataset(INPUTS, labels), 16))
    assert found.names == [], str(found)


def test_a_student_that_agrees_with_its_teacher_still_has_a_soft_term():
    teacher, _, labels, _ = pair()
    student = net(3, 32).train()
    student.load_state_dict(teacher.state_dict())
    with torch.no_grad():
        for part in student.parameters():
            part.add_(1e-4 * torch.randn(part.shape, generator=GENERATOR))
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    found = kd.diagnose(teacher, student, loader(labels), step=weighted(0.1, 0.9), optimizer=optimizer)
    assert "soft_term_small" not in found.names, str(found)


# Missed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", ["teacher", "student"])
def test_a_model_that_cannot_answer_is_a_finding(sides):
    labels = labels_of(3)
    broken = nn.Linear(7, 3)
    models = (broken, net()) if sides == "teacher" else (net(), broken)
    found = kd.diagnose(*models, loader(labels))
    assert f"{sides}_stops" in found.names
    told = next(one for one in found.findings if one.name == f"{sides}_stops")
    assert "shapes cannot be multiplied" in told.evidence


def test_one_logit_under_a_softmax_is_a_finding():
    a, b = net(1), net(1, seed=1)
    found = kd.diagnose(a, b, INPUTS, objective=kd.SoftTargets(4.0))
    assert found.names == ["one_logit"] and "[0, z]" not in found.names
    assert "make two" in found.findings[0].fix
    optimizer = torch.optim.SGD(b.parameters(), 0.1)

    def step(teacher, student, optimizer, inputs):
        loss = response.soft_targets(student(inputs), teacher(inputs).detach(), 4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    assert "one_logit" in kd.diagnose(a, b.train(), INPUTS, step=step, optimizer=optimizer).names


def test_a_loss_that_nothing_moves_is_a_finding():
    class Nothing(nn.Module):
        """Its logits move far too little to be seen, so that a loss on them is flat."""

        def forward(self, x):
            return x[:, :3] * 0

    teacher, _, labels, _ = pair()

    class Flat(type(kd.CrossEntropy())):
        def value(self, student, teacher, labels, learned):
            return student.logits.argmax(-1).double().mean() + 0 * student.logits.sum()

    found = kd.diagnose(teacher, net(seed=1), loader(labels), objective=Flat() + 0 * kd.SoftTargets())
    assert "loss_constant" in found.names, str(found)
    assert Nothing()(INPUTS).shape == (300, 3)


def test_sigmoid_outputs_are_a_finding_and_small_logits_are_not():
    labels = labels_of(3)
    squashed = nn.Sequential(net(), nn.Sigmoid())
    found = kd.diagnose(squashed, net(seed=1), loader(labels))
    told = next(one for one in found.findings if one.name == "probabilities_for_logits")
    assert "sigmoid" in told.what

    class Positive(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = net(seed=2)

        def forward(self, x):
            return 0.5 + 0.1 * self.inner(x).tanh()

    assert "probabilities_for_logits" not in kd.diagnose(Positive(), net(seed=1), loader(labels)).names


def hooked(in_place, copied):
    teacher = nn.Sequential(nn.Linear(6, 16), nn.ReLU(in_place), nn.Linear(16, 3)).eval()
    student = nn.Sequential(nn.Linear(6, 8), nn.ReLU(in_place), nn.Linear(8, 3)).train()
    kept = {}
    for name, model in (("teacher", teacher), ("student", student)):
        model[0].register_forward_hook(
            lambda module, given, output, name=name: kept.update({name: output.clone() if copied else output})
        )
    adapter = nn.Linear(8, 16)
    optimizer = torch.optim.SGD([*student.parameters(), *adapter.parameters()], 0.1)

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            teacher(inputs)
        loss = F.cross_entropy(student(inputs), labels) + F.mse_loss(
            adapter(kept["student"]), kept["teacher"]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return kd.diagnose(teacher, student, loader(labels_of(3)), step=step, optimizer=optimizer)


@pytest.mark.parametrize(
    "in_place, copied, there", [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_layer_before_an_in_place_relu_is_found_where_a_hook_keeps_it(in_place, copied, there):
    found = hooked(in_place, copied)
    assert ("overwritten_layer" in found.names) == there, str(found)
    if there:
        told = next(one for one in found.findings if one.name == "overwritten_layer")
        assert "'0' of the teacher" in told.evidence and "'0' of the student" in told.evidence


MISSED = {
    "log_target given probabilities": (
        lambda s, t, y: (
            0.1 * F.cross_entropy(s, y)
            + 0.9
            * 16
            * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean", log_target=True)
        ),
        "log_target",
    ),
    "softmax over the samples": (
        lambda s, t, y: (
            0.1 * F.cross_entropy(s, y)
            + 0.9 * 16 * F.kl_div((s / T).log_softmax(0), (t / T).softmax(0), reduction="batchmean")
        ),
        "softmax_axis",
    ),
    "softmax twice": (
        lambda s, t, y: (
            0.1 * F.cross_entropy(s, y)
            + 0.9
            * 16
            * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1).softmax(1), reduction="batchmean")
        ),
        "teacher_softmaxed_twice",
    ),
    "temperature on the labels": (
        lambda s, t, y: (
            0.1 * F.cross_entropy(s / T, y)
            + 0.9 * 16 * F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="batchmean")
        ),
        "hard_tempered",
    ),
}


@pytest.mark.parametrize("name", MISSED)
@pytest.mark.parametrize("as_step", [True, False])
def test_what_was_missed_is_found_without_an_objective(name, as_step):
    loss, expected = MISSED[name]
    teacher, student, labels, optimizer = pair(6)
    if not as_step:
        found = kd.diagnose(teacher, student, loader(labels), objective=loss)
        assert found.names == [expected], str(found)
        return

    found = kd.diagnose(teacher, student, loader(labels), step=loss_step(loss), optimizer=optimizer)
    assert found.names == [expected], str(found)


def test_a_sum_is_a_question_that_an_objective_turns_into_a_finding():
    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            t = teacher(inputs)
        s = student(inputs)
        soft = F.kl_div((s / T).log_softmax(1), (t / T).softmax(1), reduction="sum")
        loss = 0.1 * F.cross_entropy(s, labels) + 0.9 * T * T * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    found = diagnosed(step)
    assert found.names == [] and [one.name for one in found.questions] == ["reduction"]
    assert "1 / N" in found.questions[0].evidence
    meant = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=T)
    assert diagnosed(step, objective=meant).names == ["reduction"]


def test_a_softmax_written_by_hand_over_the_wrong_axis_pulls_at_the_teacher():
    """No call gives it away, but where the student agrees with the teacher the loss still pulls."""

    def wrong(s, t, y):
        q = (t / T).exp() / (t / T).exp().sum(0)
        return 0.1 * F.cross_entropy(s, y) - (q * (s / T).log_softmax(1)).sum(1).mean()

    def right(s, t, y):
        q = (t / T).exp() / (t / T).exp().sum(1, keepdim=True)
        return 0.1 * F.cross_entropy(s, y) - (q * (s / T).log_softmax(1)).sum(1).mean()

    teacher, student, labels, _ = pair(6)
    asked = kd.diagnose(teacher, student, loader(labels), objective=wrong).questions
    assert "pulls_at_the_teacher" in [one.name for one in asked]
    assert kd.diagnose(teacher, student, loader(labels), objective=right).questions == ()


def test_forms_that_small_logits_cannot_tell_apart_are_both_named():
    """A loss of which no call is seen, at logits near 0: what it acts like may be several mistakes."""
    teacher, student, labels, _ = pair(6)
    with torch.no_grad():
        for model in (teacher, student):
            model[2].weight.mul_(0.01)
            model[2].bias.mul_(0.01)

    def by_hand(z):
        e = z.exp()
        return e / e.sum(1, keepdim=True)

    def wrong(s, t, y):
        return 0.1 * F.cross_entropy(s, y) - (by_hand(t / T) * by_hand(s / T)).sum(1).mean()

    found = kd.diagnose(teacher, student, loader(labels), objective=wrong)
    told = " ".join(one.evidence for one in found.findings)
    assert "or like" in told and "the logits do not tell which" in told, str(found)


# Other answers ---------------------------------------------------------------------------------------


def test_numbers_are_diagnosed_and_softmax_checks_are_not_made():
    numbers = INPUTS[:, :1] * 2
    teacher = trained(net(1, 32), INPUTS, numbers, F.mse_loss, steps=100)
    student = net(1, seed=1).train()
    optimizer = torch.optim.Adam(student.parameters())

    def step(teacher, student, optimizer, inputs):
        with torch.no_grad():
            q = teacher(inputs)
        loss = ((student(inputs) - q) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for data in (INPUTS, (INPUTS, numbers)):
        found = kd.diagnose(teacher, student, data, step=step, optimizer=optimizer)
        assert found.names == [], str(found)
        left = {one.name for one in found.unchecked if "of which nobody takes a softmax" in one.missing}
        assert {"probabilities_for_logits", "teacher_miscalibrated"} <= left
    found = kd.diagnose(net(1, 32, seed=9), student, (INPUTS, numbers))
    assert found.names == ["teacher_at_chance"] and "the mean" in found.findings[0].what


@pytest.mark.parametrize("kind", ["tokens", "pixels"])
def test_the_form_of_a_dense_loss_is_read_at_its_labelled_positions(kind):
    inputs = inputs_for(kind, 60, torch.Generator().manual_seed(2))
    classes = 5
    if kind == "tokens":
        labels = (inputs + inputs.roll(1, 1)) % classes
        labels[:, 8:] = -100
    else:
        labels = torch.bucketize(inputs[:, 0], torch.linspace(-1, 1, classes - 1))
        labels[:, :2] = -100
    teacher = build(kind, 16, classes, 1).eval()
    student = build(kind, 8, classes, 2).train()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)

    def rows(z):
        return (z if kind == "tokens" else z.permute(0, 2, 3, 1)).reshape(-1, classes)

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            t = rows(teacher(inputs))
        z, known = rows(student(inputs)), labels.flatten() >= 0
        z, t, y = z[known], t[known], labels.flatten()[known]
        soft = F.kl_div((z / 2).log_softmax(1), (t / 2).softmax(1), reduction="batchmean")
        loss = 0.4 * F.cross_entropy(z, y) + 0.6 * 4 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    found = kd.diagnose(teacher, student, (inputs, labels), step=step, optimizer=optimizer)
    assert {*found.names} <= {"teacher_at_chance", "teacher_miscalibrated"}, str(found)
    assert "0.4 × cross-entropy + 0.6 × soft targets at T = 2" in " ".join(str(found).split())
