"""The doctor: every planted fault is found by its name, and ten healthy set-ups pass clean."""

import copy
import random

import numpy as np
import pytest
import setups
import torch
from setups import (
    CLASSES,
    SOFT_WEIGHT,
    TEMPERATURE,
    Named,
    Pair,
    Residual,
    Transformer,
    conv,
    good_step,
    healthy,
    loss_step,
    made,
    mlp,
    pictures,
    points,
    sentences,
    trained,
)
from sklearn.ensemble import RandomForestClassifier
from torch import nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, mse_loss, softmax
from torch.utils.data import DataLoader, TensorDataset

import kdviz as kd
from kdviz.inputs.models import outputs_of as class_logits


def diagnosed(setup):
    teacher, student, data = (setup.pop(name) for name in ("teacher", "student", "data"))
    return kd.diagnose(teacher, student, data, **setup)


def soft(logits, answers, temperature=TEMPERATURE, reduction="batchmean"):
    log_p = log_softmax(logits / temperature, 1)
    return kl_div(log_p, softmax(answers / temperature, 1), reduction=reduction) * temperature**2


def mixed(hard_weight, soft_term):
    return loss_step(lambda z, t, y: hard_weight * cross_entropy(z, y) + soft_term(z, t))


def with_end(end, make=torch.optim.SGD, **settings):
    """Hinton's step, whose last lines are ``end(teacher, student, optimizer, loss)``."""

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        logits = student(inputs)
        loss = 0.1 * cross_entropy(logits, labels) + 0.9 * soft(logits, answers)
        end(teacher, student, optimizer, loss)
        return loss

    setup = healthy(step=step)
    optimizer = make(setup["student"].parameters(), **{"lr": 0.01, **settings})
    return {**setup, "optimizer": optimizer}


def zeroed_at_the_end(teacher, student, optimizer, loss):
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def clipped(teacher, student, optimizer, loss):
    student.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(student.parameters(), 0.1)
    optimizer.step()


class EverySecond:
    """Gradients of two batches, then a step of the optimizer, in the first call or in the second."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, teacher, student, optimizer, loss):
        (loss / 2).backward()
        self.calls += 1
        if self.calls % 2 == 0:
            optimizer.step()
            optimizer.zero_grad()


# Healthy set-ups -------------------------------------------------------------------------------------


def table():
    return healthy(objective=0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4))


def images(build, objective=None):
    inputs, labels = pictures()
    student = made(build, 4, seed=1).train()
    return healthy(
        teacher=trained(made(build, 12), inputs, labels),
        student=student,
        data=DataLoader(TensorDataset(inputs, labels), batch_size=40, shuffle=True),
        optimizer=torch.optim.Adam(student.parameters()),
        objective=objective,
    )


def text():
    inputs, labels = sentences()
    student = made(Transformer, 8, seed=1).train()
    return healthy(
        teacher=trained(made(Transformer, 32), inputs, labels),
        student=student,
        data=DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True),
        optimizer=torch.optim.AdamW(student.parameters()),
    )


def by_name():
    """Batches are dictionaries; one model answers with a dictionary, the other with an object."""
    inputs, labels = sentences()
    rows = [{"input_ids": x, "labels": y} for x, y in zip(inputs, labels, strict=True)]
    student = made(Named, 8, seed=1).train()

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(**inputs).logits
        loss = 0.5 * cross_entropy(student(**inputs)["logits"], labels)
        loss = loss + 0.5 * soft(student(**inputs)["logits"], answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return healthy(
        teacher=trained(made(Named, 32, True), {"input_ids": inputs}, labels),
        student=student,
        data=DataLoader(rows, batch_size=32, shuffle=True),
        step=step,
        optimizer=torch.optim.AdamW(student.parameters()),
    )


def tuples_and_no_step():
    inputs, labels = points()
    return {
        "teacher": trained(made(Pair, 32), inputs, labels),
        "student": made(Pair, 8, seed=1),
        "data": (inputs, labels),
        "objective": lambda z, t, y: 0.3 * cross_entropy(z, y) + 0.7 * soft(z, t, 2.0),
        "logits": 0,
        "runs": {"distilled": [91.0, 92.5, 90.8, 92.0, 91.9], "baseline": [89.0, 90.1, 89.2, 90.0, 90.3]},
    }


def forest():
    inputs, labels = points()
    estimator = RandomForestClassifier(30, max_depth=4, random_state=0).fit(inputs.numpy(), labels.numpy())
    return healthy(
        teacher=estimator,
        step=lambda teacher, student, inputs, labels: soft(student(inputs), teacher(inputs)),
    )


def cache():
    inputs, labels = points()
    teacher = healthy()["teacher"]
    with torch.no_grad():
        logits = teacher(inputs).half().float()

    def step(student, optimizer, inputs, labels, teacher_logits):
        loss = 0.2 * cross_entropy(student(inputs), labels) + 0.8 * soft(student(inputs), teacher_logits)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    data = DataLoader(TensorDataset(inputs, labels, torch.arange(len(labels))), batch_size=32, shuffle=True)
    return healthy(teacher=teacher, data=data, step=step, cached_logits=logits)


def hint():
    """A regressor of the step's own, which the optimizer holds."""
    setup = images(conv)
    regressor = nn.Conv2d(4, 12, 1)
    setup["optimizer"].add_param_group({"params": regressor.parameters()})

    def step(teacher, student, inputs, labels):
        with torch.no_grad():
            theirs = teacher[:3](inputs)
        return cross_entropy(student(inputs), labels) + mse_loss(regressor(student[:3](inputs)), theirs)

    return {**setup, "step": step}


def kdviz_digits():
    digits = kd.datasets.digits(labels=100, seed=0)
    teacher = trained(kd.models.convnet(8, 16), digits.train.inputs, digits.train.labels)
    return {
        "teacher": teacher,
        "student": kd.models.convnet(4, 8, seed=1),
        "data": digits,
        "objective": kd.CrossEntropy()
        + 0.5 * kd.SoftTargets(temperature=4)
        + kd.Hint("activation1", adapter="convolution"),
    }


def different_scaling():
    """The teacher was trained on inputs of another scale, and gets them so."""

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs * 2 - 1)
        loss = soft(student(inputs), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return healthy(step=step)


def accumulated():
    """A quarter of each batch's loss, as gradient accumulation over four batches has it."""
    setup = table()

    def step(teacher, student, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        logits = student(inputs)
        return (0.1 * cross_entropy(logits, labels) + 0.9 * soft(logits, answers)) / 4

    return {**setup, "step": step}


def half_precision():
    """Both models run in bfloat16; their loss in single precision."""
    setup = table()

    def step(teacher, student, optimizer, inputs, labels):
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                answers = teacher(inputs)
            logits = student(inputs)
        logits, answers = logits.float(), answers.float()
        loss = 0.1 * cross_entropy(logits, labels) + 0.9 * soft(logits, answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return {**setup, "step": step}


class Pairs(torch.utils.data.Sampler):
    """A batch sampler of the reader's own, which takes samples from both ends."""

    def __iter__(self):
        return iter([[place, 239 - place] for place in range(0, 120)])

    def __len__(self):
        return 120


def own_batches():
    inputs, labels = points()
    return healthy(data=DataLoader(TensorDataset(inputs, labels), batch_sampler=Pairs()))


HEALTHY = {
    "gradients zeroed at the end": lambda: with_end(zeroed_at_the_end, momentum=0.9),
    "gradients zeroed by the student, and clipped": lambda: with_end(clipped, torch.optim.Adam),
    "a step of the optimizer every second batch": lambda: with_end(EverySecond(0)),
    "the same, from the first batch on": lambda: with_end(EverySecond(1)),
    "gradient accumulation": accumulated,
    "bfloat16": half_precision,
    "a batch sampler of one's own": own_batches,
    "an MLP on a table": table,
    "a conv net": lambda: images(conv, 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(temperature=4)),
    "a ResNet": lambda: images(Residual),
    "a transformer on text": text,
    "inputs by name, a dictionary and an object": by_name,
    "tuples, a loss and runs, no step": tuples_and_no_step,
    "a forest as teacher": forest,
    "a cache with row numbers": cache,
    "a hint with a regressor": hint,
    "kdviz's own digits and objective": kdviz_digits,
    "another scaling for the teacher": different_scaling,
    "the same, in two optimizer steps": lambda: healthy(
        step=loss_step(lambda z, t, y: cross_entropy(z, y) + 2 * mse_loss(z, t))
    ),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_set_ups_pass_clean(name):
    found = diagnosed(HEALTHY[name]())
    assert found.names == [], str(found)
    assert len(found.passed) >= 12


# Planted faults --------------------------------------------------------------------------------------


def with_teacher(change):
    setup = healthy()
    setup["teacher"] = change(setup["teacher"]) or setup["teacher"]
    return setup


def with_student(change):
    setup = healthy()
    change(setup["student"])
    return setup


def detached():
    def step(teacher, student, optimizer, inputs, labels):
        logits = student(inputs)
        loss = 0.1 * cross_entropy(logits, labels) + 0.9 * soft(
            logits.detach().requires_grad_(), teacher(inputs).detach()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return healthy(step=step)


def compared_with_itself():
    def step(teacher, student, inputs, labels):
        logits = student(inputs)
        return cross_entropy(logits, labels) + soft(logits, student(inputs).detach())

    return healthy(step=step)


def learns_from_itself(cut):
    """A step that runs all of itself, whose loss is cut off from the student."""

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        loss = soft(cut(student, inputs), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return healthy(step=step)


def never_zeroed(teacher, student, optimizer, loss):
    loss.backward()
    optimizer.step()


def wrong_one_zeroed(teacher, student, optimizer, loss):
    teacher.zero_grad()
    never_zeroed(teacher, student, optimizer, loss)


def nothing_learned():
    def step(teacher, student, inputs, labels):
        with torch.no_grad():
            return soft(student(inputs), teacher(inputs))

    return healthy(step=step)


def teacher_learns():
    setup = healthy()
    both = [*setup["student"].parameters(), *setup["teacher"].parameters()]

    def step(teacher, student, optimizer, inputs, labels):
        loss = soft(student(inputs), teacher(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return {**setup, "step": step, "optimizer": torch.optim.SGD(both, lr=0.1)}


def train_calls_teacher_too():
    """The student holds the teacher as a part, so student.train() wakes the teacher's dropout."""

    def step(teacher, student, optimizer, inputs, labels):
        nn.ModuleList([teacher, student]).train()
        return good_step(teacher, student, optimizer, inputs, labels)

    return healthy(step=step)


def evaluated_before():
    def step(teacher, student, optimizer, inputs, labels):
        student.eval()
        return good_step(teacher, student, optimizer, inputs, labels)

    return healthy(step=step)


def augmented_twice():
    setup = images(conv)

    def view(inputs):
        return torch.stack([image.roll(random.randrange(8), -1).flip(-2) for image in inputs])

    def step(teacher, student, inputs, labels):
        with torch.no_grad():
            answers = teacher(view(inputs))
        return soft(student(inputs), answers)

    return {**setup, "step": step}


def shuffled_cache(with_rows):
    setup = cache()
    inputs, labels = points()
    if with_rows:
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(3))
        setup["cached_logits"] = setup["cached_logits"][order]
        return setup
    setup["data"] = DataLoader(TensorDataset(inputs, labels), batch_size=32, shuffle=True)
    return {**setup, "step": None}


def other_optimizer(**settings):
    setup = healthy()
    of = settings.pop("of", setup["student"])
    return {**setup, "optimizer": torch.optim.SGD(of.parameters(), **{"lr": 0.1, **settings})}


def list_of_regressors():
    """A log-variance in a plain list, as one public implementation of VID keeps it."""
    variances = [torch.zeros(CLASSES, requires_grad=True)]

    def step(teacher, student, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        log_variance = variances[0]
        return ((student(inputs) - answers) ** 2 / log_variance.exp() + log_variance).mean()

    return healthy(step=step)


def sorted_labels():
    inputs, labels = points()
    order = labels.argsort()
    return healthy(data=DataLoader(TensorDataset(inputs[order], labels[order]), batch_size=16))


def no_data():
    inputs, labels = points(count=8)
    return healthy(data=DataLoader(TensorDataset(inputs, labels), batch_size=32, drop_last=True))


def spoiled_inputs():
    inputs, labels = points()
    inputs[3, 2] = float("nan")
    return healthy(data=(inputs, labels))


def wrong_labels():
    inputs, labels = points()
    return healthy(data=(inputs, labels + 1), step=None)


def renumbered():
    class Renumbered(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x).roll(1, 1)

    return with_teacher(Renumbered)


def scaled(factor):
    class Scaled(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return factor * self.inner(x)

    return Scaled


def overconfident():
    inputs, labels = points(count=600)
    noisy = torch.where(
        torch.rand(600, generator=torch.Generator().manual_seed(0)) < 0.5, labels.roll(1), labels
    )
    return with_teacher(scaled(10.0)) | {"data": (inputs, noisy), "step": None}


def untrained_teacher():
    return healthy(teacher=made(mlp, 32, seed=7).eval())


def with_nan(model):
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")


def with_objective(objective, build=None):
    setup = kdviz_digits()
    return {**setup, "objective": objective, **(build or {})}


class TwiceReLU(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten, self.first, self.relu = nn.Flatten(), nn.Linear(64, 8), nn.ReLU()
        self.second, self.head = nn.Linear(8, 8), nn.Linear(8, 10)

    def forward(self, x):
        return self.head(self.relu(self.second(self.relu(self.first(self.flatten(x))))))


def hint_on(layer, teacher_layer=None, student=None):
    objective = kd.CrossEntropy() + kd.Hint(layer, teacher_layer, adapter="linear")
    setup = with_objective(objective)
    setup["teacher"] = trained(
        kd.models.mlp(64, 32, 32, 32, 10), setup["data"].train.inputs, setup["data"].train.labels
    )
    setup["student"] = student or kd.models.mlp(64, 8, 8, 8, 10, seed=1)
    return setup


def dead_layer():
    student = kd.models.mlp(64, 8, 8, 8, 10, seed=1)
    with torch.no_grad():
        student.hidden2.bias.fill_(-100.0)
    return hint_on("activation2", student=student)


def claimed(temperature=TEMPERATURE):
    return (1 - SOFT_WEIGHT) * kd.CrossEntropy() + SOFT_WEIGHT * kd.SoftTargets(temperature=temperature)


def shared_weights():
    setup = healthy()
    setup["student"][0] = setup["teacher"][0]
    return {**setup, "step": None, "optimizer": None}


NARROW = 0.1 * kd.CrossEntropy() + 0.9 * kd.Hint("activation1")

FAULTS = {
    # The soft term.
    "student detached": (detached, "teacher_has_no_effect"),
    "compared with itself": (compared_with_itself, "teacher_has_no_effect"),
    "detached in a loss alone": (
        lambda: {
            **tuples_and_no_step(),
            "objective": lambda z, t, y: cross_entropy(z, y) + soft(z.detach(), t),
        },
        "teacher_has_no_effect",
    ),
    "no gradient at all": (nothing_learned, "student_learns_nothing"),
    "student detached in a step that calls backward itself": (
        lambda: learns_from_itself(lambda student, inputs: student(inputs).detach()),
        "student_learns_nothing",
    ),
    "student asked without gradient in such a step": (
        lambda: learns_from_itself(lambda student, inputs: torch.no_grad()(student)(inputs)),
        "student_learns_nothing",
    ),
    "its numbers copied in such a step": (
        lambda: learns_from_itself(lambda student, inputs: torch.tensor(student(inputs).tolist())),
        "student_learns_nothing",
    ),
    "KLDivLoss averaged over classes, with the objective that is meant": (
        lambda: healthy(
            step=mixed(0.1, lambda z, t: 0.9 * soft(z, t, reduction="mean")), objective=claimed()
        ),
        "reduction",
    ),
    "summed over samples": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(z, t, reduction="sum")), objective=claimed()),
        "reduction",
    ),
    "T squared forgotten, with the objective that is meant": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(z, t) / TEMPERATURE**2), objective=claimed()),
        "temperature_squared",
    ),
    "another weight": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.5 * soft(z, t)), objective=claimed()),
        "other_weight",
    ),
    "another temperature": (lambda: healthy(objective=claimed(temperature=2.0)), "not_the_objective"),
    "arguments of KL exchanged": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(t, z)), objective=claimed()),
        "not_the_objective",
    ),
    "wrong sign": (lambda: healthy(step=mixed(0.5, lambda z, t: -0.5 * soft(z, t))), "soft_term_repels"),
    "soft term tiny": (lambda: healthy(step=mixed(1.0, lambda z, t: 1e-4 * soft(z, t))), "soft_term_small"),
    "soft term tiny in the objective": (
        lambda: {
            **table(),
            "step": None,
            "objective": kd.CrossEntropy() + 1e-4 * kd.SoftTargets(temperature=4),
        },
        "soft_term_small",
    ),
    "temperature on the teacher's side only": (
        lambda: healthy(step=mixed(0.1, lambda z, t: cross_entropy(z, softmax(t / 4, 1)))),
        "teacher_side_only",
    ),
    "temperature on the student's side only": (
        lambda: healthy(step=mixed(0.1, lambda z, t: cross_entropy(z / 4, softmax(t, 1)))),
        "student_side_only",
    ),
    "soft targets softmaxed twice": (
        lambda: healthy(step=mixed(0.1, lambda z, t: soft(z, softmax(t, 1)))),
        "teacher_softmaxed_twice",
    ),
    "KLDivLoss without logarithm": (
        lambda: healthy(
            step=mixed(0.1, lambda z, t: kl_div(softmax(z / 4, 1), softmax(t / 4, 1), reduction="batchmean"))
        ),
        "log_forgotten",
    ),
    "cross-entropy of probabilities": (
        lambda: healthy(step=loss_step(lambda z, t, y: cross_entropy(softmax(z, 1), y) + soft(z, t))),
        "cross_entropy_of_probabilities",
    ),
    "log of a softmax that is 0": (
        lambda: (
            with_student(lambda s: s[3].weight.data.mul_(1e4))
            | {
                "step": mixed(
                    0.1, lambda z, t: (softmax(t, 1) * (softmax(t, 1).log() - softmax(z, 1).log())).sum()
                )
            }
        ),
        "loss_not_finite",
    ),
    # The teacher.
    "teacher learns with the student": (teacher_learns, "teacher_not_frozen"),
    "teacher in the optimizer": (teacher_learns, "teacher_in_optimizer"),
    "teacher in train mode in the step": (train_calls_teacher_too, "teacher_in_training_mode"),
    "teacher in train mode as handed in": (
        lambda: with_teacher(lambda teacher: teacher.train()) | {"step": None},
        "teacher_in_training_mode",
    ),
    "teacher not trained": (untrained_teacher, "teacher_at_chance"),
    "teacher's classes in another order": (renumbered, "class_order"),
    "teacher overconfident": (overconfident, "teacher_miscalibrated"),
    "teacher answers with probabilities": (
        lambda: with_teacher(lambda teacher: nn.Sequential(teacher, nn.Softmax(1)).eval()),
        "probabilities_for_logits",
    ),
    "teacher has a broken weight": (lambda: with_teacher(with_nan), "outputs_not_finite"),
    "teacher is the student": (
        lambda: (lambda setup: {**setup, "student": setup["teacher"], "step": None, "optimizer": None})(
            healthy()
        ),
        "same_model",
    ),
    "a layer shared": (shared_weights, "same_model"),
    "another number of classes": (
        lambda: healthy(teacher=trained(made(nn.Linear, 12, 7), *points())),
        "class_mismatch",
    ),
    # The student.
    "student frozen": (lambda: with_student(lambda student: student.requires_grad_(False)), "student_frozen"),
    "student has a broken weight": (lambda: with_student(with_nan), "outputs_not_finite"),
    "student in eval mode in the step": (evaluated_before, "student_in_eval_mode"),
    "student in eval mode as handed in": (lambda: with_student(lambda s: s.eval()), "student_in_eval_mode"),
    "no optimizer step": (
        lambda: healthy(
            step=lambda teacher, student, optimizer, inputs: soft(student(inputs), teacher(inputs).detach())
        ),
        "student_stands_still",
    ),
    "zero_grad forgotten": (lambda: with_end(never_zeroed), "gradients_accumulate"),
    "zero_grad forgotten, momentum": (lambda: with_end(never_zeroed, momentum=0.9), "gradients_accumulate"),
    "zero_grad forgotten, Adam": (lambda: with_end(never_zeroed, torch.optim.Adam), "gradients_accumulate"),
    "zero_grad of the teacher": (lambda: with_end(wrong_one_zeroed), "gradients_accumulate"),
    "optimizer of another model": (lambda: other_optimizer(of=made(mlp, 8)), "optimizer_without_student"),
    "learning rate 0": (lambda: other_optimizer(lr=0.0), "learning_rate_zero"),
    "variances in a plain list": (list_of_regressors, "learned_part_left_out"),
    "a step that fails": (
        lambda: healthy(step=lambda student, inputs: student(inputs[:, :3]).sum()),
        "step_fails",
    ),
    "a step with a student of its own": (
        lambda: (lambda own: healthy(step=lambda student, inputs: own(inputs).sum()))(made(mlp, 8)),
        "student_not_used",
    ),
    # The data.
    "two augmentations": (augmented_twice, "other_inputs"),
    "a cache in another order": (lambda: shuffled_cache(True), "cache_order"),
    "a cache and a shuffling loader": (lambda: shuffled_cache(False), "cache_order"),
    "a cache of another teacher": (
        lambda: {
            **cache(),
            "cached_logits": torch.randn(240, CLASSES, generator=torch.Generator().manual_seed(1)),
        },
        "cache_stale",
    ),
    "a cache and a batch sampler of one's own": (
        lambda: {**own_batches(), "cached_logits": cache()["cached_logits"], "step": None},
        "cache_order",
    ),
    "a loss summed over the samples": (
        lambda: healthy(
            step=loss_step(
                lambda z, t, y: 0.1 * cross_entropy(z, y, reduction="sum") + 0.9 * soft(z, t, reduction="sum")
            ),
            objective=claimed(),
        ),
        "reduction",
    ),
    "a cache that is too short": (
        lambda: (lambda setup: {**setup, "cached_logits": setup["cached_logits"][:200], "step": None})(
            cache()
        ),
        "cache_length",
    ),
    "sorted by class": (sorted_labels, "sorted_batches"),
    "no data": (no_data, "empty_data"),
    "NaN in the inputs": (spoiled_inputs, "inputs_not_finite"),
    "labels from 1": (wrong_labels, "labels_out_of_range"),
    # Layers.
    "a layer that is not there": (lambda: hint_on("activation9"), "layer_unknown"),
    "a layer that runs twice": (lambda: hint_on("relu", "activation2", TwiceReLU()), "layer_runs_twice"),
    "a dead layer": (dead_layer, "layer_dead"),
    "depths that do not go together": (lambda: hint_on("activation1", "activation3"), "layer_depths"),
    "unequal widths": (lambda: with_objective(NARROW), "objective_fails"),
    # The runs.
    "a gain within the noise": (
        lambda: healthy(runs={"distilled": [90, 92, 89, 91, 93], "baseline": [91, 91, 90, 90, 92]}),
        "gain_within_noise",
    ),
    "two seeds": (lambda: healthy(runs={"distilled": [90, 92], "baseline": [88, 90]}), "few_seeds"),
    "worse than labels alone": (
        lambda: healthy(runs={"distilled": [88, 88, 87, 89, 88], "baseline": [91, 91, 90, 91, 92]}),
        "distillation_harms",
    ),
    "runs that are the same": (
        lambda: healthy(runs={"distilled": [90.0, 91.0, 92.0], "baseline": [90.0, 91.0, 92.0]}),
        "runs_identical",
    ),
}
# Faults that may be meant so, unless an objective says what is.
QUESTIONS = {
    "KLDivLoss averaged over classes": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(z, t, reduction="mean"))),
        "reduction",
    ),
    "KLDivLoss summed": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(z, t, reduction="sum"))),
        "reduction",
    ),
    "T squared forgotten": (
        lambda: healthy(step=mixed(0.1, lambda z, t: 0.9 * soft(z, t) / TEMPERATURE**2)),
        "temperature_squared",
    ),
}
# What a fault brings with it, and is right to be named too.
ALSO = {
    "compared with itself": {"teacher_has_no_effect"},
    "teacher learns with the student": {"teacher_in_optimizer"},
    "teacher in the optimizer": {"teacher_not_frozen"},
    "learning rate 0": {"student_stands_still"},
    "optimizer of another model": {"student_stands_still"},
    "NaN in the inputs": {"outputs_not_finite", "loss_not_finite"},
    "teacher has a broken weight": {"loss_not_finite"},
    "student has a broken weight": {"loss_not_finite"},
    "another number of classes": {"step_fails"},
    "student frozen": {"student_learns_nothing"},
    "log of a softmax that is 0": {"soft_term_small"},
    # Eight units where the layer after it wants as many as it had.
    "a layer shared": {"student_stops"},
}


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", FAULTS)
def test_planted_faults_are_found_by_name(name):
    build, expected = FAULTS[name]
    found = diagnosed(build())
    assert expected in found.names, str(found)
    assert set(found.names) - {expected} <= ALSO.get(name, set()), str(found)
    for finding in found.findings:
        assert finding.what and finding.fix
        assert any(sign.isdigit() for sign in finding.evidence) or finding.name == "step_fails", finding


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize("name", QUESTIONS)
def test_what_may_be_meant_so_is_a_question(name):
    build, expected = QUESTIONS[name]
    found = diagnosed(build())
    assert found.names == [] and [one.name for one in found.questions] == [expected], str(found)
    asked = found.questions[0]
    assert asked.what.endswith(("?", ".")) and "they would sum to 1" in asked.evidence
    assert "is that meant?" in str(found)


def test_a_student_cut_off_in_a_step_of_its_own_is_called_detached():
    found = diagnosed(FAULTS["student detached in a step that calls backward itself"][0]())
    assert "it is detached from the loss" in found.findings[0].what
    frozen = diagnosed(FAULTS["student frozen"][0]())
    assert frozen.names == ["student_frozen", "student_learns_nothing"]
    assert "detached" not in frozen.findings[1].what


def test_gradients_gathered_over_two_batches_are_no_finding():
    found = {check.name: check.evidence for check in diagnosed(with_end(EverySecond(0))).passed}
    assert (
        found["student_stands_still"] == "0 of 4 parameters change in the first step, but they do within 16"
    )


# What it leaves alone, and what it refuses -----------------------------------------------------------


def everything(setup):
    state = {f"teacher.{k}": v.clone() for k, v in setup["teacher"].state_dict().items()}
    state |= {f"student.{k}": v.clone() for k, v in setup["student"].state_dict().items()}
    state |= {f"gradient.{n}": w.grad.clone() for n, w in setup["student"].named_parameters()}
    for place, held in enumerate(setup["optimizer"].state_dict()["state"].values()):
        state |= {f"optimizer.{place}.{k}": torch.as_tensor(v).clone() for k, v in held.items()}
    return state


def test_nothing_of_the_readers_changes():
    setup = images(conv)
    inputs, labels = pictures()
    teacher, student, optimizer = (setup[name] for name in ("teacher", "student", "optimizer"))
    good_step(teacher, student, optimizer, inputs[:40], labels[:40])
    modes = [module.training for module in [*teacher.modules(), *student.modules()]]
    before, drawn = (
        everything(setup),
        (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()),
    )

    def careless(teacher=teacher, student=student):
        raise AssertionError

    def step(student, inputs, labels):
        # It also moves the models that the reader has outside, which must be undone.
        teacher.train()(inputs)
        loss = cross_entropy(setup["student"](inputs), labels) + cross_entropy(student(inputs), labels)
        loss.backward()
        optimizer.step()
        torch.rand(3), np.random.rand(3), random.random()
        return loss

    for one in (good_step, step):
        kd.diagnose(teacher, student, setup["data"], step=one, optimizer=optimizer)
        after = everything(setup)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert modes == [module.training for module in [*teacher.modules(), *student.modules()]]
        assert torch.equal(drawn[0], torch.get_rng_state())
        assert (drawn[1] == np.random.get_state()[1]).all() and drawn[2] == random.getstate()


def test_the_form_of_a_loss_is_read_off_with_its_weights_and_temperature():
    found = diagnosed(healthy(step=mixed(0.25, lambda z, t: 0.75 * soft(z, t, 3.0))))
    assert "0.25 × cross-entropy + 0.75 × soft targets at T = 3" in " ".join(str(found).split())


def test_what_is_not_handed_in_is_named_as_not_checked():
    setup = healthy(step=None, optimizer=None)
    found = diagnosed(setup)
    missing = " ".join(check.missing for check in found.unchecked)
    for word in ("step=", "objective=", "optimizer=", "cached_logits=", "runs="):
        assert word in missing
    assert str(found).startswith("Nothing was found.")


def test_a_teacher_of_whom_only_the_logits_are_left():
    setup = {**cache(), "teacher": None}
    setup["data"] = DataLoader(setup["data"].dataset, batch_size=32)
    assert diagnosed(setup).names == []


@pytest.mark.parametrize(
    "changes, kind, words",
    [
        ({"teacher": "resnet"}, TypeError, "torch.nn.Module"),
        ({"teacher": None}, TypeError, "cached_logits"),
        ({"data": iter([])}, TypeError, "more than once"),
        ({"data": 3}, TypeError, "DataLoader"),
        ({"step": lambda model, batch: None}, TypeError, "`student`"),
        ({"optimizer": "adam"}, TypeError, "torch.optim.Optimizer"),
        ({"cached_logits": torch.zeros(3)}, ValueError, "one row for each sample"),
        ({"runs": [1, 2]}, ValueError, "'distilled'"),
        ({"runs": {"distilled": [1, 2], "baseline": [1]}}, ValueError, "both lists"),
        ({"data": (torch.zeros(3, 12), torch.eye(4)[:3]), "step": None}, TypeError, "argmax"),
    ],
)
def test_bad_input_is_refused_in_words(changes, kind, words):
    with pytest.raises(kind, match=words.replace("[", r"\[")):
        diagnosed(healthy(**changes))


class Remembering(nn.Linear):
    """Keeps what it computed, graph and all: such a module cannot be copied."""

    def forward(self, x):
        self.last = super().forward(x)
        return self.last


def test_models_that_cannot_be_copied_are_looked_at_all_the_same():
    inputs, labels = points()
    student = Remembering(12, CLASSES)
    student(inputs)
    last, kept = student.last, student.last.detach().clone()
    optimizer = torch.optim.SGD(student.parameters(), 0.1)
    found = kd.diagnose(healthy()["teacher"], student, (inputs, labels), step=good_step, optimizer=optimizer)
    assert found.findings == () and len(found.passed) > 20, str(found)
    assert student.last is last and torch.equal(last, kept)
    # Not even the graph of what was computed before is spoiled.
    last.sum().backward()


def test_a_scikit_teacher_gives_its_probabilities_back():
    inputs, labels = points()
    estimator = RandomForestClassifier(10, random_state=0).fit(inputs.numpy(), labels.numpy())
    logits = class_logits(kd.study.SklearnTeacher(estimator, floor=1e-6), inputs)
    np.testing.assert_allclose(logits.softmax(1), estimator.predict_proba(inputs.numpy()), atol=1e-5)
    with pytest.raises(ValueError, match="not fitted"):
        kd.study.SklearnTeacher(RandomForestClassifier())
    with pytest.raises(ValueError, match="numbered 0 to"):
        kd.study.SklearnTeacher(RandomForestClassifier(2).fit(inputs.numpy(), labels.numpy() + 1))


def test_copies_share_what_the_originals_share():
    setup = healthy()
    from kdviz.study.sandbox import copies

    student, optimizer = copies(setup["student"], setup["optimizer"])
    assert optimizer.param_groups[0]["params"][0] is student[0].weight
    assert student[0].weight is not setup["student"][0].weight
    assert copy.deepcopy(setups.TEMPERATURE) == TEMPERATURE


def test_a_term_that_learns_its_temperature_is_not_held_against_what_it_was_at_the_start():
    objective = 0.1 * kd.CrossEntropy() + 0.9 * kd.losses.CurriculumTemperature()
    theta = torch.tensor(3.0, requires_grad=True)

    def step(teacher, student, optimizer, inputs, labels):
        with torch.no_grad():
            answers = teacher(inputs)
        learned = {"curriculum_temperature": {"theta": theta}}
        loss, _ = objective(student(inputs), answers, labels, learned)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    given = healthy()
    student = given["student"]
    optimizer = torch.optim.Adam([*student.parameters(), theta], 1e-3)
    found = kd.diagnose(
        given["teacher"], student, given["data"], step=step, optimizer=optimizer, objective=objective
    )
    assert found.findings == (), str(found)
    assert "curriculum_temperature does depends on how far" in str(found).replace("\n      ", " ")
