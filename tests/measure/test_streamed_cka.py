"""Linear CKA from sums over batches is that of all samples at once."""

import numpy as np
import pytest
import torch

from kdviz.measure import cka_map, hsic
from kdviz.measure.streamed_cka import StreamedCKA


def layers(count, *widths, seed=0, shift=0.0, scale=1.0):
    """Layers that have something in common, and each something of its own."""
    random = np.random.default_rng(seed)
    common = np.random.default_rng(9).normal(size=(count, 6))
    own = [common @ random.normal(size=(6, w)) + random.normal(size=(count, w)) for w in widths]
    return [torch.from_numpy(scale * layer + shift) for layer in own]


def streamed(features, others, size):
    found = StreamedCKA()
    for start in range(0, len(features[0]), size):
        found.add(*([layer[start : start + size] for layer in part] for part in (features, others)))
    return found


@pytest.mark.parametrize("unbiased", [True, False])
@pytest.mark.parametrize("shift, scale", [(0.0, 1.0), (1000.0, 1.0), (-3.0, 1e-3)])
def test_batches_give_what_all_samples_at_once_give(unbiased, shift, scale):
    features = layers(101, 3, 20, 150, shift=shift, scale=scale)
    others = layers(101, 5, 40, seed=1, shift=2 * shift)
    expected = cka_map(features, others, unbiased=unbiased)
    for size in (1, 7, 101):
        np.testing.assert_allclose(streamed(features, others, size).value(unbiased), expected, atol=1e-6)


@pytest.mark.parametrize("unbiased", [True, False])
def test_hsic_from_batches_is_that_of_all_samples_at_once(unbiased):
    features, others = layers(50, 3, 20), layers(50, 5, seed=1)
    expected = [[hsic(a, b, unbiased=unbiased) for b in others] for a in features]
    np.testing.assert_allclose(streamed(features, others, 7).hsic(unbiased), expected, rtol=1e-9)


def test_single_precision_features_too():
    features = [layer.float() for layer in layers(300, 30, 60)]
    others = [layer.float() for layer in layers(300, 30, seed=1)]
    np.testing.assert_allclose(streamed(features, others, 64).value(), cka_map(features, others), atol=1e-6)


def test_a_layer_that_is_the_same_for_all_samples_has_no_cka():
    features = [torch.full((20, 3), 0.1), *layers(20, 4)]
    found = streamed(features, layers(20, 5), 6).value()
    assert np.isnan(found[0, 0]) and np.isfinite(found[1, 0])


def test_bad_batches_are_refused():
    with pytest.raises(ValueError, match="at least 4"):
        streamed(layers(3, 2), layers(3, 2), 3).value()
    with pytest.raises(ValueError, match="finite"):
        StreamedCKA().add([torch.full((5, 2), float("nan"))], layers(5, 2))
    with pytest.raises(ValueError, match="Pool"):
        StreamedCKA().add([torch.zeros(5, 2, 3, 3)], layers(5, 2))
    found = streamed(layers(5, 2), layers(5, 2), 5)
    with pytest.raises(ValueError, match="same layers"):
        found.add(layers(5, 2, 2), layers(5, 2))
