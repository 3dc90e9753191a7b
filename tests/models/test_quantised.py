import pytest
import torch
from torch import nn

from kdviz.models import convnet, cost, latency, low_rank, mlp, quantised

IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_weights_are_rounded_to_even_steps_around_zero():
    plain = nn.Sequential(nn.Linear(2, 2, bias=False))
    with torch.no_grad():
        plain[0].weight.copy_(torch.tensor([[0.9, -0.2], [0.44, -0.46]]))
    assert quantised(plain, 3)[0].weight.detach().flatten().tolist() == pytest.approx([0.9, -0.3, 0.3, -0.6])
    torch.testing.assert_close(quantised(plain, 16)[0].weight, plain[0].weight, atol=2e-5, rtol=0)


def test_the_gradient_is_that_of_the_rounded_weights():
    twin = quantised(mlp(64, 4, 10), 4)
    rounded = twin.hidden1.weight.detach().requires_grad_()
    hidden = (IMAGES.flatten(1) @ rounded.T + twin.hidden1.bias).relu()
    (hidden @ twin.logits.weight.detach().T + twin.logits.bias).square().sum().backward()
    twin(IMAGES).square().sum().backward()
    torch.testing.assert_close(twin.hidden1.parametrizations.weight.original.grad, rounded.grad)


def test_a_quantised_copy_leaves_the_network_alone_and_is_counted_with_its_bits():
    plain = convnet(4, 8)
    before = plain(IMAGES)
    twin = quantised(plain, 2)
    assert torch.equal(plain(IMAGES), before)
    assert not torch.equal(twin(IMAGES), before)
    weights, biases = 9 * 4 + 9 * 4 * 8 + 8 * 10, 4 + 8 + 10
    found = cost(twin, IMAGES)
    assert found.bytes == weights * 2 // 8 + 4 * biases
    assert (found.parameters, found.macs) == (cost(plain, IMAGES).parameters, cost(plain, IMAGES).macs)


def test_what_cannot_be_quantised_is_refused():
    with pytest.raises(ValueError, match="2 to 16; got 1"):
        quantised(mlp(64, 4, 10), 1)
    with pytest.raises(ValueError, match="nothing to quantise"):
        quantised(nn.Sequential(nn.ReLU()), 4)


def test_latency_is_a_time_above_zero_and_leaves_the_mode():
    model = mlp(64, 8, 10)
    assert 0 < latency(model, IMAGES, seconds=0.01) < 1
    assert model.training


@pytest.mark.parametrize("plain", [mlp(64, 32, 16, 10), convnet(8, 16)])
def test_low_rank_gives_the_same_shapes_for_fewer_weights(plain):
    thin = low_rank(plain, 2)
    assert [name for name, _ in thin.named_children()] == [name for name, _ in plain.named_children()]
    seen = ours = IMAGES
    for name, layer in plain.named_children():
        seen, ours = layer(seen), thin.get_submodule(name)(ours)
        assert ours.shape == seen.shape
    assert cost(thin, IMAGES).macs < cost(plain, IMAGES).macs
    assert torch.equal(thin.logits.weight, plain.logits.weight)
    assert thin.logits.weight.data_ptr() != plain.logits.weight.data_ptr()


def test_low_rank_keeps_what_would_not_become_smaller():
    plain = mlp(64, 4, 10)
    assert torch.equal(low_rank(plain, 16).hidden1.weight, plain.hidden1.weight)
    with pytest.raises(ValueError, match="from 1 up"):
        low_rank(plain, 0)
