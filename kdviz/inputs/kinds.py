"""The kind of answers in a batch, its targets, and which of its positions count."""

from dataclasses import replace

import torch

from kdviz.measure.answers import AnswerKind, answer_kind


def kind_of(batch, outputs, declared=None) -> AnswerKind:
    """The kind of a model's outputs for a batch; of a language model the next token is meant."""
    labels = None if batch.labels is None else batch.labels.to(outputs.device)
    kind = answer_kind(outputs, labels, declared)
    if kind.name == "tokens" and labels is not None and batch.tokens is not None:
        known, tokens = labels >= 0, batch.tokens.to(outputs.device)
        same = tokens.shape == labels.shape and known.any() and bool((tokens == labels)[known].all())
        return replace(kind, shifted=same)
    return kind


def targets(kind, batch, outputs) -> torch.Tensor:
    """The target of each position: (samples, positions)."""
    labels = None if batch.labels is None else batch.labels.to(outputs.device)
    return kind.targets(labels, outputs).to(outputs.device)


def scored(kind, batch, outputs) -> torch.Tensor:
    """Which positions of a batch count: (samples, positions). Of tokens and pixels those with a target."""
    found = torch.ones(kind.positions(outputs).shape[:2], dtype=torch.bool, device=outputs.device)
    if kind.is_dense and batch.labels is not None:
        found &= targets(kind, batch, outputs) >= 0
    if kind.name == "tokens" and batch.mask is not None:
        mask = batch.mask.to(found.device).bool()
        mask = mask[:, 1:] if kind.shifted else mask
        found &= mask if mask.shape == found.shape else True
    return found
