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
from kdviz.explorers.wire import pack
from kdviz.schemes.supervised import teacher

_HERE = Path(__file__).parent
SPLIT = 0
# The fraction of wrong labels, and how long its teacher trains: one that learned wrong labels by heart would
# have nothing better to say than the labels.
TEACHER_STEPS = {0.0: 1000, 0.2: 300, 0.4: 300, 0.6: 300}


# Every control steps through these values.
STOPS = {
    "labels": [10, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000, 1200],
    "temperature": [0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20],
    "soft_weight": [twentieth / 20 for twentieth in range(21)],
    "width": [4, 8, 16, 32, 64],
    "unlabelled": [False, True],
    "label_noise": list(TEACHER_STEPS),
    "omit": [None, *range(10)],
    "permuted": [False, True],
    "learning_rate": [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05],
}
DEFAULTS = {
    "labels": 20,
    "temperature": 4,
    "soft_weight": 0.9,
    "width": 16,
    "unlabelled": False,
    "label_noise": 0.0,
    "omit": None,
    "permuted": False,
    "learning_rate": 0.005,
    "seed": 0,
}
# What a story changes of the defaults, and what its question is about: all test images, or the recall of
# the digit that is left out. `why` stands below the verdict.
STORIES = [
    {
        "name": "few-labels",
        "title": "Few labels",
        "question": "Two labelled images of each digit, 20 in all. Both students see only these; the "
        "distilled one also hears what the teacher says about them. Does that help?",
        "settings": {},
        "measure": "accuracy",
    },
    {
        "name": "missing-3",
        "title": "The missing 3",
        "question": "No student ever sees a 3. The distilled one hears only how much the teacher sees of a 3 "
        "in other digits. How will it do on 3s, beside the label-only student?",
        "settings": {"labels": 1200, "omit": 3, "width": 64, "temperature": 8, "soft_weight": 1.0},
        "measure": "recall",
    },
    {
        "name": "noisy-labels",
        "title": "Noisy labels",
        "question": "60 % of all labels are wrong. The teacher learned from the same wrong labels, but "
        "stopped early, before it knew them by heart. Will its student beat a label-only student that goes "
        "on to the end, and one that stops early too?",
        "settings": {"labels": 1200, "label_noise": 0.6, "width": 64},
        "measure": "accuracy",
        "why": "The teacher's answers hold back the wrong labels because the teacher itself stopped early. "
        "Over 30 seeds, a label-only student stopped at its best validation step ends a little above the "
        "distilled one: what helps here is the stop. (To find it takes 200 rightly labelled images.)",
    },
    {
        "name": "all-labels",
        "title": "All the labels",
        "question": "All 1,200 images have their right labels, the same that the teacher had. What does its "
        "advice add?",
        "settings": {"labels": 1200},
        "measure": "accuracy",
    },
    {
        "name": "permuted",
        "title": "Permuted dark knowledge",
        "question": "As in “Few labels”, but the teacher's logits of the nine other digits are shuffled for "
        "each image. It is as sure as before; only which digits resemble each other is lost. Does "
        "it still help?",
        "settings": {"permuted": True},
        "measure": "accuracy",
    },
]
PARTS = [
    *("stories", *DEFAULTS, "curves", "soft_targets", "images", "classes", "lesson"),
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
        "few-labels", "missing-3", "noisy-labels", "all-labels" or "permuted".
    controls : names of the settings whose controls are shown; all of them by default
    hide : names of controls and views that are not shown
        A control by the name of its setting, or "stories", "curves", "soft_targets", "images", "classes",
        "lesson", "draw", "seeds", "weights", "link", "about".
    settings
        labels, temperature, soft_weight, width, unlabelled, label_noise, omit, permuted, learning_rate,
        seed: instead of the story's.

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


def playground_teacher(label_noise=0.0):
    """The teacher that the page carries: trained by kdviz, its weights rounded to half precision."""
    if label_noise not in TEACHER_STEPS:
        known = ", ".join(f"{noise:g}" for noise in TEACHER_STEPS)
        raise ValueError(
            f"label_noise must be one of {known}, for which there is a teacher; got {label_noise!r}"
        )
    rounded = copy.deepcopy(teacher(playground_data(label_noise), steps=TEACHER_STEPS[label_noise]))
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
        "teachers": {f"{noise:g}": _packed_teacher(noise) for noise in TEACHER_STEPS},
    }


def _packed_teacher(noise):
    network = playground_teacher(noise)
    weights = torch.cat([part.flatten() for part in network.parameters()])
    return {
        "hidden": network.hidden1.out_features,
        "labels": _digits(playground_data(noise).train.labels),
        "weights": pack(weights.numpy(), "float16"),
    }


def _digits(labels):
    return pack(labels, "uint4", 15)
