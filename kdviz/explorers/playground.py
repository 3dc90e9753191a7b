"""The playground: a label-only and a distilled student that learn in the browser, step by step.

The browser does the training, in JavaScript that agrees with torch. Python packs what a page needs: the
digits of one split and teachers that saw nothing but its training part.
"""

import copy
from base64 import b64encode
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from kdviz.datasets import digits
from kdviz.schemes.supervised import teacher

_HERE = Path(__file__).parent / "playground"
SPLIT = 0
# The share of wrong labels, and how long its teacher trains: one that learned wrong labels by heart would
# have nothing better to say than the labels.
TEACHER_STEPS = {0.0: 1000, 0.2: 300, 0.4: 300, 0.6: 300}


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
    """Digits and teachers as a page carries them; ``unpack`` in ``engine.js`` is the other side."""
    data = playground_data()
    inputs = torch.cat([data.train.inputs, data.test.inputs]) + data.mean
    return {
        "train": len(data.train),
        "images": _base64(_five_bits(np.rint(16 * inputs.numpy()).astype(np.uint8))),
        "truth": _digits(torch.cat([data.train.labels, data.test.labels])),
        "teachers": {f"{noise:g}": _packed_teacher(noise) for noise in TEACHER_STEPS},
    }


def _packed_teacher(noise):
    network = playground_teacher(noise)
    weights = torch.cat([part.flatten() for part in network.parameters()])
    return {
        "hidden": network.hidden1.out_features,
        "labels": _digits(playground_data(noise).train.labels),
        "weights": _base64(weights.numpy().astype("<f2")),
    }


def _five_bits(values):
    return np.packbits(np.unpackbits(values.reshape(-1, 1), axis=1)[:, 3:])


def _base64(values):
    return b64encode(values.tobytes()).decode("ascii")


def _digits(labels):
    return "".join(map(str, labels.tolist()))
