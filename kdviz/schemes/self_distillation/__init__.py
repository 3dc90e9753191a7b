"""Self-distillation: a network is taught by itself: as it was before, from within, or on another image."""

from kdviz.schemes.self_distillation.generations import born_again, snapshot, teacher_free
from kdviz.schemes.self_distillation.pairs import class_wise, two_views
from kdviz.schemes.self_distillation.past import mean_teacher, progressive
from kdviz.schemes.self_distillation.within import be_your_own_teacher, self_attention

__all__ = [
    "be_your_own_teacher",
    "born_again",
    "class_wise",
    "mean_teacher",
    "progressive",
    "self_attention",
    "snapshot",
    "teacher_free",
    "two_views",
]
