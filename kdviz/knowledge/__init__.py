"""WHAT: pure losses for each kind of knowledge, and the objective that is their weighted sum."""

from kdviz.knowledge import response
from kdviz.knowledge.objective import Loss, Objective
from kdviz.knowledge.response import CrossEntropy, LabelSmoothing, LogitMatching, SoftTargets

__all__ = [
    "CrossEntropy",
    "LabelSmoothing",
    "LogitMatching",
    "Loss",
    "Objective",
    "SoftTargets",
    "response",
]
