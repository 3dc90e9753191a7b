"""A language model without attention: the prompt, and a window of the last words."""

import torch
from torch import nn

from kdviz.seeding import seeded


def window_network(
    tokens: int,
    words: int,
    units: int,
    *,
    prompt: int = 2,
    window: int = 3,
    width: int = 8,
    seed: int = 0,
) -> "WindowNetwork":
    """A language model that reads the prompt and the last few tokens: (N, L) in, (N, L, words) out.

    Each token is a vector of ``width`` numbers; those of the first ``prompt`` tokens and of the last
    ``window``, this one included, stand side by side before one hidden layer of ``units`` with tanh. So it
    is a decoder, too, in which nothing is far away. Layers are ``embedding``, ``context``, ``hidden``,
    ``activation``, ``logits``. Source: Bengio et al. 2003, *A Neural Probabilistic Language Model*, section
    2; the prompt is ours.

    >>> window_network(54, 30, 10)(torch.zeros(3, 8, dtype=torch.long)).shape
    torch.Size([3, 8, 30])
    """
    sizes = (tokens, words, units, prompt, window, width)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(
            "a window network needs positive whole numbers, for example window_network(54, 30, 10); got "
            f"tokens, words, units, prompt, window and width {sizes}"
        )
    with seeded(seed):
        return WindowNetwork(*sizes)


class WindowNetwork(nn.Module):
    """See :func:`window_network`."""

    def __init__(self, tokens, words, units, prompt, window, width):
        super().__init__()
        self.prompt, self.window = prompt, window
        self.embedding = nn.Embedding(tokens, width)
        self.context = nn.Identity()
        self.hidden = nn.Linear((prompt + window) * width, units)
        self.activation = nn.Tanh()
        self.logits = nn.Linear(units, words)

    def forward(self, tokens):
        length = tokens.shape[-1]
        vectors = self.embedding(tokens)
        places = torch.arange(length, device=tokens.device)
        # What each place reads; a token that is not there, or not there yet, is a vector of zeros.
        read = torch.cat(
            [
                torch.arange(self.prompt, device=tokens.device).expand(length, -1),
                places[:, None] - torch.arange(self.window, device=tokens.device),
            ],
            1,
        )
        there = (read >= 0) & (read <= places[:, None])
        seen = vectors[..., read.clamp(0, length - 1), :] * there.unsqueeze(-1)
        return self.logits(self.activation(self.hidden(self.context(seen.flatten(-2)))))
