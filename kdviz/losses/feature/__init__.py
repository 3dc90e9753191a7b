"""Feature-based knowledge: what the teacher's layers in between say.

Every function takes one student's features (N, D), samples by width, or maps (N, C, H, W), and returns the
loss averaged over the N samples, a scalar. The teacher's features never receive a gradient.

Where shapes are unequal, a loss says which adapter helps; ``kdviz.losses.adapters`` has them all. What
a loss learns is given by ``initial`` and handed back as ``learned``: it holds no state.

What a loss does not see (``invariant_to``) is said of the student's features alone: a constant added to
all of them (shift), all times one positive number (scale), its channels in another order (channel
permutation) or mixed by an orthogonal matrix at each position (rotation), all times -1 (sign).
"""

# ruff: noqa: F401 - these lines are the table of losses: what they import is offered.

from kdviz.losses.feature._activation_boundary import ActivationBoundary, activation_boundary
from kdviz.losses.feature._attention import AttentionTransfer, attention_map, attention_transfer
from kdviz.losses.feature._channel_wise import ChannelWise, Pearson, channel_wise, pearson
from kdviz.losses.feature._cross_layer import (
    LayerProjection,
    SemanticCalibration,
    layer_attention,
    layer_projection,
    semantic_calibration,
    similarity_attention,
)
from kdviz.losses.feature._factor_transfer import (
    FactorTransfer,
    Paraphraser,
    factor_transfer,
    initial_paraphraser,
    paraphrase,
    reconstruction_loss,
    train_paraphraser,
    translate,
)
from kdviz.losses.feature._feature_overhaul import (
    FeatureOverhaul,
    feature_overhaul,
    margins_of_batch,
    margins_of_batch_norm,
)
from kdviz.losses.feature._feature_statistics import (
    FeatureNormalised,
    FeatureStatistics,
    NormalisedHint,
    feature_normalised,
    feature_statistics,
    normalised_hint,
)
from kdviz.losses.feature._hint import Hint, hint
from kdviz.losses.feature._jacobian import jacobian_matching
from kdviz.losses.feature._knowledge_review import KnowledgeReview, hierarchical_context, review
from kdviz.losses.feature._neuron_selectivity import NeuronSelectivity, neuron_selectivity
from kdviz.losses.feature._rocket import RocketHint, rocket_hint
from kdviz.losses.feature._singular_vectors import SingularVectors, singular_vectors
from kdviz.losses.feature._variational_information import (
    VariationalInformation,
    variational_information,
)
