"""What every scheme takes: an objective, and the settings of its training."""

from typing import TypedDict

from kdviz.losses.objective import Loss, Objective

ObjectiveLike = Objective | Loss


class Training(TypedDict, total=False):
    """The settings of a training that every scheme takes by name; :func:`kdviz.distill` explains them."""

    steps: int
    learning_rate: float
    batch_size: int
    seed: int | None
    record_every: int | None
    threads: int
