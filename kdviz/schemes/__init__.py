"""HOW: who is teacher at each step.

Offline (``distill`` and its chains), online (``mutual`` ...), self (``born_again`` ...). Each scheme returns
a run, or stages of runs, to be iterated.

Many seeds at once: ``distill_stack``, ``train_stack``, ``mutual_stack`` for pairs, and ``stack_chains`` for
born-again, teacher-free and snapshot generations, assistants, routes and hints. The others run seed by seed:
a stack gives each student one batch of its seed, one teacher and no running statistics, and these need
views or partners of a batch (``two_views``, ``class_wise``, ``mean_teacher``, ``collaborative``), several
teachers (``mutual`` of three or more, ``codistillation``), heads (all schemes with branches or exits, and
``self_attention``), frozen parts (``residual``, ``block_wise``), or a change on the way (``progressive``,
``early_stopped``).
"""

from kdviz.schemes._sweep import sweep
from kdviz.schemes.chains import (
    assistants,
    block_wise,
    checkpoints,
    early_stopped,
    residual,
    route_constrained,
    two_stages,
)
from kdviz.schemes.links import stack_chains
from kdviz.schemes.offline import distill
from kdviz.schemes.online import (
    codistillation,
    collaborative,
    diverse_peers,
    feature_fusion,
    mutual,
    native_ensemble,
)
from kdviz.schemes.ramp import ramp_up
from kdviz.schemes.self_distillation import (
    be_your_own_teacher,
    born_again,
    class_wise,
    mean_teacher,
    progressive,
    self_attention,
    snapshot,
    teacher_free,
    two_views,
)
from kdviz.schemes.stacked import distill_stack, mutual_stack, teachers, train_stack
from kdviz.schemes.supervised import teacher, train

__all__ = [
    "assistants",
    "be_your_own_teacher",
    "block_wise",
    "born_again",
    "checkpoints",
    "class_wise",
    "codistillation",
    "collaborative",
    "distill",
    "distill_stack",
    "diverse_peers",
    "early_stopped",
    "feature_fusion",
    "mean_teacher",
    "mutual",
    "mutual_stack",
    "native_ensemble",
    "progressive",
    "ramp_up",
    "residual",
    "route_constrained",
    "self_attention",
    "snapshot",
    "stack_chains",
    "sweep",
    "teacher",
    "teacher_free",
    "teachers",
    "train",
    "train_stack",
    "two_stages",
    "two_views",
]
