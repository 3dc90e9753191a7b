"""Canvases: what lies on them is what they say, and the IoU of each class."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import jaccard_score

from kdviz.datasets import canvases, cards, digits
from kdviz.datasets._canvases import BACKGROUND, DIGIT, INK
from kdviz.measure import class_iou, mean_iou


def test_every_digit_lies_in_its_box_and_all_other_pixels_are_background():
    data = canvases(200, noise=0.0, seed=3)
    counts = set()
    for ink, labels, boxes in zip(data.inputs[:, 0], data.labels, data.boxes, strict=True):
        inside, known = torch.zeros(16, 16, dtype=torch.bool), boxes[boxes[:, 0] >= 0]
        counts.add(len(known))
        for digit, top, left in known.tolist():
            area = slice(top, top + DIGIT), slice(left, left + DIGIT)
            assert not inside[area].any()
            inside[area] = True
            assert torch.equal(labels[area], torch.where(ink[area] > INK, digit, BACKGROUND))
        assert (labels[~inside] == BACKGROUND).all()
        # The scrap lies outside the boxes, and nothing else.
        assert 0 < (ink[~inside] > 0).sum() <= 16
    assert counts == {1, 2}


def test_digits_are_those_of_the_part():
    data, split = canvases(50, part="test", noise=0.0, seed=1), digits(seed=1)
    there = split.pixels(split.test)[:, 0]
    digit, top, left = data.boxes[0, 0].tolist()
    found = data.inputs[0, 0, top : top + DIGIT, left : left + DIGIT]
    same = (there - found).abs().amax((1, 2)) < 1e-6
    assert same.any() and (split.test.labels[same] == digit).all()


def test_seeds_and_counts():
    one, longer, other = canvases(5, seed=1), canvases(9, seed=1), canvases(5, seed=2)
    assert torch.equal(one.inputs, longer.inputs[:5]) and torch.equal(one.boxes, longer.boxes[:5])
    assert not torch.equal(one.inputs, other.inputs)
    assert any("16 × 16" in str(card) for card in cards())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count must be a whole number from 1 up; got 0"),
        ({"seed": -1}, "seed must be"),
        ({"part": "all"}, "part must be one of 'train', 'validation', 'test'; got 'all'"),
        ({"noise": -0.1}, "noise must be a number from 0 up"),
    ],
)
def test_what_does_not_fit_is_named(given, message):
    with pytest.raises(ValueError, match=message):
        canvases(**given)


@given(seed=st.integers(0, 10_000))
def test_iou_of_each_class_is_scikit_learns_and_their_mean_is_ours(seed):
    random = np.random.default_rng(seed)
    answers, labels = random.integers(4, size=(2, 3, 5)), random.integers(-1, 4, size=(2, 3, 5))
    found, known = class_iou(answers, labels, 5), labels >= 0
    options = {"labels": range(5), "average": None, "zero_division": 0}
    there = np.isin(range(5), [answers[known], labels[known]])
    assert np.array_equal(np.isnan(found), ~there)
    np.testing.assert_allclose(found[there], jaccard_score(labels[known], answers[known], **options)[there])
    assert np.nanmean(found) == pytest.approx(mean_iou(answers, labels, 5))


def test_iou_names_what_does_not_fit():
    with pytest.raises(ValueError, match="a label for each answer"):
        class_iou([0, 1], [0], 2)
    with pytest.raises(ValueError, match="answers must be classes from 0 to 1; got values from 0 to 2"):
        class_iou([0, 2], [0, 1], 2)
