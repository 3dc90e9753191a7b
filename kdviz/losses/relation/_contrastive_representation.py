"""Contrastive representation distillation (CRD): a sample's embeddings against a memory of the others'."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from kdviz.losses.adapters import even
from kdviz.losses.checks import check_form, check_labels_of, check_share, check_temperature, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.precision import in_precision, precision_for
from kdviz.losses.relation._info_nce import Headed, check_widths, headed
from kdviz.losses.relation.relations import check_samples
from kdviz.losses.vectors import seeded, unit

FORMS = ("repdistiller", "paper")
EPSILON = 1e-7  # of RepDistiller


def contrastive_representation(
    student: Tensor,
    teacher: Tensor,
    student_bank: Tensor,
    teacher_bank: Tensor,
    rows: Tensor,
    negatives: Tensor,
    temperature: float = 0.07,
    log_normalisers: tuple[float | Tensor, float | Tensor] = (0.0, 0.0),
    form: str = "repdistiller",
) -> Tensor:
    r"""Contrastive representation distillation: which pair of embeddings belongs to one sample.

    The banks remember an embedding of each of the n samples of the data set. For an anchor x of sample i,
    a bank b of the other network, and the K rows that were drawn for this sample as negatives:

    .. math:: \ell(x, b) = -\log h(P_i) - \sum_{k=1}^{K} \log (1 - h(P_k)), \qquad
              h(P) = \frac{P}{P + K / n}, \qquad P_k = \frac{e^{\langle x, b_k \rangle / \tau}}{Z}

    The loss is :math:`\frac{1}{N} \sum_i [\ell(s_i, \bar t) + \ell(t_i, \bar s)]`: either network's embedding
    is the anchor once. In nats; the sum over the negatives is not divided by K.

    form="repdistiller"
        The positive is the bank's row of the same sample, Z is the constant of :func:`log_normaliser`, and
        :math:`10^{-7}` is added to both denominators: RepDistiller, which is the authors' own code. The
        default of the term.
    form="paper"
        The positive is the other network's embedding of the sample itself, Z is 1 and nothing is added: Tian
        et al. 2020, *Contrastive Representation Distillation*, section 3.1.

    Parameters
    ----------
    student, teacher : (N, F), embeddings after their heads; they are brought to length 1
    student_bank, teacher_bank : (n, F); they get no gradient
    rows : (N,), which samples of the data set these are, from 0 to n - 1
    negatives : (N, K), rows of other samples, as :func:`draw_negatives` gives them
    temperature : :math:`\tau`, above 0
    log_normalisers : log Z where the student's embedding is the anchor, and where the teacher's is

    Memory: N × n. The scores of all rows are taken and the drawn ones picked; published code copies the drawn
    rows instead, N × K × F numbers. Errors: ValueError for other samples or widths, an unknown form or a
    temperature of 0 or below.

    >>> samples = torch.eye(2)
    >>> rows, negatives = torch.tensor([0, 1]), torch.tensor([[1], [0]])
    >>> contrastive_representation(samples, samples, samples, samples, rows, negatives, 1.0, form="paper")
    tensor(2.5349)
    """
    check_form(form, FORMS)
    check_temperature(temperature)
    check_samples(student, teacher, least=1)
    check_widths(student, teacher, student_bank, teacher_bank)
    student, teacher = unit(student), unit(teacher)
    noise = negatives.shape[1] / len(student_bank)
    epsilon = EPSILON if form == "repdistiller" else 0.0
    itself = (student * teacher).sum(1, keepdim=True) / temperature
    total = 0.0
    for anchors, bank, log_z in zip(
        (student, teacher), (teacher_bank, student_bank), log_normalisers, strict=True
    ):
        scores = _scores(anchors, bank, rows, negatives, temperature)
        right = scores[:, :1] if form == "repdistiller" else itself
        total = total + _told_apart(right - log_z, scores[:, 1:] - log_z, noise, epsilon)
    return total / len(student)


def _scores(anchors, bank, rows, negatives, temperature):
    """The logarithm of Z P for the bank's row of each sample itself, first, and those of its negatives."""
    every = unit(anchors) @ bank.detach().mT / temperature
    return every.gather(1, torch.cat([rows[:, None], negatives], 1))


def _told_apart(right, wrong, noise, epsilon):
    """The sum of -log h over pairs that belong together and of -log (1 - h) over those that do not."""
    floor = math.log(noise + epsilon)
    missed = torch.logaddexp(floor - right, torch.zeros_like(right))
    mistaken = torch.logaddexp(wrong - floor, torch.zeros_like(wrong)) + math.log1p(epsilon / noise)
    return missed.sum() + mistaken.sum()


def log_normaliser(
    anchors: Tensor, bank: Tensor, rows: Tensor, negatives: Tensor, temperature: float = 0.07
) -> Tensor:
    r"""The logarithm of the constant Z that makes P 1 / n on average over these pairs.

    .. math:: Z = \frac{n}{N (K + 1)} \sum_i \sum_k e^{\langle x_i, b_k \rangle / \tau}

    over a sample's own row and its negatives. RepDistiller sets it from the first batch, for each of its two
    banks, and keeps it.

    >>> log_normaliser(torch.zeros(1, 2), torch.eye(2), torch.tensor([0]), torch.tensor([[1]]))  # log 2
    tensor(0.6931)
    """
    scores = _scores(anchors, bank, rows, negatives, temperature).detach()
    return scores.flatten().logsumexp(0) + math.log(len(bank) / scores.numel())


def draw_negatives(
    rows: Tensor,
    count: int,
    samples: int,
    step: int | Tensor = 0,
    seed: int = 0,
    same_class: Tensor | None = None,
) -> Tensor:
    """For each sample of a batch the rows of ``count`` others of the data set, (N, count), none twice.

    They are drawn anew for each step and each sample, and are the same for the same step, seed and row,
    alone or among many students. Where ``same_class``, (N, samples), is true a sample is no negative; if
    fewer than ``count`` are left, they are repeated.

    >>> draw_negatives(torch.tensor([1]), 2, samples=3).sort().values
    tensor([[0, 2]])
    """
    every = torch.arange(samples, device=rows.device)
    lots = _mixed(_mixed(rows + _mixed(step + _mixed(torch.full_like(every[:1], seed))))[:, None] + every)
    excluded = rows[:, None] == every
    if same_class is not None:
        excluded = excluded | same_class
    found = lots.masked_fill(excluded, -1).topk(count, dim=1)
    allowed = (found.values >= 0).sum(1, keepdim=True).clamp(min=1)
    return found.indices.gather(1, torch.arange(count, device=rows.device) % allowed)


def _mixed(numbers):
    """Whole numbers below 2³² made of others, as if drawn by lot: a hash, so that no state is needed."""
    numbers = numbers & 0xFFFFFFFF
    for _ in range(2):
        numbers = ((numbers >> 16) ^ numbers) * 0x45D9F3B & 0xFFFFFFFF
    return (numbers >> 16) ^ numbers


def updated_bank(bank: Tensor, rows: Tensor, embeddings: Tensor, momentum: float = 0.5) -> Tensor:
    """The bank with some rows moved towards new embeddings: momentum × old + the rest × new, of length 1.

    Parameters
    ----------
    bank : (n, F)
    rows : (N,) whole numbers from 0 to n - 1, each at most once
    embeddings : (N, F)
    momentum : fraction of the old row, from 0 to 1

    >>> updated_bank(torch.eye(2), torch.tensor([1]), torch.tensor([[5.0, 0.0]]))
    tensor([[1.0000, 0.0000],
            [0.7071, 0.7071]])
    """
    check_share("momentum", momentum)
    new = unit(momentum * bank[rows] + (1 - momentum) * unit(embeddings.detach()))
    return bank.scatter(0, rows[:, None].expand(new.shape), new.to(bank))


@dataclass(frozen=True)
class ContrastiveRepresentation(Headed, Loss):
    """:func:`contrastive_representation` as a term of an objective, with the banks as its memory.

    ``samples`` is how many there are in the data set: the banks hold a row for each. The trace of the teacher
    says which of them a batch holds (``rows``). For each sample ``negatives`` others are drawn at every step,
    or all there are if the data set has fewer: of other classes with ``other_classes``, the policy of the
    paper's experiments and RepDistiller's (a sample that no batch has held yet counts as of another class:
    its row is still random), else any others. The banks begin at random and move by ``momentum`` after each
    step; Z is set by the first batch and stays.

    >>> loss = ContrastiveRepresentation(samples=6, width=4)
    >>> loss(torch.randn(6, 3), torch.randn(6, 5)) > 0
    tensor(True)
    """

    temperature: float = 0.07
    negatives: int = 16384
    momentum: float = 0.5
    other_classes: bool = True
    form: str = "repdistiller"
    samples: int = field(kw_only=True)
    forms = FORMS
    name = "contrastive_representation"
    paper = "CRD, Tian et al. 2020, section 3.1"
    formula = (
        r"-\frac{1}{N} \sum_i \left[ \log h(s_i, \bar t_i) + \sum_k \log (1 - h(s_i, \bar t_k)) + \log "
        r"h(\bar s_i, t_i) + \sum_k \log (1 - h(\bar s_k, t_i)) \right], \quad h(s, t) = "
        r"\frac{P}{P + K / n}, \quad P = \frac{e^{\langle s, t \rangle / \tau}}{Z}"
    )
    symbol = r"\mathrm{CRD}(s,\, t)"
    scale = "nats, summed over the negatives"
    memory = "N × n, and two banks of n × width"
    cost = "two products N × n × width"
    remembers = ("student_bank", "teacher_bank", "student_log_z", "teacher_log_z", "classes", "step")

    def __post_init__(self):
        super().__post_init__()
        check_whole("samples", self.samples, 2)
        check_whole("negatives", self.negatives, 1)
        check_share("momentum", self.momentum)

    def initial(self, student, teacher):
        """The weights of the heads, and a memory that has seen nothing."""
        ours, _ = self.embeddings(student, teacher)
        last = int(self._rows(teacher).max())
        if last >= self.samples:
            raise ValueError(
                f"the batch holds sample {last} of the data set (counted from 0), but the loss was made for "
                f"samples={self.samples}; give it the number of training samples"
            )
        heads, generator = super().initial(student, teacher), seeded(self.seed + 1)
        width = ours.shape[1] if self.adapter is None else self.width
        # Rows whose length is 1 on average.
        banks = [even((self.samples, width), width / 3, generator, like=ours) for _ in range(2)]
        return heads | {
            "student_bank": banks[0],
            "teacher_bank": banks[1],
            "student_log_z": ours.new_zeros(()),
            "teacher_log_z": ours.new_zeros(()),
            "classes": torch.full((self.samples,), -1, device=ours.device),
            "step": torch.zeros((), dtype=torch.long, device=ours.device),
        }

    def value(self, student, teacher, labels, learned):
        embeddings, rows, negatives = self._taken(student, teacher, labels, learned)
        banks = learned["student_bank"], learned["teacher_bank"]
        constants = self._log_normalisers(embeddings, rows, negatives, learned)
        return contrastive_representation(
            *embeddings, *banks, rows, negatives, self.temperature, constants, self.form
        )

    def remembered(self, student, teacher, labels, learned):
        """The memory after this batch, found with the heads that the value was found with."""
        embeddings, rows, negatives = self._taken(student, teacher, labels, learned)
        constants = self._log_normalisers(embeddings, rows, negatives, learned)
        changed = {"step": learned["step"] + 1}
        for side, features, log_z in zip(("student", "teacher"), embeddings, constants, strict=True):
            bank = learned[f"{side}_bank"]
            changed[f"{side}_bank"] = updated_bank(bank, rows, features, self.momentum)
            changed[f"{side}_log_z"] = log_z
        if labels is not None:
            changed["classes"] = learned["classes"].scatter(0, rows, labels)
        return changed

    def _taken(self, student, teacher, labels, learned):
        """The embeddings after their heads, the batch's rows, and the negatives drawn for each."""
        ours, theirs = in_precision(
            dict(enumerate(self.embeddings(student, teacher))), precision_for(student.logits)
        ).values()
        check_samples(ours, theirs, least=1)
        student_head, teacher_head = self.heads(learned)
        embeddings = headed(ours, student_head), headed(theirs.detach(), teacher_head)
        rows, same_class = self._rows(teacher), None
        if self.other_classes and labels is not None:
            check_labels_of(ours, labels)
            same_class = (learned["classes"] == labels[:, None]) & (labels >= 0)[:, None]
        count = min(self.negatives, self.samples - 1)
        return (
            embeddings,
            rows,
            draw_negatives(rows, count, self.samples, learned["step"], self.seed, same_class),
        )

    def _log_normalisers(self, embeddings, rows, negatives, learned):
        """log Z of each anchor: that of this batch if it is the first, else the one kept."""
        if self.form == "paper":
            return learned["student_log_z"], learned["teacher_log_z"]
        found = []
        for side, anchors, other in zip(
            ("student", "teacher"), embeddings, ("teacher", "student"), strict=True
        ):
            fresh = log_normaliser(anchors, learned[f"{other}_bank"], rows, negatives, self.temperature)
            found.append(torch.where(learned["step"] == 0, fresh, learned[f"{side}_log_z"]))
        return tuple(found)

    def _rows(self, teacher):
        if teacher.rows is None:
            raise ValueError(
                "contrastive representation remembers each sample of the data set and must know which ones "
                "a batch holds: the teacher's trace needs rows, as kdviz.tracing.answer and kd.distill give "
                "them"
            )
        return teacher.rows
