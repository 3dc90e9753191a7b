"""Losses on logits as losses on texts: the mean over the tokens that are to be learned."""

import copy
from dataclasses import replace
from functools import cache

import torch
from torch.func import vmap

from kdviz.losses.objective import Objective, as_objective
from kdviz.losses.response.logits import ResponseLoss, mean_over_labelled
from kdviz.tracing import Trace


def over_tokens(objective) -> Objective:
    r"""The same objective on texts: each term is its mean over the tokens that are to be learned.

    .. math:: \frac{1}{|M|} \sum_{n \in M} \ell(z_{S,n}, z_{T,n}, y_n), \qquad M = \{n : y_n \ge 0\}

    for a loss :math:`\ell` on the logits of one token. Logits are (N, V), with the tokens of all texts one
    after another; the label of a token that is given, or is padding, is -1, and what is said there neither
    counts nor gets a gradient. Names, settings and formulas of the terms stay.

    Errors: TypeError for a loss on features, and for one that compares samples with each other, which
    tokens are not.

    >>> import kdviz as kd
    >>> student, teacher = torch.zeros(2, 4), torch.tensor([[2.0, 0, 0, 0], [9.0, 0, 0, 0]])
    >>> labels = torch.tensor([0, -1])
    >>> total, terms = over_tokens(kd.SoftTargets(1.0))(student, teacher, labels)
    >>> bool(total == kd.SoftTargets(1.0)(student[:1], teacher[:1]))
    True
    """
    terms = as_objective(objective).parts
    return Objective(tuple(replace(term, loss=_of_tokens(term.loss)) for term in terms))


def _of_tokens(loss):
    if not isinstance(loss, ResponseLoss):
        raise TypeError(
            f"{type(loss).__name__} reads layers; a text is learned by losses on logits, such as "
            "SoftTargets(1.0) or JensenShannon(0.5)"
        )
    if isinstance(loss, OfTokens):
        return loss
    _check_alone(loss)
    return _kind(type(loss))(**vars(loss))


class OfTokens:
    """What makes a loss on logits one on tokens: each is asked about as a batch of its own."""

    needs_labels = True

    def value(self, student, teacher, labels, learned):
        alone = copy.copy(self)
        object.__setattr__(alone, "__class__", self.of_samples)

        def of_one(ours, theirs, label):
            theirs = None if theirs is None else Trace(theirs[None])
            return alone.value(Trace(ours[None]), theirs, label[None], learned)

        theirs = None if teacher is None else teacher.logits
        axes = (0, None if theirs is None else 0, 0)
        each = vmap(of_one, axes, randomness="same")(student.logits, theirs, labels)
        return mean_over_labelled(each, labels)


@cache
def _kind(kind):
    """The class of a loss, on tokens; one object, so that two objectives of a form are of one structure."""
    return type(kind.__name__, (OfTokens, kind), {"__doc__": kind.__doc__, "of_samples": kind})


def _check_alone(loss):
    """Of a loss that looks at each sample by itself, the value of all is the mean of those of two halves."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = torch.randn(2, 4, 64, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3])
    parts = [loss(ours[rows], theirs[rows], labels[rows]) for rows in (slice(4), slice(2), slice(2, 4))]
    if not torch.allclose(parts[0], (parts[1] + parts[2]) / 2, rtol=1e-6):
        raise TypeError(
            f"{type(loss).__name__} compares the samples of a batch with each other, and the tokens of a "
            "text are no samples; take a loss of each by itself, such as SoftTargets(1.0)"
        )
