"""Learning without forgetting against its definition: what is read, who moves and who teaches."""

from dataclasses import replace

import pytest
import torch

import kdviz as kd
from kdviz.algorithms.lifelong import (
    ANSWERS,
    Head,
    label_refinery,
    learning_without_forgetting,
    of_classes,
    remembering,
    with_images,
)
from kdviz.datasets import digits
from kdviz.datasets.augmentations import shifted
from kdviz.losses.feature import Hint
from kdviz.models import mlp
from kdviz.schemes import stack_chains
from kdviz.tracing import Trace

OLD, NEW = tuple(range(5)), tuple(range(5, 10))


def weights(network):
    return torch.cat([part.detach().flatten() for part in network.parameters()])


def two_tasks(seed=0, images=100):
    whole = digits(seed=seed)
    tasks = [of_classes(whole, classes) for classes in (OLD, NEW)]
    return [replace(task, labelled=task.labelled[:images], transfer=task.transfer[:images]) for task in tasks]


def test_a_head_is_the_loss_of_its_logits_with_its_classes_numbered_anew():
    student, teacher = torch.randn(2, 6, 5, dtype=torch.float64)
    labels = torch.tensor([4, 0, 2, -1, 4, 1])
    head = Head(kd.CrossEntropy(), (4, 2))
    # By hand: the samples 0, 2 and 4 are of the head, class 4 is its first.
    own = student[:, [4, 2]].log_softmax(-1)
    torch.testing.assert_close(head(student, labels=labels), -(own[0, 0] + own[2, 1] + own[4, 0]) / 3)
    q, p = ((logits[:, [4, 2]] / 2).log_softmax(-1) for logits in (teacher, student))
    expected = (q.exp() * (q - p)).sum(-1).mean()
    torch.testing.assert_close(Head(ANSWERS, (4, 2))(student, teacher), expected)


def test_other_classes_get_no_gradient_from_a_head():
    student = torch.randn(4, 10, requires_grad=True)
    Head(kd.SoftTargets(2), OLD)(student, torch.randn(4, 10)).backward()
    assert (student.grad[:, 5:] == 0).all() and (student.grad[:, :5] != 0).any()


def test_the_gradient_of_the_kept_answers_is_that_of_the_papers_cross_entropy():
    student = torch.randn(6, 10, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(6, 10, dtype=torch.float64)
    # Li and Hoiem 2018, equations 2 to 4: probabilities to the power 1/T, normalised again.
    softened = [logits[:, :5].softmax(-1) ** (1 / 2) for logits in (teacher, student)]
    q, p = (each / each.sum(-1, keepdim=True) for each in softened)
    papers = -(q * p.log()).sum(-1).mean()
    ours, theirs = (
        torch.autograd.grad(loss, student)[0] for loss in (Head(ANSWERS, OLD)(student, teacher), papers)
    )
    torch.testing.assert_close(ours, theirs)


def test_without_weight_it_is_fine_tuning_bit_for_bit():
    tasks, start = two_tasks(), mlp(64, 8, 10)
    lwf = learning_without_forgetting(start, tasks, 0.0 * ANSWERS, steps=8).finish()
    first = kd.train(start, tasks[0], Head(kd.CrossEntropy(), OLD), steps=8).finish().student
    second = kd.train(first, tasks[1], Head(kd.CrossEntropy(), NEW), steps=8).finish().student
    assert torch.equal(weights(lwf.student), weights(second))
    assert torch.equal(weights(start), weights(mlp(64, 8, 10))), "the network itself was changed"


def test_yesterday_teaches_and_stays_as_it_was():
    stages = learning_without_forgetting(mlp(64, 8, 10), two_tasks(), 100.0 * ANSWERS, steps=8).finish()
    first, second = stages.runs
    assert not first.objective.needs_teacher and second.objective.needs_teacher
    told = kd.tracing.answer(first.student, second.lesson.samples.inputs).logits
    assert torch.equal(second.lesson.answers.logits, told)
    assert not torch.equal(weights(first.student), weights(second.student))


def test_the_larger_the_weight_the_nearer_the_old_answers_stay():
    tasks = two_tasks()
    yesterday = kd.train(mlp(64, 16, 10), tasks[0], Head(kd.CrossEntropy(), OLD), steps=100).finish().student
    shown, distances = tasks[1].transfer.inputs, []
    for weight in (0.0, 1.0, 100.0):
        run = learning_without_forgetting(yesterday, tasks[1:], weight * ANSWERS, known=OLD, steps=100)
        student = run.finish().student
        distances.append(float(Head(ANSWERS, OLD)(student(shown), yesterday(shown)).detach()))
    assert distances[0] > 3 * distances[1] > 9 * distances[2]


def test_the_other_head_moves_only_where_one_softmax_asks_for_it():
    tasks = two_tasks()
    yesterday = kd.train(mlp(64, 8, 10), tasks[0], steps=20).finish().student
    rows = {}
    for one_head in (False, True):
        chain = learning_without_forgetting(
            yesterday, tasks[1:], 0.0 * ANSWERS, known=OLD, one_head=one_head, steps=5
        )
        rows[one_head] = chain.finish().student.logits.weight[:5]
    assert torch.equal(rows[False], yesterday.logits.weight[:5])
    assert not torch.equal(rows[True], yesterday.logits.weight[:5])


def test_features_are_kept_as_they_are_named_and_logits_by_their_head():
    kept = remembering(OLD, NEW, 2.0 * ANSWERS + 0.5 * Hint("hidden1"))
    labels, answers, features = kept.parts
    assert labels.loss == Head(kd.CrossEntropy(), NEW) and labels.weight == 1
    assert answers.loss == Head(ANSWERS, OLD) and answers.weight == 2
    assert features.loss == Hint("hidden1") and features.weight == 0.5
    assert remembering(OLD, NEW, one_head=True).parts[0].loss.classes == OLD + NEW


def test_kept_images_are_shown_again_and_are_the_first_of_each_old_class():
    tasks = two_tasks()
    stages = learning_without_forgetting(mlp(64, 8, 10), tasks, one_head=True, each=3, steps=2).finish()
    seen = stages.runs[1].lesson.samples
    assert torch.equal(seen.labels.bincount()[:5], torch.full((5,), 3)) and len(seen) == 100 + 15
    for label in OLD:
        own = tasks[0].labelled.indices[tasks[0].labelled.labels == label][:3]
        assert torch.equal(seen.indices[seen.labels == label], own)


def test_three_tasks_and_each_knows_those_before_it():
    whole = digits()
    tasks = [of_classes(whole, classes) for classes in ((0, 1), (2, 3), (4,))]
    stages = learning_without_forgetting(mlp(64, 8, 10), tasks, one_head=True, steps=2).finish()
    classes = [[term.loss.classes for term in run.objective.parts] for run in stages.runs]
    assert classes == [[(0, 1)], [(0, 1, 2, 3), (0, 1)], [(0, 1, 2, 3, 4), (0, 1, 2, 3)]]


def test_in_a_stack_each_seed_ends_as_it_would_alone():
    def chain(seed):
        return learning_without_forgetting(mlp(64, 8, 10, seed=seed), two_tasks(seed), steps=6)

    together = stack_chains([chain(seed) for seed in range(2)]).finish().student
    for seed in range(2):
        torch.testing.assert_close(
            weights(together.student(seed, 0)), weights(chain(seed).finish().student), rtol=1e-3, atol=1e-4
        )


def test_an_interrupt_keeps_what_was_learned_and_it_goes_on_to_the_same_end():
    def chain():
        return learning_without_forgetting(mlp(64, 8, 10), two_tasks(), steps=6, record_every=2)

    left = chain()
    for record in left:
        if record.step == 8:
            break
    assert left.step == 8 and not left.student.training
    assert torch.equal(weights(left.finish().student), weights(chain().finish().student))


def test_a_refinery_uses_the_labels_once_and_names_every_crop_anew():
    data = digits(labels=50, transfer="labelled")
    stages = label_refinery([mlp(64, 8, 10, seed=s) for s in range(3)], data, shifted(1), steps=4).finish()
    objectives = [run.objective for run in stages.runs]
    assert [one.needs_teacher for one in objectives] == [False, True, True]
    assert all(not term.loss.needs_labels for one in objectives[1:] for term in one.parts)
    lesson = stages.runs[1].lesson
    ours, theirs, _ = lesson(stages.runs[1].student, 0)
    again, _, _ = lesson(stages.runs[1].student, 0)
    assert isinstance(theirs, Trace) and not theirs.logits.requires_grad
    assert not torch.equal(ours.logits, again.logits), "every step has crops of its own"


def test_more_images_are_for_student_and_teacher():
    first, second = two_tasks()
    both = with_images(second, [first.labelled[:4], first.labelled[4:6]])
    for part in (both.labelled, both.transfer):
        assert len(part) == 106 and torch.equal(part.indices[-6:], first.labelled.indices[:6])
    assert with_images(second, []).labelled is second.labelled


@pytest.mark.parametrize(
    ("call", "problem", "message"),
    [
        (lambda tasks: learning_without_forgetting(mlp(64, 8, 10), []), TypeError, "list of kdviz data sets"),
        (lambda tasks: learning_without_forgetting(mlp(64, 8, 10), tasks[0]), TypeError, "list of kdviz"),
        (lambda tasks: learning_without_forgetting("net", tasks), TypeError, "network"),
        (
            lambda tasks: learning_without_forgetting(mlp(64, 8, 10), [tasks[0], tasks[0]]),
            ValueError,
            r"task 1 has \(0, 1, 2, 3, 4\)",
        ),
        (
            lambda tasks: learning_without_forgetting(mlp(64, 8, 10), tasks, each=2),
            ValueError,
            "one_head=True",
        ),
        (
            lambda tasks: learning_without_forgetting(mlp(64, 8, 10), tasks, one_head=True, each=-1),
            ValueError,
            "whole number from 0 up",
        ),
        (lambda tasks: of_classes(tasks[0], [7]), ValueError, r"no labelled image is of the classes \[7\]"),
        (lambda tasks: Head(kd.CrossEntropy(), ()), ValueError, "each once"),
        (lambda tasks: Head(kd.CrossEntropy(), (1, 1)), ValueError, "each once"),
        (lambda tasks: Head(Hint("hidden1"), (0, 1)), TypeError, "Hint reads other layers"),
        (
            lambda tasks: Head(kd.CrossEntropy(), (3, 9))(torch.zeros(1, 5), labels=torch.tensor([3])),
            ValueError,
            "does not fit a network of 5 logits",
        ),
    ],
)
def test_bad_input_is_refused(call, problem, message):
    with pytest.raises(problem, match=message):
        call(two_tasks())
