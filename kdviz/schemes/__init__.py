"""HOW: who is teacher at each step."""

from kdviz.schemes.offline import distill
from kdviz.schemes.stacked import distill_stack, teachers, train_stack
from kdviz.schemes.supervised import teacher, train
from kdviz.schemes.sweep import sweep

__all__ = ["distill", "distill_stack", "sweep", "teacher", "teachers", "train", "train_stack"]
