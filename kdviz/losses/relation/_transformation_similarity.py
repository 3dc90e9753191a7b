"""Transformation similarity (SSKD): which sample a transformed copy was made from."""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.checks import check_share, check_temperature, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer
from kdviz.losses.response.logits import divergence, log_softmax
from kdviz.losses.vectors import unit


def transformation_similarity(
    student_original: Tensor,
    student_transformed: Tensor,
    teacher_original: Tensor,
    teacher_transformed: Tensor,
    temperature: float = 0.5,
    keep: float = 0.75,
) -> Tensor:
    r"""SSKD's self-supervised term: how similar each transformed copy is to every original.

    .. math:: \frac{\tau^2}{|K|} \sum_{m \in K} \mathrm{KL}\!\left(
              \mathrm{softmax}_n \frac{\cos(t'_m, t_n)}{\tau} \,\Big\Vert\,
              \mathrm{softmax}_n \frac{\cos(s'_m, s_n)}{\tau}\right)

    The M copies stand in the order of their N originals, M / N for each, one after the other. K are the
    copies to learn from: all whose own original is the most similar one for the teacher, and the fraction
    ``keep`` of the others (rounded down), those first whose original has the best rank; without any the value
    is 0. In nats, times :math:`\tau^2`. 0 where all cosines agree up to a constant for each copy; blind to a
    rotation and to the length of each embedding.

    Source: Xu et al. 2020, *Knowledge Distillation Meets Self-Supervision*, section 3, and the authors' code:
    :math:`\tau` = 0.5, keep 0.75, 3 copies (turned by quarters). There the embeddings come from a small head
    on either network, the teacher's trained beforehand to find the original.

    Parameters
    ----------
    student_original, teacher_original : (N, D), N of at least 2
    student_transformed, teacher_transformed : (M, D), M a multiple of N; student and teacher may
        differ in D
    temperature : :math:`\tau`, above 0
    keep : from 0 to 1

    Memory: M × N. Errors: ValueError for other samples, fewer than 2 originals, an M that is no multiple of N
    or settings out of range.
    """
    check_temperature(temperature)
    check_share("keep", keep)
    _check_copies(student_original, student_transformed, teacher_original, teacher_transformed)
    found = unit(student_transformed) @ unit(student_original).mT
    taught = (unit(teacher_transformed) @ unit(teacher_original).mT).detach()
    log_p, log_q = log_softmax(found / temperature), log_softmax(taught / temperature)
    return temperature**2 * (divergence(log_q, log_p) * _weights_of_copies(taught, keep)).sum()


def _weights_of_copies(similarities, keep):
    """1 / |K| for each copy of K and 0 for the rest, (M,)."""
    copies, originals = similarities.shape
    own = torch.arange(copies, device=similarities.device) // (copies // originals)
    ranks = (similarities > similarities.gather(1, own.unsqueeze(1))).sum(1)
    order = ranks.argsort(stable=True).argsort()
    wrong = (ranks > 0).sum()
    count = copies - wrong + (wrong.to(similarities) * keep).floor()
    return (order < count).to(similarities) / count.clamp(min=1)


def _check_copies(student_original, student_transformed, teacher_original, teacher_transformed):
    every = [student_original, student_transformed, teacher_original, teacher_transformed]
    samples = [len(features) if features.ndim == 2 else 0 for features in every]
    fits = samples[0] >= 2 and samples[1] >= samples[0] and samples[1] % samples[0] == 0
    if not fits or samples[:2] != samples[2:]:
        shapes = ", ".join(str(tuple(features.shape)) for features in every)
        raise ValueError(
            "there must be at least 2 originals, a whole number of copies of each, and the same ones for "
            f"student and teacher; got the shapes {shapes} (student's originals, copies; teacher's)"
        )
    if any(a.shape[-1] != b.shape[-1] for a, b in (every[:2], every[2:])):
        raise ValueError("the originals and the copies of a network must have one width")


@dataclass(frozen=True)
class TransformationSimilarity(OneLayer, Loss):
    """:func:`transformation_similarity` as a term of an objective.

    The batch must consist of groups: an original, followed by its ``copies`` transformed copies, then the
    next original.

    >>> TransformationSimilarity(copies=1)(torch.randn(6, 3), torch.randn(6, 5)) > 0
    tensor(True)
    """

    copies: int = 3
    temperature: float = 0.5
    keep: float = 0.75
    name = "transformation_similarity"
    paper = "SSKD, Xu et al. 2020, section 3"
    formula = (
        r"\frac{\tau^2}{|K|} \sum_{m \in K} \mathrm{KL}\left( \mathrm{softmax}_n \frac{\cos(t'_m, "
        r"t_n)}{\tau} \Vert\, \mathrm{softmax}_n \frac{\cos(s'_m, s_n)}{\tau} \right)"
    )
    symbol = r"\mathrm{SS}(s,\, t)"
    scale = "nats times τ²"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_whole("copies", self.copies, 1)
        check_temperature(self.temperature)
        check_share("keep", self.keep)

    def value(self, student, teacher, labels, learned):
        parts = [part for features in self.embeddings(student, teacher) for part in self._split(features)]
        return transformation_similarity(*parts, self.temperature, self.keep)

    def _split(self, features):
        group = self.copies + 1
        if len(features) % group:
            raise ValueError(
                f"a batch must consist of originals, each followed by its {self.copies} copies; "
                f"{len(features)} samples do not divide into groups of {group}"
            )
        groups = features.unflatten(0, (-1, group))
        return groups[:, 0], groups[:, 1:].flatten(0, 1)
