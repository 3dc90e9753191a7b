"""WHAT: losses for each kind of knowledge, and the objective that is their weighted sum.

Each loss is written for one student, in the file of its paper, and registered by the line that imports it in
``response/``, ``feature/`` or ``relation/__init__.py``. Its name here may also be the paper's acronym:
``kdviz.losses.DKD`` is ``Decoupled``.
"""

from difflib import get_close_matches
from inspect import isabstract, isclass

from kdviz.losses import feature, relation, response
from kdviz.losses.feature import *  # noqa: F403
from kdviz.losses.objective import Loss, Objective
from kdviz.losses.relation import *  # noqa: F403
from kdviz.losses.response import *  # noqa: F403

ACRONYMS = {
    "AB": "ActivationBoundary",
    "ALPKD": "LayerProjection",
    "AT": "AttentionTransfer",
    "CC": "CorrelationCongruence",
    "CE": "CrossEntropy",
    "CRD": "ContrastiveRepresentation",
    "CTKD": "CurriculumTemperature",
    "CWD": "ChannelWise",
    "DIST": "PredictionCorrelation",
    "DKD": "Decoupled",
    "FNKD": "FeatureNormalised",
    "FSP": "FlowOfSolution",
    "FT": "FactorTransfer",
    "FitNets": "Hint",
    "GKD": "JensenShannon",
    "ICKD": "ChannelCorrelation",
    "IRG": "InstanceRelationshipGraph",
    "KD": "SoftTargets",
    "KDSVD": "SingularVectors",
    "LP": "LocalityPreserving",
    "LSKD": "StandardisedSoftTargets",
    "MHGD": "MultiHeadGraph",
    "MLKD": "MultiLevel",
    "MiniLLM": "ReverseKL",
    "NST": "NeuronSelectivity",
    "OFD": "FeatureOverhaul",
    "PKD": "Pearson",
    "PKT": "ProbabilisticTransfer",
    "PatientKD": "NormalisedHint",
    "RKDA": "AngleRelation",
    "RKDD": "DistanceRelation",
    "ReviewKD": "KnowledgeReview",
    "SP": "SimilarityPreserving",
    "SSKD": "TransformationSimilarity",
    "SemCKD": "SemanticCalibration",
    "TfKD": "VirtualTeacher",
    "VID": "VariationalInformation",
    "WSLD": "WeightedSoftLabels",
}

LOSSES = tuple(
    sorted(
        name
        for name, thing in vars().items()
        if isclass(thing) and issubclass(thing, Loss) and not isabstract(thing)
    )
)
__all__ = [*LOSSES, "Loss", "Objective", "feature", "relation", "response"]


def __getattr__(name):
    if name in ACRONYMS:
        return globals()[ACRONYMS[name]]
    raise AttributeError(f"module 'kdviz.losses' has no attribute {name!r}; {nearest(name)}")


def __dir__():
    return sorted(__all__)


def nearest(name: str) -> str:
    """Which loss was meant by an unknown name."""
    acronyms = {loss: acronym for acronym, loss in ACRONYMS.items()}
    spelled = {known.lower(): ACRONYMS.get(known, known) for known in (*LOSSES, *ACRONYMS)}
    close = get_close_matches(name.lower(), spelled, n=6, cutoff=0.6)
    found = dict.fromkeys(spelled[match] for match in close)
    if not found:
        return f"the losses are: {', '.join(LOSSES)}"
    meant = [f"{loss} ({acronyms[loss]})" if loss in acronyms else loss for loss in found]
    return f"did you mean {' or '.join(meant[:3])}?"
