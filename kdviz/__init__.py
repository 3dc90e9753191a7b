"""kdviz: understand knowledge distillation by touching it.

The package is laid out as the surveys tell it: *who* teaches whom (``models``), *what* is transferred
(``knowledge``) and *how* (``schemes``), on one training engine (``training``). Everything is imported
on first use, so that ``import kdviz`` itself is immediate.
"""

from importlib import import_module

__version__ = "0.1.0"

_ROOMS = (
    "course",
    "datasets",
    "explain",
    "explorers",
    "figures",
    "knowledge",
    "measure",
    "models",
    "schemes",
    "study",
    "training",
)

# Every loss is at hand as kdviz.<its name>.
_LOSSES = (
    "ActivationBoundary",
    "AngleRelation",
    "AttentionTransfer",
    "ChannelCorrelation",
    "ChannelWise",
    "ConditionalTargets",
    "ContrastiveRepresentation",
    "CorrelationCongruence",
    "CrossEntropy",
    "CurriculumTemperature",
    "DarkRank",
    "Decoupled",
    "DeiTHard",
    "DeiTSoft",
    "DistanceRelation",
    "FactorTransfer",
    "FeatureNormalised",
    "FeatureOverhaul",
    "FeatureStatistics",
    "FlowOfSolution",
    "Hint",
    "InstanceRelationshipGraph",
    "JensenShannon",
    "KnowledgeReview",
    "LabelSmoothing",
    "LayerProjection",
    "LocalityPreserving",
    "LogitMatching",
    "MultiHeadGraph",
    "MultiLevel",
    "NeuronSelectivity",
    "NormalisedHint",
    "Pearson",
    "PredictionCorrelation",
    "ProbabilisticTransfer",
    "ReverseKL",
    "RocketHint",
    "SampleTemperature",
    "SemanticCalibration",
    "SimilarityPreserving",
    "SingularVectors",
    "SoftTargets",
    "StandardisedSoftTargets",
    "TransformationSimilarity",
    "VariationalInformation",
    "VirtualTeacher",
    "WeightedSoftLabels",
)

_SHORTCUTS = {
    **dict.fromkeys(_LOSSES, "kdviz.knowledge"),
    "Objective": "kdviz.knowledge.objective",
    "compare": "kdviz.study.compare",
    "diagnose": "kdviz.study.diagnose",
    "distill": "kdviz.schemes.offline",
    "sweep": "kdviz.schemes.sweep",
    "teacher": "kdviz.schemes.supervised",
    "trace": "kdviz.tracing",
    "train": "kdviz.schemes.supervised",
}

__all__ = ["__version__", *_ROOMS, *_SHORTCUTS]


def __getattr__(name):
    if name in _ROOMS:
        return import_module(f"kdviz.{name}")
    if name in _SHORTCUTS:
        return getattr(import_module(_SHORTCUTS[name]), name)
    raise AttributeError(f"module 'kdviz' has no attribute {name!r}; it offers {', '.join(__all__)}")


def __dir__():
    return sorted(__all__)
