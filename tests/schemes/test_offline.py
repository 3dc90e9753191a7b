import pytest
import torch
from networks import weights

from kdviz import CrossEntropy, SoftTargets, distill, teacher, trace, train
from kdviz.datasets import Dataset
from kdviz.datasets.dataset import Samples
from kdviz.measure import accuracy
from kdviz.models import mlp


@pytest.fixture(scope="module")
def taught(data):
    return teacher(data)


def test_a_teacher_is_good_frozen_and_in_eval_mode(taught, data):
    assert accuracy(taught(data.test.inputs), data.test.labels) > 0.94
    assert not taught.training
    assert not any(parameter.requires_grad for parameter in taught.parameters())


def test_a_teacher_comes_from_the_store_the_second_time(taught, data):
    assert torch.equal(weights(teacher(data)), weights(taught))


def poisoned(part):
    return Samples(torch.full_like(part.inputs, torch.nan), part.labels, part.indices)


def test_no_test_image_reaches_the_teacher(data, tmp_path):
    """Were a single test image used, the weights would turn to NaN."""
    from kdviz.training import Store

    hidden = Dataset(**{**vars(data), "test": poisoned(data.test)})
    made = teacher(hidden, mlp(64, 8, 10), steps=40, store=Store(tmp_path / "one"))
    clean = teacher(data, mlp(64, 8, 10), steps=40, store=Store(tmp_path / "two"))
    assert torch.equal(weights(made), weights(clean))
    assert not set(data.train.indices.tolist()) & set(data.test.indices.tolist())


def test_a_teacher_with_the_same_labels_sees_no_more_than_the_student(data, tmp_path):
    from kdviz.training import Store

    hidden = Dataset(**{**vars(data), "train": poisoned(data.train)})
    made = teacher(hidden, mlp(64, 8, 10), on="labelled", steps=20, store=Store(tmp_path))
    assert weights(made).isfinite().all()


def test_soft_weight_zero_is_training_on_labels_alone(taught, data):
    student = mlp(64, 8, 10)
    objective = 1.0 * CrossEntropy() + 0.0 * SoftTargets(4)
    distilled = distill(taught, student, data, objective, steps=40).finish()
    alone = train(student, data, steps=40).finish()
    torch.testing.assert_close(weights(distilled.student), weights(alone.student))


def test_cached_logits_teach_exactly_as_the_teacher_does(taught, data):
    student, answers = mlp(64, 8, 10), taught(data.transfer.inputs)
    live = distill(taught, student, data, SoftTargets(4), steps=40).finish()
    cached = distill(answers, student, data, SoftTargets(4), steps=40).finish()
    assert torch.equal(weights(live.student), weights(cached.student))
    assert "agreement" in live.records[-1].measures
    assert "agreement" not in cached.records[-1].measures


def test_cached_logits_of_another_length_are_refused(taught, data):
    with pytest.raises(ValueError, match="one row for each of the 50"):
        distill(torch.zeros(49, 10), mlp(64, 8, 10), data, SoftTargets(4))


def test_the_teacher_is_left_as_it_was(data):
    model = mlp(64, 8, 10).train()
    before = weights(model).clone()
    distill(model, mlp(64, 4, 10), data, SoftTargets(4), steps=5).finish()
    assert model.training and torch.equal(weights(model), before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_student_comes_to_agree_with_the_teacher(taught, data):
    student = mlp(64, 16, 10)
    before = distill(taught, student, data, SoftTargets(4), steps=200)
    records = list(before)
    assert records[-1].measures["agreement"] > 0.85
    with torch.no_grad():
        matched = trace(before.student, data.transfer.inputs).logits
        answers = trace(taught, data.transfer.inputs).logits
    assert accuracy(matched, answers.argmax(1)) > 0.95


def test_another_number_of_classes_is_explained(taught, data):
    with pytest.raises(ValueError, match=r"\(50, 7\).*\(50, 10\)"):
        distill(taught, mlp(64, 8, 7), data, SoftTargets(4), steps=1).finish()


def test_a_student_on_another_device_is_explained(taught, data):
    with pytest.raises(ValueError, match="meta.*cpu"):
        distill(taught, mlp(64, 8, 10).to("meta"), data, SoftTargets(4), steps=1).finish()


def test_an_objective_that_needs_a_teacher_needs_distill(data):
    with pytest.raises(ValueError, match="use kdviz.distill"):
        train(mlp(64, 8, 10), data, SoftTargets(4))


def test_an_unknown_part_of_the_data_is_refused(data):
    with pytest.raises(ValueError, match="'labelled' or 'train'"):
        train(mlp(64, 8, 10), data, on="test")
