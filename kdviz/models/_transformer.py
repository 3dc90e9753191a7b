"""A small transformer: a decoder that reads texts to the left, or an encoder that reads all of them."""

import torch
from torch import nn

from kdviz.seeding import seeded


def transformer(
    tokens: int,
    words: int,
    *,
    width: int = 16,
    layers: int = 1,
    heads: int = 2,
    length: int = 64,
    causal: bool = True,
    seed: int = 0,
) -> "Transformer":
    """A transformer of texts: token numbers (N, L) in, logits of the next word (N, L, words) out.

    Layers are ``embedding``, then for each block, from ``block1``, ``block1.values`` (N, L, width),
    ``block1.maps`` (N, heads, L, L), which says where each token looks, and ``block1`` itself, its hidden
    states (N, L, width); at last ``norm`` and ``logits``. Norms are before what they feed, and are those of
    the root mean square; the activation is GELU, four times as wide. It has no buffers, so it stacks.

    Source: Vaswani et al. 2017, *Attention Is All You Need*, as a decoder alone (Radford et al. 2018).

    >>> network = transformer(54, 30, width=8, length=8)
    >>> network(torch.zeros(3, 8, dtype=torch.long)).shape
    torch.Size([3, 8, 30])

    Parameters
    ----------
    tokens : int
        How many tokens it reads.
    words : int
        Of these it says the first ``words``.
    width, layers, heads : int
        ``heads`` share the width, which they must divide.
    length : int
        Of the longest text.
    causal : bool
        Whether a token sees only those before it and itself: a decoder. An encoder sees all.
    """
    sizes = {"tokens": tokens, "words": words, "width": width, "heads": heads, "length": length}
    if not all(isinstance(size, int) and size > 0 for size in (*sizes.values(), layers)) or width % heads:
        raise ValueError(
            "a transformer needs positive whole numbers and heads that divide its width, for example "
            f"transformer(54, 30, width=16, heads=2); got {sizes} and layers={layers!r}"
        )
    with seeded(seed):
        return Transformer(tokens, words, width, layers, heads, length, causal)


class Transformer(nn.Module):
    """See :func:`transformer`."""

    def __init__(self, tokens, words, width, layers, heads, length, causal):
        super().__init__()
        self.blocks = [f"block{number}" for number in range(1, layers + 1)]
        self.embedding = nn.Embedding(tokens, width)
        self.places = nn.Parameter(0.1 * torch.randn(length, width))
        for name in self.blocks:
            self.add_module(name, Block(width, heads, causal))
        self.norm = nn.RMSNorm(width)
        self.logits = nn.Linear(width, words)

    def forward(self, tokens):
        if tokens.shape[-1] > len(self.places):
            raise ValueError(
                f"these texts have {tokens.shape[-1]} tokens and this transformer reads {len(self.places)}: "
                "make it with length= of the longest"
            )
        states = self.embedding(tokens) + self.places[: tokens.shape[-1]]
        for name in self.blocks:
            states = self.get_submodule(name)(states)
        return self.logits(self.norm(states))


class Block(nn.Module):
    """Attention among the tokens, then two layers for each of them, both added to what was there."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.before, self.between = nn.RMSNorm(width), nn.RMSNorm(width)
        self.queries, self.keys, self.values = (nn.Linear(width, width) for _ in range(3))
        self.maps = nn.Softmax(-1)
        self.attended = nn.Linear(width, width)
        self.wide, self.activation = nn.Linear(width, 4 * width), nn.GELU()
        self.narrow = nn.Linear(4 * width, width)

    def forward(self, states):
        normed = self.before(states)
        queries, keys, values = (
            layer(normed).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for layer in (self.queries, self.keys, self.values)
        )
        scores = queries @ keys.mT / queries.shape[-1] ** 0.5
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        seen = (self.maps(scores) @ values).transpose(-2, -3).flatten(-2)
        states = states + self.attended(seen)
        return states + self.narrow(self.activation(self.wide(self.between(states))))
