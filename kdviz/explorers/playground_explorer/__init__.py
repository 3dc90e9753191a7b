"""The playground: a label-only and a distilled student that learn in the browser, step by step.

The browser does the training, in JavaScript that agrees with torch. Python packs what a page needs: the
digits of one split and teachers that saw nothing but its training part.
"""

import copy
import json
import re
from functools import lru_cache
from pathlib import Path

import torch
import traitlets

from kdviz.datasets import digits
from kdviz.explorers.base import Explorer, allowed, bundle
from kdviz.explorers.playground_explorer.stories import DEFAULTS, EARLY_STEPS, STOPS, STORIES, TEACHER_STEPS
from kdviz.explorers.wire import pack
from kdviz.schemes.supervised import teacher

_HERE = Path(__file__).parent
SPLIT = 0
PARTS = [
    *("stories", *DEFAULTS, "stage", "curves", "images", "classes", "lesson"),
    *("draw", "seeds", "weights", "link", "about"),
]


def _module():
    """The page as one ES module, and in it, as a text, what its workers run."""
    work = re.sub(r"^export ", "", bundle(_HERE / "trainer.js"), flags=re.MULTILINE)
    return f"const WORKER_SOURCE = {json.dumps(work)};\n{bundle(_HERE / 'view.js')}"


class Playground(Explorer):
    """Two students that learn in the browser. Made by :func:`playground`.

    ``settings`` is what the controls show; assign a dictionary with all of them to begin again with others.
    """

    _esm = _module()

    packed = traitlets.Dict().tag(sync=True)
    settings = traitlets.Dict().tag(sync=True)
    story = traitlets.Unicode().tag(sync=True)
    hide = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # Whether it is a page of its own, with its state in the address.
    standalone = traitlets.Bool(False).tag(sync=True)
    defaults = traitlets.Dict(DEFAULTS).tag(sync=True)
    stops = traitlets.Dict(STOPS).tag(sync=True)
    stories = traitlets.List(STORIES).tag(sync=True)

    @traitlets.validate("settings")
    def _check_settings(self, proposal):
        return checked_settings(proposal.value)

    def __repr__(self):
        return f"Playground({', '.join(f'{name}={value}' for name, value in self.settings.items())})"


def playground(story="few-labels", *, controls=None, hide=(), **settings):
    """Watch a label-only and a distilled student learn, side by side; everything runs in the browser.

    Parameters
    ----------
    story : the story to begin with, or None
        "few-labels", "missing-3", "noisy-labels", "all-labels", "permuted", "early-teacher" or "as-large".
    controls : names of the settings whose controls are shown; all of them by default
    hide : names of controls and views that are not shown
        A control by the name of its setting, or "stories", "stage", "curves", "images", "classes",
        "lesson", "draw", "seeds", "weights", "link", "about".
    settings
        labels, temperature, soft_weight, width, unlabelled, label_noise, early_teacher, omit, permuted,
        learning_rate, seed: instead of the story's.

    Returns
    -------
    Playground
    """
    return Playground(packed=packed(), **_state(story, [*hide, *_hidden(controls)], settings))


def playground_page():
    """The playground as the text of one page that opens from the file system and asks for nothing."""
    explorer = Playground(packed=packed(), standalone=True, **_state("few-labels", (), {}))
    page = (_HERE / "page.html").read_text("utf-8")
    page = page.replace("<!-- scripts -->", allowed(explorer.static_script()))
    return page.replace("<!-- playground -->", explorer.static_html())


def story_settings(name):
    """All settings of a story."""
    known = {story["name"]: story["settings"] for story in STORIES}
    if not isinstance(name, str) or name not in known:
        raise ValueError(f"story must be one of {', '.join(known)}, or None; got {name!r}")
    return {**DEFAULTS, **known[name]}


def checked_settings(settings):
    """The settings, each of which must be a value that its control has."""
    unknown = sorted(set(settings) ^ set(DEFAULTS))
    if unknown:
        raise ValueError(f"settings must be exactly {', '.join(DEFAULTS)}; missing or not known: {unknown}")
    for name, value in settings.items():
        if name == "seed":
            fits = type(value) is int and 0 <= value <= 999_999
            expected = "a whole number from 0 to 999999"
        else:
            fits = any(
                value == stop and isinstance(value, bool) == isinstance(stop, bool) for stop in STOPS[name]
            )
            expected = f"one of {', '.join(map(str, STOPS[name]))}"
        if not fits:
            raise ValueError(f"{name} must be {expected}; got {value!r}")
    return settings


def _hidden(controls):
    """The settings without a control, where only these controls are wanted."""
    if controls is None:
        return []
    unknown = [name for name in controls if name not in DEFAULTS]
    if isinstance(controls, str) or unknown:
        raise ValueError(f"controls must be a list of settings: {', '.join(DEFAULTS)}; got {controls!r}")
    return [name for name in DEFAULTS if name not in controls]


def _state(story, hide, settings):
    unknown = [name for name in hide if name not in PARTS]
    if unknown:
        raise ValueError(f"hide must name parts of the playground: {', '.join(PARTS)}; got {unknown[0]!r}")
    start = DEFAULTS if story is None else story_settings(story)
    return {"story": story or "", "hide": list(hide), "settings": checked_settings({**start, **settings})}


def playground_data(label_noise=0.0, omit=None):
    """The playground's one split, with the labels of a teacher of that noise."""
    return digits(label_noise=label_noise, omit=omit, seed=SPLIT)


def playground_teacher(label_noise=0.0, early=False):
    """A teacher that the page carries: trained by kdviz, its weights rounded to half precision.

    One that is to stop early does so in any case where labels are wrong.
    """
    if label_noise not in TEACHER_STEPS:
        known = ", ".join(f"{noise:g}" for noise in TEACHER_STEPS)
        raise ValueError(
            f"label_noise must be one of {known}, for which there is a teacher; got {label_noise!r}"
        )
    steps = EARLY_STEPS if early and label_noise == 0 else TEACHER_STEPS[label_noise]
    rounded = copy.deepcopy(teacher(playground_data(label_noise), steps=steps))
    return rounded.half().float()


@lru_cache
def packed():
    """Digits and teachers as a page carries them; ``dataOf`` in ``engine.js`` is the other side."""
    data = playground_data()
    # In this order: for training, for the test, for the choice of a stop.
    parts = data.train, data.test, data.validation
    inputs = torch.cat([part.inputs for part in parts]) + data.mean
    return {
        "train": len(data.train),
        "test": len(data.test),
        # Pixels have 17 values, 0 to 16.
        "images": pack(16 * inputs.numpy().reshape(len(inputs), -1), "uint5", 31),
        "truth": _digits(torch.cat([part.labels for part in parts])),
        "teachers": {
            **{f"{noise:g}": _packed_teacher(noise) for noise in TEACHER_STEPS},
            "early": _packed_teacher(0.0, early=True),
        },
    }


def _packed_teacher(noise, early=False):
    network = playground_teacher(noise, early)
    weights = torch.cat([part.flatten() for part in network.parameters()])
    return {
        "hidden": network.hidden1.out_features,
        "labels": _digits(playground_data(noise).train.labels),
        "weights": pack(weights.numpy(), "float16"),
    }


def _digits(labels):
    return pack(labels, "uint4", 15)
