from dataclasses import replace

import pytest
import torch

from kdviz.datasets import cards, digits
from kdviz.datasets._digits import _move

PARTS = ("train", "validation", "test")


def test_parts_are_disjoint_and_cover_everything():
    data = digits(seed=3)
    rows = torch.cat([getattr(data, part).indices for part in PARTS])
    assert len(rows) == 1797 and len(rows.unique()) == 1797
    assert [len(getattr(data, part)) for part in PARTS] == [1200, 200, 397]


def test_a_split_belongs_to_its_seed():
    assert torch.equal(digits(seed=1).test.indices, digits(seed=1).test.indices)
    assert not torch.equal(digits(seed=1).test.indices, digits(seed=2).test.indices)
    # The regime concerns the student; what nobody trains on stays the same.
    assert torch.equal(digits(seed=1).test.indices, digits(labels=50, omit=3, seed=1).test.indices)


def test_inputs_are_centred_on_the_training_mean():
    data = digits()
    torch.testing.assert_close(data.train.inputs.mean(0), torch.zeros(1, 8, 8), atol=1e-6, rtol=0)
    pixels = data.test.inputs + data.mean
    assert pixels.min() >= -1e-6 and pixels.max() <= 1 + 1e-6
    assert data.image_shape == (8, 8)


def test_few_labels_leave_a_larger_unlabelled_transfer_set():
    data = digits(labels=50)
    assert len(data.labelled) == 50
    assert data.labelled.labels.bincount(minlength=10).min() >= 4
    assert len(data.transfer) == 1200
    known = data.transfer.labels >= 0
    assert set(data.transfer.indices[known].tolist()) == set(data.labelled.indices.tolist())


def test_the_transfer_set_can_be_the_labelled_images_alone():
    data = digits(labels=50, transfer="labelled")
    assert torch.equal(data.transfer.indices, data.labelled.indices)
    assert torch.equal(data.transfer.labels, data.labelled.labels)


def test_an_omitted_digit_is_nowhere_the_student_looks():
    data = digits(omit=3)
    threes = set(data.train.indices[data.train.labels == 3].tolist())
    assert threes
    assert not threes & set(data.transfer.indices.tolist() + data.labelled.indices.tolist())
    assert (data.test.labels == 3).any()


def test_label_noise_flips_the_share_asked_for_and_only_in_training():
    clean, noisy = digits(seed=4), digits(label_noise=0.4, seed=4)
    assert (clean.train.labels != noisy.train.labels).float().mean() == pytest.approx(0.4, abs=1e-3)
    for part in ("validation", "test"):
        assert torch.equal(getattr(clean, part).labels, getattr(noisy, part).labels)
    # The student is told the same wrong labels as the teacher.
    assert torch.equal(noisy.labelled.labels, noisy.train.labels)


def test_shift_shows_the_teacher_every_position_and_moves_the_test_images():
    plain, shifted = digits(seed=5), digits(shift=1, seed=5)
    assert len(shifted.train) == 9 * 1200
    assert torch.equal(shifted.transfer.inputs, plain.transfer.inputs)
    assert all(
        not torch.equal(moved, still)
        for moved, still in zip(shifted.test.inputs, plain.test.inputs, strict=True)
    )


def test_moving_loses_what_leaves_the_frame():
    image = torch.arange(9.0).reshape(1, 3, 3).numpy()
    assert _move(image, 1, 0)[0].tolist() == [[0, 0, 0], [0, 1, 2], [3, 4, 5]]
    assert _move(image, 0, -1)[0].tolist() == [[1, 2, 0], [4, 5, 0], [7, 8, 0]]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"labels": 5}, "from 10"),
        ({"labels": 2.5}, "whole number"),
        ({"labels": True}, "whole number"),
        ({"omit": 10}, "digit from 0 to 9"),
        ({"label_noise": 1.0}, "below 1"),
        ({"label_noise": float("nan")}, "below 1"),
        ({"shift": 8}, "0, 1, 2 or 3"),
        ({"transfer": "some"}, "'all' or 'labelled'"),
        ({"seed": -1}, "seed must be"),
        ({"labels": 1100, "omit": 3}, "1,000"),
    ],
)
def test_bad_settings_say_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        digits(**settings)


def test_prints_its_card():
    card = digits().card
    assert card in cards()
    assert "CC BY 4.0" in str(card) and "1,797" in str(card)
    assert "| licence |" in card._repr_markdown_()
    assert "1200 train" in repr(digits())


def test_a_split_of_ones_own_says_what_it_holds():
    data = digits(labels=50, seed=3)
    own = replace(data, card=None, settings={})
    counts = "1200 train, 50 labelled, 1200 transfer, 200 validation, 397 test"
    assert repr(own) == f"data of your own, seed 0: {counts}" and own.seed == 0
    assert repr(data).endswith(counts) and ", seed 3 (labels=50" in repr(data)
