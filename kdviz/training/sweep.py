"""A long list of trainings in pieces: one table that grows, can be stopped, resumed and shared out.

A piece is any picklable object with ``places`` (the numbers of its rows in the whole), ``key()`` (its
settings, for the store) and ``train(stopped)``, which returns its rows, one dictionary a student, or
None when it was told to stop. Where the pieces run is the
executor's business: any ``concurrent.futures.Executor``, one machine or a cluster.
"""

import sys
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from threading import Event

import pandas as pd

from kdviz.training.store import Store


class Sweep:
    """The rows of many trainings, as they come in.

    >>> for table in sweep:
    ...     print(len(table), "of", sweep.total)

    Iterate to see the table grow, or call ``finish()``. Leave the loop, interrupt the kernel or call
    ``stop()`` at any time: ``table`` holds what is finished, and the same sweep asked for again takes
    those rows from the store and goes on.
    """

    def __init__(self, pieces, total, refused, alone, *, executor=None, store=None):
        self._pieces, self.total, self._alone = pieces, total, alone
        self._executor, self._store = executor, store or Store()
        self._rows, self._stopped = dict(refused), Event()
        self._tables = self._run()

    @property
    def table(self):
        """The finished rows, in the order of seeds and grid, whatever the order in which they came."""
        return pd.DataFrame([self._rows[place] for place in sorted(self._rows)])

    @property
    def done(self):
        return len(self._rows)

    @property
    def problems(self):
        """The rows whose student could not be trained, with the reason."""
        return self.table.query("problem != ''")

    def alone(self, row):
        """The run of one row's student by itself, not yet started: it ends as the same student.

        ``row`` is the row's number in the finished table.
        """
        return self._alone(row)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._tables)

    def finish(self, progress=True):
        """Train all that is left and return the sweep; prints one line of progress."""
        for _ in self:
            if progress:
                print(f"\r{self.done} of {self.total} students", end="", file=sys.stdout, flush=True)
        if progress:
            print(f"\r{self.done} of {self.total} students")
        return self

    def stop(self):
        """Stop soon, from any thread; pieces that are half trained are dropped."""
        self._stopped.set()

    def _run(self):
        run = self._run_here if self._executor is None else self._run_elsewhere
        for piece, rows in run([piece for piece in self._pieces if not self._stopped.is_set()]):
            self._rows.update(zip(piece.places, rows, strict=True))
            yield self.table

    def _run_here(self, pieces):
        for piece in pieces:
            rows = self._store.fetch_rows(piece.key(), lambda piece=piece: piece.train(self._stopped.is_set))
            if rows is None:
                return
            yield piece, rows

    def _run_elsewhere(self, pieces):
        waiting = {}
        try:
            for piece in pieces:
                rows = self._store.rows(piece.key())
                if rows is not None:
                    yield piece, rows
                else:
                    waiting[self._executor.submit(train_piece, piece)] = piece
            while waiting and not self._stopped.is_set():
                finished, _ = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    piece = waiting.pop(future)
                    rows = future.result()
                    self._store.keep_rows(piece.key(), rows)
                    yield piece, rows
        except (BrokenExecutor, CancelledError, OSError, RuntimeError) as problem:
            raise RuntimeError(
                f"the executor {type(self._executor).__name__} stopped working after {self.done} of "
                f"{self.total} students ({type(problem).__name__}: {problem}). Is its cluster reachable, and "
                "kdviz installed on its workers? The finished rows are kept: ask for the same sweep again"
            ) from problem
        finally:
            for future in waiting:
                future.cancel()


def train_piece(piece):
    """Train one piece to its end, wherever this runs."""
    return piece.train(lambda: False)
