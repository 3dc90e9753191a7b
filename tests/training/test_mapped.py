"""A loss asked about many students, settings and teachers at once says of each what it says alone."""

from dataclasses import dataclass

import pytest
import torch
from networks import weights as all_weights
from torch import nn

from kdviz.losses import CrossEntropy, Decoupled, Hint, Loss, SoftTargets
from kdviz.losses.objective import as_objective
from kdviz.models import mlp
from kdviz.tracing import Trace, trace
from kdviz.training import Run
from kdviz.training.mapped import each_gradient, each_value, stacked_objective
from kdviz.training.stacked import StackedModel

LABELS = torch.tensor([[0, 1, 2, 3, 0, 1], [3, -1, -1, 2, 1, 0]])


def logits(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    "students, teachers",
    [
        ((), ()),
        ((), (3,)),
        ((2, 1), (2, 3)),
        ((2, 1), (1, 1)),
        ((1, 1), (1, 1)),
        ((2, 3), (2, 1)),
        ((1, 4), ()),
    ],
    ids=str,
)
def test_axes_broadcast_and_each_value_is_that_alone(students, teachers):
    z, t = logits(*students, 6, 4, seed=0), logits(*teachers, 6, 4, seed=1)
    labels = LABELS[:, None] if students[:1] == (2,) else LABELS[0]
    shape = torch.broadcast_shapes(students, teachers)
    found = each_value(Decoupled(), Trace(z), Trace(t), labels)
    assert found.shape == shape
    z, t, labels = z.expand(*shape, 6, 4), t.expand(*shape, 6, 4), labels.expand(*shape, 6)
    for index in torch.cartesian_prod(*map(torch.arange, shape)).view(-1, len(shape)) if shape else [()]:
        index = tuple(index)
        torch.testing.assert_close(found[index], Decoupled()(z[index], t[index], labels[index]))


def test_numbers_for_settings_and_what_is_learned_for_students_are_mapped_too():
    shapes = {"student": (2, 3, 6, 5), "teacher": (2, 1, 6, 7)}
    ours, theirs = (
        Trace(logits(*shape[:-1], 4, seed=seed), {"hidden": logits(*shape, seed=seed + 2)})
        for seed, shape in enumerate(shapes.values())
    )
    loss = Hint("hidden", adapter="linear")
    learned = {"weight": logits(2, 3, 7, 5, seed=4), "bias": logits(2, 3, 7, seed=5)}
    found = each_value(loss, ours, theirs, None, learned)
    alone = loss(
        ours.features["hidden"][1, 2],
        theirs.features["hidden"][1, 0],
        None,
        {name: part[1, 2] for name, part in learned.items()},
    )
    torch.testing.assert_close(found[1, 2], alone)
    stacked = stacked_objective([as_objective(SoftTargets(T)) for T in (1.0, 2.0, 5.0)]).parts[0].loss
    found = each_value(stacked, ours, Trace(logits(2, 1, 6, 4, seed=6)), None)
    torch.testing.assert_close(
        found[0, 2], SoftTargets(5.0)(ours.logits[0, 2], logits(2, 1, 6, 4, seed=6)[0, 0])
    )


def test_settings_of_a_stack_are_checked_when_the_loss_is_made():
    with pytest.raises(ValueError, match="temperature must be a finite number above 0"):
        SoftTargets(torch.tensor([1.0, 0.0]))


def test_closed_forms_are_added_up_with_their_weights():
    objective = stacked_objective(
        [0.1 * CrossEntropy() + 0.9 * SoftTargets(2), 0.4 * CrossEntropy() + 0.5 * SoftTargets(3)]
    )
    z, t = logits(2, 2, 6, 4, seed=0).requires_grad_(), logits(2, 1, 6, 4, seed=1)
    found = each_gradient(objective, Trace(z.detach()), Trace(t), LABELS[:, None])
    alone = 0.4 * CrossEntropy() + 0.5 * SoftTargets(3)
    total, _ = alone(z[1, 1], t[1, 0], LABELS[1])
    (expected,) = torch.autograd.grad(total, z)
    torch.testing.assert_close(found[1, 1], expected[1, 1])


def run_with(teacher, objective, steps=3):
    network = mlp(16, 4, 4, seed=0).double()
    inputs = logits(6, 16, seed=9)

    def lesson(student, step):
        return trace(student, inputs), teacher, LABELS[0]

    return Run(
        network, lesson, objective, steps=steps, learning_rate=0.1, record_every=1, evaluate=lambda s: {}
    )


class TestTeachers:
    several = logits(3, 6, 4, seed=3)
    objective = CrossEntropy() + SoftTargets(2)

    def ends(self, teacher):
        run = run_with(teacher, self.objective).finish()
        return all_weights(run.student), run.records[-1]

    def test_count_alike_by_default(self):
        mean, record = self.ends(Trace(self.several))
        same, other = self.ends(Trace(self.several, weights=torch.full((3,), 1 / 3)))
        torch.testing.assert_close(mean, same, rtol=1e-6, atol=1e-8)
        assert record.losses == pytest.approx(other.losses, rel=1e-6)

    def test_count_by_their_weights_where_they_have_them(self):
        only, record = self.ends(Trace(self.several, weights=torch.tensor([0.0, 1.0, 0.0])))
        alone, other = self.ends(Trace(self.several[1]))
        torch.testing.assert_close(only, alone)
        # The labels are none of the teachers' business.
        assert record.losses == pytest.approx(other.losses)

    def test_may_count_differently_for_each_student(self):
        students, teachers = logits(2, 1, 6, 4, seed=5), logits(2, 3, 6, 4, seed=6)
        weights = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
        run = run_with(None, SoftTargets(1))
        run.lesson = lambda student, step: (
            Trace(students + 0 * sum(part.sum() for part in student.parameters())),
            Trace(teachers, weights=weights),
            LABELS[0],
        )
        found = run.finish().records[0].losses["soft_targets"]
        expected = [
            sum(w * SoftTargets(1)(z[0], t) for w, t in zip(own, taught, strict=True))
            for z, taught, own in zip(students, teachers, weights, strict=True)
        ]
        assert found == pytest.approx([float(value) for value in expected])


@dataclass(frozen=True)
class Remembering(Loss):
    """The distance from the mean of the teacher's logits so far."""

    name = "remembering"
    remembers = ("mean",)

    def initial(self, student, teacher):
        return {"mean": torch.zeros_like(teacher.logits[0]), "scale": student.logits.new_ones(())}

    def remembered(self, student, teacher, labels, learned):
        return {"mean": 0.5 * learned["mean"] + 0.5 * teacher.logits.mean(0)}

    def value(self, student, teacher, labels, learned):
        return (student.logits - learned["scale"] * learned["mean"]).square().mean()

    def latex(self):
        return "M"


def test_what_a_loss_remembers_is_renewed_after_each_step_and_learned_by_none():
    teacher = Trace(logits(6, 4, seed=3))
    run = run_with(teacher, Remembering())
    mean, values = teacher.logits.mean(0), []
    for step, _ in enumerate(run, start=1):
        learned = run.learned["remembering"]
        torch.testing.assert_close(learned["mean"], (1 - 0.5**step) * mean)
        assert not learned["mean"].requires_grad and learned["scale"].requires_grad
        values.append(float(learned["scale"].detach()))
    assert values[-1] != 1
    with pytest.raises(ValueError, match="can listen to one only"):
        run_with(Trace(logits(3, 6, 4, seed=3)), Remembering()).finish()


def test_dropout_in_a_stack_leaves_out_other_units_of_each_student_and_none_in_eval_mode():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 50), nn.Dropout(0.5), nn.Linear(50, 3))
    stack, inputs = StackedModel([network], 2), torch.ones(1, 1, 4, 5)
    first = stack.train().trace(inputs).logits
    assert not torch.allclose(first[0, 0], first[0, 1])
    assert not torch.allclose(first, stack.trace(inputs).logits)
    still = stack.eval().trace(inputs).logits
    torch.testing.assert_close(still[0, 0], still[0, 1])
    torch.testing.assert_close(still[0, 0], network.eval()(torch.ones(5, 4)))
