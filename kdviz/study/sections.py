"""The parts of a comparison's report: the figures and explorers of its numbers, each with its sentence."""

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from kdviz import figures
from kdviz.explain import methods_of
from kdviz.explorers.attribution_explorer import AttributionExplorer, ask_all
from kdviz.explorers.relations_explorer import RelationExplorer
from kdviz.explorers.soft_targets_explorer import SoftTargetExplorer
from kdviz.inputs.models import Answers, logits_in, outputs_of
from kdviz.measure.similarity import procrustes
from kdviz.study import sentences
from kdviz.study.gallery import gallery
from kdviz.study.pictures import NO_IMAGES, drawn, images_of, look_at, plan, resized
from kdviz.tracing import rows_of

# What each explorer may put into a page, in bytes, and how long attributions may take, in seconds.
_BUDGET = 600_000
_SECONDS = 60
# How many networks a chart tells apart, and how many classes an explorer lists.
_CURVES, _ROWS = 6, 20


@dataclass(frozen=True)
class Section:
    """A heading, what reads the picture in a sentence, and what draws it of a comparison.

    ``least`` is the width in pixels below which it cannot be read.
    """

    heading: str
    say: Callable
    draw: Callable
    least: int = 0

    @property
    def is_figure(self):
        return self.draw in (recall, reliability, cka, embeddings)

    def made(self, comparison):
        """The sentence and the picture, or a sentence in place of both where it cannot be drawn."""
        try:
            return self.say(comparison), self.draw(comparison)
        except Exception as problem:
            return f"This part could not be drawn: {str(problem) or type(problem).__name__}", None


def sections(comparison):
    """The sections that are made of this comparison, in the order of the report."""
    kind, classes = comparison.kind, comparison.known.any()
    probable = not kind.has_numbers
    shown = _first_shown(comparison)
    has_softmax = shown is not None and kind.name in ("classes", "binary")
    explored = has_softmax and isinstance(shown, np.ndarray)
    has_layers = comparison.cka is not None
    has_embeddings = bool(comparison.samples.embeddings)
    asked = all(model is not None for model in comparison.models.values())
    # Answers that are none of torch's have no gradients.
    learned = asked and not any(isinstance(model, Answers) for model in comparison.models.values())
    single = kind.name in ("classes", "binary", "pixels", "tokens")
    narrow = 640 if len(comparison.per_class) > 10 else 0
    parts = (
        (Section("Each class by itself", sentences.worst_class, recall, narrow), classes),
        (Section("Calibration", sentences.calibration, reliability), classes and probable),
        (
            Section("What is taken for what", sentences.confusions, confusions),
            classes and single and len(comparison.classes) > 2,
        ),
        (Section("Where they differ most", sentences.disagreements, gallery), True),
        (Section("Layer by layer", sentences.layers, cka, 620), has_layers),
        (Section("Embeddings", sentences.embeddings, embeddings), has_layers and has_embeddings),
        (Section("Soft targets", sentences.soft_targets, soft_targets), has_softmax),
        (Section("Relations", sentences.relations, relations), explored and has_embeddings),
        (
            Section("What they look at", sentences.attribution, attribution),
            explored and learned and len(comparison.samples) >= 5,
        ),
    )
    return [section for section, there in parts if there]


def drawn_figures(comparison):
    """The figures by heading, without those that cannot be drawn."""
    found = {}
    for section in sections(comparison):
        if section.is_figure:
            sentence, picture = section.made(comparison)
            if picture is None:
                warnings.warn(f"{section.heading}: {sentence}", stacklevel=3)
            else:
                found[section.heading] = picture
    return found


def _first_shown(comparison):
    """What a reader looks at of the first sample, or None; the gallery says what is wrong."""
    try:
        return look_at(comparison, comparison.samples.inputs[:1])[0]
    except Exception:
        return None


def recall(comparison, most=20):
    """The fraction recognised of each class; of many classes those with the largest gaps."""
    table = comparison.per_class
    if len(table) > most:
        # A class of which there are few looks worst by chance.
        enough = table[table.samples >= min(table.samples.max(), 5)]
        table = enough.loc[enough.gap.abs().sort_values(ascending=False).index[:most]]
    title = "Recognised of each class"
    axis = "recognised (share)"
    if comparison.kind.has_numbers:
        title, axis = "Mean absolute error of each number", "absolute error"
    title += ", largest gaps first" if len(comparison.per_class) > most else ""
    names = _few(comparison)
    return figures.class_bars(
        {name: table[name] for name in names},
        list(table.index),
        axis=axis,
        title=title,
        baseline=_baseline(comparison),
    )


def reliability(comparison):
    """Bins with less than a half percent of the samples are left out: there a line would jump by chance."""
    tables = {name: comparison.calibration(name) for name in _few(comparison)}
    tables = {name: table[table[:, 2] >= 0.005 * table[:, 2].sum()] for name, table in tables.items()}
    title = "Are the networks as sure as they are right?"
    return figures.reliability(tables, title=title, baseline=_baseline(comparison))


def cka(comparison):
    title = "How alike the layers are (linear CKA, unbiased, pooled over positions)"
    rows, columns = (short_paths(comparison.layers[side]) for side in ("teacher", "student"))
    return figures.cka_map(comparison.cka, rows, columns, title=title)


def short_paths(paths, most=18):
    """Layer names that fit beside a chart: their ends, with their number where two would be the same.

    >>> short_paths(["encoder.layer.0.attention.output", "encoder.layer.1.attention.output", "head"])
    ['0.attention.output', '1.attention.output', 'head']
    """
    if all(len(path) <= most for path in paths):
        return list(paths)
    ends = []
    for path in paths:
        parts = path.split(".")
        while len(parts) > 1 and len(".".join(parts)) > most:
            parts.pop(0)
        end = ".".join(parts)
        ends.append(end if len(end) <= most else f"…{end[1 - most :]}")
    twice = len(set(ends)) < len(ends)
    return [f"{number} {end}" for number, end in enumerate(ends, 1)] if twice else ends


class Table:
    """A table as a page shows it."""

    def __init__(self, table):
        self.table = table

    def _repr_html_(self):
        shown = self.table.round(3).to_html(border=0, na_rep="–").replace(">-", ">−")
        return f'<div class="wide" style="overflow-x:auto">{shown}</div>'


def confusions(comparison, most=10):
    return None if comparison.confusions.empty else Table(comparison.confusions.head(most))


def embeddings(comparison, count=120):
    """The student's embeddings laid over the teacher's, in the plane of the teacher's two main directions."""
    shown = _with_embeddings(comparison, count)
    student, teacher = procrustes(shown.embeddings["student"], shown.embeddings["teacher"])
    _, _, directions = np.linalg.svd(teacher - teacher.mean(0), full_matrices=False)
    plane = directions[:2].T
    if plane.shape[1] < 2:
        raise ValueError("the teacher's last layer before the logits has a single unit, and no plane")
    labels = [comparison.classes[label] for label in shown.classes] if shown.logits else [""] * len(shown)
    title = "The student's embeddings laid over the teacher's"
    return figures.procrustes_overlay(teacher @ plane, student @ plane, labels, title=title)


def soft_targets(comparison, count=40, temperature=4.0):
    """The soft-target explorer of samples of every class; of many classes with those that matter for them."""
    texts, side = isinstance(_first_shown(comparison), str), None
    if not texts:
        height, width, channels = _size(comparison)
        count, side = plan(count, height, width, channels * 4 / 3, _BUDGET)
    shown = comparison.samples.of_every_class(count)
    teacher, student = (shown.logits[name] for name in ("teacher", comparison.student))
    classes, labels = comparison.classes, shown.classes
    if len(classes) > _ROWS:
        rows = _that_matter(teacher, student, labels)
        shown, labels = shown[np.flatnonzero(np.isin(labels, rows))], labels[np.isin(labels, rows)]
        teacher, student = (shown.logits[name][:, rows] for name in ("teacher", comparison.student))
        classes, labels = [classes[row] for row in rows], np.searchsorted(rows, labels)
    # A class that is masked has no number on a page.
    teacher, student = (np.where(np.isneginf(values), -1e4, values) for values in (teacher, student))
    seen = look_at(comparison, shown.inputs) if texts else images_of(comparison, shown.inputs, side)
    return SoftTargetExplorer.from_logits(seen, labels, teacher, student, classes, temperature=temperature)


def _that_matter(teacher, student, labels):
    """The classes that are most probable for some samples, or are theirs, in the order of their numbers."""
    highest = np.maximum(*(values - values.max(1, keepdims=True) for values in (teacher, student)))
    order = np.argsort(-highest, axis=1)
    # Of the samples that are looked at first, with the classes next to theirs.
    ranked = [*labels, *order[:, :_ROWS].T.ravel()]
    return np.sort(np.array(list(dict.fromkeys(int(one) for one in ranked))[:_ROWS]))


def relations(comparison, count=60):
    """The relation explorer of samples of every class, at the last layer before the logits."""
    _check_images(comparison)
    height, width, channels = _size(comparison)
    count, side = plan(count, height, width, channels * 4 / 3, _BUDGET)
    shown = _with_embeddings(comparison, count)
    return RelationExplorer.from_embeddings(
        images_of(comparison, shown.inputs, side),
        shown.classes,
        shown.embeddings["teacher"],
        shown.embeddings["student"],
        sentences.short_names(comparison.classes),
    )


def attribution(comparison, count=20, methods=None):
    """The attribution explorer of samples of every class; of large images fewer and smaller ones."""
    _check_images(comparison)
    names = [comparison.student, *comparison.others]
    # Beside the two no more than fit beside each other; the strongest come first.
    models = comparison.asked(names[:4])
    height, width, channels = _size(comparison)
    kinds = 3 if methods is None else len(methods)
    count, side = plan(count, height, width, kinds * len(models) * 1.5 + channels * 4 / 3, _BUDGET)
    shown = comparison.samples.of_every_class(count)
    inputs = shown.batch()
    if isinstance(inputs, torch.Tensor) and not inputs.is_floating_point():
        inputs = inputs.float()
    if methods is None:
        methods = _in_time(comparison, models, inputs, count)
    teacher, student, *others = (_picked(model, comparison.pick) for model in models.values())
    baselines = dict(zip(list(models)[2:], others, strict=True))
    maps, targets = ask_all(teacher, student, inputs, baselines, methods)
    images = images_of(comparison, shown.inputs, side)
    maps = {
        method: {
            name: np.stack([resized(one, *images.shape[1:3]) for one in each]) for name, each in found.items()
        }
        for method, found in maps.items()
    }
    return AttributionExplorer.from_maps(images, shown.classes, targets.cpu(), maps, comparison.classes)


def _in_time(comparison, models, inputs, count):
    """The methods that these models can be asked with and for which the time will do."""
    each = count * sum(_seconds_of_a_pass(model, inputs, comparison.pick) for model in models.values())
    # So many passes a method takes, forward and backward; the first to be left out comes first.
    passes = {"occlusion": 64, "integrated_gradients": 3 * 64, "grad_cam": 3}
    possible = methods_of(models.values(), inputs)
    methods = [name for name in passes if name in possible]
    while methods and sum(passes[name] for name in methods) * each >= _SECONDS:
        methods = methods[1:]
    if not methods:
        minutes = sum(passes[name] for name in possible) * each / 60
        raise ValueError(
            f"attributions of {count} images would take about {minutes:.0f} minutes. "
            "comparison.attribution(count, methods=[...]) makes them all the same"
        )
    return [name for name in possible if name in methods]


def _seconds_of_a_pass(model, inputs, pick):
    """The faster of two, for the first one also sets up what the second finds."""
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        with torch.no_grad():
            outputs_of(model, rows_of(inputs, slice(1)), pick=pick)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _picked(model, pick):
    """The model with its logits alone, where they have to be looked for."""
    return model if pick is None else Picked(model, pick)


class Picked(torch.nn.Module):
    """A model that answers with the part of its output that holds the logits."""

    def __init__(self, model, pick):
        super().__init__()
        self.model, self.pick = model, pick

    def forward(self, *inputs, **named):
        return logits_in(self.model(*inputs, **named), self.pick)


def _size(comparison):
    """Height, width and channels of the images that are looked at."""
    image = drawn(comparison, comparison.samples.inputs[:1])[0]
    return (*image.shape[:2], 1 if image.ndim == 2 else 3)


def _check_images(comparison):
    if not isinstance(_first_shown(comparison), np.ndarray):
        raise ValueError(NO_IMAGES)


def _with_embeddings(comparison, count):
    if not comparison.samples.embeddings:
        raise ValueError("there are no layers to take embeddings from; one of the models has none")
    return comparison.samples.of_every_class(count)


def _few(comparison):
    """The groups that a chart tells apart: the teacher, the students, and the strongest baselines."""
    return ["teacher", *comparison.students, *comparison.baselines][:_CURVES]


def _baseline(comparison):
    names = comparison.baselines
    # The look of a baseline goes to one of them; by default to this one.
    return "label-only 1" if "label-only 1" in names else next(iter(names), None)
