"""What every scheme takes: an objective, and the settings of its training."""

from collections.abc import Callable
from typing import TypedDict

import torch

from kdviz.losses.objective import Loss, Objective

ObjectiveLike = Objective | Loss


class Training(TypedDict, total=False):
    """The settings of a training that every scheme takes by name; :func:`kdviz.distill` explains them."""

    steps: int | None
    epochs: float | None
    learning_rate: float
    batch_size: int
    optimizer: Callable | None
    schedule: Callable | None
    clip: float | None
    accumulate: int
    precision: torch.dtype | None
    seed: int | None
    record_every: int | None
    threads: int
