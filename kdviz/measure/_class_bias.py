"""A correction for a class that the student was never shown: one number added to its logit."""

import torch
from scipy.optimize import brentq


def class_bias(logits: torch.Tensor, label: int, rate: float) -> float:
    """The number to add to one class's logit so that its mean probability becomes ``rate``.

    Hinton et al. (2015, section 3) raise the bias of a digit that was left out of the transfer set.
    They tuned it on the test set; this uses no label at all: only the logits on unlabelled inputs that
    include the class, (N, C), and the fraction of it that you expect there (0.1 for one of ten digits).

    >>> round(class_bias(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), 1, rate=0.9), 3)
    2.197
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must be a fraction between 0 and 1; got {rate!r}")
    logits = logits.detach().double()
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], -1).logsumexp(-1)
    margin = logits[:, label] - others
    widest = float(margin.abs().max()) + 50
    return brentq(lambda bias: float(torch.sigmoid(margin + bias).mean()) - rate, -widest, widest)
