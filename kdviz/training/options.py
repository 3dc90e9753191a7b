"""How every scheme is trained: the settings that all of them take."""

from typing import TypedDict


class Training(TypedDict, total=False):
    """The settings of a training, as ``distill``, ``train`` and every other scheme take them by name.

    Runs with the same settings, data and initial weights see the same batches, and can be compared step for
    step.

    steps : int, default 600
    learning_rate : float, default 5e-3
        Of Adam; it falls along a cosine to 2 % of its start.
    batch_size : int, default 64
        A last short batch of an epoch is left out; a batch is never larger than the samples.
    seed : int, default the data's
        Draws the order of the batches.
    record_every : int, default steps // 20
        Steps between two records.
    threads : int, default 1
        How many threads torch takes while it trains.
    """

    steps: int
    learning_rate: float
    batch_size: int
    seed: int | None
    record_every: int | None
    threads: int
