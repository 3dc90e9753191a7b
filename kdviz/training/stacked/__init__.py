"""Many students in one training: their weights in one tensor, their losses mapped, one step for all."""

from kdviz.training.stacked.model import StackedModel
from kdviz.training.stacked.run import Stack

__all__ = ["Stack", "StackedModel"]
