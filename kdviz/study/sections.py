"""The parts of a comparison's report: the figures and explorers of its numbers, each with its sentence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kdviz import figures
from kdviz.explorers.attribution import AttributionExplorer, ask_all
from kdviz.explorers.relations import RelationExplorer
from kdviz.explorers.soft_targets import SoftTargetExplorer
from kdviz.measure.similarity import procrustes
from kdviz.study import sentences
from kdviz.study.gallery import gallery, images_of, look_at


@dataclass(frozen=True)
class Section:
    """A heading, the sentence that reads the picture, and what draws it of a comparison."""

    heading: str
    sentence: str
    draw: Callable

    @property
    def is_figure(self):
        return self.draw in (recall, reliability, cka, embeddings)


def sections(comparison):
    """The sections that can be drawn of this comparison, in the order of the report."""
    images, classes = comparison.samples.inputs[:1], (comparison.labels >= 0).any()
    explored = not any(isinstance(shown, str) for shown in look_at(comparison, images))
    has_layers = comparison.cka is not None
    has_embeddings = bool(comparison.samples.embeddings)
    # The answers of scikit-learn's classifiers have no gradients.
    learned = all(any(True for _ in model.parameters()) for model in comparison.models.values())
    parts = (
        ("Each class by itself", sentences.worst_class, recall, classes),
        ("Calibration", sentences.calibration, reliability, classes),
        ("Where they differ most", sentences.disagreements, gallery, True),
        ("Layer by layer", sentences.layers, cka, has_layers),
        ("Embeddings", sentences.embeddings, embeddings, has_layers),
        ("Soft targets", sentences.soft_targets, soft_targets, explored),
        ("Relations", sentences.relations, relations, explored and has_embeddings),
        (
            "What they look at",
            sentences.attribution,
            attribution,
            explored and learned and len(comparison.samples) >= 5,
        ),
    )
    return [Section(heading, say(comparison), draw) for heading, say, draw, there in parts if there]


def recall(comparison, most=20):
    """The fraction recognised of each class; of many classes those with the largest gaps."""
    table = comparison.per_class
    if len(table) > most:
        table = table.loc[table.gap.abs().sort_values(ascending=False).index[:most]]
    title = "Recognised of each class" + (", largest gaps first" if len(comparison.classes) > most else "")
    names = _few(comparison)
    return figures.class_bars(
        {name: table[name] for name in names},
        list(table.index),
        axis="recognised (share)",
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
    layers = comparison.layers
    return figures.cka_map(comparison.cka, layers["teacher"], layers["student"], title=title)


def embeddings(comparison, count=120):
    """The student's embeddings laid over the teacher's, in the plane of the teacher's two main directions."""
    shown = _with_embeddings(comparison, count)
    student, teacher = procrustes(shown.embeddings["student"], shown.embeddings["teacher"])
    _, _, directions = np.linalg.svd(teacher - teacher.mean(0), full_matrices=False)
    plane = directions[:2].T
    labels = [comparison.classes[label] for label in shown.classes]
    title = "The student's embeddings laid over the teacher's"
    return figures.procrustes_overlay(teacher @ plane, student @ plane, labels, title=title)


def soft_targets(comparison, count=40, temperature=4.0):
    """The soft-target explorer of samples of every class."""
    shown = comparison.samples.of_every_class(count)
    return SoftTargetExplorer.from_logits(
        images_of(comparison, shown.inputs),
        shown.classes,
        shown.logits["teacher"],
        shown.logits["student"],
        comparison.classes,
        temperature=temperature,
    )


def relations(comparison, count=60):
    """The relation explorer of samples of every class, at the last layer before the logits."""
    shown = _with_embeddings(comparison, count)
    return RelationExplorer.from_embeddings(
        images_of(comparison, shown.inputs),
        shown.classes,
        shown.embeddings["teacher"],
        shown.embeddings["student"],
        sentences.short_names(comparison.classes),
    )


def attribution(comparison, count=20, methods=None):
    """The attribution explorer of samples of every class."""
    shown, models = comparison.samples.of_every_class(count), comparison.models
    # Two label-only students say what seeds do; more would not fit beside each other.
    baselines = {name: models[name] for name in comparison.baselines[:2]}
    maps, targets = ask_all(models["teacher"], models["student"], shown.tensor(), baselines, methods)
    images = images_of(comparison, shown.inputs)
    return AttributionExplorer.from_maps(images, shown.classes, targets.cpu(), maps, comparison.classes)


def _with_embeddings(comparison, count):
    if not comparison.samples.embeddings:
        raise ValueError("there are no layers to take embeddings from; one of the models has none")
    return comparison.samples.of_every_class(count)


def _few(comparison):
    return ["teacher", "student", *comparison.baselines[:1]]


def _baseline(comparison):
    return next(iter(comparison.baselines), None)
