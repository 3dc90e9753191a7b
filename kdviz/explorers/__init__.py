"""What a reader touches: each explorer is one ES module with a Python face."""

from kdviz.explorers.alignment import AlignmentExplorer, alignment
from kdviz.explorers.anatomy import Anatomy, anatomy
from kdviz.explorers.attention import AttentionExplorer, attention
from kdviz.explorers.attribution import AttributionExplorer, attribution
from kdviz.explorers.base import Explorer
from kdviz.explorers.generations import Generations, generations
from kdviz.explorers.landscape import Landscape, landscape
from kdviz.explorers.playback import Playback, playback
from kdviz.explorers.playground import Playground, playground
from kdviz.explorers.prediction import Prediction, prediction
from kdviz.explorers.relations import RelationExplorer, relations
from kdviz.explorers.score import ScoreExplorer, score
from kdviz.explorers.soft_targets import SoftTargetExplorer, soft_targets
from kdviz.explorers.theatre import Theatre, theatre

__all__ = [
    "AttentionExplorer",
    "AlignmentExplorer",
    "Anatomy",
    "AttributionExplorer",
    "Explorer",
    "Generations",
    "Landscape",
    "Playground",
    "Playback",
    "Prediction",
    "RelationExplorer",
    "ScoreExplorer",
    "SoftTargetExplorer",
    "Theatre",
    "attention",
    "attribution",
    "alignment",
    "anatomy",
    "generations",
    "landscape",
    "playground",
    "playback",
    "prediction",
    "relations",
    "score",
    "soft_targets",
    "theatre",
]
