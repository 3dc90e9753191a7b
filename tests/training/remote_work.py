"""A small sweep whose pieces other processes can train, and notes of who trained what."""

import os
import signal
import threading
import time
from functools import partial

from kdviz import CrossEntropy, SoftTargets, sweep
from kdviz.datasets import digits
from kdviz.models import mlp
from kdviz.schemes._sweep import Job, small_student

FEW = partial(digits, labels=30, transfer="labelled")
GRID = {"temperature": [1.0, 8.0], "soft_weight": [0.0, 0.9]}


def mixture(temperature, soft_weight):
    return (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)


def small_sweep(grid=GRID, objective=mixture, **changes):
    """Four students a seed, one seed a piece."""
    known = {
        "data": FEW,
        "teacher": small_teacher,
        "student": partial(small_student, width=4),
        "seeds": 3,
        "steps": 20,
        "students_at_once": 4,
    }
    return sweep(grid, objective, **{**known, **changes})


def note_pieces(monkeypatch, note):
    """Has the seeds of every job noted that is trained in this process, and not taken from the store."""
    train = Job.train
    monkeypatch.setattr(Job, "train", lambda job, stopped: note(job.seeds) or train(job, stopped))


def small_teacher(data):
    return mlp(64, 12, 10, seed=data.seed).eval()


def away(home):
    """Whether this is a worker, be it a process or a thread, and not where the sweep was asked for."""
    return os.getpid() != home or threading.current_thread() is not threading.main_thread()


def noting_teacher(data, notes, home, nap=0.0, gate=None):
    """Notes every training of a piece away from home, with its process, and takes its time.

    With a ``gate`` all pieces but that of seed 0 wait, in the middle of their work, until that file is there.
    """
    if away(home):
        with open(notes, "a") as file:
            file.write(f"{data.seed} {os.getpid()}\n")
        time.sleep(nap)
        while gate and data.seed and not os.path.exists(gate):
            time.sleep(0.01)
    return small_teacher(data)


def deadly_teacher(data, home, seed):
    """Takes its worker with it."""
    if away(home):
        time.sleep(0.1)
        if data.seed == seed:
            os.kill(os.getpid(), signal.SIGKILL)
    return small_teacher(data)


def unsendable_teacher(data, home):
    """Raises what cannot be pickled."""
    if away(home):
        problem = ValueError("the worker's own trouble")
        problem.lock = threading.Lock()
        raise problem
    return small_teacher(data)


# What they do besides is none of the store's business: their answers are those of the small teacher.
for besides in (noting_teacher, deadly_teacher, unsendable_teacher):
    besides.described_as = small_teacher
