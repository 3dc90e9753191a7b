"""Multi-head graph distillation (MHGD): which samples attend to which from one layer to the next."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.adapters import initial_linear, linear
from kdviz.losses.checks import check_choice, check_form, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import TwoLayers, check_samples, flat
from kdviz.losses.response.logits import log_softmax
from kdviz.losses.vectors import seeded, unit

FORMS = ("mean", "authors")


def multi_head_graph(
    student_first: Tensor,
    student_second: Tensor,
    teacher_first: Tensor,
    teacher_second: Tensor,
    senders: Tensor,
    receivers: Tensor,
    form: str = "mean",
) -> Tensor:
    r"""Multi-head graph distillation (MHGD): the student's attention between samples should be the teacher's.

    Head h joins the samples i in the second layer and j in the first by

    .. math:: G^h_{ij} = \tanh \frac{\langle A_h \hat x^{(2)}_i, B_h \hat x^{(1)}_j \rangle}{\sqrt W}, \qquad
              p^h_i = \mathrm{softmax}_j \, G^h_{ij}

    with embeddings :math:`\hat x` of length 1 and W rows in each head's matrices A and B. The heads learn to
    describe the teacher (:func:`graph_estimation`) and are held fixed here; the student goes through the
    same.

    form="mean"
        :math:`\frac{1}{H N} \sum_{h,i} \mathrm{KL}(p^h_{T,i} \Vert p^h_{S,i})`, in nats for a sample and a
        head: the paper's divergence, as a mean. The default.
    form="authors"
        :math:`\sum_{h,i} \mathrm{KL}(p^h_{S,i} \Vert p^h_{T,i})`: the authors' code sums, and takes the
        divergence the other way round.

    0 at equality, blind to the length of each embedding and to the sign of all. The tanh keeps G between
    -1 and 1, so no chance is more than e² times another, and the values are small.

    Source: Lee and Song 2019, *Graph-based Knowledge Distillation by Multi-head Attention Network*, section
    3. This is a compact form: the authors compress maps by a singular value decomposition into vectors of
    length 1, for which the embeddings stand here, and have a batch normalisation in each head, for which
    :math:`\sqrt W` stands.

    Parameters
    ----------
    student_first, teacher_first : (N, D1), N of at least 2, with the same width D1
    student_second, teacher_second : (N, D2)
    senders, receivers : A of shape (H, W, D2) and B of shape (H, W, D1)

    Memory: H × N × N. Errors: ValueError for other samples or widths, a batch of one or an unknown form.
    """
    check_form(form, FORMS)
    _check_widths(student_first, teacher_first)
    _check_widths(student_second, teacher_second)
    senders, receivers = senders.detach(), receivers.detach()
    log_p = log_softmax(_graph(student_first, student_second, senders, receivers).tanh())
    log_q = log_softmax(_graph(teacher_first.detach(), teacher_second.detach(), senders, receivers).tanh())
    if form == "authors":
        return (log_p.exp() * (log_p - log_q)).sum()
    return (log_q.exp() * (log_q - log_p)).sum(2).mean()


def graph_estimation(
    teacher_first: Tensor,
    teacher_second: Tensor,
    senders: Tensor,
    receivers: Tensor,
    inner: Tensor,
    outer: Tensor,
) -> Tensor:
    r"""What the heads of :func:`multi_head_graph` learn from: to tell the teacher's second layer from its
    first.

    .. math:: \frac{1}{N} \sum_i \left(1 - \cos\left(O \left[\mathrm{softmax}(G^1) R, \dots,
              \mathrm{softmax}(G^H) R\right]_i, x^{(2)}_i\right)\right), \qquad
              R = \max(0, \hat x^{(1)} I^\top)

    G is the graph before the tanh. From 0 to 2. ``inner`` I has shape (V, D1), ``outer`` O
    (D2, H V); the other parameters are as there. The authors also drop heads at random.
    """
    first, second = teacher_first.detach(), teacher_second.detach()
    check_samples(first, second)
    attention = log_softmax(_graph(first, second, senders, receivers)).exp()
    hidden = (unit(first) @ inner.mT).relu()
    gathered = (attention @ hidden).transpose(0, 1).flatten(1)
    estimate = gathered @ outer.mT
    return 1 - (unit(estimate) * unit(second)).sum(1).mean()


def _graph(first, second, senders, receivers):
    """The graph of each head, (H, N, N)."""
    sent, received = unit(second) @ senders.mT, unit(first) @ receivers.mT
    return sent @ received.mT / senders.shape[1] ** 0.5


def _check_widths(student, teacher):
    check_samples(student, teacher)
    if student.shape[-1] != teacher.shape[-1]:
        raise ValueError(
            "student and teacher go through the same heads and must have one width; the student's embeddings "
            f"have shape {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}. Let the loss learn "
            "to bring the student's to the teacher's width: adapter=\"linear\""
        )


@dataclass(frozen=True)
class MultiHeadGraph(TwoLayers, Loss):
    """:func:`multi_head_graph` plus :func:`graph_estimation`, whose heads learn, as a term of an objective.

    With ``adapter="linear"`` the student's embeddings first go through matrices to the teacher's widths,
    which learn with the student.

    >>> samples = torch.randn(4, 3), torch.randn(4, 5)
    >>> MultiHeadGraph()(samples, samples) < 2  # the heads' own loss alone
    tensor(True)
    """

    heads: int = 8
    width: int = 32
    form: str = "mean"
    adapter: str | None = None
    seed: int = 0
    forms = FORMS
    name = "multi_head_graph"
    paper = "MHGD, Lee and Song 2019, section 3"
    formula = (
        r"\frac{1}{H N} \sum_{hi} \mathrm{KL}(p^h_{T,i} \Vert p^h_{S,i}), \quad p^h_i = "
        r"\mathrm{softmax}_j \tanh G^h_{ij}"
    )
    symbol = r"\mathrm{MHGD}(s,\, t)"
    scale = "nats for a sample and a head, plus the heads' own loss, 0 to 2"
    memory = "heads × N × N"
    cost = "heads × N × width × (N + D)"
    invariant_to = ("scale", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_choice("adapter", self.adapter, (None, "linear"))
        check_whole("heads", self.heads, 1)
        check_whole("width", self.width, 1)

    def embeddings(self, student, teacher):
        """The two layers of the student and the two of the teacher, with one vector a sample."""
        return [[flat(features) for features in layers] for layers in self.read(student, teacher)]

    def initial(self, student, teacher):
        student, teacher = self.embeddings(student, teacher)
        first, second = (features.shape[1] for features in teacher)
        inner = (first + second) // 2
        sizes = {
            "senders": (second, self.heads * self.width),
            "receivers": (first, self.heads * self.width),
            "inner": (first, inner),
            "outer": (self.heads * inner, second),
        }
        if self.adapter is not None:
            sizes["first"] = (student[0].shape[1], first)
            sizes["second"] = (student[1].shape[1], second)
        generator = seeded(self.seed)
        parts = {
            name: initial_linear(*size, generator, like=student[0])["weight"] for name, size in sizes.items()
        }
        # The embeddings have length 1: with entries of size 1, each head's answers have size 1 too.
        for name in ("senders", "receivers"):
            scale = (3 * sizes[name][0]) ** 0.5
            parts[name] = (scale * parts[name]).unflatten(0, (self.heads, self.width))
        return parts

    def value(self, student, teacher, labels, learned):
        student, teacher = self.embeddings(student, teacher)
        if self.adapter is not None:
            student = [linear(student[0], learned["first"]), linear(student[1], learned["second"])]
        heads = (learned["senders"], learned["receivers"])
        estimation = graph_estimation(*teacher, *heads, learned["inner"], learned["outer"])
        return multi_head_graph(*student, *teacher, *heads, self.form) + estimation
