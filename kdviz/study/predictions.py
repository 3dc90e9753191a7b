"""What each model predicts, collected while the batches go by: a few numbers for each target."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from scipy.stats import norm, t

from kdviz.measure.predictions import kl_of_each

# Targets kept at most: of long texts and large pictures a part of the positions, drawn at random.
MOST = 2_000_000
# Classes from which on a label's rank is kept, for the accuracy among the first few.
RANKED = 20
# Logits taken at a time, in double precision.
_AT_ONCE = 2**22


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model's predictions, as arrays (targets,); what the kind of answers does not have is None.

    ``answer`` is a class and ``confidence`` its probability; ``nll`` is the negative log-likelihood of the
    label, NaN where there is none; ``kl`` is KL(teacher ‖ model), all in nats; ``rank`` is how many classes
    have more than the label's logit. ``value`` is a number itself, or the logit of yes.
    """

    answer: np.ndarray | None = None
    confidence: np.ndarray | None = None
    nll: np.ndarray | None = None
    kl: np.ndarray | None = None
    rank: np.ndarray | None = None
    value: np.ndarray | None = None

    def some(self, rows):
        """Those of some of the targets."""
        return Predictions(*(None if part is None else part[rows] for part in self.parts()))

    def parts(self):
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True, eq=False)
class Targets:
    """Which ``sample`` and ``position`` each target belongs to, and its ``label``: arrays (targets,)."""

    sample: np.ndarray
    position: np.ndarray
    label: np.ndarray

    def some(self, rows):
        return Targets(self.sample[rows], self.position[rows], self.label[rows])


class Collector:
    """Collects the predictions of several models: 16 to 22 bytes a target and model.

    ``total`` is how many samples are to come, where that is known.
    """

    def __init__(self, kind, total=None):
        self.kind, self.total, self.count, self.share = kind, total, 0, None
        self._generator = torch.Generator().manual_seed(0)
        self._targets, self._batches = [], []

    def add(self, outputs, labels, spots):
        """Take in a batch: outputs by model, labels and which positions count, both (samples, positions).

        Gives its targets and predictions back.
        """
        spots = self._thinned(spots)
        sample, position = (part.numpy().astype(np.int32) for part in torch.nonzero(spots, as_tuple=True))
        kept = labels[spots].numpy()
        targets = Targets(
            sample + self.count, position, kept.astype(np.float32 if self.kind.has_numbers else np.int32)
        )
        self.count += len(spots)
        tables = {name: self.kind.positions(values)[spots] for name, values in outputs.items()}
        found = self._predictions(tables, labels[spots])
        self._targets.append(targets)
        self._batches.append(found)
        self._keep_few()
        return targets, found

    def targets(self):
        parts = [[getattr(one, name) for one in self._targets] for name in ("sample", "position", "label")]
        return Targets(*map(np.concatenate, parts))

    def predictions(self):
        """By model, the predictions of all targets."""
        return {name: _joined([batch[name] for batch in self._batches]) for name in self._batches[0]}

    def _thinned(self, spots):
        if not self.kind.is_dense:
            return spots
        if self.share is None:
            samples = len(spots) if self.total is None else self.total
            self.share = min(1.0, MOST / max(1.0, float(spots.sum()) * samples / len(spots)))
        if self.share == 1.0:
            return spots
        return spots & (torch.rand(spots.shape, generator=self._generator) < self.share)

    def _keep_few(self):
        """Where more came than was foreseen, half of it goes, drawn at random, and half of what follows."""
        if self.kind.is_dense and sum(len(one.sample) for one in self._targets) > 2 * MOST:
            self.share /= 2
            for number, targets in enumerate(self._targets):
                rows = (torch.rand(len(targets.sample), generator=self._generator) < 0.5).numpy()
                self._targets[number] = targets.some(rows)
                self._batches[number] = {name: one.some(rows) for name, one in self._batches[number].items()}

    def _predictions(self, tables, labels):
        if self.kind.has_numbers:
            return {name: Predictions(value=table[:, 0].float().numpy()) for name, table in tables.items()}
        count, classes = next(iter(tables.values())).shape
        at_once = max(1, _AT_ONCE // classes)
        parts = [
            self._of_part(
                {name: table[start : start + at_once] for name, table in tables.items()},
                labels[start : start + at_once],
            )
            for start in range(0, max(count, 1), at_once)
        ]
        return {name: _joined([part[name] for part in parts]) for name in tables}

    def _of_part(self, tables, labels):
        log_q = tables["teacher"].double().log_softmax(1)
        return {
            name: self._of_model(
                table, log_q if name == "teacher" else table.double().log_softmax(1), log_q, labels
            )
            for name, table in tables.items()
        }

    def _of_model(self, table, log_p, log_q, labels):
        confidence, answer = log_p.exp().max(1)
        own = log_p.gather(1, labels.clamp(min=0).unsqueeze(1))
        nll = -own.squeeze(1)
        nll[labels < 0] = torch.nan
        # A class that both mask counts for nothing, as torch has it.
        kl = kl_of_each(log_p.clamp(min=-1e30), log_q.clamp(min=-1e30))
        rank = (log_p > own).sum(1).numpy().astype(np.uint16) if table.shape[1] >= RANKED else None
        value = table[:, 1].float().numpy() if self.kind.name in ("binary", "labels") else None
        numbers = (part.float().numpy() for part in (confidence, nll, kl))
        return Predictions(answer.int().numpy(), *numbers, rank, value)


def _joined(parts):
    columns = zip(*(part.parts() for part in parts), strict=True)
    return Predictions(*(None if column[0] is None else np.concatenate(column) for column in columns))


def fraction(hits):
    """A fraction of samples as a float, NaN where there is no sample."""
    return float(np.mean(hits)) if len(hits) else np.nan


def paired_difference(ours, theirs, level=0.95, samples=None):
    """The mean difference of two columns on the same targets, and its half width over samples.

    Of yes-or-no columns with one target a sample the half width is that of Agresti and Min 2005, *Simple
    improved confidence intervals for comparing matched proportions*: half a sample is added to each of the
    four outcomes, so that it is not 0 where all samples agree. Else it is that of a ratio over ``samples``,
    the sample of each target: the tokens of a text stand and fall together.
    """
    if not len(ours):
        return np.nan, np.nan
    sure = norm.ppf((1 + level) / 2)
    apart = ours.astype(float) - theirs.astype(float)
    if samples is None and ours.dtype == bool and theirs.dtype == bool:
        count, gained = len(apart) + 2, apart.sum()
        spread = np.abs(apart).sum() + 1 - gained**2 / count
        return float(apart.mean()), float(sure * np.sqrt(spread) / count)
    _, group = np.unique(np.arange(len(apart)) if samples is None else samples, return_inverse=True)
    sums, sizes = np.bincount(group, apart), np.bincount(group)
    mean, count = apart.mean(), len(sums)
    if count < 2:
        return float(mean), np.nan
    rest = sums - mean * sizes
    return float(mean), float(sure * np.sqrt((rest**2).sum() * count / (count - 1)) / len(apart))


def over_seeds(ours, theirs, level=0.95):
    """The half width over seeds of a difference of means, by Welch's t; NaN for fewer than two of a kind.

    >>> round(over_seeds([80.0, 82.0, 84.0], [79.0, 80.0, 81.0]), 2)
    4.16
    """
    sides = [np.asarray(part, float) for part in (ours, theirs)]
    if min(map(len, sides)) < 2:
        return np.nan
    a, b = (one.var(ddof=1) / len(one) for one in sides)
    if a + b == 0:
        return 0.0
    freedom = (a + b) ** 2 / sum(part**2 / (len(one) - 1) for part, one in zip((a, b), sides, strict=True))
    return float(t.ppf((1 + level) / 2, freedom) * np.sqrt(a + b))
