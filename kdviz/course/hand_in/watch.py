"""A process that is watched while it judges one answer: its time, its memory, and what it says at the end."""

import multiprocessing
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import psutil

from kdviz.course.hand_in import child

# A server that has imported kdviz once forks in a moment; where there is none, each process imports it.
_BEFOREHAND = [child.__name__, "kdviz.explorers", "kdviz.figures", "kdviz.study", "kdviz.course.results"]
_KIND = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_CONTEXT = multiprocessing.get_context(_KIND)
_CONTEXT.set_forkserver_preload(_BEFOREHAND)
_START = 120  # seconds to import kdviz, on whatever machine


@dataclass(frozen=True)
class Limits:
    """How long an answer may take once kdviz is imported, and how much memory it may take beyond that."""

    seconds: float = 20.0
    megabytes: float = 1500.0


def watched(exercise: str, page: str, source: str, limits: Limits) -> tuple[str, str, float]:
    """Verdict, message and seconds of one answer, judged in a process of its own after the page's imports."""
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    with TemporaryDirectory() as empty:
        process = _CONTEXT.Process(target=child.main, args=(exercise, page, source, empty, theirs))
        process.start()
        theirs.close()
        try:
            return _until_it_ends(process, ours, limits)
        finally:
            process.kill()
            process.join()
            ours.close()


def _until_it_ends(process, said, limits):
    begun, before = time.monotonic(), None
    while True:
        seconds = time.monotonic() - begun
        if said.poll(0.02):
            try:
                verdict = said.recv_bytes().decode("utf-8", "replace")
            except EOFError:
                return "error", "it ended its process before it was judged", seconds
            if before is not None:
                kind, _, message = verdict.partition("\n")
                return kind, message, seconds
            begun, before = time.monotonic(), _megabytes(process)
        elif seconds > (limits.seconds if before is not None else _START):
            return "stopped", f"it took longer than {limits.seconds:g} s", seconds
        elif before is not None and _megabytes(process) - before > limits.megabytes:
            return "stopped", f"it took more than {limits.megabytes:g} MB of memory", seconds


def _megabytes(process):
    try:
        return psutil.Process(process.pid).memory_info().rss / 1e6
    except psutil.Error:  # it has just ended
        return 0.0
