import pytest
import torch

from kdviz.datasets import cards, multi_view, shown_views
from kdviz.datasets._multi_view import _features
from kdviz.models import patch_network
from kdviz.schemes import train


def strongest(data, part="test"):
    """How strongly each image shows each view of each class at any place: (n, classes, views)."""
    features = torch.from_numpy(_features(data.seed)).float()
    return torch.einsum("nopd,cvd->npcv", getattr(data, part).inputs, features).amax(1)


def test_an_image_shows_the_views_it_is_said_to_show():
    data = multi_view(noise=0.0, seed=1)
    for part in ("train", "validation", "test"):
        labels, views = getattr(data, part).labels, shown_views(data, part)
        own = strongest(data, part)[torch.arange(len(labels)), labels]
        shown = torch.stack([(views == view) | (views == -1) for view in (0, 1)], -1)
        assert (own[shown] > 0.79).all() and (own[~shown] < 0.41).all()


def test_only_the_class_itself_is_shown_strongly():
    data = multi_view(noise=0.0, seed=1)
    found = strongest(data)
    found[torch.arange(len(data.test)), data.test.labels] = 0
    # Two of the weak features may meet, but each has a place of its own.
    assert found.max() <= 0.4 + 1e-6


def test_the_shares_of_single_views_are_those_asked_for():
    data = multi_view(single=0.1, test_single=0.0)
    assert 0.05 < (shown_views(data, "train") >= 0).float().mean() < 0.15
    assert (shown_views(data) == -1).all()
    alone = shown_views(multi_view())
    assert (alone >= 0).all() and 0.4 < alone.float().mean() < 0.6


def test_a_data_set_belongs_to_its_seed_and_its_parts_differ():
    assert torch.equal(multi_view(seed=2).test.inputs, multi_view(seed=2).test.inputs)
    assert not torch.equal(multi_view(seed=2).test.inputs, multi_view(seed=3).test.inputs)
    data = multi_view(200)
    assert not torch.equal(data.train.inputs, data.validation.inputs)
    assert data.train is data.labelled is data.transfer
    every = torch.cat([getattr(data, part).indices for part in ("train", "validation", "test")])
    assert len(every.unique()) == len(every) == 1400
    assert data.train.labels.bincount().tolist() == [40] * 5


def test_one_network_misses_views_that_both_together_do_not_need():
    # What the data set is for. With both views in sight nothing is missing.
    alone, both = multi_view(seed=0), multi_view(test_single=0.0, seed=0)
    network = train(patch_network(20, 10, 5, seed=0), alone, learning_rate=1e-2).finish().student

    def right(data):
        return (network(data.test.inputs).argmax(-1) == data.test.labels).float().mean()

    assert right(both) > 0.97 and right(alone) < 0.93


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"images": 10}, "from 50 up"),
        ({"images": 99.5}, "whole number"),
        ({"single": 1.5}, "single must be a fraction"),
        ({"test_single": -1}, "test_single must be a fraction"),
        ({"noise": -0.1}, "noise must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_settings_say_what_is_expected(settings, message):
    with pytest.raises(ValueError, match=message):
        multi_view(**settings)


def test_has_a_card():
    assert any("Allen-Zhu" in str(card) for card in cards())
