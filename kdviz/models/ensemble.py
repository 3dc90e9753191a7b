"""Several networks that answer as one."""

import copy
from collections.abc import Iterable

import torch
from torch import nn

from kdviz.tracing import logits_of


class Ensemble(nn.Module):
    r"""A teacher made of several: it answers with the mean of their probabilities, or of their logits.

    The networks are copied. Its logits are, for networks with logits :math:`z_1 \dots z_K`,

    mean_of="probabilities"
        :math:`T \log \frac{1}{K} \sum_k \mathrm{softmax}(z_k / T)`, so that softened at temperature T they
        are the mean of the softened answers: the arithmetic mean of Hinton et al. 2015, *Distilling the
        Knowledge in a Neural Network*, section 1. To distil it with ``SoftTargets(4)``, say
        ``Ensemble(networks, temperature=4)``. At the default, T = 1, the ensemble answers with the mean
        probabilities; softened at another temperature, those are the soft targets of no published rule.
    mean_of="logits"
        :math:`\frac{1}{K} \sum_k z_k`, at every temperature Hinton's geometric mean, normalised.

    >>> from kdviz.models import mlp
    >>> inputs = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> networks = [mlp(64, 8, 10, seed=seed) for seed in range(3)]
    >>> softened = (Ensemble(networks, temperature=4)(inputs) / 4).softmax(-1)
    >>> torch.allclose(softened, sum((own(inputs) / 4).softmax(-1) for own in networks) / 3)
    True
    """

    def __init__(
        self, networks: Iterable[nn.Module], mean_of: str = "probabilities", *, temperature: float = 1.0
    ):
        super().__init__()
        if mean_of not in ("probabilities", "logits"):
            raise ValueError(f"mean_of must be 'probabilities' or 'logits'; got {mean_of!r}")
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0; got {temperature!r}")
        self.networks = nn.ModuleList(copy.deepcopy(network) for network in networks)
        self.mean_of, self.temperature = mean_of, temperature
        if not self.networks:
            raise ValueError("an ensemble needs at least one network")

    def forward(self, *inputs, **named):
        logits = torch.stack([logits_of(network(*inputs, **named)) for network in self.networks])
        if self.mean_of == "logits":
            return logits.mean(0)
        log_probabilities = (logits / self.temperature).log_softmax(-1)
        return self.temperature * (log_probabilities.logsumexp(0) - torch.tensor(float(len(logits))).log())
