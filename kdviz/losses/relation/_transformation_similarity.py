"""Transformation similarity (SSKD): which sample a transformed copy was made from."""

from dataclasses import dataclass

import torch

from kdviz.losses.checks import check_share, check_temperature, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer
from kdviz.losses.response.logits import for_each_student, log_softmax
from kdviz.losses.vectors import unit


def transformation_similarity(
    student_original,
    student_transformed,
    teacher_original,
    teacher_transformed,
    temperature=0.5,
    keep=0.75,
):
    r"""SSKD's self-supervised term: how similar each transformed copy is to every original.

    .. math:: \frac{\tau^2}{|K|} \sum_{m \in K} \mathrm{KL}\!\left(
              \mathrm{softmax}_n \frac{\cos(t'_m, t_n)}{\tau} \,\Big\Vert\,
              \mathrm{softmax}_n \frac{\cos(s'_m, s_n)}{\tau}\right)

    The M copies stand in the order of their N originals, M / N for each, one after the other. K are the
    copies to learn from: all whose own original is the most similar one for the teacher, and the share
    ``keep`` of the others (rounded down), those first whose original has the best rank; without any the value
    is 0. In nats, times :math:`\tau^2`. 0 where all cosines agree up to a constant for each copy; blind to a
    rotation and to the length of each embedding.

    Source: Xu et al. 2020, *Knowledge Distillation Meets Self-Supervision*, section 3, and the authors' code:
    :math:`\tau` = 0.5, keep 0.75, 3 copies (turned by quarters). There the embeddings come from a small head
    on either network, the teacher's trained beforehand to find the original.

    Parameters
    ----------
    student_original, teacher_original : (..., N, D), N of at least 2
    student_transformed, teacher_transformed : (..., M, D), M a multiple of N; student and teacher may
        differ in D
    temperature : :math:`\tau`, above 0, or a tensor with one value for each student of a stack
    keep : from 0 to 1, or such a tensor

    Memory: M × N. Errors: ValueError for other samples, fewer than 2 originals, an M that is no multiple of N
    or settings out of range.
    """
    check_temperature(temperature)
    check_share("keep", keep)
    _check_copies(student_original, student_transformed, teacher_original, teacher_transformed)
    temperature = for_each_student(temperature, student_original)
    found = unit(student_transformed) @ unit(student_original).mT
    taught = (unit(teacher_transformed) @ unit(teacher_original).mT).detach()
    log_p, log_q = log_softmax(found / temperature), log_softmax(taught / temperature)
    divergence = (log_q.exp() * (log_q - log_p)).sum(-1, keepdim=True)
    shares = _shares_to_learn_from(taught, keep)
    return (temperature**2 * divergence * shares).sum((-2, -1))


def _shares_to_learn_from(similarities, keep):
    """1 / |K| for each copy of K and 0 for the rest, (..., M, 1)."""
    copies, originals = similarities.shape[-2:]
    own = torch.arange(copies, device=similarities.device) // (copies // originals)
    right = similarities.gather(-1, own.unsqueeze(-1).expand(*similarities.shape[:-1], 1))
    ranks = (similarities > right).sum(-1)
    places = ranks.argsort(dim=-1, stable=True).argsort(-1)
    wrong = (ranks > 0).sum(-1, keepdim=True)
    if isinstance(keep, torch.Tensor):
        keep = keep.to(similarities).unsqueeze(-1)
    count = copies - wrong + (wrong.to(similarities) * keep).floor()
    return ((places < count).to(similarities) / count.clamp(min=1)).unsqueeze(-1)


def _check_copies(student_original, student_transformed, teacher_original, teacher_transformed):
    every = [student_original, student_transformed, teacher_original, teacher_transformed]
    samples = [features.shape[-2] if features.ndim > 1 else 0 for features in every]
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
    scale = "nats times τ²"
    memory = "N × N"
    cost = "one product N × N × D"
    invariant_to = ("scale", "rotation", "channel permutation", "sign")

    def __post_init__(self):
        check_whole("copies", self.copies, 1)
        check_temperature(self.temperature)
        check_share("keep", self.keep)

    def __call__(self, student, teacher, labels, learned=None):
        parts = [part for features in self.embeddings(student, teacher) for part in self._split(features)]
        return transformation_similarity(*parts, self.temperature, self.keep)

    def _split(self, features):
        group = self.copies + 1
        if features.shape[-2] % group:
            raise ValueError(
                f"a batch must consist of originals, each followed by its {self.copies} copies; "
                f"{features.shape[-2]} samples do not divide into groups of {group}"
            )
        groups = features.unflatten(-2, (-1, group))
        return groups[..., 0, :], groups[..., 1:, :].flatten(-3, -2)

    def latex(self):
        return r"\mathrm{SS}(s,\, t)"
