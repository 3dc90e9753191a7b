"""A small transformer that reads a whole sequence and names its class."""

from kdviz.models._transformer import Transformer
from kdviz.seeding import seeded


def encoder(
    tokens: int,
    classes: int,
    *,
    width: int = 16,
    layers: int = 2,
    heads: int = 4,
    length: int = 8,
    seed: int = 0,
) -> "Encoder":
    """An encoder of sequences: token numbers (N, L) in, logits of a class (N, classes) out.

    Layers and weights are those of :func:`kdviz.models.transformer` with ``causal=False``: every token sees
    all others. The last one, such as a question, answers for the sequence.

    >>> import torch
    >>> encoder(56, 6, length=5)(torch.zeros(3, 5, dtype=torch.long)).shape
    torch.Size([3, 6])
    """
    if width % heads:
        raise ValueError(
            f"heads must divide the width, for example width=16, heads=4; got {width} and {heads}"
        )
    with seeded(seed):
        return Encoder(tokens, classes, width, layers, heads, length, False)


class Encoder(Transformer):
    """See :func:`encoder`."""

    def forward(self, tokens):
        return super().forward(tokens)[:, -1]
