"""What each model predicts, collected while the batches go by: a few numbers for each sample."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import norm

from kdviz.measure.predictions import kl_of_each


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's predictions, as arrays (N,): its answer, its confidence in it, and two distances in nats.

    ``nll`` is the negative log-likelihood of the label, NaN where there is none, and ``kl`` is
    KL(teacher ‖ model).
    """

    answer: np.ndarray
    confidence: np.ndarray
    nll: np.ndarray
    kl: np.ndarray


class Collector:
    """Collects the predictions of several models, 16 bytes a sample and model."""

    def __init__(self):
        self._batches = []

    def add(self, logits, labels):
        """Take in a batch: logits (n, C) by model, the teacher's among them. Gives its predictions back."""
        log_q = logits["teacher"].log_softmax(1)
        found = {
            name: _predictions(log_q if name == "teacher" else values.log_softmax(1), log_q, labels)
            for name, values in logits.items()
        }
        self._batches.append(found)
        return found

    def predictions(self):
        """By model, the predictions of all samples."""
        return {
            name: Predictions(
                *(
                    np.concatenate([getattr(batch[name], column) for batch in self._batches])
                    for column in ("answer", "confidence", "nll", "kl")
                )
            )
            for name in self._batches[0]
        }


def _predictions(log_p, log_q, labels):
    confidence, answer = log_p.exp().max(1)
    nll = -log_p.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
    nll[labels < 0] = torch.nan
    numbers = (confidence, nll, kl_of_each(log_p, log_q))
    return Predictions(answer.int().numpy(), *(values.float().numpy() for values in numbers))


def fraction(hits):
    """A fraction of samples as a float, NaN where there is no sample."""
    return float(np.mean(hits)) if len(hits) else np.nan


def paired_difference(ours, theirs, level=0.95):
    """The mean difference of two yes-or-no columns on the same samples, and its half width over samples.

    The half width is that of Agresti and Min 2005, *Simple improved confidence intervals for comparing
    matched proportions*: half a sample is added to each of the four outcomes, so that it is not 0 where all
    samples agree.
    """
    if not len(ours):
        return np.nan, np.nan
    apart = ours.astype(float) - theirs.astype(float)
    count, gained = len(apart) + 2, apart.sum()
    spread = np.abs(apart).sum() + 1 - gained**2 / count
    return float(apart.mean()), float(norm.ppf((1 + level) / 2) * np.sqrt(spread) / count)
