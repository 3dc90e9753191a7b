"""What the page of the language explorer carries besides the language: two networks and finished paths.

    python -m kdviz.explorers.language_explorer.carried

trains them anew, in about half a minute, and writes ``carried.json``.
"""

import copy
import json
from functools import lru_cache
from pathlib import Path

import torch

from kdviz.algorithms.language import learn
from kdviz.datasets import clock
from kdviz.explorers.language_explorer.path import PLAN, STUDENT_UNITS, TEACHER_UNITS, cold, judged, walk
from kdviz.explorers.wire import pack, unpack
from kdviz.models import window_network

FILE = Path(__file__).with_name("carried.json")
# Steps, texts of each, which are all different, and the learning rate.
LESSONS = {"teacher": (TEACHER_UNITS, 1000, 64, 1e-2), "warm": (STUDENT_UNITS, 400, 32, 2e-2)}
# The paths that a page shows before anything is pressed; the last is the one that it begins with.
FINISHED = (
    {"beta": None, "text": "greedy", "start": "warm", "seed": 0},
    {"beta": 0.0, "text": "teacher", "start": "warm", "seed": 0},
    {"beta": 1.0, "text": "teacher", "start": "warm", "seed": 0},
)


def trained(name):
    """The teacher, or the warm student, rounded to half precision as the page has it; in float64."""
    units, steps, texts, rate = LESSONS[name]
    begin = window_network(clock(1).tokens, len(clock(1).words), units, seed=units)
    how = {"steps": steps, "learning_rate": rate, "batch_size": texts, "record_every": steps}
    student = learn(begin, clock(texts * steps, seed=units).texts, **how).finish().student
    return student.half().double().requires_grad_(False)


@lru_cache
def carried_network(name):
    """The same, of what the file holds."""
    part = json.loads(FILE.read_text("utf-8"))[name]
    return _filled(torch.from_numpy(unpack(part["weights"])), part["units"])


def begun(settings, warm):
    """The student with which a path of these settings begins."""
    student = copy.deepcopy(warm) if settings["start"] == "warm" else cold(settings["seed"])
    return student.requires_grad_(True)


def finished(settings, teacher, warm):
    """A path to its end: what it is worth each time a record is due, and its last weights."""
    student, records = begun(settings, warm), []
    for step in walk(teacher, student, settings):
        if step % PLAN["every"] == 0:
            records.append(judged(student))
    return torch.stack(records).numpy(), weights_of(student)


def weights_of(network):
    return torch.nn.utils.parameters_to_vector(network.parameters()).detach()


def _filled(weights, units):
    network = window_network(clock(1).tokens, len(clock(1).words), units).double().requires_grad_(False)
    torch.nn.utils.vector_to_parameters(weights, network.parameters())
    return network


def made():
    """All of it, as ``carried.json`` has it."""
    networks = {name: trained(name) for name in LESSONS}
    paths = [(settings, *finished(settings, *networks.values())) for settings in FINISHED]
    return {
        **{
            name: {"units": LESSONS[name][0], "weights": pack(weights_of(network), "float16")}
            for name, network in networks.items()
        },
        "finished": [
            {
                "settings": settings,
                "records": pack(records, "float32"),
                "weights": pack(weights, "float32"),
            }
            for settings, records, weights in paths
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=1) + "\n", encoding="utf-8")
