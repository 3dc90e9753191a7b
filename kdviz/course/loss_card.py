"""The reference card of all losses, read from the code: what each compares, costs and does not see."""

import pandas as pd

import kdviz.knowledge
from kdviz.knowledge.objective import Loss


def losses():
    """All loss classes of kdviz, by kind of knowledge and name."""
    found = {loss for loss in _below(Loss) if loss.__module__.startswith(kdviz.knowledge.__name__)}
    kinds = ("response", "feature", "relation")
    return sorted(found, key=lambda loss: (kinds.index(loss.kind), loss.name))


def loss_card():
    """One row a loss: name, kind, paper, what one unit of it is, memory, cost, and its invariances."""
    return pd.DataFrame(
        {
            "loss": loss.__name__,
            "kind": loss.kind,
            "paper": loss.paper,
            "scale": loss.scale,
            "memory": loss.memory,
            "cost": loss.cost,
            "invariant to": ", ".join(loss.invariant_to) or "nothing",
            "teacher": "yes" if loss.needs_teacher else "no",
        }
        for loss in losses()
    ).set_index("loss")


def _below(base):
    for loss in base.__subclasses__():
        yield loss
        yield from _below(loss)
