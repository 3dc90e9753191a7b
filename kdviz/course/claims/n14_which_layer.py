"""Page 14: three stored tables, and one training of learned weights."""

from kdviz.course.claims import Claim, gain, table
from kdviz.course.experiments import n14_which_layer as experiments

WEIGHT = {"hint": 10.0, "similarities": 1000.0}
PAIRS = [(mine, theirs) for mine in (1, 2, 3) for theirs in (1, 2, 3)]
LABELS = {"arm": "hard labels"}


def cell(loss, mine, theirs, minus=None, pairs="right"):
    """A cell of the map, over hard labels or over another arm."""
    rows = table("layer_pairs")
    weight = experiments.best_on_validation(
        table(rows, arm=loss, pairs=pairs), ["arm"], ["weight"]
    ).weight.iloc[0]
    own = {"arm": loss, "pairs": pairs, "weight": weight, "student_layer": mine, "teacher_layer": theirs}
    return gain(rows, own, minus=minus or LABELS)


def at(loss, mine, theirs):
    """A cell of the right map as an arm to compare with."""
    return {
        "arm": loss, "pairs": "right", "weight": WEIGHT[loss], "student_layer": mine, "teacher_layer": theirs
    }  # fmt: skip


def means(loss):
    """The mean gains of the nine cells, from low to high."""
    return sorted(cell(loss, *pair).mean for pair in PAIRS)


def honest(loss, minus=LABELS):
    """The pair that validation chooses, over another arm."""
    chosen = experiments.chosen_pairs(table("layer_pairs", arm=loss, pairs="right"))
    return gain(_with(chosen, minus), {"arm": loss, "chosen": True}, minus={**minus, "chosen": False})


def _with(chosen, minus):
    import pandas as pd

    return pd.concat([chosen.assign(chosen=True), table("layer_pairs", **minus).assign(chosen=False)])


def mixture(arm, minus=LABELS, pairs="right"):
    """An arm of the table of mixtures at its chosen weight, over another arm or over hard labels."""
    import pandas as pd

    rows = experiments.chosen_weights(table("learned_layers"))
    rows = pd.concat([table(rows, pairs=pairs), table("layer_pairs", **LABELS)])
    return gain(rows, arm, minus=minus)


def loss(arm, minus=LABELS, pairs="right"):
    """A loss on maps at its chosen weight, over another arm or over hard labels."""
    rows = experiments.chosen_weights(table("feature_losses"))
    own = {"arm": arm, "pairs": pairs}
    return gain(rows, own, minus=minus if "pairs" in minus else {**minus, "pairs": "right"})


CLAIMS = []
EXEMPT = {}
