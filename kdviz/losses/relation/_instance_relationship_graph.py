"""The instance relationship graph (IRG): samples, their distances, and how both change between layers."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kdviz.losses.adapters import pool
from kdviz.losses.checks import check_form, check_from_zero, check_same_shape
from kdviz.losses.objective import Loss
from kdviz.losses.relation.relations import TwoLayers, check_samples, flat, mean_square, squared_distances

FORMS = ("edges", "vertices")


def graph_edges(features: Tensor) -> Tensor:
    r"""The edges of a graph of samples: squared distances, divided by the largest in the batch.

    :math:`E_{ij} = \lVert x_i - x_j \rVert^2 / \max_{kl} \lVert x_k - x_l \rVert^2` for features (N, D):
    from 0 to 1, and blind to a shift, a rotation and a scale. All 0 where all samples agree.

    >>> graph_edges(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([[0.0000, 0.1111, 1.0000],
            [0.1111, 0.0000, 0.4444],
            [1.0000, 0.4444, 0.0000]])
    """
    return _relative(squared_distances(features))


def edge_difference(student: Tensor, teacher: Tensor) -> Tensor:
    r"""The mean square of the difference of edges, :math:`\frac{1}{N^2} \lVert E_S - E_T \rVert_F^2`, 0 to 1.

    For embeddings (N, D) of any width. Memory: some N × N matrices.
    """
    check_samples(student, teacher)
    return mean_square(graph_edges(student) - graph_edges(teacher.detach()))


def edge_change_difference(
    student_first: Tensor, student_second: Tensor, teacher_first: Tensor, teacher_second: Tensor
) -> Tensor:
    r"""How much the edges change from one layer to the next: the student's change against the teacher's.

    :math:`(c_S - c_T)^2` with :math:`c = \frac{1}{N^2} \lVert E^{(1)} - E^{(2)} \rVert_F^2`, for embeddings
    of any width. It compares one number a network.
    """
    check_samples(student_first, teacher_first)
    check_samples(student_second, teacher_second)
    change = mean_square(graph_edges(student_first) - graph_edges(student_second))
    taught = mean_square(graph_edges(teacher_first.detach()) - graph_edges(teacher_second.detach()))
    return (change - taught).square()


def vertex_change_difference(
    student_first: Tensor, student_second: Tensor, teacher_first: Tensor, teacher_second: Tensor
) -> Tensor:
    r"""How far each sample moves from one layer to the next: the student's move against the teacher's.

    :math:`\frac{1}{N} \sum_n (m^S_n - m^T_n)^2` with :math:`m_n = \lVert x^{(1)}_n - x^{(2)}_n \rVert^2 /
    \max_k \lVert x^{(1)}_k - x^{(2)}_k \rVert^2`, 0 to 1, for embeddings (N, D): the two of one network
    must have one width. Memory: N × D.
    """
    check_samples(student_first, teacher_first, least=1)
    taught = _moves(teacher_first, teacher_second).detach()
    return mean_square(_moves(student_first, student_second) - taught)


def _moves(first, second):
    if first.shape != second.shape:
        raise ValueError(
            "a sample moves between two layers of one width; got the shapes "
            f"{tuple(first.shape)} and {tuple(second.shape)}. "
            'Choose layers of equal size, or compare edges instead: form="edges"'
        )
    return _relative((first - second).square().sum(1))


def _relative(values):
    """The values divided by the largest of them; zeros stay zeros."""
    largest = values.amax()
    return values / torch.where(largest == 0, 1.0, largest)


def instance_relationship_graph(
    student_logits: Tensor,
    teacher_logits: Tensor,
    student_features: list[Tensor],
    teacher_features: list[Tensor],
    vertex: float = 0.1,
    edge: float = 5.0,
    change: float = 5.0,
    form: str = "edges",
) -> Tensor:
    r"""The instance relationship graph (IRG): vertices, edges, and how they change between layers.

    .. math:: \lambda_v \, \frac{1}{N C} \lVert z_S - z_T \rVert^2 + \lambda_e \, \overline{\text{edges}}
              + \lambda_c \, \overline{\text{changes}}

    The vertices are the logits. The edges, :func:`edge_difference`, are averaged over the layers given; the
    changes over the pairs of layers that follow each other.

    form="edges"
        The change of the graph is that of its edges, :func:`edge_change_difference`: it asks nothing of the
        widths. The default.
    form="vertices"
        The change is how far each sample moves, :func:`vertex_change_difference`, as in the code of
        Knowledge-Distillation-Zoo, with its weights 0.1, 5 and 5. Between two maps, the larger first one goes
        through average pooling, and if the second has twice the channels, they are averaged in pairs. From a
        map to an embedding no sample moves: that pair is left out, so that with two maps and the embedding,
        as KD-Zoo gives them, the edges are averaged over three layers and the change is that of the maps.

    Source: Liu et al. 2019, *Knowledge Distillation via Instance Relationship Graph*, section 3. The
    authors' code is for Caffe; these are the forms of two later ones. 0 for a copy of the teacher.

    Parameters
    ----------
    student_logits, teacher_logits : (N, C)
    student_features, teacher_features : lists in the order of depth, at least 2 layers each and as many for
        both; each an embedding (N, D), or a map (N, C, H, W)
    vertex, edge, change : weights from 0 up

    Memory: some N × N matrices a layer. Errors: ValueError for other samples, classes or numbers of layers, a
    batch of one, and, with form "vertices", layers whose sizes do not match.
    """
    _check_settings(vertex, edge, change, form)
    check_same_shape(student_logits, teacher_logits)
    student_pairs, teacher_pairs = _pairs(student_features, form), _pairs(teacher_features, form)
    if len(student_pairs) != len(teacher_pairs):
        raise ValueError(
            "the student and the teacher must give as many layers; got "
            f"{len(student_features)} and {len(teacher_features)}"
        )
    compare = edge_change_difference if form == "edges" else vertex_change_difference
    changes = [compare(*s, *t) for s, t in zip(student_pairs, teacher_pairs, strict=True)]
    edges = [
        edge_difference(flat(s), flat(t)) for s, t in zip(student_features, teacher_features, strict=True)
    ]
    vertices = mean_square(student_logits - teacher_logits.detach())
    return vertex * vertices + edge * sum(edges) / len(edges) + change * sum(changes) / len(changes)


def _pairs(features, form):
    """The layers that follow each other, with one vector a sample."""
    if len(features) < 2:
        raise ValueError(f"a change needs at least 2 layers, in the order of depth; got {len(features)}")
    pairs = list(pairwise(features))
    if form == "vertices" and len(pairs) > 1:
        pairs = [pair for pair in pairs if pair[0].ndim == pair[1].ndim] or pairs
    if form == "vertices":
        pairs = [_of_one_size(*pair) if pair[0].ndim == pair[1].ndim == 4 else pair for pair in pairs]
    return [(flat(first), flat(second)) for first, second in pairs]


def _of_one_size(first, second):
    """Two maps, the first averaged to the size of the second, whose channels are averaged in pairs."""
    first = pool(first, *second.shape[2:])
    if 2 * first.shape[1] == second.shape[1]:
        second = second.unflatten(1, (-1, 2)).mean(2)
    return first, second


def _check_settings(vertex, edge, change, form):
    check_form(form, FORMS)
    for name, weight in (("vertex", vertex), ("edge", edge), ("change", change)):
        check_from_zero(name, weight)


@dataclass(frozen=True)
class InstanceRelationshipGraph(TwoLayers, Loss):
    """:func:`instance_relationship_graph` over two layers and the logits as a term of an objective.

    Since it reads logits too, it is called on traces:

    >>> trace = Trace(torch.eye(2), {"first": torch.randn(2, 3), "second": torch.randn(2, 4)})
    >>> InstanceRelationshipGraph("first", "second")(trace, trace)
    tensor(0.)
    """

    vertex: float = 0.1
    edge: float = 5.0
    change: float = 5.0
    form: str = "edges"
    forms = FORMS
    name = "instance_relationship_graph"
    paper = "IRG, Liu et al. 2019, section 3"
    formula = (
        r"\frac{\lambda_v}{N C} \lVert z_S - z_T \rVert^2 + \frac{\lambda_e}{N^2} \lVert E_S - E_T "
        r"\rVert_F^2 + \lambda_c\, (c_S - c_T)^2"
    )
    symbol = r"\mathrm{IRG}(s,\, t)"
    reads = "embeddings or maps, and logits"
    scale = "squared logits, and squared differences of distances between 0 and 1"
    memory = "N × N a layer"
    cost = "one product N × N × D a layer"

    def __post_init__(self):
        _check_settings(self.vertex, self.edge, self.change, self.form)

    def value(self, student, teacher, labels, learned):
        features = self.read(student, teacher)
        weights = self.vertex, self.edge, self.change
        return instance_relationship_graph(student.logits, teacher.logits, *features, *weights, self.form)
