"""distill and train on what people have: values worked out by hand, and everything of theirs as it was."""

import copy
import random

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier
from torch import nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    log_softmax,
    mse_loss,
    softmax,
)
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import kdviz as kd
from kdviz.schemes import own_data
from kdviz.training.updates import cosine

T = 4.0
OBJECTIVE = 0.1 * kd.CrossEntropy() + 0.9 * kd.SoftTargets(T)
SOFT = kd.SoftTargets(T)


def net(out=3, wide=8, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, wide), nn.ReLU(), nn.Linear(wide, out))


@pytest.fixture
def table():
    generator = torch.Generator().manual_seed(5)
    inputs = torch.randn(90, 6, generator=generator)
    return inputs, torch.randint(3, (90,), generator=generator)


@pytest.fixture
def pair():
    return net(wide=32, seed=1), net(seed=2)


def weights(model):
    return torch.cat([part.detach().flatten() for part in model.parameters()])


def soft(ours, theirs, temperature=T):
    p, q = log_softmax(ours / temperature, -1), softmax(theirs / temperature, -1)
    return temperature**2 * kl_div(p, q, reduction="batchmean")


def first_total(teacher, student, data, objective=OBJECTIVE, **training):
    """The loss at the first step, before anything has moved."""
    return kd.distill(teacher, student, data, objective, steps=1, **training).finish().records[0].total


class Named(Dataset):
    """What libraries of data sets give: a dictionary for each sample."""

    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return {"image": self.inputs[row], "label": int(self.labels[row])}


class Ends(Named):
    """It asks an iterator that has ended: for one sample, or before it gives a first batch."""

    def __getitem__(self, row):
        return super().__getitem__(row if row != 7 else next(iter([])))


class NeverBegins(IterableDataset):
    def __iter__(self):
        return next(iter([]))


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (Ends, "Ends. raised StopIteration where sample 7 of 90 was asked for: a next.. in its __getitem__"),
        (lambda *_: NeverBegins(), "NeverBegins. raised StopIteration where its first batch .* __iter__"),
        (lambda *_: DataLoader(NeverBegins()), "NeverBegins. raised StopIteration where its first batch"),
    ],
)
def test_data_that_asks_an_iterator_that_ended_are_named_and_nobody_else(table, pair, data, where):
    with pytest.raises(ValueError, match=where):
        kd.distill(*pair, data(*table), SOFT, steps=20).finish()
    with pytest.raises(ValueError, match=where):
        kd.train(pair[1], data(*table), steps=20).finish()


def test_a_run_is_the_loop_that_one_would_write(table, pair):
    teacher, student = pair
    batches = [tuple(part[n : n + 30] for part in table) for n in (0, 30, 60)]
    run = kd.distill(teacher, student, batches, OBJECTIVE, epochs=2, learning_rate=0.01).finish()
    own = copy.deepcopy(student)
    optimizer = torch.optim.Adam(own.parameters(), lr=0.01, fused=True)
    for step in range(6):
        inputs, labels = batches[step % 3]
        with torch.no_grad():
            answers = teacher(inputs)
        logits = own(inputs)
        loss = 0.1 * cross_entropy(logits, labels) + 0.9 * soft(logits, answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.01 * cosine(step, 6)
        optimizer.step()
    assert run.step == 6
    torch.testing.assert_close(weights(run.student), weights(own), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "form",
    [
        lambda x, y: (x, y),
        lambda x, y: (x.numpy(), y.numpy()),
        lambda x, y: (x.double(), y.to(torch.uint8)),
        lambda x, y: (pd.DataFrame(x.numpy()), pd.Series(y.numpy())),
        lambda x, y: TensorDataset(x, y),
        lambda x, y: Named(x, y),
    ],
    ids=["tensors", "arrays", "doubles and bytes", "pandas", "TensorDataset", "dictionaries"],
)
def test_what_holds_the_same_samples_trains_the_same_student(form, table, pair):
    run, same = (
        kd.distill(*pair, data, OBJECTIVE, epochs=2, batch_size=30, validation=data).finish()
        for data in (table, form(*table))
    )
    assert run.step == 6
    torch.testing.assert_close(weights(run.student), weights(same.student), rtol=0, atol=1e-6)
    assert run.records[-1].measures == same.records[-1].measures
    assert run.records[-1].measures["accuracy"] == kd.measure.accuracy(run.student(table[0]), table[1])
    theirs = kd.measure.agreement(run.student(table[0]), pair[0](table[0]))
    assert run.records[-1].measures["agreement"] == pytest.approx(theirs)


def test_teachers_that_are_no_networks(table, pair):
    inputs, labels = table
    forest = RandomForestClassifier(5, random_state=0).fit(inputs, labels)
    wrapped = kd.study.SklearnTeacher(forest)
    asked = wrapped(inputs)
    values = [
        first_total(teacher, pair[1], table, batch_size=90)
        for teacher in (forest, wrapped, asked, asked.numpy(), lambda x: wrapped(x))
    ]
    expected = 0.1 * cross_entropy(pair[1](inputs), labels) + 0.9 * soft(pair[1](inputs), asked)
    assert values == pytest.approx([float(expected)] * 5, rel=1e-5)


class TestKinds:
    """Every kind is flattened to the positions that are learned, before any loss sees it."""

    def test_tokens_without_label_or_under_the_mask_are_not_learned(self):
        class Tagger(nn.Module):
            def __init__(self, seed):
                super().__init__()
                torch.manual_seed(seed)
                self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 5)

            def forward(self, input_ids, attention_mask=None):
                return {"logits": self.head(self.embed(input_ids))}

        teacher, student = Tagger(1), Tagger(2)
        tokens = torch.randint(20, (4, 7), generator=torch.Generator().manual_seed(0))
        labels = tokens % 5
        labels[0, :3] = -100
        mask = torch.ones_like(tokens)
        mask[1, 5:] = 0
        batch = {"input_ids": tokens, "attention_mask": mask, "labels": labels}
        keep = (labels >= 0) & mask.bool()
        ours, theirs = (model(tokens)["logits"][keep] for model in (student, teacher))
        expected = 0.1 * cross_entropy(ours, labels[keep]) + 0.9 * soft(ours, theirs)
        assert first_total(teacher, student, [batch]) == pytest.approx(float(expected), rel=1e-5)

    def test_a_language_model_learns_the_next_token(self):
        class Model(nn.Sequential):
            def forward(self, input_ids):
                return super().forward(input_ids)

        torch.manual_seed(0)
        teacher, student = (Model(nn.Embedding(11, 8), nn.Linear(8, 11)) for _ in range(2))
        tokens = torch.randint(11, (3, 6))
        ours, theirs = (model(tokens)[:, :-1].flatten(0, 1) for model in (student, teacher))
        expected = 0.1 * cross_entropy(ours, tokens[:, 1:].flatten()) + 0.9 * soft(ours, theirs)
        found = first_total(teacher, student, [{"input_ids": tokens, "labels": tokens}])
        assert found == pytest.approx(float(expected), rel=1e-5)

    def test_pixels(self):
        torch.manual_seed(0)
        teacher, student = (nn.Conv2d(3, 5, 3, padding=1) for _ in range(2))
        images, labels = torch.randn(4, 3, 6, 6), torch.randint(5, (4, 6, 6))
        labels[:, 0] = 255
        keep = labels != 255
        ours, theirs = (model(images).permute(0, 2, 3, 1)[keep] for model in (student, teacher))
        expected = 0.1 * cross_entropy(ours, labels[keep]) + 0.9 * soft(ours, theirs)
        assert first_total(teacher, student, [(images, labels)]) == pytest.approx(float(expected), rel=1e-5)

    @pytest.mark.parametrize("questions", [1, 4])
    def test_one_logit_and_several_labels_are_yes_or_no(self, questions, table):
        teacher, student = net(questions, seed=1), net(questions, seed=2)
        inputs = table[0]
        labels = (inputs[:, :questions] > 0.3).long()
        ours, theirs = student(inputs), teacher(inputs)
        hard = binary_cross_entropy_with_logits(ours, labels.float())
        p, q = (torch.sigmoid(z / T) for z in (ours, theirs))
        divergence = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
        expected = 0.1 * hard + 0.9 * T**2 * divergence.mean()
        given = (inputs, labels.squeeze(1) if questions == 1 else labels)
        found = first_total(teacher, student, given, batch_size=90)
        assert found == pytest.approx(float(expected), rel=1e-5)

    def test_numbers_are_matched_and_a_softmax_of_them_is_refused(self, table):
        teacher, student, inputs = net(1, seed=1), net(1, seed=2), table[0]
        data = (inputs, inputs[:, :1] * 2)
        expected = mse_loss(student(inputs), teacher(inputs))
        matching = kd.losses.LogitMatching("mean")
        assert first_total(teacher, student, data, matching, batch_size=90) == pytest.approx(float(expected))
        for objective, name in ((OBJECTIVE, "CrossEntropy"), (SOFT, "SoftTargets")):
            with pytest.raises(ValueError, match=f"the answers are numbers, and {name} compares classes"):
                first_total(teacher, student, data, objective)
        # As that error says: the labels themselves as the teacher.
        expected = mse_loss(student(inputs), data[1])
        found = first_total(data[1], student, inputs, matching, batch_size=90, answers="numbers")
        assert found == pytest.approx(float(expected))
        run = kd.distill(teacher, student, data, matching, steps=1, validation=data).finish()
        off = float((run.student(inputs) - data[1]).abs().mean())
        assert run.records[0].measures["absolute_error"] == pytest.approx(off)


class TestTraining:
    def test_accumulated_batches_are_one_large_batch(self, table, pair):
        parts = [tuple(part[n : n + 30] for part in table) for n in (0, 30, 60)]
        together, whole = (
            kd.distill(*pair, data, OBJECTIVE, steps=2, accumulate=count).finish()
            for data, count in ((parts, 3), ([table], 1))
        )
        torch.testing.assert_close(weights(together.student), weights(whole.student), rtol=0, atol=2e-5)
        assert together.records[-1].total == pytest.approx(whole.records[-1].total, rel=1e-4)

    def test_the_gradient_is_clipped(self, table, pair):
        def moved(**how):
            run = kd.distill(*pair, table, OBJECTIVE, steps=1, optimizer=sgd, **how).finish()
            return float((weights(run.student) - weights(pair[1])).norm())

        def sgd(parameters):
            return torch.optim.SGD(parameters, lr=1.0)

        free = moved()
        assert moved(clip=free / 3) == pytest.approx(free / 3, rel=1e-3)
        assert moved(clip=free * 3) == pytest.approx(free, rel=1e-3)

    def test_a_schedule_takes_the_place_of_the_cosine(self, table, pair):
        seen = []

        def schedule(optimizer):
            seen.append(optimizer)
            return torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.1)

        run = kd.distill(
            *pair, table, 1 * kd.Hint("1", adapter="linear"), steps=5, schedule=schedule, learning_rate=0.5
        )
        run.finish()
        # The regressor of the hint has a group of its own, which follows the schedule too.
        assert [group["lr"] for group in seen[0].param_groups] == pytest.approx([0.5 * 0.01] * 2)

    def test_autocast_is_entered_and_losses_are_taken_in_single_precision(self, table, pair):
        seen = []
        pair[1][0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
        run = kd.distill(*pair, table, OBJECTIVE, steps=1, precision=torch.bfloat16, batch_size=90).finish()
        assert seen == [torch.bfloat16]
        assert {part.dtype for part in run.student.parameters()} == {torch.float32}
        assert run.records[0].total == pytest.approx(first_total(*pair, table, batch_size=90), rel=0.02)

    @pytest.mark.parametrize("consistent", [True, False])
    def test_consistent_teaching(self, consistent, table, pair):
        seen = {"teacher": [], "student": []}
        for name, model in zip(seen, pair, strict=True):
            keep = seen[name]
            model.register_forward_pre_hook(lambda module, inputs, keep=keep: keep.append(inputs[0].clone()))

        def augment(inputs, generator):
            return inputs + torch.randn(inputs.shape, generator=generator)

        how = {"augment": augment, "consistent": consistent, "steps": 2, "batch_size": 90}
        kd.distill(*pair, table, OBJECTIVE, **how).finish()
        ours = seen["student"]
        assert not torch.equal(ours[0], ours[1]) and (ours[0] - table[0]).abs().max() > 0.5
        if consistent:
            assert all(torch.equal(*both) for both in zip(ours, seen["teacher"], strict=True))
        else:
            assert torch.equal(torch.cat(seen["teacher"]), table[0])

    def test_epochs_and_what_is_refused(self, table, pair):
        teacher, student = pair
        assert kd.distill(*pair, table, SOFT, epochs=2, batch_size=40).steps == 4
        assert kd.distill(*pair, table, SOFT, epochs=3, batch_size=40, accumulate=4).steps == 2
        assert kd.distill(*pair, table, SOFT, steps=np.int64(7)).steps == 7
        assert kd.train(student, table).steps == 600

        class Stream(IterableDataset):
            def __iter__(self):
                return zip(*table, strict=True)

        assert kd.distill(*pair, Stream(), SOFT, steps=2).finish().step == 2
        made = torch.optim.SGD([torch.ones(1)])
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
        for error, message, data, how in (
            (ValueError, "how long an epoch is", Stream(), {"epochs": 1}),
            (ValueError, "not both", table, {"epochs": 1, "steps": 3}),
            (ValueError, "clip must be a finite number above 0", table, {"clip": -1}),
            (ValueError, "precision must be", table, {"precision": torch.float32}),
            (TypeError, "a function of the parameters", table, {"optimizer": made}),
            (TypeError, "waits for a measure", table, {"schedule": plateau, "steps": 1}),
            (TypeError, "that makes a torch optimizer", table, {"optimizer": len}),
            (TypeError, "data must be tensors", 3, {}),
            (TypeError, "readable more than once", iter([table]), {}),
        ):
            with pytest.raises(error, match=message):
                kd.distill(*pair, data, SOFT, **how).finish()
        # One label a sample: unlabelled ones are taught by the teacher. Of tokens there would be nothing.
        unlabelled = [(torch.zeros(2, 6), torch.tensor([-1, -1]))]
        assert kd.distill(*pair, unlabelled, SOFT, steps=1).finish().step == 1
        pixels = [(torch.zeros(2, 3, 4, 4), torch.full((2, 4, 4), -100))]
        with pytest.raises(ValueError, match="no position to learn"):
            kd.distill(nn.Conv2d(3, 5, 1), nn.Conv2d(3, 5, 1), pixels, SOFT, steps=1).finish()
        with pytest.raises(ValueError, match="the student answers with shape"):
            kd.distill(net(5), student, table, SOFT, steps=1).finish()
        with pytest.raises(ValueError, match="one row for each of the 90 samples"):
            kd.distill(torch.zeros(80, 3), student, table, SOFT)
        shuffled = DataLoader(TensorDataset(*table), 30, shuffle=True)
        with pytest.raises(ValueError, match="this loader shuffles"):
            kd.distill(torch.zeros(90, 3), student, shuffled, SOFT, steps=1).finish()
        with pytest.raises(TypeError, match="kdviz.distill and kdviz.train take tensors, tables and loaders"):
            kd.schemes.mean_teacher(student, table, steps=1)
        with pytest.raises(TypeError, match="kdviz.train\\(model, data\\)"):
            kd.teacher(table)
        with pytest.raises(TypeError, match="module that it was scripted from"):
            kd.distill(teacher, torch.jit.script(student), table, SOFT)
        normed = torch.nn.utils.weight_norm(nn.Linear(6, 3))
        normed(table[0])
        with pytest.raises(TypeError, match="the student cannot be copied"):
            kd.distill(teacher, normed, table, SOFT)

    def test_nothing_of_the_readers_is_changed(self, table, pair):
        class Draws(Dataset):
            def __len__(self):
                return 90

            def __getitem__(self, row):
                noise = random.random() + np.random.rand() + float(torch.rand(()))
                return table[0][row] + noise, table[1][row]

        teacher, student = pair
        teacher.train()
        own = torch.Generator().manual_seed(3)
        loader = DataLoader(Draws(), 30, shuffle=True, generator=own)
        before = [copy.deepcopy(model.state_dict()) for model in pair]
        states = own.get_state(), torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
        one, two = (
            kd.distill(teacher, student, loader, OBJECTIVE, epochs=2, validation=loader).finish()
            for _ in range(2)
        )
        assert torch.equal(weights(one.student), weights(two.student))
        assert teacher.training and not any(part.grad is not None for part in teacher.parameters())
        for model, kept in zip(pair, before, strict=True):
            assert all(torch.equal(part, kept[name]) for name, part in model.state_dict().items())
        assert torch.equal(own.get_state(), states[0]) and torch.equal(torch.get_rng_state(), states[1])
        assert (np.random.get_state()[1] == states[2]).all() and random.getstate() == states[3]


class TestTheTeacherIsAsked:
    def asked(self, teacher):
        sizes = []
        teacher.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
        return sizes

    def test_once_where_it_always_sees_the_same(self, table, pair):
        sizes = self.asked(pair[0])
        kd.distill(*pair, table, OBJECTIVE, epochs=5).finish()
        assert sizes == [90]

    def test_at_each_step_where_its_answers_would_take_too_much(self, table, pair, monkeypatch):
        once = kd.distill(*pair, table, OBJECTIVE, epochs=2, batch_size=30).finish()
        monkeypatch.setattr(own_data, "MOST_KEPT", 100)
        sizes = self.asked(pair[0])
        live = kd.distill(*pair, table, OBJECTIVE, epochs=2, batch_size=30).finish()
        assert sizes == [90] + [30] * 6
        torch.testing.assert_close(weights(once.student), weights(live.student), rtol=0, atol=1e-6)

    def test_features_of_a_kdviz_data_set_too(self, monkeypatch):
        data = kd.datasets.digits(labels=50)
        start, teacher = kd.models.mlp(64, 8, 10), kd.models.mlp(64, 16, 10, seed=1)
        hint = OBJECTIVE + kd.Hint("activation1", adapter="linear")
        once = kd.distill(teacher, start, data, hint, steps=4).finish()
        monkeypatch.setattr(kd.schemes.offline, "MOST_KEPT", 100)
        sizes = self.asked(teacher)
        live = kd.distill(teacher, start, data, hint, steps=4).finish()
        assert sizes[-4:] == [64] * 4
        torch.testing.assert_close(weights(once.student), weights(live.student), rtol=0, atol=1e-6)
