"""The two language models: causality, layers by name, and a stack of them."""

import pytest
import torch

import kdviz as kd
from kdviz.models import transformer, window_network
from kdviz.training.stacked import StackedModel
from kdviz.training.texts import next_logits

DECODERS = {
    "transformer": lambda seed: transformer(20, 12, width=8, layers=2, length=8, seed=seed),
    "window": lambda seed: window_network(20, 12, 6, seed=seed),
}
decoders = pytest.mark.parametrize("build", DECODERS.values(), ids=DECODERS)


def texts(*shape, seed=0):
    return torch.randint(0, 20, shape, generator=torch.Generator().manual_seed(seed))


def dependence(network):
    """Which places of the answer change with a token: (L, L), a row for each token changed."""
    tokens = texts(6, 8)
    before = network(tokens)
    rows = []
    for place in range(8):
        other = tokens.clone()
        other[:, place] = (other[:, place] + 7) % 20
        rows.append((network(other) != before).any(-1).any(0))
    return torch.stack(rows)


@decoders
def test_a_token_is_never_seen_before_it_stands_there(build):
    found = dependence(build(0))
    assert not found.tril(-1).any() and found.diagonal().all()


def test_a_decoder_reads_all_that_came_before_and_an_encoder_all():
    assert dependence(DECODERS["transformer"](0)).triu().sum() == 36
    assert dependence(transformer(20, 12, width=8, length=8, causal=False)).all()


def test_a_window_reads_the_prompt_and_the_last_tokens_alone():
    found = dependence(window_network(20, 12, 6, prompt=2, window=3))
    assert found[0].all() and found[1, 1:].all()
    assert found[3].tolist() == [False] * 3 + [True] * 3 + [False] * 2


def test_what_is_within_can_be_named():
    layers = ["embedding", "block1.maps", "block1.values", "block1", "block2", "norm"]
    seen = kd.trace(DECODERS["transformer"](0), texts(5, 7), layers)
    shapes = [tuple(seen.features[layer].shape) for layer in layers]
    assert shapes == [(5, 7, 8), (5, 2, 7, 7), *[(5, 7, 8)] * 4]
    maps = seen.features["block1.maps"]
    torch.testing.assert_close(maps.sum(-1), torch.ones(5, 2, 7))
    assert not maps.triu(1).any()


def test_one_block_worked_by_hand():
    network = transformer(20, 12, width=4, heads=1, length=8).double()
    tokens = texts(1, 3)
    block = network.block1

    def normed(x, norm):
        return x / (x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps).sqrt() * norm.weight

    x = network.embedding.weight[tokens[0]] + network.places[:3]
    h = normed(x, block.before)
    q, k, v = (h @ part.weight.T + part.bias for part in (block.queries, block.keys, block.values))
    for place in range(3):
        look = torch.softmax((k[: place + 1] @ q[place]) / 2, 0) @ v[: place + 1]
        y = x[place] + block.attended(look)
        y = y + block.narrow(torch.nn.functional.gelu(block.wide(normed(y, block.between))))
        torch.testing.assert_close(network(tokens)[0, place], network.logits(normed(y, network.norm)))


@decoders
def test_a_stack_is_each_of_its_networks(build):
    networks = [build(seed) for seed in range(3)]
    stack = StackedModel(networks)
    tokens = texts(3, 5, 8)
    found = next_logits(stack, tokens)
    alone = torch.stack([network(own) for network, own in zip(networks, tokens, strict=True)])
    torch.testing.assert_close(found, alone)
    torch.testing.assert_close(next_logits(stack, tokens[0])[1], networks[1](tokens[0]))
    found.square().sum().backward()
    alone.square().sum().backward()
    for weight, own in zip(networks[2].parameters(), stack.split(stack.weights.grad), strict=True):
        torch.testing.assert_close(own[2, 0], weight.grad, rtol=1e-4, atol=1e-5)


@decoders
def test_the_seed_gives_the_weights(build):
    one, again, other = build(1).state_dict(), build(1).state_dict(), build(2).state_dict()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


def test_impossible_sizes_and_long_texts_say_what_is_expected():
    with pytest.raises(ValueError, match="heads that divide its width"):
        transformer(20, 12, width=9, heads=2)
    with pytest.raises(ValueError, match="for example window_network"):
        window_network(20, 12, 0)
    with pytest.raises(ValueError, match="9 tokens and this transformer reads 8: make it with length="):
        DECODERS["transformer"](0)(texts(2, 9))
