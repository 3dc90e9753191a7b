"""HOW: who is teacher at each step."""

from kdviz.schemes.offline import distill
from kdviz.schemes.supervised import teacher, train

__all__ = ["distill", "teacher", "train"]
