"""iCaRL against its algorithms: the loss, which images are kept, and how it answers."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from kdviz.algorithms.exemplars import BinaryTargets, Icarl, NearestMean, herded
from kdviz.algorithms.lifelong import of_classes
from kdviz.datasets import digits
from kdviz.datasets.dataset import Samples
from kdviz.models import mlp
from kdviz.schemes import stack_chains


class Itself(nn.Module):
    """A network whose features are its inputs."""

    def __init__(self):
        super().__init__()
        self.features = nn.Identity()

    def forward(self, inputs):
        return self.features(inputs)


def samples(inputs, label=0):
    count = len(inputs)
    return Samples(inputs, torch.full((count,), label), torch.arange(count))


def test_the_loss_by_hand():
    student = torch.tensor([[0.5, -1.0, 2.0, 9.0]], dtype=torch.float64)
    teacher = torch.tensor([[1.0, 0.0, 7.0, 7.0]], dtype=torch.float64)
    g, q = student.sigmoid()[0], teacher.sigmoid()[0]
    old = sum(-q[c] * g[c].log() - (1 - q[c]) * (1 - g[c]).log() for c in (0, 1))
    loss = BinaryTargets((0, 1), (2,))
    torch.testing.assert_close(loss(student, teacher, torch.tensor([2])), old - g[2].log())
    # An image of an old class is none of the new.
    torch.testing.assert_close(loss(student, teacher, torch.tensor([0])), old - (1 - g[2]).log())


def test_the_loss_is_least_where_the_student_is_the_teacher_and_asks_nothing_of_other_classes():
    teacher = torch.randn(5, 6)
    student = teacher.clone().requires_grad_(True)
    BinaryTargets((0, 1, 2), (3, 4))(student, teacher, torch.tensor([3, 4, 3, 4, 3])).backward()
    assert student.grad[:, :3].abs().max() < 1e-7
    assert (student.grad[:, 3:5] != 0).all() and (student.grad[:, 5] == 0).all()


def test_herding_takes_at_each_step_what_brings_the_mean_nearest():
    points = torch.randn(12, 3, generator=torch.Generator().manual_seed(3))
    unit, chosen = nn.functional.normalize(points, dim=-1), []
    for _ in range(5):
        free = [i for i in range(12) if i not in chosen]
        chosen.append(min(free, key=lambda i: float((unit.mean(0) - unit[[*chosen, i]].mean(0)).norm())))
    assert herded(Itself(), samples(points), 5, "features").indices.tolist() == chosen
    assert sorted(herded(Itself(), samples(points), 99, "features").indices.tolist()) == list(range(12))


def test_the_nearest_mean_of_unit_features_answers():
    kept = [samples(torch.tensor([[0.0, 3.0]]), 1), samples(torch.tensor([[2.0, 0.0], [0.1, 0.0]]), 0)]
    answers = NearestMean(Itself(), kept, "features")
    torch.testing.assert_close(answers.means, torch.eye(2))
    said = answers(torch.tensor([[5.0, 1.0], [0.2, 9.0]]))
    assert said.argmax(-1).tolist() == [0, 1]
    torch.testing.assert_close(answers(torch.tensor([[7.0, 0.0]]))[0], torch.tensor([0.0, -(2**0.5)]))


def tasks(seed=0):
    whole = digits(seed=seed)
    return [of_classes(whole, classes) for classes in ((0, 1, 2), (3, 4), (5,))]


def test_the_budget_is_shared_by_all_classes_and_the_most_telling_are_left():
    chain = Icarl(mlp(64, 8, 10), tasks(), 12, "activation1", steps=3)
    for _ in chain:
        before = [len(part) for part in chain.kept]
        assert sum(before) <= 12
    assert before == [2] * 5  # in the third task: 12 // 5 of each class
    first = herded(
        chain.runs[0].student, chain.tasks[0].labelled[chain.tasks[0].labelled.labels == 0], 2, "activation1"
    )
    assert torch.equal(chain.kept[0].indices, first.indices)
    assert chain.classifier(chain.student)(digits().test.inputs).shape == (397, 6)


def test_only_the_first_task_has_no_teacher_and_old_images_are_shown_again():
    chain = Icarl(mlp(64, 8, 10), tasks(), 12, "activation1", steps=2).finish()
    losses = [run.objective.parts[0].loss for run in chain.runs]
    assert [(loss.old, loss.new) for loss in losses] == [
        ((), (0, 1, 2)),
        ((0, 1, 2), (3, 4)),
        ((0, 1, 2, 3, 4), (5,)),
    ]
    assert [run.objective.needs_teacher for run in chain.runs] == [False, True, True]
    assert chain.runs[1].lesson.samples.labels.bincount()[:3].tolist() == [4, 4, 4]


def test_it_can_be_stacked_and_then_answers_for_a_row_of_the_stack():
    def chain(seed):
        return Icarl(
            mlp(64, 8, 10, seed=seed),
            [narrow(seed, c) for c in (range(5), range(5, 10))],
            50,
            "activation1",
            steps=5,
        )

    def narrow(seed, classes):
        task = of_classes(digits(seed=seed), classes)
        return replace(task, labelled=task.labelled[:200], transfer=task.transfer[:200])

    chains, alone = [chain(seed) for seed in range(2)], chain(1).finish()
    student = stack_chains(chains).finish().student.student(1, 0)
    inputs = digits(seed=1).test.inputs
    both = [
        own.classifier(network)(inputs) for own, network in ((chains[1], student), (alone, alone.student))
    ]
    torch.testing.assert_close(*both, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Icarl(mlp(64, 8, 10), tasks(), 5, "activation1"), "budget must be a whole number from 6 up"),
        (lambda: BinaryTargets((0,), ()), "there must be new classes"),
        (lambda: BinaryTargets((0, 1), (1,)), "none of them old"),
        (lambda: herded(Itself(), samples(torch.ones(2, 2)), 0, "features"), "count must be"),
        (lambda: NearestMean(Itself(), [samples(torch.ones(2, 2), 1)], "features"), "each once"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
