"""The verbs that the experiments share."""

import pytest
import torch

from kdviz.course.experiments import arms
from kdviz.datasets import digits
from kdviz.losses.response import SoftTargets
from kdviz.schemes import train


@pytest.fixture(scope="module")
def data():
    return [digits(labels=50, transfer="labelled", seed=seed) for seed in (0, 1)]


def test_rows_hold_each_arm_of_each_seed_with_its_columns(data):
    begin = arms.starts(data, 4)
    learners = {"as it was": begin, "hard labels": arms.from_labels(data, begin, steps=40)}
    rows = arms.rows(data, learners, regime="50 labels")
    assert [(row["arm"], row["seed"]) for row in rows] == [(arm, seed) for arm in learners for seed in (0, 1)]
    assert list(rows[0]) == ["seed", "regime", "arm", "accuracy"]
    assert rows[0]["accuracy"] == arms.right(begin[0], data[0].test)
    assert rows[2]["accuracy"] > rows[0]["accuracy"]


def test_beside_a_teacher_rows_say_how_near_a_student_is_and_at_which_temperature(data):
    teachers = arms.starts(data, 8)
    (own, _) = arms.rows(data, {"itself": teachers}, arms.fidelity, teachers)
    assert (own["agreement"], own["kl_temperature"]) == (100, 4.0)
    assert own["kl"] == pytest.approx(0, abs=1e-6)


def test_a_student_of_an_arm_is_the_one_trained_alone(data):
    begin = arms.starts(data, 4)
    _, second = arms.students(arms.from_labels(data, begin, steps=20))
    alone = train(begin[1], data[1], steps=20).finish().student
    ours, theirs = arms.logits(second, data[1].test), arms.logits(alone, data[1].test)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_the_stopped_one_is_the_best_on_validation(data):
    run = arms.from_labels(data, arms.starts(data, 4), steps=60, record_every=10)
    ended, kept = arms.stopped(run)
    best = [max(record.measures["accuracy"][row, 0] for record in run.records) for row in (0, 1)]
    assert [arms.right(one, part.validation) for one, part in zip(kept, data, strict=True)] == pytest.approx(
        [100 * one for one in best]
    )
    last = run.records[-1].measures["accuracy"][:, 0]
    assert [arms.right(one, part.validation) for one, part in zip(ended, data, strict=True)] == pytest.approx(
        list(100 * last)
    )


def test_along_a_run_validation_and_logits_are_those_of_the_moment(data):
    tests = [part.test for part in data]
    run = arms.from_labels(data, arms.starts(data, 4), steps=20, record_every=10)
    for step, validation, said in arms.along(run, tests):
        student = run.student.student(1, 0)
        assert step == run.records[-1].step
        assert validation[1] == pytest.approx(arms.right(student, data[1].validation))
        assert torch.allclose(said[1], arms.logits(student, tests[1]), atol=1e-4)


def test_permuted_answers_keep_the_label_and_move_the_others(data):
    said = arms.answers(arms.starts(data, 8), data)
    mixed = arms.permuted(said, data)
    for one, other, part in zip(said, mixed, data, strict=True):
        rows = torch.arange(len(one))
        assert torch.equal(one[rows, part.transfer.labels], other[rows, part.transfer.labels])
        assert torch.allclose(one.sort(-1).values, other.sort(-1).values) and not torch.equal(one, other)


def test_a_sweep_is_never_taken_from_the_store(data, monkeypatch):
    trained = []
    real = arms.sweep

    def noting(*arguments, store, **settings):
        trained.append(store)
        return real(*arguments, store=store, **settings)

    monkeypatch.setattr(arms, "sweep", noting)
    points = [{"temperature": 4.0, "soft_weight": weight} for weight in (0.0, 0.9)]
    first, again = (arms.swept(points, (0,), steps=20) for _ in range(2))
    assert first == again and trained[0].folder != trained[1].folder
    assert list(first[0]) == ["seed", "temperature", "soft_weight", "validation_accuracy", "accuracy"]


def test_an_answer_teaches_as_its_teacher_does(data):
    begin, teachers = arms.starts(data, 4), arms.starts(data, 8)
    objective = SoftTargets(4.0)
    heard = arms.students(arms.from_teacher(data, begin, teachers, objective, steps=10))
    kept = arms.students(arms.from_teacher(data, begin, arms.answers(teachers, data), objective, steps=10))
    for one, other in zip(heard, kept, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
