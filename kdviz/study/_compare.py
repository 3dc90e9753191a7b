"""A teacher and a student of any make, on any data: what was transferred?"""

from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from kdviz.datasets.dataset import Dataset
from kdviz.measure.streamed_cka import StreamedCKA
from kdviz.models._cost import cost
from kdviz.study.comparison import Comparison
from kdviz.study.feeding import Feed, answer, as_model, call, rows_of
from kdviz.study.keep import Keeper
from kdviz.study.layers import check_layers, choose_layers, features, last_hidden
from kdviz.study.tally import Counting


def compare(
    teacher,
    student,
    data,
    *,
    baselines=(),
    layers=None,
    teacher_layers=None,
    classes=None,
    columns=None,
    show=None,
    batch_size=256,
    progress=True,
):
    """Compare a teacher with its student, and with students that never saw it, in one pass over the data.

    >>> comparison = kd.compare(teacher, student, loader, baselines=[label_only, another_seed])
    >>> print(comparison)
    >>> comparison.to_html("report.html")

    Batches come and go: of each sample a few numbers are kept, some two hundred samples whole, and of the
    layers only sums. So the memory does not grow with the width of the data, and hardly with its length.

    Parameters
    ----------
    teacher, student : torch.nn.Module, or a fitted scikit-learn classifier
        They may return a tensor, a tuple that begins with the logits, a dictionary with ``"logits"`` or an
        object with ``.logits``. They answer in eval mode and without gradient; their modes are put back.
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
        a table the values are told that are furthest from the mean.
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
    feed = Feed(data, batch_size, part="test")
    if isinstance(data, Dataset):
        classes = data.classes if classes is None else classes
        show = show or partial(_pixels, mean=data.mean.cpu())
    with _evaluating(models.values()), torch.no_grad():
        first = next((batch for batch in feed if len(batch)), None)
        if first is None:
            raise ValueError("the data gives no sample; with drop_last=True less than one batch gives none")
        count = _count_classes(models, first.inputs)
        paths = _paths(models, first.inputs, layers, teacher_layers)
        costs = {name: _cost(model, first.inputs) for name, model in models.items()}
        found = _pass(models, feed, paths, count, progress)
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
        baselines = {f"label-only {place}": model for place, model in enumerate(baselines, 1)}
    given = {"teacher": teacher, "student": student, **baselines}
    if len(given) < 2 + len(baselines):
        raise ValueError("a baseline must not be called 'teacher' or 'student'")
    return {name: as_model(model, name) for name, model in given.items()}


@contextmanager
def _evaluating(models):
    modes = [(module, module.training) for model in models for module in model.modules()]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _count_classes(models, inputs):
    some = rows_of(inputs, slice(2))
    counts = {name: answer(model, some, name).shape[1] for name, model in models.items()}
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
        self.model, self.inputs = model, inputs

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


def _pass(models, feed, paths, classes, progress):
    """One pass over the data."""
    counting = {name: Counting() for name in models}
    cka, keeper, labels, seen = StreamedCKA(), Keeper(classes), [], 0
    bar = tqdm(total=feed.total, unit=" samples", disable=not progress)
    with bar, ExitStack() as hooks:
        found = {n: hooks.enter_context(features(models[n], paths[n])) for n in ("teacher", "student")}
        for batch in feed:
            if not len(batch):
                continue
            logits = {name: _logits(model, batch, name) for name, model in models.items()}
            known = _labels(batch, classes)
            for name, values in logits.items():
                counting[name].add(values, logits["teacher"], known)
            if paths["student"]:
                _add_layers(cka, found, paths)
            keeper.add(batch, known, seen, logits, _last(found, paths))
            labels.append(known.numpy())
            seen += len(batch)
            bar.update(len(batch))
    return {
        "labels": np.concatenate(labels),
        "tallies": {name: each.tally() for name, each in counting.items()},
        "cka": cka.value() if paths["student"] and seen >= 4 else None,
        "kept": keeper.first,
        "disagreements": keeper.apart,
    }


def _logits(model, batch, name):
    logits = answer(model, batch.inputs, name).double().cpu()
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


def _add_layers(cka, found, paths):
    for name, layers in found.items():
        for path, values in layers.items():
            if not values.isfinite().all():
                raise ValueError(
                    f"layer {path!r} of the {name} gives NaN or infinity; leave it out, or look there first"
                )
    cka.add(*([found[name][path] for path in paths[name]] for name in ("teacher", "student")))


def _last(found, paths):
    """The embeddings: of both networks the last layer before the logits, where there is one."""
    if not paths["student"]:
        return None
    chosen = {name: last_hidden(paths[name]) for name in paths}
    return {name: found[name][path].detach().float().cpu() for name, path in chosen.items()}
