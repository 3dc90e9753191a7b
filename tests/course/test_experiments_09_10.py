"""The parts of the experiments of notebooks 09 and 10 that the pages rest on."""

import pandas as pd
import pytest
import torch
from networks import weights

from kdviz.course.experiments import n09_self_distillation as experiments
from kdviz.course.experiments import n10_who_teaches_whom as architectures
from kdviz.course.experiments.arms import from_labels, from_teacher, right, scores, students, usual_teachers
from kdviz.datasets import digits, multi_view
from kdviz.losses.response import SoftTargets
from kdviz.models import mlp
from kdviz.schemes import born_again, train


def test_a_generation_and_its_twin_share_where_they_start_and_the_first_is_its_own_twin():
    rows = pd.DataFrame(experiments.generations([0, 1], noise=0.4, count=2, steps=60))
    wide = rows.pivot(index="seed", columns=["arm", "generation"], values="accuracy")
    # The same network trained by two stacks: rounding may turn single answers.
    for arm in experiments.GENERATIONS:
        assert (wide[arm, "0"] - wide["alone", "0"]).abs().max() < 1
        assert (wide[arm, "1"] != wide["alone", "1"]).any()


def test_the_stopped_twin_is_the_best_one_on_validation():
    data, start = digits(label_noise=0.4, seed=1), experiments.generation_starts(1, count=1)
    (_,), ((stopped,),) = experiments._twins([start], [data], steps=200)
    run = train(start[0], data, steps=200)
    best = max(record.measures["accuracy"] for record in run)
    assert right(stopped, data.validation) == pytest.approx(100 * best, abs=1.0)


def test_fixed_units_do_not_learn_and_learned_ones_do():
    data = multi_view(100, seed=0)
    fixed = experiments.learn_views([(0, 0)], [data], units="fixed")[0]
    before = experiments.patches(20, 200, 5, power=1, seed=0)
    assert torch.equal(fixed[0][0].weight, before.units.weight)
    learned = experiments.learn_views([(0, 0)], [data])[0]
    assert not torch.equal(learned[1].units.weight, experiments.view_network(0, 0).units.weight)


def test_the_lights_are_the_accuracy_by_class_and_view():
    data = multi_view(100, seed=0)
    network = experiments.view_network(0, 0)
    shares = experiments.learned_views(network, data)
    right = network(data.test.inputs).argmax(-1) == data.test.labels
    own = (data.test.labels == 2) & (experiments.shown_views(data) == 1)
    assert shares.shape == (5, 2)
    assert float(shares[2, 1]) == pytest.approx(float(right[own].double().mean()))


def test_the_exits_cost_more_from_first_to_last():
    rows = pd.DataFrame(experiments.early_exits([0], steps=20))
    macs = rows[rows.arm == "alone"].set_index("exit").macs
    # 64 x 16, the exit's 16 x 32 and 32 x 10; then 16 x 64; then the rest.
    assert macs.tolist() == [1024 + 512 + 320, 1024 + 1024 + 2048 + 320, 1024 + 1024 + 4096 + 2048 + 320]


def test_consistency_rises_to_its_weight_or_is_never_heard():
    data = digits(labels=50, seed=0)
    start = mlp(64, 8, 10, seed=0)
    rising = experiments.averaged(start, data, rise=0.5, steps=80)
    assert rising.objective.settings()["soft_targets.weight"] == pytest.approx(experiments.CONSISTENCY)
    never = experiments.averaged(start, data, rise=None, steps=80)
    assert never.objective.settings()["soft_targets.weight"] == 0


def test_shards_share_no_image():
    shards = architectures._shards(digits(seed=3), labels=50, count=5)
    assert [len(rows) for rows in shards] == [50] * 5 and len(torch.cat(shards).unique()) == 250


def test_a_searched_student_is_the_best_on_validation():
    data = digits(labels=50, transfer="labelled", seed=0)
    starts = [[mlp(64, width, 10, seed=0) for width in (2, 32)]]
    ((found, index),) = architectures.searched(
        [data], starts, lambda begin: from_labels([data], begin, steps=100)
    )
    assert index == 1 and found.hidden1.out_features == 32


def test_a_chain_of_no_assistant_is_distillation():
    rows = pd.DataFrame(architectures.chains([0], steps=30)).set_index("arm")
    data = digits(seed=0)
    start = mlp(64, 4, 10, seed=0)
    (student,) = students(from_teacher([data], [start], usual_teachers([data]), SoftTargets(2.0), steps=30))
    assert rows.accuracy["direct"] == pytest.approx(scores(student, data)["accuracy"])


def test_five_kinds_start_from_what_they_are_called():
    (teacher,) = usual_teachers([digits(seed=0)])
    kinds = architectures.kinds_of_student(teacher, seed=0)
    assert list(kinds) == ["simplified", "quantised copy", "efficient operations", "searched", "same"]
    copied = kinds["quantised copy"].hidden1.parametrizations.weight.original
    assert torch.equal(copied, teacher.hidden1.weight)
    assert len(kinds["quantised copy"].hidden1.weight.unique()) <= 3
    assert weights(kinds["same"]).shape == weights(teacher).shape
    assert not torch.equal(weights(kinds["same"]), weights(teacher))


def test_what_notebook_09_builds_is_the_scheme():
    data = digits(labels=50, seed=0)
    starts = experiments.generation_starts(0, count=2, width=8)
    stages = born_again(starts, data, 1.0 * SoftTargets(1.0), steps=20).finish()
    first = train(starts[0], data, steps=20).finish().student
    assert torch.equal(weights(stages.runs[0].student), weights(first))
