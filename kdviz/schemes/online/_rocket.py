"""Rocket launching: a light net and a booster on common lower layers, which learn at the same time."""

import copy
from typing import Unpack

from torch import nn

from kdviz.datasets.dataset import Dataset
from kdviz.losses.feature import RocketHint
from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy
from kdviz.models.branches import Branches
from kdviz.models.frozen import in_train_mode
from kdviz.schemes.evaluation import evaluate_heads
from kdviz.schemes.group_traces import HeadsLesson
from kdviz.training.loop import Run
from kdviz.training.options import ObjectiveLike, Training


def rocket(
    light: nn.Sequential,
    booster: nn.Sequential,
    data: Dataset,
    objective: ObjectiveLike | None = None,
    **training: Unpack[Training],
) -> Run:
    r"""Rocket launching: a light net is taught by a booster that learns beside it, on the same lower layers.

    .. math:: L = \mathrm{CE}(y, p_L) + \mathrm{CE}(y, p_B) + \lambda \lVert z_L - z_B \rVert_2^2

    The hint does not move the booster's own layers; the layers that both share it moves through the light
    net. Source: Zhou et al. 2018, *Rocket Launching: A Universal and Efficient Framework for Training
    Well-performing Light Net*, equation 3.

    Parameters
    ----------
    light, booster : ``nn.Sequential``
        Their first layers, as long as they have the same names and shapes, become one: the light net's.
        Both are copied.
    objective : default ``CrossEntropy() + 0.1 * RocketHint()``
        The paper leaves its weight to the data.
    data, **training
        As in :func:`kdviz.distill`.

    Returns
    -------
    Run
        ``run.student.subnetwork("light")`` is the network to deploy; a record's accuracy is the light net's.

    >>> from kdviz.datasets import digits
    >>> from kdviz.models import mlp
    >>> run = rocket(mlp(64, 16, 8, 10), mlp(64, 16, 64, 64, 10), digits(50), steps=10).finish()
    >>> [name for name, _ in run.student.subnetwork("light")[0].named_children()]
    ['flatten', 'hidden1', 'activation1']
    """
    objective = as_objective(CrossEntropy() + 0.1 * RocketHint() if objective is None else objective)
    return Run(Rocket(light, booster), HeadsLesson(data), objective, _evaluate_light(data), **training)


class Rocket(Branches):
    """The common layers, with the light net's others and the booster's on them."""

    def __init__(self, light, booster):
        light, booster = (in_train_mode(copy.deepcopy(network)) for network in (light, booster))
        shared = _shared(light, booster)
        super().__init__(light[:shared], [])
        self.heads = self.branches = ("light", "booster")
        for name, network in zip(self.heads, (light, booster), strict=True):
            rest = nn.Sequential()
            rest.add_module("embedding", network[shared:-1])
            rest.add_module("logits", network[-1])
            self.add_module(name, rest)

    def forward(self, inputs):
        shared = self.trunk(inputs)
        self.booster(shared)
        return self.light(shared)


def _shared(light, booster):
    """How many of their first layers are alike."""
    count = 0
    pairs = zip(list(light.named_children())[:-1], list(booster.named_children())[:-1], strict=False)
    for (name, one), (other_name, other) in pairs:
        shapes = [[weight.shape for weight in layer.parameters()] for layer in (one, other)]
        if name != other_name or type(one) is not type(other) or shapes[0] != shapes[1]:
            break
        count += 1
    if not list(light[:count].parameters()):
        raise ValueError(
            "the light net and the booster must share their first layers, by name and shape, such as "
            f"mlp(64, 16, 8, 10) and mlp(64, 16, 64, 10); got\n{light}\nand\n{booster}"
        )
    return count


def _evaluate_light(data):
    """For the two heads: the light net's accuracy first."""
    both = evaluate_heads(data)

    def evaluate(student):
        measures = both(student)
        return {**measures, "accuracy": measures["light"]}

    return evaluate
