"""The experiments of notebook 19: values worked out otherwise, and what must hold."""

import numpy as np
import pytest
import torch

import kdviz as kd
from kdviz.course.experiments import n19_another_sense as experiments
from kdviz.course.experiments import n19_another_sense_made_up as made_up
from kdviz.models import Reads


@pytest.fixture(scope="module")
def data():
    return experiments.senses(seed=3, hiss=2.0)


def test_a_tone_is_that_of_the_key():
    # 5 is in the second row, 770 hertz, and in the second column, 1336 hertz.
    time = np.arange(96) / 8000
    expected = np.sin(2 * np.pi * 770 * time) + np.sin(2 * np.pi * 1336 * time)
    np.testing.assert_allclose(experiments.sines(torch.tensor([5]))[0], expected, atol=1e-4)


def test_the_teacher_has_learned_none_of_the_pairs(data):
    assert not set(data.train.indices.tolist()) & set(data.transfer.indices.tolist())
    assert (data.transfer.labels == -1).all() and (data.train.labels >= 0).all()
    assert (len(data.train), len(data.transfer), len(data.labelled)) == (600, 600, 50)


def test_each_tone_is_that_of_its_digit_under_noise_of_the_strength_asked_for(data):
    for part in (data.train, data.validation, data.test, experiments.labelled(data).transfer):
        noise = part.inputs["tone"] - experiments.sines(part.labels)
        assert float(noise.std()) == pytest.approx(2.0, rel=0.02) and abs(float(noise.mean())) < 0.05


def test_wrong_pairs_are_as_many_and_of_the_kind_that_was_asked_for():
    digit = torch.arange(10).repeat(60)
    own = torch.arange(600)
    for wrong in (0.0, 0.25, 1.0):
        order = experiments.partners(digit, wrong, "at random", seed=1)
        assert torch.equal(order.sort().values, own)
        assert (order != own).sum() == pytest.approx(600 * wrong, abs=4)
        order = experiments.partners(digit, wrong, "next digit", seed=1)
        changed = order != own
        assert changed.sum() == 600 * wrong
        assert torch.equal(digit[order[changed]], (digit[changed] + 1) % 10)
    # Exchanged at random, one pair in ten is right after all.
    order = experiments.partners(digit, 1.0, "at random", seed=1)
    assert (digit[order] == digit).double().mean() == pytest.approx(0.1, abs=0.04)


def test_wrong_pairs_change_the_image_alone(data):
    other = experiments.mispaired(data, 0.5)
    same = (other.transfer.inputs["image"] == data.transfer.inputs["image"]).flatten(1).all(1)
    assert 0.45 < float(same.double().mean()) < 0.6
    assert torch.equal(other.transfer.inputs["tone"], data.transfer.inputs["tone"])
    assert (other.transfer.labels == -1).all() and torch.equal(other.test.labels, data.test.labels)


def test_what_a_stack_hears_is_what_kd_distill_hears_by_name():
    data = experiments.senses(seed=0, hiss=2.0)
    eye = experiments.taught([experiments.only(data, "image")], "image")[0]
    begin = experiments.network("tone", 32, seed=0)
    recipe = {"steps": 20, "record_every": 20}
    named = kd.distill(Reads(eye, "image"), Reads(begin, "tone"), data, experiments.SOFT, **recipe).finish()
    ears = [experiments.only(data, "tone")]
    said = experiments.answers([eye], [experiments.only(data, "image")])
    (stacked,) = experiments.students(
        experiments.from_teacher(ears, [begin], said, experiments.SOFT, **recipe)
    )
    for own, theirs in zip(named.student.network.parameters(), stacked.parameters(), strict=True):
        torch.testing.assert_close(own, theirs, rtol=1e-4, atol=1e-5)


def test_a_hallucination_has_the_last_layer_of_the_eye_and_learns_its_hidden_one(data):
    eye = Reads(experiments.network("image", 32, seed=3), "image")
    eye = kd.train(eye, data, on="train", steps=100).finish().student
    before = [weights.clone() for weights in eye.parameters()]
    ear = made_up.hallucination(eye, data)
    assert all(map(torch.equal, before, eye.parameters()))
    assert torch.equal(ear.network.logits.weight, eye.network.logits.weight)
    layers = ("network.activation1",), ("network.activation2",)
    theirs, own, fresh = (
        kd.trace(network, data.transfer.inputs, layers[hears]).features.popitem()[1]
        for network, hears in ((eye, 0), (ear, 1), (made_up.halluciner(3), 1))
    )
    assert (own - theirs).square().mean() < 0.5 * (fresh - theirs).square().mean()


def test_together_is_the_accuracy_of_the_sum(data):
    ears = [Reads(experiments.network("tone", 8, seed=seed), "tone") for seed in (0, 1)]
    added = sum(ear(**data.test.inputs) for ear in ears)
    right = (added.argmax(1) == data.test.labels).double().mean()
    assert made_up.together(ears, data.test) == pytest.approx(100 * float(right))
