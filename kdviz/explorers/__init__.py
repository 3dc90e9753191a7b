"""What a reader touches: each explorer is one ES module with a Python face.

An explorer ``calibration`` lives in the folder ``calibration_explorer``: its function and its class in
``__init__.py``, its module ``view.js``, where needed its ``style.css``; and it is imported here.
"""

from kdviz.explorers.alignment_explorer import AlignmentExplorer, alignment
from kdviz.explorers.anatomy_explorer import Anatomy, anatomy
from kdviz.explorers.attention_explorer import AttentionExplorer, attention
from kdviz.explorers.attribution_explorer import AttributionExplorer, attribution
from kdviz.explorers.base import Explorer
from kdviz.explorers.canvas_explorer import Canvas, canvas
from kdviz.explorers.compression_explorer import Compression, compression
from kdviz.explorers.dreams_explorer import Dreams, dreams
from kdviz.explorers.generations_explorer import Generations, generations
from kdviz.explorers.guess_explorer import Guess, guess
from kdviz.explorers.landscape_explorer import Landscape, landscape
from kdviz.explorers.language_explorer import LanguageExplorer, language
from kdviz.explorers.playback_explorer import Playback, playback
from kdviz.explorers.playground_explorer import Playground, playground
from kdviz.explorers.privileged_explorer import Privileged, privileged
from kdviz.explorers.published_explorer import Published, published
from kdviz.explorers.relations_explorer import RelationExplorer, relations
from kdviz.explorers.score_explorer import ScoreExplorer, score
from kdviz.explorers.senses_explorer import Senses, senses
from kdviz.explorers.soft_targets_explorer import SoftTargetExplorer, soft_targets
from kdviz.explorers.tally_explorer import Tally, tally
from kdviz.explorers.theatre_explorer import Theatre, theatre

# The names until version 0.1.
Prediction, prediction = Guess, guess

__all__ = [
    "AlignmentExplorer",
    "Anatomy",
    "AttentionExplorer",
    "AttributionExplorer",
    "Canvas",
    "Compression",
    "Dreams",
    "Explorer",
    "Generations",
    "Guess",
    "Landscape",
    "LanguageExplorer",
    "Playback",
    "Playground",
    "Prediction",
    "Privileged",
    "Published",
    "RelationExplorer",
    "ScoreExplorer",
    "Senses",
    "SoftTargetExplorer",
    "Tally",
    "Theatre",
    "alignment",
    "anatomy",
    "attention",
    "attribution",
    "canvas",
    "compression",
    "dreams",
    "generations",
    "guess",
    "landscape",
    "language",
    "playback",
    "playground",
    "prediction",
    "privileged",
    "published",
    "relations",
    "score",
    "senses",
    "soft_targets",
    "tally",
    "theatre",
]
