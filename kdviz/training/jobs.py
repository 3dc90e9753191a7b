"""A long list of trainings in jobs: one table that grows, can be stopped, resumed and shared out.

A job is any picklable object with ``rows`` (the indices of its rows in the whole table), ``key()`` (its
settings, for the store) and ``train(stopped)``, which returns its rows, one dictionary a student, or
None when it was told to stop. Where the jobs run is the executor's business: any
``concurrent.futures.Executor``, one machine or a cluster.
"""

import sys
import traceback
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from contextlib import contextmanager
from pickle import PicklingError
from threading import Event, RLock
from uuid import uuid4

import pandas as pd

from kdviz.training.loop import Run
from kdviz.training.store import Store


class Sweep:
    """The rows of many trainings, as they come in.

    Iterate to see the table grow (``for table in sweep``), or call ``finish()``. Leave the loop, interrupt
    the kernel or call ``stop()`` at any time: ``table`` holds what is finished, what waits at an executor is
    cancelled, and the same sweep asked for again takes the finished rows from the store and goes on.
    """

    def __init__(self, jobs, total, refused, single_run, *, executor=None, store=None):
        if not isinstance(executor, Executor | None):
            raise TypeError(
                "executor must be a concurrent.futures.Executor, such as ProcessPoolExecutor() or "
                f"client.get_executor() of a Dask client; got {type(executor).__name__}"
            )
        self._jobs, self.total, self._single_run = jobs, total, single_run
        self._executor, self._store = executor, store or Store()
        self._rows, self._stopped, self._waiting = dict(refused), Event(), {}
        self._turn = RLock()
        self._tables = self._run()

    @property
    def table(self) -> pd.DataFrame:
        """The finished rows, in the order of seeds and grid, whatever the order in which they came."""
        return pd.DataFrame([self._rows[index] for index in sorted(self._rows)])

    @property
    def done(self) -> int:
        return len(self._rows)

    @property
    def problems(self) -> pd.DataFrame:
        """The rows whose student could not be trained, with the reason."""
        return self.table.query("problem != ''")

    def single_run(self, row: int) -> Run:
        """The run of one row's student by itself, not yet started: it ends as the same student.

        ``row`` is the row's index in the finished table.
        """
        return self._single_run(row)

    # As it was called once.
    alone = single_run

    def __iter__(self):
        tables = self._tables
        try:
            while True:
                try:
                    table = self._next_of(tables)
                except StopIteration:
                    return
                yield table
        finally:
            # The next loop goes on with what is missing.
            if not tables.gi_running:
                tables.close()
                self._tables = self._run()

    def __next__(self):
        return self._next_of(self._tables)

    def _next_of(self, tables):
        if not self._turn.acquire(blocking=False):
            raise RuntimeError(
                "this sweep is being trained in another thread. Wait for it, or stop() it; its rows so far "
                "are in its table"
            )
        try:
            return next(tables)
        finally:
            self._turn.release()

    def finish(self, progress: bool = True) -> "Sweep":
        """Train all that is left and return the sweep; prints one line of progress."""
        for _ in self:
            if progress:
                print(f"\r{self.done} of {self.total} students", end="", file=sys.stdout, flush=True)
        if progress:
            print(f"\r{self.done} of {self.total} students")
        return self

    def stop(self):
        """Stop soon, from any thread; jobs that are half trained are dropped."""
        self._stopped.set()
        self._give_back()

    def _run(self):
        run = self._run_here if self._executor is None else self._run_elsewhere
        missing = [job for job in self._jobs if job.rows[0] not in self._rows]
        for job, rows in run([job for job in missing if not self._stopped.is_set()]):
            self._rows.update(zip(job.rows, rows, strict=True))
            yield self.table
        self._check_any_trained()

    def _check_any_trained(self):
        """A sweep without a single student is an error, not a table of reasons."""
        reasons = [self._rows[row]["problem"] for row in sorted(self._rows)]
        if not reasons or len(reasons) < self.total or not all(reasons):
            return
        others = self.total - reasons.count(reasons[0])
        rest = f" ({others} of them for other reasons: see sweep.problems)" if others else ""
        raise ValueError(f"no student could be trained, of {self.total} in this sweep{rest}: {reasons[0]}")

    def _run_here(self, jobs):
        for job in jobs:
            key = job.key()
            rows = self._store.rows(key)
            if rows is None:
                rows = job.train(self._stopped.is_set)
                if rows is None:
                    return
                self._keep(key, rows)
            yield job, rows

    def _run_elsewhere(self, jobs):
        try:
            for job in jobs:
                key = job.key()
                rows = self._store.rows(key)
                if rows is not None:
                    yield job, rows
                elif not self._stopped.is_set():
                    self._waiting[self._submit(job)] = job, key
            while self._waiting and not self._stopped.is_set():
                finished, _ = wait(self._waiting, timeout=0.2, return_when=FIRST_COMPLETED)
                # Failures come last, so that no rows that arrived are lost with them.
                for future in sorted(finished, key=_failed):
                    if self._stopped.is_set() and future.cancelled():
                        return
                    job, key = self._waiting.pop(future)
                    yield job, self._receive(future, key)
        finally:
            self._give_back()
            self._waiting = {}

    def _submit(self, job):
        with self._executor_errors():
            # Dask takes equal calls for one, and would cancel them together: each gets a name of its own.
            return self._executor.submit(train_job, job, uuid4().hex)

    def _receive(self, future, key):
        with self._executor_errors():
            rows, problem = future.result()
        if problem:
            raise RuntimeError(f"a job of the sweep could not be trained by its worker:\n{problem}")
        self._keep(key, rows)
        return rows

    def _keep(self, key, rows):
        # Where no student could be trained, what was in the way (a broken file, say) may be mended.
        if not all(row["problem"] for row in rows):
            self._store.keep_rows(key, rows)

    def _give_back(self):
        """Cancel what waits, and keep what has finished unseen."""
        for future, (_, key) in self._waiting.copy().items():
            if not future.cancel() and future.done() and not _failed(future):
                rows, problem = future.result()
                if not problem:
                    self._keep(key, rows)

    @contextmanager
    def _executor_errors(self):
        """Errors of the executor, not of a training, as errors that say what to do."""
        try:
            yield
        except Exception as problem:
            name, reason = type(self._executor).__name__, f"{type(problem).__name__}: {problem}".rstrip(": ")
            if isinstance(problem, PicklingError | AttributeError | TypeError):
                raise TypeError(
                    f"{name} could not send a job of the sweep to its workers ({reason}). Give it functions "
                    "of a module that the workers can import, or functools.partial of them, as objective, "
                    "data, student and teacher; no lambdas and no functions within functions"
                ) from problem
            raise RuntimeError(
                f"{name} stopped working after {self.done} of {self.total} students ({reason}). Is its "
                "cluster reachable, and can its workers import kdviz and the modules of your functions? The "
                "finished rows are kept: ask for the same sweep again, and it goes on from them"
            ) from problem


def _failed(future):
    """Whether a finished future brings no rows."""
    return future.cancelled() or future.exception() is not None


def train_job(job, name):
    """Train one job to its end, wherever this runs: its rows, and the problem that it met, or "".

    A problem is returned, not raised, so that whatever an executor raises is the executor's own trouble;
    and as text, because it must arrive: exceptions that cannot be pickled never do.
    """
    try:
        return job.train(lambda: False), ""
    except Exception:
        return None, traceback.format_exc()
