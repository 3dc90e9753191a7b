"""What a transformer does inside, as knowledge: where it looks, how its values agree, its hidden states.

Maps are probabilities (N, A, L, L): for each of N sequences and A heads, how much each of L tokens looks at
each other. Values and hidden states are (N, L, D). Each function gives the loss of one student, averaged over
the sequences; the teacher's side never receives a gradient. They are terms of an objective like all others,
and name the layers that they read, such as ``"block2.maps"`` of :func:`kdviz.models.encoder`.

All tokens count alike: these losses know of no padding, so sequences are of one length.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from kdviz.losses.adapters import initial_linear, linear
from kdviz.losses.checks import check_choice, check_form, check_whole
from kdviz.losses.layers import LayerPair
from kdviz.losses.objective import Loss
from kdviz.losses.vectors import seeded, unit

ATTENTION_FORMS = ("minilm", "tinybert")
HIDDEN_FORMS = ("tinybert", "distilbert")


def attention_distribution(student: Tensor, teacher: Tensor, form: str = "minilm") -> Tensor:
    r"""Where the teacher looks, the student should look: :math:`A_{nat}` is what token t looks at, in head a.

    form="minilm"
        .. math:: \frac{1}{N A L} \sum_{n,a,t} \mathrm{KL}(A^T_{nat} \,\Vert\, A^S_{nat})

        In nats, 0 or more (Wang et al. 2020, *MiniLM: Deep Self-Attention Distillation*, section 3.1,
        equation 6; of the last layer).
    form="tinybert"
        .. math:: \frac{1}{N A L^2} \sum_{n,a,t,u} (A^S_{natu} - A^T_{natu})^2

        The mean over the cells (Jiao et al. 2020, *TinyBERT*, section 3, equation 7, of all layers that are
        paired). The paper compares the scores before their softmax, which it found to learn faster; of maps
        the values are small, so a weight belongs to one length.

    0 if and only if the maps are equal. Heads are compared in their order: student and teacher need as many,
    and of a student that has learned already its third head is not the teacher's third. Where the teacher
    does not look at all, as a decoder at what follows, the KL asks nothing.

    Errors: ValueError for unequal shapes or an unknown form.

    >>> everywhere, first = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[1.0, 0.0]]]])
    >>> attention_distribution(everywhere, first)  # log 2
    tensor(0.6931)
    """
    check_form(form, ATTENTION_FORMS)
    teacher = teacher.detach()
    if student.ndim != 4 or student.shape != teacher.shape:
        raise ValueError(
            "attention maps must have shape (sequences, heads, tokens, tokens), the same for both; the "
            f"student's has {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}. Give both "
            "as many heads, or compare ValueRelation(..., heads=...), for which the heads are cut anew"
        )
    if form == "tinybert":
        return (student - teacher).square().mean()
    return _kl(teacher, student).mean()


def value_relation(student: Tensor, teacher: Tensor, heads: int) -> Tensor:
    r"""Which tokens have like values: MiniLM's second term.

    The values of each head are compared with each other, so widths may differ:

    .. math:: \frac{1}{N A L} \sum_{n,a,t} \mathrm{KL}(R^T_{nat} \,\Vert\, R^S_{nat}), \qquad
              R_{na} = \mathrm{softmax}\Big(\frac{V_{na} V_{na}^\top}{\sqrt{D / A}}\Big)

    In nats, 0 or more; 0 for values that are turned or mirrored within each head. Wang et al. 2020,
    *MiniLM*, section 3.2, equations 7 to 9.

    Parameters
    ----------
    student : (N, L, D)
    teacher : (N, L, D')
    heads : int
        A, which divides both widths.

    Errors: ValueError for other sequences or tokens, or widths that the heads do not divide.

    >>> values = torch.randn(2, 5, 8)
    >>> bool(value_relation(-values, values, heads=4) < 1e-6)
    True
    """
    check_whole("heads", heads, 1)
    _check_tokens(student, teacher)
    if student.shape[-1] % heads or teacher.shape[-1] % heads:
        raise ValueError(
            f"{heads} heads must divide the width of both values; the student's have shape "
            f"{tuple(student.shape)}, the teacher's {tuple(teacher.shape)}"
        )
    return _kl(_relation(teacher.detach(), heads), _relation(student, heads)).mean()


def _relation(values, heads):
    by_head = values.unflatten(-1, (heads, -1)).transpose(-2, -3)
    return (by_head @ by_head.mT / by_head.shape[-1] ** 0.5).softmax(-1)


def _kl(q, p):
    """KL(q ‖ p) of the last axis; where q is 0 nothing is asked, and no gradient comes back."""
    looked = q > 0
    q, p = torch.where(looked, q, 1.0), torch.where(looked, p, 1.0)
    return (q * (q.log() - p.clamp(min=torch.finfo(p.dtype).tiny).log())).sum(-1)


def hidden_states(student: Tensor, teacher: Tensor, form: str = "tinybert") -> Tensor:
    r"""The student's hidden states, or embeddings, are the teacher's, token by token.

    form="tinybert"
        :math:`\frac{1}{N L D} \sum (H_S W - H_T)^2`, the mean squared error, with W learned where an adapter
        is asked for (Jiao et al. 2020, *TinyBERT*, section 3, equations 8 and 9).
    form="distilbert"
        :math:`\frac{1}{N L} \sum_{n,t} (1 - \cos(H^S_{nt}, H^T_{nt}))`, from 0 to 2: their direction alone
        (Sanh et al. 2019, *DistilBERT*, section 2; torch's ``cosine_embedding_loss`` in their code).

    Both (N, L, D). The first is 0 if and only if they are equal, the second also if their lengths differ. A
    vector of zeros has no direction, and cosine 0. Errors: ValueError for unequal shapes or an unknown form.

    >>> hidden_states(torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 3.0]]]), form="distilbert")
    tensor(1.)
    """
    check_form(form, HIDDEN_FORMS)
    teacher = teacher.detach()
    _check_tokens(student, teacher)
    if student.shape != teacher.shape:
        raise ValueError(
            f"hidden states must be as wide; the student's have shape {tuple(student.shape)}, the teacher's "
            f'{tuple(teacher.shape)}. Let the loss learn a projection: adapter="linear"'
        )
    if form == "tinybert":
        return (student - teacher).square().mean()
    return 1 - (unit(student) * unit(teacher)).sum(-1).mean()


def _check_tokens(student, teacher):
    if student.ndim != 3 or teacher.ndim != 3 or student.shape[:2] != teacher.shape[:2]:
        raise ValueError(
            "this loss compares (sequences, tokens, width), of the same sequences and tokens; the student's "
            f"have shape {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}. Name layers such as "
            "'block2' or 'block2.values'"
        )


@dataclass(frozen=True)
class AttentionDistribution(LayerPair, Loss):
    """:func:`attention_distribution` as a term of an objective.

    >>> AttentionDistribution()(torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[1.0, 0.0]]]]))
    tensor(0.6931)
    """

    form: str = "minilm"
    forms = ATTENTION_FORMS
    kind = "feature"
    name = "attention_distribution"
    paper = "MiniLM, Wang et al. 2020, section 3.1; TinyBERT, Jiao et al. 2020, section 3"
    formula = r"\frac{1}{N A L} \sum_{nat} \mathrm{KL}(A^T_{nat} \Vert A^S_{nat})"
    symbol = r"\mathrm{KL}(A_T \,\Vert\, A_S)"
    reads = "attention maps"
    scale = "nats"
    memory = "N × heads × L × L"
    cost = "one logarithm a cell"

    def value(self, student, teacher, labels, learned):
        return attention_distribution(*self.features(student, teacher), self.form)


@dataclass(frozen=True)
class ValueRelation(LayerPair, Loss):
    """:func:`value_relation` as a term of an objective.

    >>> ValueRelation(heads=1)(torch.zeros(1, 2, 3), torch.zeros(1, 2, 4))
    tensor(0.)
    """

    heads: int = 4
    kind = "relation"
    name = "value_relation"
    paper = "MiniLM, Wang et al. 2020, section 3.2"
    formula = (
        r"\frac{1}{N A L} \sum_{nat} \mathrm{KL}(R^T_{nat} \Vert R^S_{nat}), \quad "
        r"R = \mathrm{softmax}(V V^\top / \sqrt{D / A})"
    )
    symbol = r"\mathrm{VR}(V_S,\, V_T)"
    reads = "values"
    scale = "nats"
    memory = "N × heads × L × L"
    cost = "N × L × L × D"
    invariant_to = ("rotation", "sign")

    def __post_init__(self):
        super().__post_init__()
        check_whole("heads", self.heads, 1)

    def value(self, student, teacher, labels, learned):
        return value_relation(*self.features(student, teacher), self.heads)


@dataclass(frozen=True)
class HiddenStates(LayerPair, Loss):
    """:func:`hidden_states` as a term of an objective.

    ``adapter="linear"`` learns TinyBERT's projection of the student's states to the teacher's width.

    >>> HiddenStates()(torch.zeros(1, 2, 3), torch.ones(1, 2, 3))
    tensor(1.)
    """

    form: str = "tinybert"
    adapter: str | None = None
    seed: int = 0
    forms = HIDDEN_FORMS
    kind = "feature"
    name = "hidden_states"
    paper = "TinyBERT, Jiao et al. 2020, section 3; DistilBERT, Sanh et al. 2019, section 2"
    formula = r"\frac{1}{N L D} \sum (H_S W - H_T)^2"
    symbol = r"\mathrm{MSE}(H_S W,\, H_T)"
    reads = "hidden states"
    scale = "squared features"
    memory = "N × L × D"
    cost = "one difference, and the projection"

    def __post_init__(self):
        super().__post_init__()
        check_choice("adapter", self.adapter, (None, "linear"))

    def initial(self, student, teacher):
        ours, theirs = self.features(student, teacher)
        if self.adapter is None:
            return {}
        return initial_linear(ours.shape[-1], theirs.shape[-1], seeded(self.seed), like=ours)

    def value(self, student, teacher, labels, learned):
        ours, theirs = self.features(student, teacher)
        if self.adapter is not None:
            ours = linear(ours, **learned)
        return hidden_states(ours, theirs, self.form)
