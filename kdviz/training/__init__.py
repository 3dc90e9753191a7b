"""The engine under the schemes: the one training loop and the store of what was trained."""

from kdviz.training.lesson import Lesson
from kdviz.training.loop import Run
from kdviz.training.options import Training
from kdviz.training.record import Record
from kdviz.training.saving import load_run
from kdviz.training.stages import Stages
from kdviz.training.store import Store, load_weights, save_weights

__all__ = [
    "Lesson",
    "Record",
    "Run",
    "Stages",
    "Store",
    "Training",
    "load_run",
    "load_weights",
    "save_weights",
]
