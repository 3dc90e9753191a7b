"""Relation-based knowledge: how samples, layers or channels stand to each other.

Functions on samples take embeddings of shape (N, D), one row a sample, and functions on maps (N, C, H, W);
the width D may differ between student and teacher unless the function says otherwise. They return a scalar.
As a term of an objective, a loss names the layers that it reads, and flattens a map to one vector a sample
where it compares samples. A relation needs at least two samples in the batch. The teacher's features never
receive a gradient. A value is in nats only if the function says so; the scale of each is stated, since the
published weights only make sense beside it.
"""

# ruff: noqa: F401 - these lines are the table of losses: what they import is offered.

from kdviz.losses.relation._channel_correlation import ChannelCorrelation, channel_correlation
from kdviz.losses.relation._contrastive_representation import (
    ContrastiveRepresentation,
    contrastive_representation,
    draw_negatives,
    log_normaliser,
    updated_bank,
)
from kdviz.losses.relation._correlation_congruence import CorrelationCongruence, correlation_congruence
from kdviz.losses.relation._dark_rank import DarkRank, dark_rank
from kdviz.losses.relation._flow_of_solution import FlowOfSolution, flow_of_solution
from kdviz.losses.relation._info_nce import InfoNCE, info_nce
from kdviz.losses.relation._instance_relationship_graph import (
    InstanceRelationshipGraph,
    edge_change_difference,
    edge_difference,
    graph_edges,
    instance_relationship_graph,
    vertex_change_difference,
)
from kdviz.losses.relation._locality_preserving import LocalityPreserving, locality_preserving
from kdviz.losses.relation._multi_head_graph import MultiHeadGraph, graph_estimation, multi_head_graph
from kdviz.losses.relation._probabilistic_transfer import ProbabilisticTransfer, probabilistic_transfer
from kdviz.losses.relation._relational import (
    AngleRelation,
    DistanceRelation,
    angle_relation,
    distance_relation,
)
from kdviz.losses.relation._similarity_preserving import SimilarityPreserving, similarity_preserving
from kdviz.losses.relation._transformation_similarity import (
    TransformationSimilarity,
    transformation_similarity,
)
