"""Collaborative learning (KDCL): peers that are all taught by their ensemble."""

from collections.abc import Callable
from typing import Unpack

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn

from kdviz.datasets.augmentations import SLIGHT_NOISE
from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_form, check_labels
from kdviz.schemes.evaluation import evaluate_group
from kdviz.schemes.group_traces import GroupLesson, together
from kdviz.schemes.objectives import check_reads_no_layers, labels_and_soft_targets
from kdviz.schemes.online.peers import peers_of
from kdviz.tracing import Trace, answer, trace
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training

ENSEMBLES = ("minimum", "naive", "linear", "general")


def collaborative(
    peers: list[nn.Module],
    data: Dataset,
    objective: ObjectiveLike | None = None,
    *,
    ensemble: str = "minimum",
    augment: Callable = SLIGHT_NOISE,
    **training: Unpack[Training],
) -> Run:
    """Collaborative learning (KDCL): at every step all peers are taught by their ensemble.

    Each peer sees an augmentation of its own of the same images. Source: Guo et al. 2020, *Online Knowledge
    Distillation via Collaborative Learning*, section 3.

    Parameters
    ----------
    peers, data, **training
        As in :func:`mutual`; all images must be labelled.
    objective : default ``CrossEntropy() + SoftTargets(temperature=2)``
        It may not read layers: the ensemble has logits only.
    ensemble : {"minimum", "naive", "linear", "general"}
        How the peers' logits make the teacher's: see :func:`ensemble_logits`. "general" weighs the peers by
        their errors on the validation images, anew each epoch, so those images are no longer unseen.
    augment : function of inputs and a generator
        See ``kdviz.datasets.augmentations``.
    """
    objective = labels_and_soft_targets(objective, temperature=2)
    check_form(ensemble, ENSEMBLES)
    check_reads_no_layers(objective, "an ensemble of peers has logits only")
    lesson = Collaborative(data, ensemble, augment)
    if (data.transfer.labels < 0).any():
        raise ValueError("the ensemble is made with the labels; use a data set with transfer='labelled'")
    return Run(peers_of(peers), lesson, objective, evaluate_group(data), **training)


class Collaborative(GroupLesson):
    """The ensemble of the peers; the weights of its form "general" are found anew each epoch."""

    def __init__(self, data, form, augment):
        super().__init__(data)
        self.form, self.augment, self.weights = form, augment, None

    def student_traces(self, peers, rows):
        epoch = max(1, len(self.samples) // self.run.batch_size)
        if self.form == "general" and self.run.step % epoch == 0:
            inputs = self.data.validation.inputs
            self.weights = general_weights([answer(peer, inputs).logits for peer in peers], self.data)
        return together(trace(peer, self.augment(self.inputs(rows), self.random)) for peer in peers)

    def teachers_of(self, group, rows):
        logits, labels = group.logits.detach()[:, 0], self.samples.labels[rows]
        return Trace(ensemble_logits(logits, labels, self.form, self.weights))


def ensemble_logits(logits, labels, form="minimum", weights=None):
    r"""The teacher that the peers of KDCL make together, from logits (peers, N, C) and labels (N,).

    form="naive"
        For each sample the logits of the peer with the smallest cross-entropy.
    form="linear"
        :math:`\sum_k \alpha_k z_k`, with the :math:`\alpha` (0 or more, adding up to 1) of the smallest
        cross-entropy on these samples.
    form="minimum"
        :math:`\min_k (z_{kc} - z_{ky})` for each class: the label's logit is 0, and each other class gets
        the least that any peer gives it beside the label.
    form="general"
        :math:`\sum_k w_k z_k` with the ``weights`` of :func:`general_weights`.
    """
    check_form(form, ENSEMBLES)
    own = labels.expand(len(logits), -1).unsqueeze(-1)
    if form == "minimum":
        return (logits - logits.gather(-1, own)).amin(0)
    if form == "naive":
        best = logits.log_softmax(-1).gather(-1, own).argmax(0)
        return logits.gather(0, best.expand(1, *logits.shape[1:]))[0]
    weights = _best_mixture(logits, labels) if form == "linear" else weights
    return torch.tensordot(weights.to(logits), logits, 1)


def _best_mixture(logits, labels):
    """The weights of KDCL-Linear: a small convex problem."""
    values, labels = logits.double().cpu(), labels.cpu()
    truth = torch.nn.functional.one_hot(labels, logits.shape[-1]).double()

    def loss(weights):
        mixed = torch.tensordot(torch.from_numpy(weights), values, 1)
        pull = (mixed.softmax(-1) - truth) / len(labels)
        value = -(truth * mixed.log_softmax(-1)).sum() / len(labels)
        return float(value), (values * pull).sum((1, 2)).numpy()

    count = len(logits)
    whole = {"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like}
    start, bounds = np.full(count, 1 / count), [(0, 1)] * count
    return torch.from_numpy(minimize(loss, start, jac=True, bounds=bounds, constraints=whole).x)


def general_weights(logits, data):
    r"""KDCL-General: the weights :math:`C^{-1} 1 / (1^\top C^{-1} 1)` of the smallest squared error.

    C holds the mean products of the peers' errors, probability less label, on the validation images.
    """
    for own in logits:
        check_labels(own, data.validation.labels)
    truth = torch.nn.functional.one_hot(data.validation.labels.cpu(), logits[0].shape[-1]).double()
    errors = torch.stack([(own.double().cpu().softmax(-1) - truth).flatten() for own in logits])
    products = errors @ errors.T / len(truth)
    ridge = 1e-6 * products.diagonal().mean() * torch.eye(len(logits), dtype=torch.float64)
    weights = torch.linalg.solve(products + ridge, torch.ones(len(logits), dtype=torch.float64))
    return weights / weights.sum()
