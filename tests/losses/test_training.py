"""Every loss distils a convolutional teacher into a convolutional student, alone and in a stack."""

from dataclasses import replace

import pytest
import torch
from loss_examples import EXAMPLES, student, teacher

from kdviz import CrossEntropy, distill, train
from kdviz.datasets import digits
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CurriculumTemperature
from kdviz.schemes import distill_stack
from kdviz.tracing import answer, trace
from kdviz.training.mapped import stacked_objective
from kdviz.training.stacked import StackedModel

every_loss = pytest.mark.parametrize("loss", EXAMPLES, ids=lambda loss: loss.name)


@pytest.fixture(scope="module")
def data():
    few = digits(labels=64, transfer="labelled")
    parts = ("train", "labelled", "transfer", "validation", "test")
    return replace(
        few,
        **{part: replace(getattr(few, part), inputs=getattr(few, part).inputs.double()) for part in parts},
    )


@pytest.fixture(scope="module")
def taught(data):
    return train(teacher().double(), data, on="train", steps=60).finish().student


@every_loss
def test_ends_in_a_stack_as_it_does_alone(loss, data, taught):
    objectives = [CrossEntropy() + weight * loss for weight in (0.1, 0.5)]
    stack = StackedModel([student().double()], 2)
    settings = {"steps": 6, "batch_size": 32}
    together = distill_stack([taught], stack, [data], stacked_objective(objectives), **settings).finish()
    for place, objective in enumerate(objectives):
        alone = distill(taught, student().double(), data, objective, **settings).finish()
        assert alone.records[-1].losses[loss.name] == pytest.approx(
            together.records[-1].losses[loss.name][0, place], rel=1e-8
        )
        weights = together.student.student(0, place).parameters()
        for a, b in zip(weights, alone.student.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-8)


@every_loss
def test_falls_while_its_student_trains(loss, data, taught):
    run = distill(taught, student().double(), data, loss, steps=40, batch_size=64)
    inputs, labels = data.transfer.inputs, data.transfer.labels
    objective = as_objective(loss)
    answers = answer(taught, inputs, objective.teacher_layers)

    def value(model, learned):
        with torch.no_grad():
            return float(
                objective(trace(model, inputs, objective.student_layers), answers, labels, learned)[0]
            )

    before = trace(student().double(), inputs, objective.student_layers)
    begun = value(student().double(), objective.initial(before, answers))
    ended = value(run.finish().student, run.learned)
    if isinstance(loss, CurriculumTemperature):
        # Its temperature climbs the loss that the student descends; held where it began, it falls too.
        run.learned["curriculum_temperature"]["theta"].data.fill_(1.0)
        ended = value(run.student, run.learned)
    assert ended < begun - 0.01 * abs(begun)
