"""Feature-based knowledge: what the teacher's layers in between say.

Every function takes features of shape (..., N, D), samples by width, or maps of shape (..., N, C, H, W),
and returns the loss averaged over the N samples, of shape (...). For one student that is a scalar;
leading axes hold a stack of students, each with its own value. A function that takes both kinds of
features is told by ``stack`` how many leading axes there are. The teacher's features never receive a
gradient.

Where shapes are unequal, a loss says which adapter helps; ``kdviz.knowledge.adapters`` has them all. What
a loss learns is given by ``initial`` and handed back as ``learned``: it holds no state.

What a loss does not see (``invariant_to``) is said of the student's features alone: a constant added to
all of them (shift), all times one positive number (scale), its channels in another order (channel
permutation) or mixed by an orthogonal matrix at each place (rotation), all times -1 (sign).
"""

from kdviz.knowledge.feature.activation_boundary import ActivationBoundary, activation_boundary
from kdviz.knowledge.feature.attention import AttentionTransfer, attention_map, attention_transfer
from kdviz.knowledge.feature.channel_wise import ChannelWise, Pearson, channel_wise, pearson
from kdviz.knowledge.feature.cross_layer import (
    LayerProjection,
    SemanticCalibration,
    layer_projection,
    semantic_calibration,
    similarity_attention,
)
from kdviz.knowledge.feature.factor_transfer import (
    FactorTransfer,
    Paraphraser,
    factor_transfer,
    initial_paraphraser,
    paraphrase,
    reconstruction_loss,
    train_paraphraser,
    translate,
)
from kdviz.knowledge.feature.feature_overhaul import (
    FeatureOverhaul,
    feature_overhaul,
    margins_of_batch,
    margins_of_batch_norm,
)
from kdviz.knowledge.feature.feature_statistics import (
    FeatureNormalised,
    FeatureStatistics,
    NormalisedHint,
    feature_normalised,
    feature_statistics,
    normalised_hint,
)
from kdviz.knowledge.feature.hint import Hint, hint
from kdviz.knowledge.feature.jacobian import jacobian_matching
from kdviz.knowledge.feature.knowledge_review import KnowledgeReview, hierarchical_context, review
from kdviz.knowledge.feature.neuron_selectivity import NeuronSelectivity, neuron_selectivity
from kdviz.knowledge.feature.rocket import RocketHint, rocket_hint
from kdviz.knowledge.feature.singular_vectors import SingularVectors, singular_vectors
from kdviz.knowledge.feature.variational_information import (
    VariationalInformation,
    variational_information,
)

__all__ = [
    "ActivationBoundary",
    "AttentionTransfer",
    "ChannelWise",
    "FactorTransfer",
    "FeatureNormalised",
    "FeatureOverhaul",
    "FeatureStatistics",
    "Hint",
    "KnowledgeReview",
    "LayerProjection",
    "NeuronSelectivity",
    "NormalisedHint",
    "Paraphraser",
    "Pearson",
    "RocketHint",
    "SemanticCalibration",
    "SingularVectors",
    "VariationalInformation",
    "activation_boundary",
    "attention_map",
    "attention_transfer",
    "channel_wise",
    "factor_transfer",
    "feature_normalised",
    "feature_overhaul",
    "feature_statistics",
    "hierarchical_context",
    "hint",
    "initial_paraphraser",
    "jacobian_matching",
    "layer_projection",
    "margins_of_batch",
    "margins_of_batch_norm",
    "neuron_selectivity",
    "normalised_hint",
    "paraphrase",
    "pearson",
    "reconstruction_loss",
    "review",
    "rocket_hint",
    "semantic_calibration",
    "similarity_attention",
    "singular_vectors",
    "train_paraphraser",
    "translate",
    "variational_information",
]
