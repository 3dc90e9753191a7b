"""What a language model says of texts: one network, or a stack of them with texts of its own for each."""

import torch

from kdviz.tracing import call, logits_of
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
