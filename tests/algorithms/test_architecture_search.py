"""Searches and the policy against their definitions: who is trained and graded, what gets likelier."""

import pytest
import torch

import kdviz as kd
from kdviz.algorithms.architecture_search import (
    Policy,
    Reinforce,
    by_accuracy,
    by_distance,
    remove_layers,
    search,
    small_and_right,
)
from kdviz.datasets import digits
from kdviz.models import mlp
from kdviz.training.mapped import each_value, over_teachers


def test_each_candidate_learns_briefly_and_the_best_begins_anew():
    data, candidates = digits(), [mlp(64, width, 10) for width in (2, 12, 4)]
    before = [one.hidden1.weight.clone() for one in candidates]
    found = search(candidates, data, by_accuracy(data), briefly=30, steps=50).finish()
    alone = [kd.train(one, data, on="train", steps=30).finish().student for one in candidates]
    assert found.grades == [
        kd.measure.accuracy(one(data.validation.inputs), data.validation.labels) for one in alone
    ]
    assert found.best == 1 and [run.steps for run in found.runs] == [30, 30, 30, 50]
    whole = kd.train(candidates[1], data, on="train", steps=50).finish().student
    assert torch.equal(found.student.hidden1.weight, whole.hidden1.weight)
    assert all(torch.equal(one.hidden1.weight, old) for one, old in zip(candidates, before, strict=True))


def test_with_a_teacher_all_learn_from_it_and_the_distance_to_it_grades_without_a_label():
    data, candidates = digits(50), [mlp(64, width, 10) for width in (2, 12)]
    teacher = kd.teacher(data)
    grade = by_distance(teacher, data, temperature=4.0)
    assert grade(teacher) == pytest.approx(0, abs=1e-6)
    found = search(candidates, data, grade, briefly=30, teacher=teacher, steps=5).finish()
    taught = kd.distill(teacher, candidates[1], data, kd.SoftTargets(4.0), steps=30).finish().student
    said = [one(data.validation.inputs).detach().double() / 4 for one in (teacher, taught)]
    q, log_p = said[0].softmax(-1), said[1].log_softmax(-1)
    apart = float((q * (q.log() - log_p)).sum(-1).mean())
    assert found.grades[1] == pytest.approx(-apart, rel=1e-4) and found.best == 1


def test_a_search_that_was_left_goes_on():
    data, candidates = digits(50), [mlp(64, 3, 10), mlp(64, 8, 10)]

    def begin():
        return search(candidates, data, by_accuracy(data), briefly=20, steps=20)

    left = begin()
    next(left)
    assert left.grades == []
    assert left.finish().step == 60
    assert torch.equal(left.student.logits.weight, begin().finish().student.logits.weight)


@pytest.mark.parametrize(
    ("parameters", "accuracy", "reward"), [(250, 0.8, 0.9375 * 0.8 / 0.9), (1000, 0.9, 0.0)]
)
def test_the_reward_by_hand(parameters, accuracy, reward):
    assert small_and_right(parameters, accuracy, of_teacher=(1000, 0.9)) == pytest.approx(reward)


def test_a_network_larger_than_its_teacher_has_no_reward():
    with pytest.raises(ValueError, match="from 1 to 1000 parameters; got 1001"):
        small_and_right(1001, 0.9, of_teacher=(1000, 0.9))


CHOICES = [(0, 4), (0, 4, 8)]


def test_the_gradient_is_that_of_reinforce_with_the_mean_of_the_others_as_baseline():
    torch.manual_seed(0)
    policy, lesson = Policy(CHOICES).double(), Reinforce(CHOICES, sum, 5)
    with torch.no_grad():
        policy.scores[1].copy_(torch.tensor([0.3, -0.2, 0.1]))
    asked = []
    lesson.reward = lambda widths: asked.append(widths) or float(sum(widths))
    torch.manual_seed(3)
    student, teachers, _ = lesson(policy, 0)
    drawn = teachers.logits.argmax(-1)
    values = each_value(kd.SoftTargets(1.0), student, teachers, None)
    over_teachers(values, teachers.weights).backward()
    rewards = [sum(own[c] for own, c in zip(CHOICES, one, strict=True)) for one in drawn.tolist()]
    log_pi = [own.detach().log_softmax(-1) for own in policy.scores]
    for layer, scores in enumerate(policy.scores):
        expected = torch.zeros_like(scores)
        for one, reward in zip(drawn.tolist(), rewards, strict=True):
            others = (sum(rewards) - reward) / 4
            chosen = torch.nn.functional.one_hot(torch.tensor(one[layer]), len(scores))
            expected -= (reward - others) * (chosen - log_pi[layer].exp()) / 5
        assert torch.allclose(scores.grad, expected, atol=1e-6) and expected.abs().max() > 0.05
    assert len(asked) == len(set(asked)) == len(lesson.rewards), "a network is asked about once"


def test_the_policy_finds_what_is_rewarded_and_keeps_what_it_asked():
    run = remove_layers(CHOICES, lambda widths: widths[0] - widths[1], steps=80, learning_rate=0.1).finish()
    assert run.lesson.best == (4, 0) and run.student.chances()[0, 1] > 0.9
    assert run.records[-1].measures == {"reward": 4.0, "networks": len(run.lesson.rewards)}
    assert run.student.chances()[0].tolist()[2:] == [0.0], "a layer with two choices has no third"


def test_a_reward_that_is_the_same_for_all_teaches_nothing():
    run = remove_layers(CHOICES, lambda widths: 1.0, steps=20, learning_rate=0.1).finish()
    assert torch.allclose(run.student.chances()[0, :2], torch.full((2,), 0.5))


def test_a_policy_that_was_left_goes_on_as_if_it_had_not_been():
    def run():
        return remove_layers(CHOICES, sum, steps=20)

    left = run()
    next(left)
    torch.rand(3)
    assert torch.equal(left.finish().student.scores[1], run().finish().student.scores[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: remove_layers([(0,)], sum), "two or more things"),
        (lambda: remove_layers([], sum), "two or more things"),
        (lambda: remove_layers(CHOICES, sum, draws=1), "draws must be"),
        (lambda: search([mlp(64, 10)], digits(), by_accuracy(digits()), briefly=0), "briefly must be"),
    ],
)
def test_wrong_settings_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
