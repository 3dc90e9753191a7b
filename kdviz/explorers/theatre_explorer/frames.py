"""What the training theatre shows of a run: its terms, its knobs, and a frame for each record."""

import sys
from dataclasses import fields

import numpy as np
import torch
from torch import nn

from kdviz.explorers.selection import best_start, most_informative, stratified_rows
from kdviz.explorers.validation import checked_images
from kdviz.explorers.wire import pack
from kdviz.measure import cka_map
from kdviz.tracing import answer
from kdviz.training.threads import limited_threads

MOST_FRAMES = 120
TEMPERATURES = (0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20)
COMPARED = 200
CHOSEN_FROM = 2000


def terms_of(objective):
    """Each term as an arrow of the diagram: its name, whom it comes from, and what it asks for."""
    return [
        {
            "name": name,
            "title": name.replace("_", " "),
            "source": "teacher" if term.loss.needs_teacher else "labels",
            "about": _about(term.loss),
        }
        for name, term in objective.named.items()
    ]


def _about(loss):
    """The sentence with which the loss describes itself."""
    module = sys.modules[type(loss).__module__]
    described = getattr(getattr(module, loss.name, None), "__doc__", None) or type(loss).__doc__ or loss.name
    sentence = described.strip().splitlines()[0]
    return module.__doc__.strip().splitlines()[0] if sentence.startswith(":") and module.__doc__ else sentence


def tunable(objective):
    """The settings that are numbers on a scale, by address; forms and layers cannot change in a run."""
    settings = objective.settings()
    found = {}
    for name, term in objective.named.items():
        numbers = [field.name for field in fields(term.loss) if field.type is float]
        found |= {f"{name}.{number}": settings[f"{name}.{number}"] for number in ("weight", *numbers)}
    return {address: float(value) for address, value in found.items() if isinstance(value, (int, float))}


def knobs_of(objective):
    """A slider for each tunable setting: the weights and temperatures first."""
    settings = tunable(objective)
    ordered = sorted(settings, key=lambda address: not address.endswith((".weight", ".temperature")))
    return [
        {"address": address, "label": _label(address, settings), "stops": _stops(address, settings[address])}
        for address in ordered
    ]


def _label(address, settings):
    term, _, setting = address.partition(".")
    alone = sum(other.endswith(f".{setting}") for other in settings) == 1 and setting != "weight"
    setting, term = setting.replace("_", " "), term.replace("_", " ")
    return setting if alone else f"{setting} of {term}"


def _stops(address, value):
    """Where a slider stops: the value that it begins with is one of them, and there is room above it."""
    if address.endswith(".temperature"):
        stops = TEMPERATURES
    elif value < 1:
        stops = np.linspace(0, 1, 21)
    else:
        stops = value * np.linspace(0, 2, 21)
    return sorted({*(round(float(stop), 6) for stop in stops), value})


def united(lists, key):
    """The entries of all the lists, in order; of those that have the same key, the first."""
    found = {}
    for entry in (entry for entries in lists for entry in entries):
        found.setdefault(entry[key], entry)
    return list(found.values())


def frame_of(record, settings, seen=None):
    """What the page keeps of a record, of the settings it was made with, and of the student then."""
    measures = {name: _number(value) for name, value in record.measures.items()}
    return {
        "step": record.step,
        "total": _number(record.total),
        "losses": {name: _number(value) for name, value in record.losses.items()},
        "students": int(np.size(record.total)),
        "settings": settings,
        **_with_measures(measures, seen),
    }


def first_frame(settings, seen):
    """The student before its first step."""
    return {"step": 0, "total": None, "losses": {}, "settings": settings, **_with_measures({}, seen)}


def _with_measures(measures, seen):
    seen = dict(seen or {})
    return {"measures": {**measures, **seen.pop("measures", {})}, **seen}


def _number(value):
    """One number, of several students their mean; None for what is not finite, which JSON cannot say."""
    value = float(np.mean(value))
    return float(f"{value:.7g}") if np.isfinite(value) else None


def settings_before(settings, records):
    """The settings at the beginning of records that ended with these."""
    settings = dict(settings)
    for record in reversed(records):
        for _, address, old, _ in reversed(record.changes):
            if address in settings:
                settings[address] = old
    return settings


def marks_of(record):
    """The changes of a record for the time axis; the many moves of one drag are one change."""
    marks = {}
    for step, address, old, new in record.changes:
        if isinstance(new, (int, float)):
            first = marks.setdefault(address, [step, address, old, new])
            first[3] = new
    return [mark for mark in marks.values() if mark[2] != mark[3]]


def thinned(frames):
    """Every second frame, and the last."""
    return frames[:-1:2] + frames[-1:]


class Watched:
    """The validation images on which the page shows what student and teacher say."""

    def __init__(self, data, teacher, layers, count):
        samples = data.validation[:CHOSEN_FROM]
        inputs, labels = samples.inputs, samples.labels.cpu().numpy()
        self._layer, self._teacher_features = layers and layers[0], None
        if teacher is None:
            rows, self.teacher_logits, self.best = np.sort(stratified_rows(labels, count)), None, 0
        else:
            logits, features = _ask(teacher, inputs, layers[1] if layers else last_hidden(teacher))
            logits = logits.double().numpy()
            rows = most_informative(logits, labels, count)
            self._teacher_features = None if features is None else features[:COMPARED]
            self.teacher_logits = _packed(logits[rows])
            self.best = best_start(logits[rows], labels[rows])
        # What the student is asked about: the chosen images, then those that CKA compares.
        self._count = len(rows)
        self._inputs = torch.cat([inputs[rows], inputs[:COMPARED]])
        self.classes = [str(name) for name in data.classes]
        self.labels = labels[rows].tolist()
        self.images = _images(inputs[rows], data)

    def __call__(self, student):
        """The student's logits on the images, and how like the teacher's its last features are."""
        if isinstance(student, nn.ModuleList):
            student = student[0]
        layer = None if self._teacher_features is None else self._layer or last_hidden(student)
        with limited_threads(1):
            logits, features = _ask(student, self._inputs, layer)
            cka = None
            if features is not None:
                cka = _number(float(cka_map([features[self._count :]], [self._teacher_features])[0, 0]))
        measures = {} if cka is None else {"CKA": cka}
        return {"logits": _packed(logits[: self._count].numpy()), "measures": measures}


def _ask(model, inputs, layer):
    seen = answer(model, inputs, [layer] if layer else [])
    return seen.logits.cpu(), seen.features[layer].flatten(1) if layer else None


def last_hidden(model):
    """The layer before the logits, where the network is a sequence of named layers; else None."""
    names = [name for name, _ in model.named_children()]
    return names[-2] if isinstance(model, nn.Sequential) and len(names) > 1 else None


def _images(inputs, data):
    """The images as a page shows them; nothing where the inputs are none."""
    if inputs.ndim != 4 or inputs.shape[1] not in (1, 3):
        return np.zeros(0)
    return checked_images(data.pixels(inputs), len(inputs))


def _packed(logits):
    """Logits in hundredths."""
    return pack(logits, "int16", 327.67)
