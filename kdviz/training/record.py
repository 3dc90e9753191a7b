"""What was seen at one moment of a run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """What was seen at one moment of a run.

    ``losses`` holds each term's unweighted value at the last step, ``total`` their weighted sum,
    ``measures`` what the scheme measured, ``changes`` the settings changed since the last record,
    as (step, address, old value, new value); the step is the first that was taken with the new value,
    counted from 0. Where several students learn together, ``total`` and each of the ``losses`` hold one
    number for each, as an array.
    """

    step: int
    total: float
    losses: dict[str, float]
    measures: dict[str, float]
    changes: tuple = ()


def plain(value):
    """One student's number as a float, those of several as an array."""
    value = value.detach().cpu()
    return float(value) if value.ndim == 0 else value.numpy()
