"""A long list of trainings in pieces: one table that grows, can be stopped, resumed and shared out.

A piece is any picklable object with ``places`` (the numbers of its rows in the whole), ``key()`` (its
settings, for the store) and ``train(stopped)``, which returns its rows, one dictionary a student, or
None when it was told to stop. Where the pieces run is the
executor's business: any ``concurrent.futures.Executor``, one machine or a cluster.
"""

import sys
import traceback
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from contextlib import contextmanager
from pickle import PicklingError
from threading import Event
from uuid import uuid4

import pandas as pd

from kdviz.training.store import Store


class Sweep:
    """The rows of many trainings, as they come in.

    >>> for table in sweep:
    ...     print(len(table), "of", sweep.total)

    Iterate to see the table grow, or call ``finish()``. Leave the loop, interrupt the kernel or call
    ``stop()`` at any time: ``table`` holds what is finished, what waits at an executor is cancelled, and
    the same sweep asked for again takes the finished rows from the store and goes on.
    """

    def __init__(self, pieces, total, refused, alone, *, executor=None, store=None):
        if not isinstance(executor, Executor | None):
            raise TypeError(
                "executor must be a concurrent.futures.Executor, such as ProcessPoolExecutor() or "
                f"client.get_executor() of a Dask client; got {type(executor).__name__}"
            )
        self._pieces, self.total, self._alone = pieces, total, alone
        self._executor, self._store = executor, store or Store()
        self._rows, self._stopped, self._waiting = dict(refused), Event(), {}
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
        try:
            yield from self._tables
        finally:
            # A loop that was left has closed its tables; the next one goes on with what is missing.
            self._tables = self._run()

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
        self._give_back()

    def _run(self):
        run = self._run_here if self._executor is None else self._run_elsewhere
        missing = [piece for piece in self._pieces if piece.places[0] not in self._rows]
        for piece, rows in run([piece for piece in missing if not self._stopped.is_set()]):
            self._rows.update(zip(piece.places, rows, strict=True))
            yield self.table

    def _run_here(self, pieces):
        for piece in pieces:
            rows = self._store.fetch_rows(piece.key(), lambda piece=piece: piece.train(self._stopped.is_set))
            if rows is None:
                return
            yield piece, rows

    def _run_elsewhere(self, pieces):
        try:
            for piece in pieces:
                key = piece.key()
                rows = self._store.rows(key)
                if rows is not None:
                    yield piece, rows
                elif not self._stopped.is_set():
                    self._waiting[self._submit(piece)] = piece, key
            while self._waiting and not self._stopped.is_set():
                finished, _ = wait(self._waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                # Failures come last, so that no rows that arrived are lost with them.
                for future in sorted(finished, key=_failed):
                    if self._stopped.is_set() and future.cancelled():
                        return
                    piece, key = self._waiting.pop(future)
                    yield piece, self._receive(future, key)
        finally:
            self._give_back()
            self._waiting = {}

    def _submit(self, piece):
        with self._told_as_the_executors():
            # Dask takes equal calls for one, and would cancel them together: each gets a name of its own.
            return self._executor.submit(train_piece, piece, uuid4().hex)

    def _receive(self, future, key):
        with self._told_as_the_executors():
            rows, problem = future.result()
        if problem:
            raise RuntimeError(f"a piece of the sweep could not be trained by its worker:\n{problem}")
        self._store.keep_rows(key, rows)
        return rows

    def _give_back(self):
        """Cancel what waits, and keep what has finished unseen."""
        for future, (_, key) in self._waiting.copy().items():
            if not future.cancel() and future.done() and not _failed(future):
                rows, problem = future.result()
                if not problem:
                    self._store.keep_rows(key, rows)

    @contextmanager
    def _told_as_the_executors(self):
        """Errors of the executor, not of a training, as errors that say what to do."""
        try:
            yield
        except Exception as problem:
            name, told = type(self._executor).__name__, f"{type(problem).__name__}: {problem}".rstrip(": ")
            if isinstance(problem, PicklingError | AttributeError | TypeError):
                raise TypeError(
                    f"{name} could not send a piece of the sweep to its workers ({told}). Give it functions "
                    "of a module that the workers can import, or functools.partial of them, as objective, "
                    "data, student and teacher; no lambdas and no functions within functions"
                ) from problem
            raise RuntimeError(
                f"{name} stopped working after {self.done} of {self.total} students ({told}). Is its cluster "
                "reachable, and can its workers import kdviz and the modules of your functions? The finished "
                "rows are kept: ask for the same sweep again, and it goes on from them"
            ) from problem


def _failed(future):
    """Whether a finished future brings no rows."""
    return future.cancelled() or future.exception() is not None


def train_piece(piece, name):
    """Train one piece to its end, wherever this runs: its rows, and the problem that it met, or "".

    A problem is returned, not raised, so that whatever an executor raises is the executor's own trouble;
    and as text, because it must arrive: exceptions that cannot be pickled never do.
    """
    try:
        return piece.train(lambda: False), ""
    except Exception:
        return None, traceback.format_exc()
