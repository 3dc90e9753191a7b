"""HOW: who is teacher at each step.

Offline (``distill`` and its chains), online (``mutual`` ...), self (``born_again`` ...). Each scheme returns
a run, or stages of runs, to be iterated. All take the settings of a training that ``distill`` explains.

Many seeds at once: ``sweep`` for offline distillation and learning from labels. Underneath it are
``distill_stack`` and ``train_stack``; ``mutual_stack`` is for pairs, and ``stack_chains`` for born-again,
teacher-free and snapshot generations, assistants, routes and hints. The others run seed by seed: a stack
gives each student one batch of its seed, one teacher and no running statistics, and these need views or
partners of a batch (``two_views``, ``class_wise``, ``mean_teacher``, ``collaborative``), several teachers
(``mutual`` of three or more, ``codistillation``), heads (``rocket``, all schemes with branches or exits, and
``self_attention``), frozen parts (``residual``, ``block_wise``), or a change on the way (``progressive``,
``early_stopped``).
"""

from kdviz.schemes._sweep import sweep
from kdviz.schemes.chain import Chain, Stage, stack_chains
from kdviz.schemes.offline import distill
from kdviz.schemes.online._collaborative import collaborative, ensemble_logits, general_weights
from kdviz.schemes.online._rocket import rocket
from kdviz.schemes.online.branches import GroupTargets, diverse_peers, feature_fusion, native_ensemble
from kdviz.schemes.online.peers import codistillation, mutual
from kdviz.schemes.ramp import ramp_up
from kdviz.schemes.self_distillation.generations import born_again, snapshot, teacher_free
from kdviz.schemes.self_distillation.pairs import class_wise, two_views
from kdviz.schemes.self_distillation.past import mean_teacher, progressive
from kdviz.schemes.self_distillation.within import be_your_own_teacher, self_attention
from kdviz.schemes.stacked import distill_stack, mutual_stack, teachers, train_stack
from kdviz.schemes.staged import (
    assistants,
    block_wise,
    checkpoints,
    early_stopped,
    residual,
    route_constrained,
    two_stages,
)
from kdviz.schemes.supervised import teacher, train

# The engine of many students at once is at hand, but no scheme: it is not listed among them.
_ENGINE = (distill_stack, mutual_stack, stack_chains, teachers, train_stack)

__all__ = [
    "Chain",
    "GroupTargets",
    "Stage",
    "assistants",
    "be_your_own_teacher",
    "block_wise",
    "born_again",
    "checkpoints",
    "class_wise",
    "codistillation",
    "collaborative",
    "distill",
    "diverse_peers",
    "early_stopped",
    "ensemble_logits",
    "feature_fusion",
    "general_weights",
    "mean_teacher",
    "mutual",
    "native_ensemble",
    "progressive",
    "ramp_up",
    "residual",
    "rocket",
    "route_constrained",
    "self_attention",
    "snapshot",
    "sweep",
    "teacher",
    "teacher_free",
    "train",
    "two_stages",
    "two_views",
]


def __dir__():
    return __all__
