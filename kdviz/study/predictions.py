"""What is counted of each model while the batches go by: a few numbers for each sample."""

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy.stats import norm


@dataclass
class Tally:
    """A model's answers: for each sample its class, confidence and distances, as arrays of length N.

    ``divergence`` is KL(teacher ‖ model) in nats, and ``surprise`` the negative log-likelihood of the label,
    not a number where there is none.
    """

    answer: np.ndarray
    confidence: np.ndarray
    surprise: np.ndarray
    divergence: np.ndarray


@dataclass
class Counting:
    """A tally in the making, 16 bytes a sample."""

    parts: list = field(default_factory=list)

    def add(self, logits, teacher_logits, labels):
        log_p, log_q = logits.log_softmax(1), teacher_logits.log_softmax(1)
        confidence, answer = log_p.exp().max(1)
        known = labels.clamp(min=0).unsqueeze(1)
        surprise = -log_p.gather(1, known).squeeze(1)
        surprise[labels < 0] = torch.nan
        divergence = (log_q.exp() * (log_q - log_p)).sum(1)
        self.parts.append(
            (answer.int().numpy(), *(v.float().numpy() for v in (confidence, surprise, divergence)))
        )

    def tally(self):
        return Tally(*(np.concatenate(column) for column in zip(*self.parts, strict=True)))


def share(hits):
    """A share of samples as a float, not a number where there is no sample."""
    return float(np.mean(hits)) if len(hits) else np.nan


def calibration(tally, labels, bins=15):
    """The expected calibration error of :func:`kdviz.measure.calibration_error`, from a tally.

    Returned with it is a table (bins, 3) for a reliability diagram: mean confidence, share right, samples.
    """
    known = labels >= 0
    confidence, right = tally.confidence[known].astype(float), tally.answer[known] == labels[known]
    place = np.clip(np.ceil(confidence * bins).astype(int), 1, bins) - 1
    counts = np.bincount(place, minlength=bins)
    filled = np.maximum(counts, 1)
    table = np.stack(
        [
            np.bincount(place, confidence, bins) / filled,
            np.bincount(place, right, bins) / filled,
            counts,
        ],
        1,
    )
    error = float((np.abs(table[:, 0] - table[:, 1]) * counts).sum() / max(counts.sum(), 1))
    return error, table


def difference(ours, theirs, level=0.95):
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
