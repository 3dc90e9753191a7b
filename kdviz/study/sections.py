"""A comparison as pictures: what it counted goes into the house's figures and explorers."""

import base64
import io
from html import escape

import numpy as np
import torch
from PIL import Image

from kdviz import figures
from kdviz.explorers.attribution import AttributionExplorer, ask_all
from kdviz.explorers.relations import RelationExplorer
from kdviz.explorers.soft_targets import SoftTargetExplorer
from kdviz.measure.similarity import procrustes, procrustes_distance
from kdviz.study.tally import calibration

SHOWN = 60
_QUOTED = (
    "white-space:pre-line;overflow-wrap:anywhere;margin:0 0 4px;padding:4px 8px;background:#f7f8fa;"
    "border-left:3px solid #c9ced6"
)


class Gallery:
    """Samples with what each model says of them, as a notebook or a page shows it."""

    def __init__(self, cards):
        self.cards = cards

    def __len__(self):
        return len(self.cards)

    def _repr_html_(self):
        return (
            '<div style="display:flex;flex-wrap:wrap;gap:14px;font:14px system-ui,sans-serif">'
            + "".join(self.cards)
            + "</div>"
        )


def gallery(comparison, most=24):
    """The samples on which teacher and student differ most, furthest first."""
    kept, names = comparison.disagreements, comparison.classes
    shown = _shown(comparison, kept.inputs[:most])
    return Gallery([_card(comparison, kept, row, shown[row], names) for row in range(min(most, len(kept)))])


def _card(comparison, kept, row, shown, names):
    label = kept.labels[row]
    says = {name: _said(kept.logits[row][name], names) for name in comparison.models}
    head = f"sample {kept.places[row]:,}" + (f", label {names[label]}" if label >= 0 else "")
    lines = "".join(f"<br>{escape(name)}: {escape(text)}" for name, text in says.items())
    if isinstance(shown, str):
        body = f'<div style="{_QUOTED}">{escape(shown)}</div>'
    else:
        alt = escape(f"{head}: teacher {says['teacher']}, student {says['student']}", quote=True)
        style = "image-rendering:pixelated;display:block"
        body = f'<img src="{_uri(shown)}" alt="{alt}" width="120" style="{style}">'
    width = 215 if isinstance(shown, str) else 170
    caption = f"<figcaption>{escape(head)}{lines}</figcaption>"
    return f'<figure style="margin:0;width:{width}px">{body}{caption}</figure>'


def _said(logits, names):
    p = torch.from_numpy(np.asarray(logits, float)).softmax(0)
    return f"{names[int(p.argmax())]} ({float(p.max()):.2f})"


def _uri(image):
    """A grey image, high as ink, or a colour image, as a data URI."""
    image = np.asarray(image, float)
    pixels = 1 - image if image.ndim == 2 else image
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * pixels.clip(0, 1)).astype(np.uint8)).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _shown(comparison, inputs):
    """What a reader looks at: for each sample an image from 0 to 1, or a text."""
    if comparison.show is not None:
        return [_checked(comparison.show(_single(one))) for one in inputs]
    if not inputs:
        return []
    if all(isinstance(one, torch.Tensor) and one.ndim == 4 and one.shape[1] in (1, 3) for one in inputs):
        pixels = torch.cat(list(inputs)).float()
        pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-12)
        return [image[0].numpy() if len(image) == 1 else image.permute(1, 2, 0).numpy() for image in pixels]
    if comparison.columns is not None:
        return _unusual(comparison, torch.cat(list(inputs)).double())
    return [_text(_single(one)) for one in inputs]


def _unusual(comparison, rows, most=6):
    """Of each row of a table the values furthest from the mean of those kept, in standard deviations."""
    kept = comparison.kept.tensor().double()
    away = (rows - kept.mean(0)) / kept.std(0, correction=0).clamp(min=1e-12)
    return [
        "\n".join(
            f"{comparison.columns[place]} {float(row[place]):.3g} ({float(far[place]):+.1f} sd)".replace(
                "-", "−"
            )
            for place in far.abs().argsort(descending=True)[:most].tolist()
        )
        for row, far in zip(rows, away, strict=True)
    ]


def _single(inputs):
    """One sample out of a batch of one."""
    if isinstance(inputs, dict):
        return {name: part[0] for name, part in inputs.items()}
    return tuple(part[0] for part in inputs) if isinstance(inputs, tuple) else inputs[0]


def _checked(shown):
    if isinstance(shown, str):
        return shown
    shown = np.asarray(shown, float)
    if shown.ndim not in (2, 3) or (shown.ndim == 3 and shown.shape[2] != 3):
        raise ValueError(
            "show must return a text, or an image (height, width) or (height, width, 3) from 0 to 1; got "
            f"shape {shown.shape}"
        )
    return shown


def _text(sample):
    if isinstance(sample, dict):
        return "; ".join(f"{name}: {_text(part)}" for name, part in sample.items())
    if isinstance(sample, tuple):
        return "; ".join(map(_text, sample))
    values = sample.flatten()[:24]
    numbers = ", ".join(f"{float(value):.3g}" for value in values)
    return numbers + (", …" if sample.numel() > len(values) else "")


def _images(comparison, inputs):
    """The samples as images, as the explorers draw them."""
    shown = _shown(comparison, inputs)
    if not shown or any(isinstance(one, str) for one in shown):
        raise ValueError(
            "this explorer draws images; pass kdviz.compare(show=...) that makes images of inputs"
        )
    return np.stack(shown)


def soft_targets(comparison, count=40, temperature=4.0):
    """The soft-target explorer of samples kept of every class."""
    kept, rows = comparison.kept, _spread(comparison, count)
    return SoftTargetExplorer.from_logits(
        _images(comparison, [kept.inputs[row] for row in rows]),
        _classes(comparison, rows),
        kept.stacked("teacher")[rows],
        kept.stacked("student")[rows],
        comparison.classes,
        temperature=temperature,
    )


def relations(comparison, count=SHOWN):
    """The relation explorer of samples kept of every class, at the last layer before the logits."""
    kept, rows = comparison.kept, _spread(comparison, count)
    _check_embeddings(comparison)
    teacher, student = (kept.stacked(name, "embeddings")[rows] for name in ("teacher", "student"))
    images = _images(comparison, [kept.inputs[row] for row in rows])
    labels = _classes(comparison, rows)
    return RelationExplorer.from_embeddings(images, labels, teacher, student, _short_names(comparison))


def _short_names(comparison):
    """The names of the classes, or their numbers where names would not fit beside a matrix."""
    fit = all(len(name) <= 8 for name in comparison.classes)
    return comparison.classes if fit else [str(number) for number in range(len(comparison.classes))]


def attribution(comparison, count=20, methods=None):
    """The attribution explorer of samples kept of every class."""
    rows = _spread(comparison, count)
    kept = [comparison.kept.inputs[row] for row in rows]
    models = comparison.models
    # Two label-only students say what seeds do; more would not fit beside each other.
    baselines = {name: models[name] for name in comparison.baselines[:2]}
    maps, targets = ask_all(models["teacher"], models["student"], torch.cat(kept), baselines, methods)
    labels = _classes(comparison, rows)
    return AttributionExplorer.from_maps(
        _images(comparison, kept), labels, targets.cpu(), maps, comparison.classes
    )


def _can_be_asked(comparison):
    """Whether all answers have gradients; those of scikit-learn's classifiers have none."""
    return all(any(True for _ in model.parameters()) for model in comparison.models.values())


def _spread(comparison, count):
    """Rows of the samples kept, as many of each class as there are to be had, sorted by class."""
    labels = _classes(comparison, range(len(comparison.kept)))
    rank = np.array([int((labels[:row] == label).sum()) for row, label in enumerate(labels)])
    chosen = np.lexsort((labels, rank))[:count]
    return chosen[np.lexsort((rank[chosen], labels[chosen]))]


def _classes(comparison, rows):
    """Labels; the teacher's answer where there is none."""
    kept = comparison.kept
    return np.array(
        [kept.labels[n] if kept.labels[n] >= 0 else int(kept.logits[n]["teacher"].argmax()) for n in rows]
    )


def _check_embeddings(comparison):
    if not comparison.kept.embeddings:
        raise ValueError("there are no layers to take embeddings from; one of the models has none")


def recall(comparison, most=20):
    """The share recognised of each class; of many classes those with the largest gaps."""
    table = comparison.per_class
    if len(table) > most:
        table = table.loc[table.gap.abs().sort_values(ascending=False).index[:most]]
    title = "Recognised of each class" + (", largest gaps first" if len(comparison.classes) > most else "")
    values = {name: table[name] for name in _few(comparison)}
    given = {"axis": "recognised (share)", "title": title, "baseline": _baseline(comparison)}
    return figures.class_bars(values, list(table.index), **given)


def reliability(comparison):
    """Bins with less than a half percent of the samples are left out: there a line would jump by chance."""
    tables = {name: calibration(comparison.tallies[name], comparison.labels)[1] for name in _few(comparison)}
    tables = {name: table[table[:, 2] >= 0.005 * table[:, 2].sum()] for name, table in tables.items()}
    title = "Are the networks as sure as they are right?"
    return figures.reliability(tables, title=title, baseline=_baseline(comparison))


def cka(comparison):
    title = "How alike the layers are (linear CKA, unbiased, pooled over places)"
    return figures.cka_map(
        comparison.cka, comparison.layers["teacher"], comparison.layers["student"], title=title
    )


def laid_upon(comparison, count=120):
    """The student's embeddings upon the teacher's, in the plane of the teacher's two largest directions."""
    rows = _spread(comparison, count)
    student, teacher = procrustes(*_embeddings(comparison, rows))
    _, _, directions = np.linalg.svd(teacher - teacher.mean(0), full_matrices=False)
    plane = directions[:2].T
    labels = [comparison.classes[label] for label in _classes(comparison, rows)]
    title = "The student's embeddings laid upon the teacher's"
    return figures.laid_upon(teacher @ plane, student @ plane, labels, title=title)


def _embeddings(comparison, rows):
    _check_embeddings(comparison)
    kept = comparison.kept
    return [kept.stacked(name, "embeddings")[rows] for name in ("student", "teacher")]


def _few(comparison):
    return ["teacher", "student", *comparison.baselines[:1]]


def _baseline(comparison):
    return next(iter(comparison.baselines), None)


FIGURES = (recall, reliability, cka, laid_upon)


def sections(comparison):
    """The parts of a report that can be drawn: heading, a sentence that reads it, and what draws it."""
    labelled = bool((comparison.labels >= 0).any())
    if labelled:
        yield "Each class by itself", comparison._about_classes(), recall
        yield "Calibration", _about_calibration(comparison), reliability
    yield "Where they differ most", _about_disagreements(comparison), gallery
    if comparison.cka is not None:
        yield "Layer by layer", comparison._about_layers(), cka
        yield "Embeddings", _about_embeddings(comparison), laid_upon
    if _are_images(comparison):
        yield "Soft targets", "Move the temperature; choose an image.", soft_targets
        if comparison.kept.embeddings:
            yield "Relations", _about_relations(comparison), relations
        if _can_be_asked(comparison) and len(comparison.kept) >= 5:
            yield "What they look at", "Choose a method and an image.", attribution


def _are_images(comparison):
    return not any(isinstance(one, str) for one in _shown(comparison, comparison.kept.inputs[:1]))


def _about_calibration(comparison):
    errors = [f"{name} {comparison.table.calibration_error[name]:.3f}" for name in _few(comparison)]
    return (
        "Calibration error, from 0 (best): "
        + ", ".join(errors)
        + ". Where a line is below the diagonal, the network is surer than it is right. Bins with less than "
        "0.5 % of the samples are left out."
    )


def _about_disagreements(comparison):
    theirs, ours, labels = (
        comparison.tallies["teacher"].answer,
        comparison.tallies["student"].answer,
        comparison.labels,
    )
    apart = theirs != ours
    text = f"Teacher and student answer differently on {int(apart.sum()):,} of {len(comparison):,} samples."
    known = apart & (labels >= 0)
    if not known.any():
        return text
    right = [float((answers[known] == labels[known]).mean()) for answers in (theirs, ours)]
    return f"{text} There the teacher is right on {right[0]:.0%}, the student on {right[1]:.0%}."


def _about_relations(comparison):
    text = "Which pairs do both find alike? Choose a cell."
    if _short_names(comparison) == comparison.classes:
        return text
    return (
        f"{text} The classes: " + ", ".join(f"{n} {name}" for n, name in enumerate(comparison.classes)) + "."
    )


def _about_embeddings(comparison):
    distance = procrustes_distance(*_embeddings(comparison, _spread(comparison, 120)))
    return (
        f"Turned, shifted and scaled as well as can be, the student's last layer before the logits is "
        f"{distance:.2f} from the teacher's (0 is the same, 2 the most). A short line joins a sample that "
        "both see alike."
    )
