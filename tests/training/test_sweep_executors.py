"""Sweeps past one machine: threads, processes and a real Dask cluster, and what befalls them."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from threading import Timer

import pandas as pd
import pytest
from distributed import Client, LocalCluster
from remote_work import FEW, deadly_teacher, note_pieces, noting_teacher, small_sweep, unsendable_teacher

from kdviz.training.store import Store

LOCAL = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "host": "127.0.0.1"}
HOME = os.getpid()
# Without a dashboard Dask still asks for its port, and takes another if it is in use.
pytestmark = [pytest.mark.complete, pytest.mark.filterwarnings("ignore:Port 8787:UserWarning")]


def processes(count):
    return ProcessPoolExecutor(count, mp_context=get_context("spawn"))


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, **LOCAL) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def pool():
    with processes(2) as pool:
        yield pool


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request):
    if request.param == "threads":
        with ThreadPoolExecutor(2) as threads:
            yield threads
    elif request.param == "processes":
        yield request.getfixturevalue("pool")
    else:
        yield request.getfixturevalue("client").get_executor()


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("KDVIZ_CACHE", str(tmp_path / "store"))


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The table of eight seeds as trained here; fewer seeds are its first rows."""
    store = Store(tmp_path_factory.mktemp("here"))
    return small_sweep(seeds=8, store=store).finish(progress=False).table


class Notes:
    """Which seeds were trained away from home, and by which processes.

    Pieces with the teacher ``gated`` wait in the middle, all but the first, until the gate is opened.
    """

    def __init__(self, path):
        self.path, self.gate = path, path.with_suffix(".gate")
        self.teacher = partial(noting_teacher, notes=str(path), home=HOME)
        self.gated = partial(self.teacher, gate=str(self.gate))

    def __call__(self):
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    @property
    def seeds(self):
        return sorted(seed for seed, _ in self())

    def wait_for_both_workers(self):
        """Until the first piece is done and each of two workers stands at the gate with another."""
        until(lambda: len(self()) == 3)

    def open_gate(self):
        self.gate.touch()


def until(true, seconds=60):
    """Wait for something to come true; if it never does, the test fails and ends."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.fixture
def notes(tmp_path):
    notes = Notes(tmp_path / "notes")
    yield notes
    # Whatever became of the test, no worker is left waiting.
    notes.open_gate()


@pytest.fixture
def trained_here(monkeypatch):
    """The seeds of every piece that was trained in this process."""
    seeds = []
    note_pieces(monkeypatch, seeds.extend)
    return seeds


@contextmanager
def soon(found, seconds=10):
    """Stops a sweep that hangs, so that its test fails and ends."""
    alarm = Timer(seconds, found.stop)
    alarm.start()
    began = time.monotonic()
    try:
        yield
    finally:
        alarm.cancel()
    assert time.monotonic() - began < seconds


def assert_whole(table, expected):
    pd.testing.assert_frame_equal(table, expected[: len(table)])


def test_every_executor_gives_the_table_of_none(executor, expected):
    found = small_sweep(seeds=8, executor=executor).finish(progress=False)
    assert found.done == found.total == len(expected) == 32
    assert_whole(found.table, expected)


def test_dask_does_the_work_in_its_own_processes(client, notes):
    small_sweep(teacher=notes.teacher, executor=client.get_executor()).finish(progress=False)
    assert notes.seeds == [0, 1, 2]
    assert {pid for _, pid in notes()} <= set(client.run(os.getpid).values())


def test_dask_can_send_functions_that_are_in_no_module(client, expected):
    found = small_sweep(data=lambda seed: FEW(seed=seed), executor=client.get_executor())
    assert_whole(found.finish(progress=False).table, expected)


def test_a_worker_killed_in_the_middle_loses_and_doubles_no_row(client, notes, expected):
    found = small_sweep(seeds=8, teacher=notes.gated, executor=client.get_executor())
    next(found)
    notes.wait_for_both_workers()
    os.kill(notes()[-1][1], signal.SIGKILL)
    notes.open_gate()
    with soon(found, 30):
        found.finish(progress=False)
    assert len(notes.seeds) > 8, "the worker was killed when it did nothing"
    assert set(notes.seeds) == set(range(8))
    assert_whole(found.table, expected)
    assert found.done == 32 and not found.table.duplicated(["seed", "temperature", "soft_weight"]).any()


@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_a_piece_that_kills_its_workers_ends_in_a_clear_error(
    kind, cluster, client, notes, monkeypatch, expected
):
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    executor = processes(1) if kind == "processes" else client.get_executor()
    found = small_sweep(seeds=5, teacher=partial(deadly_teacher, home=HOME, seed=3), executor=executor)
    next(found)
    with soon(found), pytest.raises(RuntimeError, match="stopped working after [0-9]+ of 20 students"):
        found.finish(progress=False)
    kept = set(found.table.seed)
    assert kept and 3 not in kept
    # A new executor goes on: what was kept is not trained again.
    again = small_sweep(seeds=5, teacher=notes.teacher, executor=client.get_executor())
    assert_whole(again.finish(progress=False).table, expected)
    assert 3 in notes.seeds and not kept & set(notes.seeds)


def test_a_cluster_closed_in_the_middle_or_before_is_a_clear_error(notes, trained_here, expected):
    with LocalCluster(n_workers=1, **LOCAL) as cluster, Client(cluster, set_as_default=False) as client:
        slow = partial(notes.teacher, nap=0.2)
        found = small_sweep(seeds=8, teacher=slow, executor=client.get_executor())
        next(found)
        cluster.close()
        with soon(found), pytest.raises(RuntimeError, match=f"after {found.done} of 32.* rows are kept"):
            found.finish(progress=False)
        kept = found.table.seed.unique().tolist()
        again = small_sweep(seeds=8, teacher=slow, executor=client.get_executor())
        with soon(again), pytest.raises(RuntimeError, match=f"after {found.done} of 32.*reachable"):
            again.finish(progress=False)
    assert_whole(small_sweep(seeds=8).finish(progress=False).table, expected)
    assert trained_here == [seed for seed in range(8) if seed not in kept]


class BreakingExecutor(Executor):
    """Trains all pieces but that of seed 0 and then is broken, all at the same moment."""

    def submit(self, function, piece, name):
        future = Future()
        if piece.seeds == [0]:
            future.set_exception(BrokenExecutor("broken"))
        else:
            future.set_result(function(piece, name))
        return future


def test_an_executor_that_breaks_takes_no_rows_with_it_that_have_arrived(expected):
    found = small_sweep(seeds=8, executor=BreakingExecutor())
    with pytest.raises(RuntimeError, match="after 28 of 32 students .BrokenExecutor: broken"):
        found.finish(progress=False)
    assert found.table.seed.tolist() == expected.seed.tolist()[4:]


@pytest.fixture
def scheduler():
    """A scheduler and a worker as programs of their own, as on a cluster: the process and its address."""
    no_dashboard = ["--no-dashboard", "--host", "127.0.0.1"]
    # Both must be able to import what is sent.
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", *no_dashboard]
    scheduler = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=paths)
    told = (re.search(r"Scheduler at:\s+(tcp://\S+)", line) for line in scheduler.stderr)
    address = next(found[1] for found in told if found)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny"]
    worker = subprocess.Popen([*command, *no_dashboard], stderr=subprocess.DEVNULL, env=paths)
    yield scheduler, address
    for program in (worker, scheduler):
        program.kill()
        program.wait()
    scheduler.stderr.close()


def test_a_scheduler_that_dies_is_a_clear_error_within_the_clients_timeout(scheduler, notes):
    program, address = scheduler
    with Client(address, timeout=3, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=20)
        slow = partial(notes.teacher, nap=0.2)
        found = small_sweep(seeds=8, teacher=slow, executor=client.get_executor())
        next(found)
        program.kill()
        with soon(found), pytest.raises(RuntimeError, match="of 32 students .CancelledError.*reachable"):
            found.finish(progress=False)
        # The client looks for its scheduler now; what it is asked meanwhile must not wait for ever.
        again = small_sweep(seeds=8, teacher=slow, executor=client.get_executor())
        with soon(again), pytest.raises(RuntimeError, match=f"after {found.done} of 32 students"):
            again.finish(progress=False)


@pytest.mark.parametrize("executor", ["processes"], indirect=True)
def test_what_cannot_be_pickled_is_an_error_that_says_what_to_use(executor, expected):
    found = small_sweep(data=lambda seed: FEW(seed=seed), executor=executor)
    with soon(found), pytest.raises(TypeError, match="functions of a module.*functools.partial"):
        found.finish(progress=False)
    assert_whole(small_sweep(executor=executor).finish(progress=False).table, expected)


@pytest.mark.parametrize("executor", ["processes", "dask"], indirect=True)
def test_a_problem_on_a_worker_always_arrives(executor, expected):
    found = small_sweep(teacher=partial(unsendable_teacher, home=HOME), executor=executor)
    with soon(found), pytest.raises(RuntimeError, match="(?s)could not be trained.*the worker's own trouble"):
        found.finish(progress=False)
    assert_whole(small_sweep(executor=executor).finish(progress=False).table, expected)


def test_what_is_no_executor_is_refused(client):
    for wrong in (client, "dask"):
        with pytest.raises(TypeError, match=r"client.get_executor\(\).*got " + type(wrong).__name__):
            small_sweep(executor=wrong)


def stop(found, in_the_middle):
    next(found)
    in_the_middle()
    found.stop()


def stop_from_another_thread(found, in_the_middle):
    def stop_then():
        until(lambda: found.done)
        in_the_middle()
        found.stop()

    with ThreadPoolExecutor(1) as thread:
        stopping = thread.submit(stop_then)
        found.finish(progress=False)
    stopping.result()


def leave(found, in_the_middle=lambda: None):
    for _ in found:
        in_the_middle()
        break


def interrupt(found, in_the_middle):
    with pytest.raises(KeyboardInterrupt):
        for _ in found:
            in_the_middle()
            raise KeyboardInterrupt


def begun_pieces_only(client):
    """Whether a cluster has been told what is cancelled, so that nothing waits for its turn any more."""
    waiting = client.run(lambda dask_worker: len(dask_worker.state.ready))
    states = client.run_on_scheduler(lambda dask_scheduler: [t.state for t in dask_scheduler.tasks.values()])
    # Where all is cancelled, the scheduler knows no tasks but those whose results are in memory.
    return not any(waiting.values()) and set(states) <= {"memory"}


@pytest.mark.parametrize("end", [stop, stop_from_another_thread, leave, interrupt])
@pytest.mark.parametrize("executor", ["threads", "dask"], indirect=True)
def test_what_waits_is_cancelled_and_what_is_finished_is_not_trained_again(
    end, executor, notes, expected, tmp_path, request
):
    found = small_sweep(seeds=8, teacher=notes.gated, executor=executor)
    end(found, notes.wait_for_both_workers)
    kept = set(found.table.seed)
    if not isinstance(executor, ThreadPoolExecutor):
        # A cluster is told by a message, which must have arrived before a worker looks for more to do.
        until(partial(begun_pieces_only, request.getfixturevalue("client")))
    notes.open_gate()
    others = Notes(tmp_path / "notes of the others")
    again = small_sweep(seeds=8, teacher=others.teacher, executor=executor)
    assert_whole(again.finish(progress=False).table, expected)
    assert len(notes.seeds) == 3, "of eight pieces, those that waited were trained all the same"
    assert kept == {0} and set(others.seeds) == set(range(1, 8))


def test_a_loop_that_was_left_can_be_gone_on_with(client, expected):
    found = small_sweep(executor=client.get_executor())
    leave(found)
    assert found.done < 12
    assert_whole(found.finish(progress=False).table, expected)


def test_what_finished_unseen_is_kept(trained_here, expected):
    with ThreadPoolExecutor(2) as threads:
        found = small_sweep(executor=threads)
        next(found)
    # The pool has finished all; the reader has seen one piece.
    assert found.done == 4 and sorted(trained_here) == [0, 1, 2]
    found.stop()
    assert_whole(small_sweep().finish(progress=False).table, expected)
    assert len(trained_here) == 3


def test_stopping_a_sweep_leaves_its_twin_on_the_same_client_alone(client, notes, expected, tmp_path):
    one, other = (
        small_sweep(
            seeds=4,
            teacher=partial(notes.teacher, nap=0.1),
            executor=client.get_executor(),
            store=Store(tmp_path / name),
        )
        for name in ("one", "other")
    )
    next(one), next(other)
    one.stop()
    with soon(other):
        assert_whole(other.finish(progress=False).table, expected)
    assert one.done < other.done == 16


def test_thirty_sweeps_share_one_store_and_one_cluster(client, expected, tmp_path):
    store = Store(tmp_path / "shared")

    def one_of_thirty(number):
        executor = client.get_executor() if number % 2 else None
        return small_sweep(executor=executor, store=store).finish(progress=False).table

    with ThreadPoolExecutor(30) as kernels:
        for table in kernels.map(one_of_thirty, range(30)):
            assert_whole(table, expected)
            assert len(table) == 12
    kept = sorted(path.name for path in store.folder.iterdir())
    assert len(kept) == 3 and all(name.endswith(".rows.json") for name in kept)
