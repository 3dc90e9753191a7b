"""WHAT: pure losses for each kind of knowledge, and the objective that is their weighted sum."""

# ruff: noqa: F401 - which of the names imported here are offered is said by LOSSES.

from kdviz.knowledge import feature, relation, response
from kdviz.knowledge.feature import (
    ActivationBoundary,
    AttentionTransfer,
    ChannelWise,
    FactorTransfer,
    FeatureNormalised,
    FeatureOverhaul,
    FeatureStatistics,
    Hint,
    KnowledgeReview,
    LayerProjection,
    NeuronSelectivity,
    NormalisedHint,
    Pearson,
    RocketHint,
    SemanticCalibration,
    SingularVectors,
    VariationalInformation,
)
from kdviz.knowledge.objective import Loss, Objective
from kdviz.knowledge.relation import (
    AngleRelation,
    ChannelCorrelation,
    ContrastiveRepresentation,
    CorrelationCongruence,
    DarkRank,
    DistanceRelation,
    FlowOfSolution,
    InstanceRelationshipGraph,
    LocalityPreserving,
    MultiHeadGraph,
    ProbabilisticTransfer,
    SimilarityPreserving,
    TransformationSimilarity,
)
from kdviz.knowledge.response import (
    ConditionalTargets,
    CrossEntropy,
    CurriculumTemperature,
    Decoupled,
    DeiTHard,
    DeiTSoft,
    JensenShannon,
    LabelSmoothing,
    LogitMatching,
    MultiLevel,
    PredictionCorrelation,
    ReverseKL,
    SampleTemperature,
    SoftTargets,
    StandardisedSoftTargets,
    VirtualTeacher,
    WeightedSoftLabels,
)
from kdviz.loss_names import LOSSES

__all__ = [*LOSSES, "Loss", "Objective", "feature", "relation", "response"]
