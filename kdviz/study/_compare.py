"""A teacher and students of any make, on any data: what was transferred?"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

import numpy as np
import torch
from tqdm import tqdm

from kdviz.datasets.dataset import Dataset
from kdviz.inputs.kinds import kind_of, scored
from kdviz.inputs.models import as_model, outputs_of
from kdviz.losses.checks import check_whole
from kdviz.measure.answers import KINDS
from kdviz.measure.streamed_cka import StreamedCKA
from kdviz.study._layers import check_layers, choose_layers, last_hidden, pooled_features
from kdviz.study.comparison import Comparison
from kdviz.study.costs import cost_of
from kdviz.study.origin import origin_of
from kdviz.study.predictions import Collector
from kdviz.study.sample_buffer import SampleBuffer
from kdviz.study.sandbox import random_state_kept
from kdviz.study.several_inputs import source_of
from kdviz.tracing import evaluating, rows_of

# Logits of a model at a time: of long texts and large pictures fewer samples are asked about at once.
_LOGITS_AT_ONCE = 2**25
_LARGEST_BATCH = 2**31 - 1


def compare(
    teacher,
    student=None,
    data=None,
    *,
    students: Mapping | Sequence | None = None,
    baselines: Sequence | Mapping = (),
    layers: Sequence[str] | None = None,
    teacher_layers: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    show: Callable | None = None,
    sample_rate: int | None = None,
    logits: int | str | Callable | None = None,
    answers: str | None = None,
    batch_size: int = 256,
    progress: bool = True,
) -> Comparison:
    """Compare a teacher with its students, and with students that never saw it, in one pass over the data.

    >>> import kdviz as kd
    >>> digits, teacher = kd.datasets.digits(labels=50), kd.models.mlp(64, 32, 10)
    >>> student, label_only = kd.models.mlp(64, 8, 10, seed=1), kd.models.mlp(64, 8, 10, seed=2)
    >>> comparison = kd.compare(teacher, student, digits, baselines=[label_only], progress=False)
    >>> len(comparison), list(comparison.table.index), list(comparison.table)[:3]
    (397, ['teacher', 'student', 'label-only 1'], ['accuracy', 'agreement', 'kl'])

    Print it, or write all of it as a page: ``comparison.to_html("report.html")``.

    Batches come and go: of each target a few numbers are kept, some two hundred samples whole, and of the
    layers only sums. So the memory does not grow with the width of the data, and hardly with its length. Of
    texts and maps of pixels two million positions are kept at most, drawn at random.

    Parameters
    ----------
    teacher, student : torch.nn.Module, fitted scikit-learn model, exported file (.onnx, .pt2, TorchScript),
        onnxruntime session, function of inputs, or logits (N, ...) in the order of the data
        They may return a tensor, a tuple that begins with the logits, a dictionary with ``"logits"`` or
        ``"out"``, or an object with ``.logits``. They answer in eval mode and without gradient, each with its
        own copy of a batch in its own precision; modes, hooks and random generators are afterwards as before,
        also after an error.
    data : DataLoader, torch Dataset, tensors (inputs, labels), a pandas table, or a kdviz data set
        Of a kdviz data set the test part. Best samples on which nobody was trained.
        Labels may be missing, -1 or -100.
    students : models by name, in place of ``student``
        A list under a name holds the seeds of one student: ``{"kd": [s0, s1, s2], "hint": [h0, h1, h2]}``.
        Intervals over seeds are then told beside those over samples.
    baselines : models, or a dictionary of them by name, of several seeds as lists
        Students trained on labels alone; two of different seeds show what seeds do.
    layers, teacher_layers : sequences of paths
        Layers for the CKA, as :func:`kdviz.layers` lists them; by default up to eight of each, blocks where
        there are any. [] leaves them out.
    classes : names of the classes, of several labels, or of the numbers
    columns : names of a table's columns
    show : function, or a tokenizer with ``decode``
        Makes of one input what a reader can look at: an image (height, width) or (height, width, 3) from 0
        to 1, or a text. By default grey and colour images are stretched to their own range, of a row of
        a table the values furthest from the mean are listed, and long rows of one channel are drawn as waves.
    sample_rate : samples a second of inputs that are sound, which can then be played
    logits : int, str or function
        Which part of what the models return holds the logits, where that is not plain: the number of an
        entry, the name of a key, or a function of the output.
    answers : {"classes", "binary", "labels", "numbers", "tokens", "pixels"}
        What the outputs are, where their shape and that of the labels do not tell.
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
    TypeError
        Data, models or labels of a kind that cannot be compared, and what they should be.
    """
    _check(batch_size, answers, layers=layers, teacher_layers=teacher_layers, classes=classes)
    source = source_of(_given("data", data), batch_size, part="test")
    groups, models = _models(teacher, student, students, baselines, source.columns)
    main = groups["students"][next(iter(groups["students"]))][0]
    if isinstance(data, Dataset):
        classes = data.classes if classes is None else classes
        if isinstance(data.test.inputs, torch.Tensor):
            show = show or partial(_pixels, mean=data.mean.cpu())
    compared = {"teacher": models["teacher"], "student": models[main]}
    with evaluating(*models.values()), torch.no_grad(), random_state_kept(*source.generators):
        first = next(iter(source), None)
        if first is None:
            raise ValueError("the data gives no sample; with drop_last=True less than one batch gives none")
        kind, count, at_once = _kind(models, first, logits, answers)
        paths = _paths(compared, first.inputs, layers, teacher_layers, logits)
        costs = {name: cost_of(model, first.inputs, models["teacher"]) for name, model in models.items()}
        batches = (piece for batch in source for piece in batch.pieces(at_once))
        found = _pass(models, main, source.total, batches, paths, kind, count, progress, logits)
    return Comparison(
        models=models,
        kind=kind,
        groups=groups,
        classes=_class_names(classes, count),
        columns=_column_names(columns, source.columns, first.inputs),
        costs={name: counted for name, (counted, _) in costs.items()},
        uncounted={name: reasons for name, (_, reasons) in costs.items() if reasons},
        layers=paths,
        show=show,
        sample_rate=sample_rate,
        pick=logits,
        origin=origin_of(models, source, found["samples"]),
        **found,
    )


def _given(name, value):
    if value is None:
        raise TypeError(f"pass {name}=: the samples to compare on, best such as nobody was trained on")
    return value


def _pixels(inputs, mean):
    """An image of a kdviz data set as it was before the mean was subtracted."""
    pixels = (inputs + mean).clamp(0, 1)
    return pixels.permute(1, 2, 0).numpy() if len(pixels) == 3 else pixels[0].numpy()


def _models(teacher, student, students, baselines, columns):
    """The names of the models of each group, and all models by name."""
    if (student is None) == (students is None):
        raise TypeError("pass one student, or students={name: model, or a list of its seeds}")
    students = {"student": student} if students is None else students
    groups = {"students": _grouped(students, "student"), "baselines": _grouped(baselines, "label-only")}
    models, names = {"teacher": teacher}, {"students": {}, "baselines": {}}
    for role, each in groups.items():
        for group, seeds in each.items():
            members = [group] if len(seeds) == 1 else [f"{group}, seed {n}" for n in range(len(seeds))]
            taken = [name for name in (group, *members) if name in models]
            if taken:
                raise ValueError(
                    f"a {'baseline' if role == 'baselines' else 'student'} must not be called {taken[0]!r}: "
                    "another model has that name"
                )
            names[role][group] = members
            models |= dict(zip(members, seeds, strict=True))
    return names, {name: as_model(model, name, columns) for name, model in models.items()}


def _grouped(given, default):
    """Models by name, of each a list of its seeds."""
    if not isinstance(given, Mapping):
        given = given if isinstance(given, (list, tuple)) else [given]
        given = {f"{default} {number}": model for number, model in enumerate(given, 1)}
    found = {
        str(name): list(each) if isinstance(each, (list, tuple)) else [each] for name, each in given.items()
    }
    empty = [name for name, seeds in found.items() if not seeds]
    if empty or (default == "student" and not found):
        raise ValueError(f"there is no model for {empty[0]!r}" if empty else "there is no student")
    return found


def _kind(models, first, pick, declared):
    """The kind of the answers, how many classes or numbers there are, and how many samples to ask at once."""
    some = first.head(2)
    outputs = {name: outputs_of(model, some, name, pick) for name, model in models.items()}
    # Two samples may look as if they had labels of another kind.
    kind = kind_of(first, outputs_of(models["teacher"], first, "teacher", pick), declared)
    counts = {name: tuple(values.shape[1:]) for name, values in outputs.items()}
    if len(set(counts.values())) > 1:
        told = {name: shape[0] if len(shape) == 1 else shape for name, shape in counts.items()}
        raise ValueError(
            "all models must answer with the same classes; there are "
            + ", ".join(f"{number} for {name}" for name, number in told.items())
            + ". Of a larger model keep the columns of your classes; bring maps of pixels to one size"
        )
    table = kind.positions(outputs["teacher"])
    count = table.shape[1] if kind.name in ("labels", "numbers") else table.shape[2]
    return kind, count, max(1, _LOGITS_AT_ONCE // table[0].numel())


def _class_names(classes, count):
    names = [str(name) for name in (range(count) if classes is None else classes)]
    if len(names) != count:
        raise ValueError(f"classes must name the {count} classes of the models; got {len(names)} names")
    return names


def _column_names(columns, table, inputs):
    """Names for the columns of a table; None where the inputs are none."""
    if not (isinstance(inputs, torch.Tensor) and inputs.ndim == 2 and inputs.is_floating_point()):
        if columns is not None:
            raise ValueError("columns are for tables: inputs of shape (samples, columns)")
        return None
    width = inputs.shape[1]
    columns = table.names if columns is None and table is not None else columns
    names = [f"column {n}" for n in range(width)] if columns is None else [str(name) for name in columns]
    if len(names) != width:
        raise ValueError(f"columns must name the {width} columns of the inputs; got {len(names)} names")
    return names


def _paths(models, inputs, layers, teacher_layers, pick):
    """The layers of teacher and student; none where a model has none that can be compared."""
    wanted = {"teacher": layers if teacher_layers is None else teacher_layers, "student": layers}
    paths = {}
    for name, chosen in wanted.items():
        if chosen is None:
            paths[name] = choose_layers(models[name], inputs, pick=pick)
        else:
            paths[name] = list(chosen)
            check_layers(models[name], rows_of(inputs, slice(8)), paths[name], name, pick)
    return paths if all(paths.values()) else {"teacher": [], "student": []}


def _pass(models, main, total, batches, paths, kind, classes, progress, pick):
    """One pass over the data."""
    own_class = kind.name in ("classes", "binary")
    collector, cka = Collector(kind, total), StreamedCKA()
    buffer = SampleBuffer(classes if own_class else 1, main)
    bar = tqdm(total=total, unit=" samples", disable=not progress)
    with bar, ExitStack() as hooks:
        compared = {"teacher": models["teacher"], "student": models[main]}
        features = {name: hooks.enter_context(pooled_features(compared[name], paths[name])) for name in paths}
        start = 0
        for batch in batches:
            for each in features.values():
                each.mask = batch.mask
            outputs = {name: _outputs(model, batch, name, kind, pick) for name, model in models.items()}
            labels = kind.targets(None if batch.labels is None else batch.labels.cpu(), outputs["teacher"])
            targets, found = collector.add(outputs, labels, scored(kind, batch, outputs["teacher"]))
            if paths["student"]:
                _add_layers(cka, features, paths)
            known = _known(kind, outputs, labels, _embeddings(features, paths))
            if own_class:
                chosen = np.where(known["labels"] >= 0, known["labels"], found["teacher"].answer)
            else:
                chosen = np.zeros(len(batch), int)
            apart = _apart(kind, targets, found["teacher"], found[main], start, len(batch))
            buffer.add(batch, start, chosen, apart, known)
            start += len(batch)
            bar.update(len(batch))
    every = collector.targets()
    return {
        "samples_seen": start,
        "targets": every,
        "share": 1.0 if collector.share is None else collector.share,
        "predictions": collector.predictions(),
        "cka": cka.value() if paths["student"] and start >= 4 else None,
        "samples": buffer.samples,
        "disagreements": buffer.disagreements,
    }


def _outputs(model, batch, name, kind, pick):
    found = outputs_of(model, batch, name, pick).cpu()
    # A class that is masked has the logit -inf.
    fine = found.isfinite() | (found.isneginf() & (not kind.has_numbers))
    bad = int((~fine.flatten(1).all(1) | (kind.positions(found).isneginf().all(2).any(1))).sum())
    if bad:
        raise ValueError(
            f"{name} answers {bad} of {len(found)} samples of a batch with NaN or infinity; kdviz.diagnose "
            "names the layer where it begins"
        )
    return found


def _known(kind, outputs, labels, embeddings):
    """What is kept of samples, by name."""
    if kind.is_dense:
        targets = {name: kind.positions(values).argmax(2).int().numpy() for name, values in outputs.items()}
        targets["label"] = labels.int().numpy()
        return {
            "labels": np.full(len(labels), -1),
            "logits": {},
            "embeddings": embeddings,
            "targets": targets,
        }
    tables = {name: kind.positions(values) for name, values in outputs.items()}
    single = kind.name in ("classes", "binary")
    logits = {name: (table[:, 0] if single else table[:, :, -1]).double() for name, table in tables.items()}
    return {
        "labels": labels[:, 0].numpy() if single else np.full(len(labels), -1),
        "logits": logits,
        "embeddings": embeddings,
        "targets": {} if single else {"label": labels.numpy()},
    }


def _apart(kind, targets, theirs, ours, start, count):
    """How far teacher and student are apart on each sample: 0 where they answer alike."""
    if kind.has_numbers:
        apart = np.abs(theirs.value - ours.value)
    else:
        apart = np.where(theirs.answer == ours.answer, 0, ours.kl)
    sample = targets.sample - start
    return np.bincount(sample, apart, count) / np.maximum(np.bincount(sample, minlength=count), 1)


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


def _check(batch_size, answers, **names):
    check_whole("batch_size", batch_size, 1)
    if batch_size > _LARGEST_BATCH:
        raise ValueError(f"batch_size must be at most {_LARGEST_BATCH:,}; got {batch_size!r}")
    if answers is not None and (not isinstance(answers, str) or answers not in KINDS):
        raise ValueError(f"answers must be one of {', '.join(map(repr, KINDS))}; got {answers!r}")
    for name, given in names.items():
        listed = isinstance(given, Iterator) or (
            isinstance(given, Iterable) and all(isinstance(one, Hashable) for one in given)
        )
        if given is not None and not listed:
            raise TypeError(f"{name} must be a list of names; got {given!r:.80}")
