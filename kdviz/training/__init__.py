"""The engine under the schemes: the one training loop and the store of what was trained."""

from kdviz.training.loop import Record, Run
from kdviz.training.stages import Stages
from kdviz.training.store import Store, load_weights, save_weights

__all__ = ["Record", "Run", "Stages", "Store", "load_weights", "save_weights"]
