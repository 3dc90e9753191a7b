"""A class for each pixel: what a teacher's maps are worth, and what counts in them."""

from collections import OrderedDict
from dataclasses import replace

import pandas as pd
import torch
from torch import nn

from kdviz.datasets._canvases import CLASSES
from kdviz.losses.answers import WeightedCrossEntropy, WeightedSoftTargets
from kdviz.losses.feature import ChannelWise
from kdviz.losses.response import SoftTargets
from kdviz.measure import class_iou
from kdviz.seeding import seeded
from kdviz.tracing import Trace, answer, trace
from kdviz.training import Lesson, Run
from kdviz.training.batches import batches

KNOWN, SEEN = 40, 1000  # canvases with maps, and all
WEIGHTS = (*(1.0,) * 10, 0.3)  # of the classes in the labels' loss; the last is the background
LABELS = WeightedCrossEntropy(WEIGHTS)
# What each way adds to the labels' loss, by arm and temperature.
TERMS = {
    ("pixel by pixel", 3.0): SoftTargets(3.0),
    ("pixels weighted", 1.0): WeightedSoftTargets(WEIGHTS, 1.0),
    ("channel by channel", 3.0): ChannelWise("maps", temperature=3.0),
}


def segmenter(width, seed):
    """A network that names the class of each pixel: three convolutions on 8 × 8 places of 2 × 2 pixels.

    Its last layer, ``maps``, has the logits: (n, 11, 16, 16).
    """
    with seeded(seed):
        layers = {
            "convolution1": nn.Conv2d(1, width, 5, stride=2, padding=2),
            "activation1": nn.ReLU(),
            "convolution2": nn.Conv2d(width, width, 3, padding=1),
            "activation2": nn.ReLU(),
            "convolution3": nn.Conv2d(width, width, 3, padding=1),
            "activation3": nn.ReLU(),
            "logits": nn.Conv2d(width, 4 * len(CLASSES), 1),
            "maps": nn.PixelShuffle(2),
        }
    return nn.Sequential(OrderedDict(layers))


class PixelLesson(Lesson):
    """Canvases of which the first ``known`` have maps: ``shares`` of them and of all canvases in each step.

    ``maps`` are a teacher's logits of all canvases, or None. What is taught are pixels, as rows of logits.
    """

    def __init__(self, data, known, shares, maps=None):
        self.data, self.known, self.shares, self.maps = data, known, shares, maps
        unknown = torch.full_like(data.labels[known:], -1)
        self.labels = torch.cat([data.labels[:known], unknown])

    def begin(self, run):
        self.layers, seed = run.objective.student_layers, self.data.seed
        counts = (self.known, len(self.data))
        self.orders = [
            batches(count, share, seed) for count, share in zip(counts, self.shares, strict=True) if share
        ]

    def __call__(self, student, step):
        rows = torch.cat([next(order) for order in self.orders])
        ours = trace(student, self.data.inputs[rows], self.layers)
        theirs = None
        if self.maps is not None:
            theirs = Trace(as_rows(self.maps[rows]), {"maps": self.maps[rows]})
        return replace(ours, logits=as_rows(ours.logits)), theirs, self.labels[rows].flatten()


def as_rows(maps):
    """The logits of every pixel as a row: (n * height * width, classes)."""
    # A view of classes by pixels: over a last axis of few classes softmax would be several times slower.
    return maps.transpose(0, 1).flatten(1).T


def taught(start, data, objective, maps=None, known=KNOWN, shares=None, steps=600):
    """A student of the first maps, and of a teacher's maps of all canvases where there are any."""
    shares = shares or ((10, 0) if maps is None else (4, 6))
    lesson = PixelLesson(data, known, shares, maps)
    run = Run(start, lesson, objective, steps=steps, learning_rate=1e-2, record_every=steps)
    return run.finish().student


def canvas_teacher(data, steps=1000):
    """Trained on the maps of all canvases."""
    return taught(segmenter(32, data.seed), data, LABELS, known=len(data), steps=steps)


def learned(data, maps, steps=600):
    """The students by arm and temperature, from one start and on the same canvases."""
    start = segmenter(12, data.seed)
    order = torch.randperm(len(maps), generator=torch.Generator().manual_seed(data.seed))
    arms = {(f"{KNOWN} maps", 0.0): taught(start, data, LABELS, steps=steps)}
    for arm, term in TERMS.items():
        arms[arm] = taught(start, data, LABELS + term, maps, steps=steps)
    channels = LABELS + TERMS["channel by channel", 3.0]
    arms["channels shuffled", 3.0] = taught(start, data, channels, maps[order], steps=steps)
    return arms


def cast(data):
    """The teacher of these canvases and its students by name, as the page shows them."""
    teacher = canvas_teacher(data)
    return teacher, {arm: one for (arm, _), one in learned(data, maps_of(teacher, data)).items()}


def maps_of(network, part):
    """The logits of every class at every pixel."""
    return answer(network, part.inputs).logits


def named(network, part):
    """The class that a network gives each pixel."""
    return maps_of(network, part).argmax(1)


def scores(network, part):
    said = named(network, part)
    each = 100 * class_iou(said, part.labels, len(CLASSES))
    digits = {f"iou_{digit}": each[digit] for digit in range(10)}
    right = 100 * float((said == part.labels).double().mean())
    return {"accuracy": right, "mean_iou": each.mean(), **digits, "iou_background": each[-1]}


def score_table(networks, part):
    """What each network gets right of some canvases, in percent: of all pixels, and class by class."""
    found = pd.DataFrame({name: scores(network, part) for name, network in networks.items()}).T
    said = {"accuracy": "pixels right", "mean_iou": "mean IoU"}
    return found.rename(columns=lambda name: said.get(name, name.removeprefix("iou_"))).round(1)
