"""What a language model says of texts, and what it says itself: one, or a stack with texts for each seed."""

import torch
import torch.nn.functional as F

from kdviz.tracing import call, evaluating, logits_of
from kdviz.training.stacked import StackedModel


def next_logits(model, tokens: torch.Tensor) -> torch.Tensor:
    """The logits of the token after each: (..., texts, length, vocabulary).

    Tokens are (texts, length) with any axes before them; those of a stack are (seeds, texts, length), or
    (texts, length) where all are asked about the same. Modes and gradients are as they are.
    """
    if not isinstance(model, StackedModel):
        return logits_of(call(model, tokens.flatten(0, -2))).unflatten(0, tokens.shape[:-1])
    if tokens.ndim == 2:
        tokens = tokens.expand(model.shape[0], *tokens.shape)
    return model(tokens.movedim(1, -1).unsqueeze(1)).squeeze(1)


def continued(model, tokens, start, draws, temperature, stop):
    """Texts (seeds, n, length) said anew from ``start``, and where they end; a draw for each word."""
    words = draws.shape[-1]
    places = torch.arange(int(start.max()) + words, device=tokens.device)
    tokens = F.pad(tokens, (0, max(0, len(places) - tokens.shape[-1])), value=stop)[..., : len(places)]
    tokens = tokens.masked_fill(places >= start.unsqueeze(-1), stop)
    end, speaking = start.clone(), torch.ones_like(start, dtype=torch.bool)
    draws = draws.to(tokens.device)
    with evaluating(model), torch.no_grad():
        for word in range(words):
            here = (start + word - 1)[..., None, None]
            logits = next_logits(model, tokens[..., : int(start.max()) + word])
            logits = logits.gather(-2, here.expand(*start.shape, 1, logits.shape[-1])).squeeze(-2)
            said = torch.where(speaking, _drawn(logits, temperature, draws[..., word]), stop)
            tokens = tokens.scatter(-1, (start + word).unsqueeze(-1), said.unsqueeze(-1))
            end = end + speaking
            speaking = speaking & (said != stop)
    return tokens, end


def _drawn(logits, temperature, draw):
    """A word for each draw: where it falls among the probabilities, laid side by side."""
    if temperature == 0:
        return logits.argmax(-1)
    reached = (logits.double() / temperature).softmax(-1).cumsum(-1)
    # Of the last sum, which rounding may leave below 1, so that no draw falls behind the last word.
    return torch.searchsorted(reached, (draw * reached[..., -1]).unsqueeze(-1), right=True).squeeze(-1)


def uniform(seeds, shape):
    """Numbers from 0 to 1 that belong to a seed, or to a seed and a step."""
    seed = 0
    for part in seeds:
        seed = (seed * 1_000_003 + int(part) + 1) % 2**63
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
