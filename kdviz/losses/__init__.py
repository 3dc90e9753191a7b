"""WHAT: pure losses for each kind of knowledge, and the objective that is their weighted sum."""

# ruff: noqa: F401 - which of the names imported here are offered is said by LOSSES.

from kdviz.loss_names import LOSSES
from kdviz.losses import feature, relation, response
from kdviz.losses.feature import (
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
from kdviz.losses.objective import Loss, Objective
from kdviz.losses.relation import (
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
from kdviz.losses.response import (
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

__all__ = [*LOSSES, "Loss", "Objective", "feature", "relation", "response"]
