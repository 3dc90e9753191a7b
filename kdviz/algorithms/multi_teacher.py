"""Many teachers: who is listened to, and how what they know is put together without their data.

Several teachers are a :class:`Panel`, one network that answers with the mixture of what they say, so that
:func:`kdviz.distill` learns from it as from any teacher, one seed or a stack of them. Teachers of different
classes are an :class:`Amalgam`. Teachers that may not be shown at all vote (:func:`private_labels`).
Where the data lie in many places see :mod:`kdviz.algorithms.federated`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.checks import check_above_zero, check_choice, check_whole
from kdviz.losses.response import soft_targets
from kdviz.losses.response.logits import ResponseLoss, log_softmax, softmax
from kdviz.models import Ensemble
from kdviz.tracing import answer, check_models, logits_of

# --- who is listened to


def mixture(said: Tensor, weights: Tensor | None = None, temperature: float = 1.0) -> Tensor:
    r"""The logits of a weighted mixture of teachers, :math:`T \log \sum_k w_k \, \mathrm{softmax}(z_k / T)`.

    >>> said = torch.tensor([[[0.0, 0.0], [2.0, 0.0]]])  # one image, two teachers, two classes
    >>> torch.allclose(mixture(said, torch.tensor([0.0, 1.0])).softmax(-1), said[:, 1].softmax(-1))
    True

    To learn from it by soft targets at this temperature moves a student exactly as the weighted sum
    :math:`\sum_k w_k \, \mathrm{KL}(q_k \Vert p)` does: the two differ by what the student cannot change.

    Parameters
    ----------
    said : (N, K, C) logits of K teachers
    weights : (K,) or (N, K), from 0 up, each row with the sum 1; by default all are equal
    """
    check_above_zero("temperature", temperature)
    weights = said.new_full((said.shape[1],), 1 / said.shape[1]) if weights is None else weights.to(said)
    if weights.shape not in (said.shape[1:2], said.shape[:2]):
        raise ValueError(
            f"weights must have one number for each of {said.shape[1]} teachers, or a row of them for each "
            f"of {len(said)} images; got shape {tuple(weights.shape)}"
        )
    if (weights < 0).any() or not torch.allclose(weights.sum(-1), weights.new_tensor(1.0), atol=1e-4):
        raise ValueError(f"weights must be from 0 up with the sum 1; got {weights}")
    return temperature * (log_softmax(said / temperature) + weights.log().unsqueeze(-1)).logsumexp(-2)


def by_confidence(said: Tensor) -> Tensor:
    r"""Weights (N, K) of each image: the softmax over teachers of :math:`-H(q_k)`, their entropy in nats.

    A teacher that is sure is heard. Source: Kwon et al. 2020, *Adaptive Knowledge Distillation Based on
    Entropy*, whose idea it is to weigh by entropy; the softmax is ours.
    """
    return softmax((softmax(said) * log_softmax(said)).sum(-1))


def by_loss(losses: Tensor) -> Tensor:
    r"""Weights by each teacher's loss, :math:`\frac{1}{K-1} (1 - \mathrm{softmax}(\ell)_k)`.

    >>> by_loss(torch.tensor([0.0, 0.0, 100.0]))
    tensor([0.5000, 0.5000, 0.0000])

    Source: Zhang, Chen and Wang 2022, *Confidence-Aware Multi-Teacher Knowledge Distillation* (CA-MKD), where
    the losses are the cross-entropies of an image's label. Give means over labelled images to weigh where
    there are no labels; take images that no teacher has seen.

    Parameters
    ----------
    losses : (..., K) of two teachers or more
    """
    if losses.ndim < 1 or losses.shape[-1] < 2:
        raise ValueError(f"there must be losses of two or more teachers; got shape {tuple(losses.shape)}")
    return (1 - softmax(losses)) / (losses.shape[-1] - 1)


class Panel(Ensemble):
    """Several teachers as one, which can still be told apart: the layer ``each`` holds what each says.

    It answers with their :func:`mixture`: by default all are equal, the averaged responses of You et al.
    2017, *Learning from Multiple Teacher Networks*. Their layers are there for losses on features, by the
    paths ``networks.0.hidden1``, ``networks.1.hidden1`` and so on.

    >>> import kdviz as kd
    >>> data = kd.datasets.digits(labels=50)
    >>> networks = [kd.models.mlp(64, 8, 10, seed=seed) for seed in range(3)]
    >>> panel = Panel(networks, by_confidence, temperature=4)
    >>> kd.distill(panel, kd.models.mlp(64, 8, 10), data, kd.SoftTargets(4), steps=2).finish().step
    2

    Parameters
    ----------
    weigh : None, (K,) weights, or a function of what they say, (N, K, C), that returns weights
    temperature : of the soft targets that are learned from it
    """

    def __init__(
        self,
        networks: Iterable[nn.Module],
        weigh: Tensor | Callable[[Tensor], Tensor] | None = None,
        *,
        temperature: float = 1.0,
    ):
        super().__init__(networks, temperature=temperature)
        self.weigh, self.each = weigh, nn.Identity()

    def forward(self, *inputs, **named):
        said = self.each(torch.stack([logits_of(one(*inputs, **named)) for one in self.networks], 1))
        weights = self.weigh(said) if callable(self.weigh) else self.weigh
        return mixture(said, weights, self.temperature)


@dataclass(frozen=True)
class TeacherLoss(ResponseLoss):
    """A weighted sum of the soft targets of each teacher of a :class:`Panel`, whose layer it reads."""

    temperature: float = 4.0
    layer: str = "each"
    formula = r"\sum_k w_k \frac{T^2}{N} \sum_n \mathrm{KL}(q_{kn} \Vert p_n)"
    scale = "nats times T²"
    memory = "N × K × C"
    cost = "a softmax for each teacher"

    def __post_init__(self):
        check_above_zero("temperature", self.temperature)

    @property
    def teacher_layers(self):
        return (self.layer,)

    def losses(self, student, teacher):
        """The soft-target loss to each teacher, (K,)."""
        if self.layer not in teacher.features:
            raise ValueError(f"{type(self).__name__} listens to several teachers: hand in a Panel of them")
        said = teacher.features[self.layer].unbind(1)
        return torch.stack([soft_targets(student.logits, one, self.temperature) for one in said])

    def latex(self):
        return rf"\sum_k w_k \, {self.temperature:g}^2 \, \mathrm{{KL}}(q_k \,\Vert\, p)"


@dataclass(frozen=True)
class RandomTeacher(TeacherLoss):
    """At each step one teacher of the panel, drawn at random.

    Source: Fukuda et al. 2017, *Efficient Knowledge Distillation from an Ensemble of Teachers*, section 3.
    """

    name = "random_teacher"
    paper = "Fukuda et al. 2017, section 3"

    def value(self, student, teacher, labels, learned):
        losses = self.losses(student, teacher)
        return losses[torch.randint(len(losses), ())]


@dataclass(frozen=True)
class LearnedWeights(TeacherLoss):
    r"""Weights that are learned with the student, by the gradient of the very sum that they weigh.

    :math:`w = \mathrm{softmax}(a)`, and :math:`a` begins at 0. It is what one writes first. Nothing in the
    sum says who is right: it falls fastest where the weight goes to the teacher that is easiest to copy.
    """

    name = "learned_weights"
    paper = "no paper: what one writes first"

    def initial(self, student, teacher):
        return {"a": student.logits.new_zeros(teacher.features[self.layer].shape[1])}

    def value(self, student, teacher, labels, learned):
        return (softmax(learned["a"]) * self.losses(student, teacher)).sum()


# --- teachers of different classes


class Amalgam(nn.Module):
    """Teachers of different classes as one teacher of them all: knowledge amalgamation, by answers alone.

    rule="joined"
        All logits side by side. What a teacher adds to all of its logits changes nothing that it says and yet
        moves its classes against the others'.
    rule="surest"
        For each image the probabilities of the teacher whose largest one is largest, 0 elsewhere.

    Source of the task: Shen et al. 2019, *Amalgamating Knowledge towards Comprehensive Classification*, where
    the teachers' features are put together first, layer by layer; that is left out here.

    >>> low, high = nn.Linear(4, 2), nn.Linear(4, 3)
    >>> Amalgam([low, high], [[0, 1], [2, 3, 4]])(torch.zeros(6, 4)).shape
    torch.Size([6, 5])

    Parameters
    ----------
    networks : list of networks
    classes : for each the numbers of its classes, in the order of its logits; together 0 to C - 1, each once
    """

    RULES = ("joined", "surest")

    def __init__(self, networks: list[nn.Module], classes: list[list[int]], rule: str = "joined"):
        super().__init__()
        check_choice("rule", rule, self.RULES)
        every = [number for own in classes for number in own]
        if len(networks) != len(classes) or sorted(every) != list(range(len(every))):
            raise ValueError(
                f"each of the {len(networks)} networks needs its classes, together 0, 1, 2 ... once each; "
                f"got {classes}"
            )
        self.networks, self.rule = Ensemble(networks).networks, rule
        self.order = torch.tensor(every).argsort().tolist()

    def forward(self, inputs):
        said = [logits_of(network(inputs)) for network in self.networks]
        if self.rule == "surest":
            log_q = [log_softmax(one) for one in said]
            surest = torch.stack([one.max(-1).values for one in log_q]).argmax(0)
            # -1000 is a probability of 0 at every temperature that anybody uses.
            said = [
                one.masked_fill((surest != number).unsqueeze(-1), -1000.0) for number, one in enumerate(log_q)
            ]
        return torch.cat(said, -1)[:, self.order]


# --- teachers that may not be shown: PATE


def votes(networks: list[nn.Module], inputs: Tensor, classes: int) -> Tensor:
    """How many networks take each class for the most likely, (N, C)."""
    check_models("networks", networks)
    said = torch.stack([answer(network, inputs).logits.argmax(-1) for network in networks])
    return nn.functional.one_hot(said, classes).sum(0)


def noisy_counts(counts: Tensor, gamma: float, seed: int = 0) -> Tensor:
    """Counts of votes, (N, C), after Laplace noise of scale 1 / ``gamma`` on each; the largest wins.

    The larger ``gamma``, the less noise; ``math.inf`` adds none. Source: Papernot et al. 2017,
    *Semi-supervised Knowledge Transfer for Deep Learning from Private Training Data*, equation 1.
    """
    if not gamma > 0:
        raise ValueError(f"gamma must be above 0, or math.inf for no noise; got {gamma!r}")
    draws = torch.Generator().manual_seed(seed)
    uniform = torch.rand(counts.shape, generator=draws, dtype=torch.float64) - 0.5
    laplace = -uniform.sign() * torch.log1p(-2 * uniform.abs())
    return counts + laplace / gamma


def private_labels(
    networks: list[nn.Module], data: Dataset, gamma: float, queries: int | None = None
) -> Dataset:
    """PATE: the data with ``labelled`` images that teachers have voted on, through noise.

    A student learns from them by :func:`kdviz.train`, and never meets a teacher or its data.
    Source: Papernot et al. 2017, section 2. :func:`privacy_spent` says what it costs.

    Parameters
    ----------
    networks : teachers, each trained on data of its own
    gamma : as in :func:`noisy_counts`
    queries : how many images of ``data.transfer`` are asked about, by default all
    """
    if queries is not None:
        check_whole("queries", queries, 1)
    asked = data.transfer[: len(data.transfer) if queries is None else queries]
    counts = votes(networks, asked.inputs, len(data.classes))
    return replace(data, labelled=asked.with_labels(noisy_counts(counts, gamma, data.seed).argmax(-1)))


def privacy_spent(queries: int, gamma: float, delta: float = 1e-5) -> float:
    r"""The :math:`\varepsilon` that answering so many queries spends at the most, whatever the votes are.

    One person's data lie with one teacher and so change one vote, and an answer is
    :math:`2\gamma`-differentially private. For :math:`n` of them the smaller of :math:`2 \gamma n` and

    .. math:: \min_{\lambda = 1, 2, \dots} 2 \gamma^2 n (\lambda + 1) + \frac{\ln(1 / \delta)}{\lambda}

    Source: Papernot et al. 2017, theorems 1 and 2. :func:`privacy_spent_on` looks at the votes.

    >>> round(privacy_spent(1000, 0.05), 1)
    20.8
    """
    check_whole("queries", queries, 1)
    _check_privacy(gamma, delta)
    moments = (2 * gamma**2 * queries * (order + 1) - math.log(delta) / order for order in ORDERS)
    return min(2 * gamma * queries, *moments)


def privacy_spent_on(counts: Tensor, gamma: float, delta: float = 1e-5) -> float:
    r"""The :math:`\varepsilon` spent on answers with these very votes: the clearer a vote, the less.

    With :math:`\Delta_c` the votes by which the winner is ahead of class c, noise lets another class win with
    at most the probability :math:`q = \sum_c \frac{2 + \gamma \Delta_c}{4} e^{-\gamma \Delta_c}`. Where
    :math:`q < \frac{e^{2 \gamma} - 1}{e^{4 \gamma} - 1}`, the moment of order :math:`\lambda` of an answer is
    at most

    .. math:: \ln\left( (1 - q) \left( \frac{1 - q}{1 - e^{2 \gamma} q} \right)^\lambda
              + q e^{2 \gamma \lambda} \right)

    and never more than :math:`2 \gamma^2 \lambda (\lambda + 1)`. Then :math:`\varepsilon` is the smallest
    :math:`\frac{1}{\lambda} (\sum \text{moments} + \ln \frac{1}{\delta})`, or :math:`2 \gamma n` if that is
    less. Source: Papernot et al. 2017, theorems 1, 2 and 3 and lemma 4. It depends on the votes, and so is
    itself a secret: to publish it takes noise once more (their appendix on smooth sensitivity).

    Parameters
    ----------
    counts : (N, C) votes without noise, a row for each query

    >>> clear, even = torch.tensor([[250, 0]] * 100), torch.tensor([[125, 125]] * 100)
    >>> round(privacy_spent_on(clear, 0.05), 2), round(privacy_spent_on(even, 0.05), 2)
    (0.18, 5.3)
    """
    _check_privacy(gamma, delta)
    if counts.ndim != 2 or not len(counts) or counts.shape[1] < 2 or (counts < 0).any():
        raise ValueError(
            f"counts must be votes from 0 up, (queries, classes); got shape {tuple(counts.shape)}"
        )
    ahead = counts.double().sort(descending=True).values
    gaps = gamma * (ahead[:, :1] - ahead[:, 1:])
    q = ((2 + gaps) / 4 * (-gaps).exp()).sum(1, keepdim=True)
    orders = torch.tensor(ORDERS, dtype=torch.float64)
    plain = 2 * gamma**2 * orders * (orders + 1)
    # Where q is too large the formula does not hold, and may have no value.
    known = q < math.expm1(2 * gamma) / math.expm1(4 * gamma)
    q = q.where(known, 0.0)
    stays = q.neg().log1p() * (orders + 1) - (-math.exp(2 * gamma) * q).log1p() * orders
    moments = torch.logaddexp(stays, q.log() + 2 * gamma * orders)
    moments = torch.minimum(moments, plain).where(known, plain).sum(0)
    return min(2 * gamma * len(counts), float(((moments - math.log(delta)) / orders).min()))


# Of the moments that are looked at; beyond them the bound is that of a single answer, 2 γ n.
ORDERS = range(1, 1000)


def _check_privacy(gamma, delta):
    check_above_zero("gamma", gamma)
    if not 0 < delta < 1:
        raise ValueError(f"delta must be between 0 and 1; got {delta!r}")
