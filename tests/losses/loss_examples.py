"""One example of every loss, on the layers of a convnet: what is tested of all losses is tested of these."""

import torch

from kdviz.course.loss_card import losses
from kdviz.losses import feature, relation, response
from kdviz.models import convnet
from kdviz.tracing import Trace

BOTH = ("activation1", "activation2")
GIVEN = [
    # The authors' value, its default, may rise while the student learns.
    response.WeightedSoftLabels(form="divergence"),
    feature.Hint("activation2", adapter="convolution"),
    feature.AttentionTransfer("activation2"),
    feature.NeuronSelectivity("activation2"),
    feature.ChannelWise("activation2"),
    feature.Pearson("activation2"),
    feature.VariationalInformation("activation2"),
    feature.ActivationBoundary("convolution2"),
    feature.FeatureOverhaul("convolution2"),
    feature.FactorTransfer("activation2"),
    feature.KnowledgeReview(BOTH),
    feature.FeatureStatistics("activation2"),
    feature.NormalisedHint("flatten", adapter="linear"),
    feature.FeatureNormalised("flatten"),
    feature.LayerProjection(("flatten",), adapter="linear"),
    feature.SemanticCalibration(BOTH),
    feature.SingularVectors(BOTH),
    relation.DistanceRelation("flatten"),
    relation.AngleRelation("flatten"),
    relation.SimilarityPreserving("activation2"),
    relation.CorrelationCongruence("flatten"),
    relation.ProbabilisticTransfer("flatten"),
    relation.FlowOfSolution(*BOTH),
    relation.ChannelCorrelation("activation2"),
    relation.ContrastiveRepresentation("flatten", samples=64, negatives=20, width=16),
    relation.InfoNCE("flatten", width=16),
    relation.InstanceRelationshipGraph("activation2", "logits"),
    relation.DarkRank("flatten"),
    relation.LocalityPreserving("flatten"),
    relation.MultiHeadGraph("flatten", "logits", heads=2, width=4, adapter="linear"),
    relation.TransformationSimilarity("flatten"),
]


def _example(loss):
    found = [example for example in GIVEN if type(example) is loss]
    # A loss that reads the logits only needs no layers to be named.
    return found[0] if found else loss()


EXAMPLES = [_example(loss) for loss in losses()]


def student(seed=0):
    return convnet(4, 6, seed=seed)


def teacher():
    """Its maps are as the student's, its embedding is wider."""
    return convnet(4, 6, 8, seed=7)


MAPS = {"activation1": (4, 8, 8), "activation2": (6, 4, 4), "convolution2": (6, 4, 4)}
EMBEDDINGS = {"student": 6, "teacher": 8}


def made(side, samples, classes, seed, dtype):
    """A random trace of the layers that the examples read; the teacher's embedding is wider."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape):
        return torch.randn(samples, *shape, generator=generator, dtype=torch.float64).to(dtype)

    logits = random(classes)
    features = {layer: random(*shape) for layer, shape in MAPS.items()}
    features |= {"flatten": random(EMBEDDINGS[side]), "logits": logits}
    return Trace(logits, features, torch.arange(samples))
