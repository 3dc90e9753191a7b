"""Contrastive representation distillation (CRD): a sample's two embeddings against those of others."""

from dataclasses import dataclass

import torch
from torch.nn.functional import softplus

from kdviz.losses.adapters import initial_linear, linear
from kdviz.losses.checks import (
    check_above_zero,
    check_choice,
    check_form,
    check_share,
    check_temperature,
    check_whole,
)
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples
from kdviz.losses.response.logits import for_each_student, log_softmax
from kdviz.losses.vectors import seeded, unit

FORMS = ("paper", "repdistiller")
EPSILON = 1e-7  # of RepDistiller


def contrastive_representation(student, teacher, student_head=None, teacher_head=None, temperature=0.1):
    r"""Contrastive representation distillation against the rest of the batch: no memory is kept.

    .. math:: -\frac{1}{N} \sum_i \left[ \log \frac{e^{\langle s_i, t_i \rangle / \tau}}
              {\sum_j e^{\langle s_i, t_j \rangle / \tau}} + \log \frac{e^{\langle s_i, t_i \rangle / \tau}}
              {\sum_j e^{\langle s_j, t_i \rangle / \tau}} \right]

    s and t are the embeddings times their head, with length 1. The first term asks which teacher's
    embedding belongs to a student's, the second the reverse. The normaliser of each is the sum over the
    N samples of the batch, the right one among them; nothing has to be estimated. In nats; 2 log N for
    embeddings that tell nothing, and not 0 at its best, where all angles are as wide as they can be.

    This is the objective known as InfoNCE, with the N - 1 other samples of the batch as the negatives. Tian
    et al. 2020, *Contrastive Representation Distillation*, take many thousands from a memory and another
    objective: see :func:`contrastive_memory`. The smaller N, the coarser the estimate: it says at most log N
    nats about what the two embeddings share.

    Parameters
    ----------
    student, teacher : (..., N, D), N of at least 2
    student_head, teacher_head : {"weight": (..., F, D), "bias": (..., F)}
        The linear maps that bring both to the same F features; both learn. None leaves an embedding as it is.
    temperature : :math:`\tau`, above 0, or a tensor with one value for each student of a stack

    Memory: N × N and N × F. Errors: ValueError for other samples, a batch of one, embeddings whose widths
    still differ or a temperature of 0 or below.
    """
    check_temperature(temperature)
    check_samples(student, teacher)
    student, teacher = _headed(student, student_head), _headed(teacher.detach(), teacher_head)
    _check_widths(student, teacher)
    scores = student @ teacher.mT / for_each_student(temperature, student)
    rows, columns = log_softmax(scores), log_softmax(scores.mT)
    return -(rows + columns).diagonal(dim1=-2, dim2=-1).mean(-1)


def contrastive_memory(
    student,
    teacher,
    student_bank,
    teacher_bank,
    data_size,
    temperature=0.07,
    student_normaliser=1.0,
    teacher_normaliser=1.0,
    form="paper",
):
    r"""Contrastive representation distillation against a memory of earlier embeddings.

    .. math:: -\frac{1}{N} \sum_i \left[ \log h(s_i, t_i) + \sum_{k=1}^{M} \log (1 - h(s_i, \bar t_k))
              + \log h(s_i, t_i) + \sum_{k=1}^{M} \log (1 - h(\bar s_k, t_i)) \right]

    .. math:: h(s, t) = \frac{P}{P + M / n}, \qquad P = \frac{e^{\langle s, t \rangle / \tau}}{Z}

    s and t have length 1; :math:`\bar s_k`, :math:`\bar t_k` are the M rows of the banks, n is the size of
    the data set and Z the normaliser, which each of the two anchors may have of its own.

    form="paper"
        As above: Tian et al. 2020, section 3, where Z = 1.
    form="repdistiller"
        With :math:`10^{-7}` added to the denominators, as RepDistiller's criterion has it. There Z is
        :func:`memory_normaliser` of the first batch, kept from then on, and the positive of an anchor is the
        bank's row of the same sample instead of the other network's embedding.

    Every sample is told apart from the same M rows, so the memory is M × F for each bank and N × M for the
    scores (4 MB for N = 64 and M = 16384). The published code draws M rows for each sample instead,
    N × M × F numbers. The rows should not hold the batch's own samples: see :func:`updated_bank`.
    In nats; the sum over the rows is not divided by M.

    Parameters
    ----------
    student, teacher : (..., N, F), embeddings after their heads, of the same width. The teacher's is not
        detached if it learns a head: detach what goes into the head.
    student_bank, teacher_bank : (..., M, F), rows of length 1; they get no gradient
    data_size : n, at least 1
    temperature : above 0, or a tensor with one value for each student of a stack
    student_normaliser, teacher_normaliser : Z where the student's embedding is the anchor, and where the
        teacher's is; above 0, or tensors with one value for each student of a stack

    Errors: ValueError for other samples or widths, settings out of range or an unknown form.
    """
    check_form(form, FORMS)
    check_temperature(temperature)
    check_above_zero("student_normaliser", student_normaliser)
    check_above_zero("teacher_normaliser", teacher_normaliser)
    check_above_zero("data_size", data_size)
    check_samples(student, teacher, least=1)
    _check_widths(student, teacher, student_bank, teacher_bank)
    student, teacher = unit(student), unit(teacher)
    noise, epsilon = student_bank.shape[-2] / data_size, EPSILON if form == "repdistiller" else 0.0
    temperature = for_each_student(temperature, student)
    right = (student * teacher).sum(-1, keepdim=True)
    total = 0.0
    for anchor, bank, normaliser in (
        (student, teacher_bank, student_normaliser),
        (teacher, student_bank, teacher_normaliser),
    ):
        wrong = anchor @ bank.detach().mT
        normaliser = for_each_student(normaliser, student)
        total = total + _told_apart(right, wrong, temperature, normaliser, noise, epsilon)
    return total


def _told_apart(right, wrong, temperature, normaliser, noise, epsilon):
    """The classification of pairs (N, 1) that belong together and pairs (N, M) that do not."""
    shift = torch.as_tensor(normaliser * noise, dtype=right.dtype, device=right.device).log()
    extra = right.new_tensor(epsilon / noise).log1p()
    missed = softplus(shift - right / temperature + extra)
    mistaken = torch.logaddexp(extra, wrong / temperature - shift)
    return (missed.sum(-1) + mistaken.sum(-1)).mean(-1)


def memory_normaliser(anchors, bank, data_size, temperature=0.07):
    r"""The constant Z that makes P of :func:`contrastive_memory` 1 / n on average over these scores.

    .. math:: Z = n \cdot \frac{1}{N M} \sum_{i,k} e^{\langle x_i, b_k \rangle / \tau}

    RepDistiller sets it from the first batch, for each of its two banks, and keeps it.
    """
    scores = unit(anchors) @ bank.mT / for_each_student(temperature, anchors)
    return data_size * scores.detach().exp().mean((-2, -1))


def initial_bank(rows, width, seed=0):
    """Random directions: rows of length 1 for :func:`contrastive_memory`, the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return unit(torch.randn(rows, width, generator=generator, dtype=torch.float64)).float()


def updated_bank(bank, rows, embeddings, momentum=0.5):
    """The bank with some rows moved towards new embeddings: momentum × old + the rest × new, of length 1.

    Do this after the step, with the rows whose turn it is, so that a batch does not meet itself.

    Parameters
    ----------
    bank : (..., M, F)
    rows : (N,) whole numbers from 0 to M - 1, each at most once
    embeddings : (..., N, F)
    momentum : share of the old row, from 0 to 1
    """
    check_share("momentum", momentum)
    old = bank.index_select(-2, rows)
    new = unit(momentum * old + (1 - momentum) * unit(embeddings.detach()))
    return bank.index_copy(-2, rows, new.to(bank))


def _headed(features, head):
    return unit(features if head is None else linear(features, **head))


def _check_widths(student, *others):
    for other in others:
        if other.shape[-1] != student.shape[-1]:
            raise ValueError(
                "the embeddings and banks must have one width to be compared; the student's have shape "
                f"{tuple(student.shape)}, the others {tuple(other.shape)}. Bring them to it with heads: "
                'ContrastiveRepresentation(..., adapter="linear") learns them'
            )


@dataclass(frozen=True)
class ContrastiveRepresentation(OneLayer, Loss):
    """:func:`contrastive_representation` as a term of an objective.

    Both embeddings go through a linear head to ``width`` features, which is learned with the student; with
    ``adapter=None`` they are compared as they are.
    """

    temperature: float = 0.1
    adapter: str | None = "linear"
    width: int = 128
    seed: int = 0
    name = "contrastive_representation"
    paper = "CRD, Tian et al. 2020, section 3; negatives from the batch"
    formula = (
        r"-\frac{1}{N} \sum_i \left[ \log \frac{e^{\langle s_i, t_i \rangle / \tau}}{\sum_j "
        r"e^{\langle s_i, t_j \rangle / \tau}} + \log \frac{e^{\langle s_i, t_i \rangle / "
        r"\tau}}{\sum_j e^{\langle s_j, t_i \rangle / \tau}} \right]"
    )
    scale = "nats; 2 log N where the embeddings tell nothing"
    memory = "N × N"
    cost = "one product N × N × width"

    def __post_init__(self):
        check_temperature(self.temperature)
        check_choice("adapter", self.adapter, (None, "linear"))
        check_whole("width", self.width, 1)

    def initial(self, student, teacher):
        if self.adapter is None:
            return {}
        student, teacher = self.embeddings(student, teacher)
        generator = seeded(self.seed)
        heads = {
            "student": initial_linear(student.shape[-1], self.width, generator, like=student),
            "teacher": initial_linear(teacher.shape[-1], self.width, generator, like=student),
        }
        return {f"{side}_{name}": part for side, head in heads.items() for name, part in head.items()}

    def __call__(self, student, teacher, labels, learned=None):
        heads = (None, None)
        if self.adapter is not None:
            heads = [
                {"weight": learned[f"{side}_weight"], "bias": learned[f"{side}_bias"]}
                for side in ("student", "teacher")
            ]
        features = self.embeddings(student, teacher)
        return contrastive_representation(*features, *heads, self.temperature)

    def latex(self):
        return r"\mathrm{CRD}(s,\, t)"
