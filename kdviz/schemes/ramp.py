"""A weight that rises while a run goes on, as the papers of several schemes have it."""

import math
from collections.abc import Iterator

from kdviz.training.loop import Run
from kdviz.training.record import Record
from kdviz.training.stages import Stages


def ramp_up(run: Run | Stages, address: str, to: float, *, over: int) -> Iterator[Record]:
    r"""The records of a run, while one of its settings rises from near 0 to its full value.

    .. math:: w_t = w\, e^{-5 (1 - t / R)^2} \text{ for } t < R, \qquad w_t = w \text{ after},

    set anew at every record: the weight is that of the step at which the last record was made. A teacher
    that learns too has little to say at first; the papers of the mean teacher, ONE, OKDDip and DDGSD raise
    its weight so (Laine and Aila 2017, *Temporal Ensembling*, section 3).

    >>> import kdviz as kd
    >>> run = kd.schemes.mean_teacher(kd.models.mlp(64, 8, 10), kd.datasets.digits(labels=50), steps=20)
    >>> records = list(ramp_up(run, "soft_targets.weight", 1.0, over=10))
    >>> run.objective.settings()["soft_targets.weight"]
    1.0

    Parameters
    ----------
    run : Run or Stages
    address : which setting, as in ``run.set``
    to : its full value, w
    over : int
        Steps of the rise, R.
    """
    if not isinstance(over, int) or over < 1:
        raise ValueError(f"over must be a whole number of steps from 1 up; got {over!r}")
    rising = True
    while True:
        if rising:
            rising = run.step < over
            run.set(address, to * math.exp(-5 * max(0.0, 1 - run.step / over) ** 2))
        record = next(run, None)
        if record is None:
            return
        yield record
