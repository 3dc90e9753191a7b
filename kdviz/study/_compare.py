"""A teacher and a student of any make, on any data: what was transferred?"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from kdviz.datasets.dataset import Dataset
from kdviz.measure.streamed_cka import StreamedCKA
from kdviz.models._cost import cost
from kdviz.study.batches import BatchSource
from kdviz.study.models import outputs_of as class_logits
from kdviz.study.comparison import Comparison
from kdviz.study.layers import check_layers, choose_layers, last_hidden, pooled_features
from kdviz.study.predictions import Collector
from kdviz.study.sample_buffer import SampleBuffer
from kdviz.study.sandbox import random_state_kept
from kdviz.study.models import as_model
from kdviz.tracing import call, device_of, evaluating, rows_of, to_device


def compare(
    teacher,
    student,
    data,
    *,
    baselines: Sequence | Mapping = (),
    layers: Sequence[str] | None = None,
    teacher_layers: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    show: Callable | None = None,
    batch_size: int = 256,
    progress: bool = True,
) -> Comparison:
    """Compare a teacher with its student, and with students that never saw it, in one pass over the data.

    >>> import kdviz as kd
    >>> digits, teacher = kd.datasets.digits(labels=50), kd.models.mlp(64, 32, 10)
    >>> student, label_only = kd.models.mlp(64, 8, 10, seed=1), kd.models.mlp(64, 8, 10, seed=2)
    >>> comparison = kd.compare(teacher, student, digits, baselines=[label_only], progress=False)
    >>> len(comparison), list(comparison.table.index), list(comparison.table)[:3]
    (397, ['teacher', 'student', 'label-only 1'], ['accuracy', 'agreement', 'kl'])

    Print it, or write all of it as a page: ``comparison.to_html("report.html")``.

    Batches come and go: of each sample a few numbers are kept, some two hundred samples whole, and of the
    layers only sums. So the memory does not grow with the width of the data, and hardly with its length.

    Parameters
    ----------
    teacher, student : torch.nn.Module, or a fitted scikit-learn classifier
        They may return a tensor, a tuple that begins with the logits, a dictionary with ``"logits"`` or an
        object with ``.logits``. They answer in eval mode and without gradient, each with its own copy of a
        batch; modes, hooks and random generators are afterwards as before, also after an error.
    data : DataLoader, torch Dataset, tensors (inputs, labels), or a kdviz data set (its test part)
        Best samples on which nobody was trained. Labels may be missing, or -1.
    baselines : models, or a dictionary of them by name
        Students trained on labels alone; two of different seeds show what seeds do.
    layers, teacher_layers : sequences of paths
        Layers for the CKA; by default up to eight of each, chosen evenly. [] leaves them out.
    classes : names of the classes
    columns : names of a table's columns
    show : function
        Makes of one input what a reader can look at: an image (height, width) or (height, width, 3) from 0
        to 1, or a text. By default grey and colour images are stretched to their own range, and of a row of
        a table the values furthest from the mean are listed.
    batch_size : int
        Where ``data`` is not a loader.
    progress : bool
        Show a bar that counts the samples.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        No samples, unequal classes, logits or features that are not finite, labels out of range, a layer
        that is not there or runs more than once.
    """
    models = _models(teacher, student, baselines)
    source = BatchSource(data, batch_size, part="test")
    if isinstance(data, Dataset):
        classes = data.classes if classes is None else classes
        show = show or partial(_pixels, mean=data.mean.cpu())
    with evaluating(*models.values()), torch.no_grad(), random_state_kept(*source.generators):
        first = next(iter(source), None)
        if first is None:
            raise ValueError("the data gives no sample; with drop_last=True less than one batch gives none")
        count = _count_classes(models, first.inputs)
        paths = _paths(models, first.inputs, layers, teacher_layers)
        costs = {name: _cost(model, first.inputs) for name, model in models.items()}
        found = _pass(models, source, paths, count, progress)
    return Comparison(
        models=models,
        classes=_class_names(classes, count),
        columns=_column_names(columns, first.inputs),
        costs=costs,
        layers=paths,
        show=show,
        **found,
    )


def _pixels(inputs, mean):
    """An image of a kdviz data set as it was before the mean was subtracted."""
    pixels = (inputs + mean).clamp(0, 1)
    return pixels.permute(1, 2, 0).numpy() if len(pixels) == 3 else pixels[0].numpy()


def _models(teacher, student, baselines):
    if not isinstance(baselines, Mapping):
        baselines = {f"label-only {number}": model for number, model in enumerate(baselines, 1)}
    given = {"teacher": teacher, "student": student, **baselines}
    if len(given) < 2 + len(baselines):
        raise ValueError("a baseline must not be called 'teacher' or 'student'")
    return {name: as_model(model, name) for name, model in given.items()}


def _count_classes(models, inputs):
    some = rows_of(inputs, slice(2))
    counts = {name: class_logits(model, some, name).shape[1] for name, model in models.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            "all models must answer with the same classes; there are "
            + ", ".join(f"{number} for {name}" for name, number in counts.items())
            + ". Of a larger model keep the columns of your classes"
        )
    return counts["teacher"]


def _class_names(classes, count):
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"classes must name the {count} classes of the models; got {len(names)} names")
    return names


def _column_names(columns, inputs):
    """Names for the columns of a table; None where the inputs are none."""
    if not (isinstance(inputs, torch.Tensor) and inputs.ndim == 2 and inputs.is_floating_point()):
        if columns is not None:
            raise ValueError("columns are for tables: inputs of shape (samples, columns)")
        return None
    width = inputs.shape[1]
    names = [f"column {n}" for n in range(width)] if columns is None else [str(name) for name in columns]
    if len(names) != width:
        raise ValueError(f"columns must name the {width} columns of the inputs; got {len(names)} names")
    return names


def _paths(models, inputs, layers, teacher_layers):
    """The layers of teacher and student; none where a model has none that can be compared."""
    wanted = {"teacher": layers if teacher_layers is None else teacher_layers, "student": layers}
    paths = {}
    for name, chosen in wanted.items():
        if chosen is None:
            paths[name] = choose_layers(models[name], inputs)
        else:
            paths[name] = list(chosen)
            check_layers(models[name], rows_of(inputs, slice(8)), paths[name], name)
    return paths if all(paths.values()) else {"teacher": [], "student": []}


class _Bound(torch.nn.Module):
    """A model with its inputs, which may have several parts, as a module of one tensor."""

    def __init__(self, model, inputs):
        super().__init__()
        self.model, self.inputs = model, to_device(inputs, device_of(model))

    def forward(self, nothing):
        return call(self.model, self.inputs)


def _cost(model, inputs):
    # torch's shortcut for encoder layers in eval mode hides their matrix products from the count.
    shortcut = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        return cost(_Bound(model, rows_of(inputs, slice(1))), torch.zeros(1))
    finally:
        torch.backends.mha.set_fastpath_enabled(shortcut)


def _pass(models, source, paths, classes, progress):
    """One pass over the data."""
    collector, buffer, cka, every_label = Collector(), SampleBuffer(classes), StreamedCKA(), []
    bar = tqdm(total=source.total, unit=" samples", disable=not progress)
    with bar, ExitStack() as hooks:
        features = {name: hooks.enter_context(pooled_features(models[name], paths[name])) for name in paths}
        count = 0
        for batch in source:
            logits = {name: _logits(model, batch, name) for name, model in models.items()}
            labels = _labels(batch, classes)
            predictions = collector.add(logits, labels)
            if paths["student"]:
                _add_layers(cka, features, paths)
            buffer.add(batch, labels.numpy(), count, logits, _embeddings(features, paths), predictions)
            every_label.append(labels.numpy())
            count += len(batch)
            bar.update(len(batch))
    return {
        "labels": np.concatenate(every_label),
        "predictions": collector.predictions(),
        "cka": cka.value() if paths["student"] and count >= 4 else None,
        "samples": buffer.samples,
        "disagreements": buffer.disagreements,
    }


def _logits(model, batch, name):
    logits = class_logits(model, batch.inputs, name).double().cpu()
    bad = int((~logits.isfinite().all(1)).sum())
    if bad:
        raise ValueError(
            f"{name} answers {bad} of {len(logits)} samples of a batch with NaN or infinity; kdviz.diagnose "
            "names the layer where it begins"
        )
    return logits


def _labels(batch, classes):
    if batch.labels is None:
        return torch.full((len(batch),), -1)
    labels = batch.labels.cpu().clamp(min=-1)
    if int(labels.max()) >= classes:
        raise ValueError(f"labels must be from 0 to {classes - 1}, or -1; got {int(labels.max())}")
    return labels


def _add_layers(cka, features, paths):
    for name, layers in features.items():
        for path, values in layers.items():
            if not values.isfinite().all():
                raise ValueError(
                    f"layer {path!r} of the {name} gives NaN or infinity; leave it out, or look there first"
                )
    cka.add(*([features[name][path] for path in paths[name]] for name in ("teacher", "student")))


def _embeddings(features, paths):
    """Of both networks the last layer before the logits, where there is one."""
    chosen = {name: last_hidden(layers) for name, layers in paths.items() if layers}
    return {name: features[name][path].float().cpu() for name, path in chosen.items()}
