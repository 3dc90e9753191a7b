"""Runs one after another: what a scheme is made of when a student of one stage matters to the next."""

from collections.abc import Callable
from dataclasses import replace

from kdviz.training.loop import CANNOT_BE_COPIED, Run


class Stages:
    """Runs one after another, as one iterator of records.

    ``begin(index, before)`` makes the run of a stage; ``before`` is the student of the stage before it,
    or None. A stage begins when the one before it has ended, with a learning rate of its own.

    It is used like a :class:`Run`: leave it at any time, and ``student`` is the student of the stage in
    hand, as trained so far. ``runs`` holds the stages begun. The steps of its records go on from stage to
    stage.
    """

    def __init__(self, begin: Callable[..., Run], count: int):
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"there must be at least one stage; got {count!r}")
        self._begin, self.count = begin, count
        self._settings = {}
        self.records, self.runs = [], [begin(0, None)]

    @property
    def student(self):
        return self.runs[-1].student

    @property
    def objective(self):
        return self.runs[-1].objective

    @property
    def step(self):
        return sum(run.step for run in self.runs)

    def __iter__(self):
        return self

    def __next__(self):
        self.go_on()
        passed = self.step - self.runs[-1].step
        record = next(self.runs[-1])
        changes = tuple((passed + step, *change) for step, *change in record.changes)
        self.records.append(replace(record, step=passed + record.step, changes=changes))
        return self.records[-1]

    def go_on(self):
        """Begin the next stage if the one in hand has ended; return whether one was begun."""
        if self.runs[-1].step < self.runs[-1].steps or len(self.runs) == self.count:
            return False
        # In the modes in which it was trained, so that what is frozen in it stays so in the next stage.
        with self.runs[-1].training_mode() as before:
            try:
                run = self._begin(len(self.runs), before)
            except StopIteration as problem:
                # It would be taken for the end of the last stage.
                raise RuntimeError(
                    f"a StopIteration was raised while stage {len(self.runs)} began"
                ) from problem
        for address, value in self._settings.items():
            if address in run.objective.settings():
                run.set(address, value)
        self.runs.append(run)
        return True

    def finish(self):
        """Train to the end of the last stage and return the stages themselves."""
        for _ in self:
            pass
        return self

    def set(self, address, value):
        """Change a setting of the objective, as :meth:`Run.set` does, for this stage and those to come."""
        self.runs[-1].set(address, value)
        self._settings[address] = value

    def __getstate__(self):
        raise TypeError(CANNOT_BE_COPIED)

    def __repr__(self):
        return f"Stages({len(self.runs)} of {self.count}; {self.runs[-1]!r})"
