"""InfoNCE: a sample's two embeddings against those of the rest of the batch."""

from dataclasses import dataclass

from torch import Tensor

from kdviz.losses.adapters import initial_linear, linear, named
from kdviz.losses.checks import check_choice, check_temperature, check_whole
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import OneLayer, check_samples
from kdviz.losses.response.logits import log_softmax
from kdviz.losses.vectors import seeded, unit


def info_nce(
    student: Tensor,
    teacher: Tensor,
    student_head: dict[str, Tensor] | None = None,
    teacher_head: dict[str, Tensor] | None = None,
    temperature: float = 0.1,
) -> Tensor:
    r"""InfoNCE in both directions: which teacher's embedding is that of a student's, and the reverse.

    .. math:: -\frac{1}{N} \sum_i \left[ \log \frac{e^{\langle s_i, t_i \rangle / \tau}}
              {\sum_j e^{\langle s_i, t_j \rangle / \tau}} + \log \frac{e^{\langle s_i, t_i \rangle / \tau}}
              {\sum_j e^{\langle s_j, t_i \rangle / \tau}} \right]

    s and t are the embeddings times their head, with length 1. The normaliser of each term is the sum over
    the N samples of the batch, the right one among them; nothing has to be estimated or remembered. In nats;
    2 log N for embeddings that tell nothing, and not 0 at its best, where all angles are as wide as they can
    be. The smaller N, the coarser the estimate: it says at most log N nats about what the two embeddings
    share.

    Source: van den Oord et al. 2018, *Representation Learning with Contrastive Predictive Coding*, section
    2.3, one term; both are added as in Radford et al. 2021 (CLIP, which takes their mean). Tian et al. 2020
    compare contrastive distillation with it; their own loss is :func:`contrastive_representation`.

    Parameters
    ----------
    student, teacher : (N, D), N of at least 2
    student_head, teacher_head : {"weight": (F, D), "bias": (F,)}
        The linear maps that bring both to the same F features; both learn. None leaves an embedding as it is.
    temperature : :math:`\tau`, above 0

    Memory: N × N and N × F. Errors: ValueError for other samples, a batch of one, embeddings whose widths
    still differ or a temperature of 0 or below.
    """
    check_temperature(temperature)
    check_samples(student, teacher)
    student, teacher = headed(student, student_head), headed(teacher.detach(), teacher_head)
    check_widths(student, teacher)
    scores = student @ teacher.mT / temperature
    return -(log_softmax(scores) + log_softmax(scores.mT)).diagonal().mean()


def headed(features, head):
    """Features through a linear head, where there is one, with length 1."""
    return unit(linear(features, **head) if head else features)


def check_widths(student, *others):
    """Embeddings and banks must have one width."""
    for other in others:
        if other.shape[-1] != student.shape[-1]:
            raise ValueError(
                "the embeddings and banks must have one width to be compared; the student's have shape "
                f"{tuple(student.shape)}, the others {tuple(other.shape)}. Bring them to it with heads: "
                'adapter="linear" learns them'
            )


@dataclass(frozen=True)
class Headed(OneLayer):
    """Both embeddings go through a linear head to ``width`` features, learned with the student.

    With ``adapter=None`` they are compared as they are.
    """

    temperature: float = 0.1
    adapter: str | None = "linear"
    width: int = 128
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        check_temperature(self.temperature)
        check_choice("adapter", self.adapter, (None, "linear"))
        check_whole("width", self.width, 1)

    def initial(self, student, teacher):
        """The weights of the two heads."""
        if self.adapter is None:
            return {}
        generator, heads = seeded(self.seed), {}
        for side, features in zip(("student", "teacher"), self.embeddings(student, teacher), strict=True):
            heads |= named(side, initial_linear(features.shape[1], self.width, generator, like=features))
        return heads

    def heads(self, learned):
        """The student's head and the teacher's, where they learn."""
        if self.adapter is None:
            return None, None
        return tuple(
            {part: learned[f"{side}_{part}"] for part in ("weight", "bias")}
            for side in ("student", "teacher")
        )


@dataclass(frozen=True)
class InfoNCE(Headed, Loss):
    """:func:`info_nce` as a term of an objective, with the rest of the batch as the negatives.

    >>> InfoNCE(adapter=None)(torch.ones(4, 2), torch.ones(4, 2)).exp().round()
    tensor(16.)
    """

    name = "info_nce"
    paper = "InfoNCE, van den Oord et al. 2018, section 2.3; in both directions"
    formula = (
        r"-\frac{1}{N} \sum_i \left[ \log \frac{e^{\langle s_i, t_i \rangle / \tau}}{\sum_j "
        r"e^{\langle s_i, t_j \rangle / \tau}} + \log \frac{e^{\langle s_i, t_i \rangle / "
        r"\tau}}{\sum_j e^{\langle s_j, t_i \rangle / \tau}} \right]"
    )
    symbol = r"\mathrm{InfoNCE}(s,\, t)"
    scale = "nats; 2 log N where the embeddings tell nothing"
    memory = "N × N"
    cost = "one product N × N × width"

    def value(self, student, teacher, labels, learned):
        features = self.embeddings(student, teacher)
        return info_nce(*features, *self.heads(learned), self.temperature)
