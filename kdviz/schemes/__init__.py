"""HOW: who is teacher at each step."""

from kdviz.schemes.offline import distill
from kdviz.schemes.online import mutual
from kdviz.schemes.self_distillation import born_again, mean_teacher
from kdviz.schemes.stacked import distill_stack, teachers, train_stack
from kdviz.schemes.supervised import teacher, train
from kdviz.schemes.sweep import sweep

__all__ = [
    "born_again",
    "distill",
    "distill_stack",
    "mean_teacher",
    "mutual",
    "sweep",
    "teacher",
    "teachers",
    "train",
    "train_stack",
]
