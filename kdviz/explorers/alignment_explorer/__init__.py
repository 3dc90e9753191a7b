"""The alignment explorer: the student's features moving onto the teacher's, layer by layer."""

import math

import numpy as np
import torch
import traitlets

from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.validation import Index, check_data, checked_images, is_whole, items
from kdviz.explorers.wire import pack
from kdviz.measure.similarity import (
    KERNELS,
    as_samples,
    cka_map,
    neighbours,
    procrustes,
    shared,
    tsne_places,
)
from kdviz.tracing import answer
from kdviz.training.loop import Run

VIEWS = ("pca", "tsne")
NEAR = 6
LEAST_POINTS = 20
# A coordinate on the picture in 10 bits: finer than a pixel on any screen that the picture is seen on.
COORDINATE = "uint10"


class AlignmentExplorer(ImageExplorer):
    """The (unbiased) CKA of layers, and both embeddings on shared axes, along recorded trainings.

    Made by :func:`alignment` from a teacher and runs, or by :meth:`from_features` from plain arrays. What a
    reader can set, Python can set and read: ``run`` and ``snapshot``, ``teacher_layer`` and
    ``student_layer`` (all by number), ``view`` ("pca" or "tsne"), ``kernel`` ("linear" or "rbf") and
    ``point`` (the image).
    """

    run = Index("runs")
    snapshot = Index("steps")
    teacher_layer = Index("teacher_layers")
    student_layer = Index("student_layers")
    view = traitlets.Enum(VIEWS, "pca").tag(sync=True)
    kernel = traitlets.Enum(KERNELS, "linear").tag(sync=True)
    point = Index("labels")

    runs = traitlets.List(traitlets.Unicode()).tag(sync=True)
    steps = traitlets.List(traitlets.Int()).tag(sync=True)
    teacher_layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    student_layers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # By layer of the teacher: the fraction of its variance along each of the two axes of "pca".
    variance = traitlets.List().tag(sync=True)
    # By layer of the teacher, layer of the student: by run and snapshot the CKA ("linear" and "rbf"; None
    # where it is not defined), the distance after Procrustes, the fraction of neighbours in common; by view
    # the points (x, y), packed, as fractions of a box [left, bottom, width, height].
    pairs = traitlets.List().tag(sync=True)
    # Rows of the nearest images, packed; the teacher's by layer, the student's by run and layer.
    near = traitlets.Int(NEAR).tag(sync=True)
    teacher_near = traitlets.List().tag(sync=True)
    student_near = traitlets.List().tag(sync=True)
    # What the Reset button goes back to.
    defaults = traitlets.Dict().tag(sync=True)

    @classmethod
    def from_features(cls, images, labels, classes, teacher, students, steps):
        """An explorer of features that are there already; no model is needed.

        Parameters
        ----------
        images : (n, height, width), (n, 1, height, width) or in colour (n, 3, height, width)
            Grey, from 0 (paper) to 1 (ink).
        labels : (n,) the true classes, 0 to C - 1
        classes : C names
        teacher : dictionary from layer to features (n, ...), from input to output
        students : dictionary from the name of a training to its snapshots
            Each snapshot is a dictionary from layer to features (n, ...) as ``teacher``.
        steps : the training step of each snapshot
        """
        order, labels = _by_class(labels, classes)
        images = checked_images(images, len(labels))[order]
        teacher = _ordered(teacher, order, "the teacher")
        students = {
            name: [_ordered(one, order, repr(name)) for one in snapshots]
            for name, snapshots in students.items()
        }
        layers = _same_layers(students, steps)
        known = [_Axes(features) for features in teacher.values()]
        ways = [[[one[layer] for one in run] for layer in layers] for run in students.values()]
        near = [[[neighbours(one, NEAR) for one in way] for way in run] for run in ways]
        t, s = _last_hidden(known), _last_hidden(layers)
        start = {
            "run": 0,
            "snapshot": 0,
            "teacher_layer": t,
            "student_layer": s,
            "view": "pca",
            "kernel": "linear",
            "point": _most_changed(known[t].near, near[0][s]),
        }
        row = f"uint{(len(labels) - 1).bit_length()}"
        return cls(
            images=images,
            labels=labels.tolist(),
            classes=[str(name) for name in classes],
            runs=list(students),
            steps=[int(step) for step in steps],
            teacher_layers=list(teacher),
            student_layers=layers,
            variance=[_plain(axes.variance) for axes in known],
            pairs=_pairs(known, ways, near),
            teacher_near=[_rows(axes.near, row) for axes in known],
            student_near=[[_rows(lists, row) for lists in run] for run in near],
            defaults=start,
            **start,
        )

    def __repr__(self):
        runs, shown = ", ".join(self.runs), f"{len(self.labels)} images, {len(self.steps)} snapshots"
        return f"AlignmentExplorer({runs}; {shown})"


def alignment(
    teacher,
    runs,
    data,
    *,
    layers=("activation1", "logits"),
    student_layers=None,
    points=300,
    snapshots=41,
):
    """Explore how a student's features move onto the teacher's, under one loss or several.

    >>> kd.explorers.alignment(teacher, {
    ...     "hard labels": kd.train(student, digits),
    ...     "soft targets": kd.distill(teacher, student, digits, kd.SoftTargets(temperature=4)),
    ... }, digits)

    The runs are trained here, to their end, and the student is looked at on its way, on images that nobody
    trains on. Of both networks the same images are shown, from the test part and then from the validation
    part; nothing is chosen on them.

    Parameters
    ----------
    teacher : torch.nn.Module
    runs : dictionary from names to Runs that have not begun
        All with the same ``steps`` and ``record_every``: a student is looked at when a run makes a record.
    data : Dataset
    layers : the teacher's layers to compare, from input to output
    student_layers : the student's; by default of the same names
    points : how many images
    snapshots : the most moments to keep of a run, the untrained student being the first

    Returns
    -------
    AlignmentExplorer
    """
    _check_runs(runs)
    check_data(data)
    layers = items("layers", layers, "paths")
    inputs, labels = _held_out(data, points)
    if not isinstance(snapshots, int) or snapshots < 2:
        raise ValueError(f"snapshots must be a whole number from 2 up; got {snapshots!r}")
    student_layers = tuple(student_layers or layers)
    known = answer(teacher, inputs, tuple(layers)).features
    seen, steps = {}, None
    for name, run in runs.items():
        steps, seen[name] = _followed(run, inputs, student_layers, snapshots)
    return AlignmentExplorer.from_features(data.pixels(inputs), labels, data.classes, known, seen, steps)


def _check_runs(runs):
    if not isinstance(runs, dict) or not runs:
        raise TypeError(f'runs must be a dictionary such as {{"soft targets": run}}; got {runs!r}')
    for name, run in runs.items():
        if not isinstance(run, Run):
            raise TypeError(f"{name!r} must be a run, as kdviz.distill or kdviz.train return it; got {run!r}")
        if run.step:
            raise ValueError(
                f"{name!r} is at step {run.step} already, so its way cannot be seen any more; make a new run"
            )
    if len({(run.steps, run.record_every) for run in runs.values()}) > 1:
        told = ", ".join(f"{name!r} {run.steps} and {run.record_every}" for name, run in runs.items())
        raise ValueError(f"all runs must have the same steps and record_every; they have: {told}")


def _held_out(data, points):
    parts = (data.test, data.validation)
    most = sum(map(len, parts))
    if not is_whole(points) or not LEAST_POINTS <= points <= most:
        raise ValueError(
            f"points must be a whole number from {LEAST_POINTS} to {most}, the number of test and validation "
            f"images; got {points!r}"
        )
    inputs, labels = (torch.cat([getattr(part, name) for part in parts]) for name in ("inputs", "labels"))
    return inputs[:points], labels[:points]


def _followed(run, inputs, layers, most):
    """The steps and the features at the start and after every so many records, at most so often."""
    every = math.ceil(math.ceil(run.steps / run.record_every) / (most - 1))
    steps, seen = [0], [answer(run.student, inputs, layers).features]
    for number, record in enumerate(run, start=1):
        if number % every == 0 or record.step == run.steps:
            steps.append(record.step)
            seen.append(answer(run.student, inputs, layers).features)
    return steps, seen


def _by_class(labels, classes):
    """The order by class, in which the arrow keys go through the images, and the labels in it."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or len(labels) < LEAST_POINTS:
        raise ValueError(f"labels must be {LEAST_POINTS} or more class numbers; got shape {labels.shape}")
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(classes):
        raise ValueError(f"labels must be whole numbers from 0 to {len(classes) - 1}; got {labels}")
    order = np.argsort(labels, kind="stable")
    return order, labels[order]


def _ordered(features, order, whose):
    """Features in the order shown, checked to have one row for each image."""
    if not isinstance(features, dict) or not features:
        raise TypeError(f"the features of {whose} must be a dictionary from layers; got {features!r}")
    ordered = {}
    for layer, values in features.items():
        (samples,) = as_samples(values)
        if len(samples) != len(order):
            raise ValueError(
                f"layer {layer!r} of {whose} has {len(samples)} rows; there are {len(order)} images"
            )
        if samples.shape[1] < 2:
            raise ValueError(f"layer {layer!r} of {whose} has a single unit; a picture needs two or more")
        if not np.ptp(samples, axis=0).any():
            raise ValueError(f"layer {layer!r} of {whose} says the same of all images; are its units dead?")
        ordered[layer] = samples[order]
    return ordered


def _same_layers(seen, steps):
    if not seen or len(steps) < 2:
        raise ValueError("there must be at least one training, with two snapshots or more")
    layers = list(next(iter(seen.values()))[0])
    for name, snapshots in seen.items():
        if len(snapshots) != len(steps) or any(list(one) != layers for one in snapshots):
            raise ValueError(
                f"{name!r} must have {len(steps)} snapshots, one a step, each with the layers {layers}"
            )
    return layers


def _last_hidden(layers):
    """The number of the layer to begin with: the one before the logits, where there is one."""
    return max(0, len(layers) - 2)


def _most_changed(known, lists):
    """The image that has gained most neighbours in common with the teacher at the end of a training."""
    first, last = ((known[:, :, None] == lists[end][:, None]).sum((1, 2)) for end in (0, -1))
    return int((last - first).argmax())


def _pairs(known, ways, near):
    """What is shown of each layer of the teacher with each of the student, by run and snapshot."""
    features = [axes.features for axes in known]
    similarity = {
        kernel: [[cka_map(features, way, kernel) for way in run] for run in ways] for kernel in KERNELS
    }

    def pair(t, s):
        return {
            **{kernel: [_plain(run[s][t]) for run in found] for kernel, found in similarity.items()},
            "overlaps": [_plain([shared(known[t].near, one) for one in run[s]]) for run in near],
            **known[t].aligned([run[s] for run in ways]),
        }

    return [[pair(t, s) for s in range(len(ways[0]))] for t in range(len(known))]


class _Axes:
    """A layer of the teacher with its two pairs of axes; the student's features are turned onto them."""

    def __init__(self, features):
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE

        self.features = features
        self.near = neighbours(features, NEAR)
        _, standard = procrustes(features, features)
        self.pca = PCA(2, svd_solver="full").fit(standard)
        self.variance = self.pca.explained_variance_ratio_
        tsne = TSNE(2, perplexity=min(30, len(features) // 4), init="pca", random_state=0)
        self.points = {"pca": self.pca.transform(standard), "tsne": tsne.fit_transform(standard)}

    def aligned(self, ways):
        """The distances and the points of a layer of the student, by run."""
        found = [[self._align(student) for student in way] for way in ways]
        boxed = {
            view: _boxed(self.points[view], [[one[view] for one in way] for way in found]) for view in VIEWS
        }
        return {"distances": [_plain([one["distance"] for one in way]) for way in found], **boxed}

    def _align(self, student):
        turned, standard = procrustes(student, self.features)
        return {
            "distance": np.square(turned - standard).sum(1).mean(),
            # A student wider than the teacher also reaches directions that the teacher does not have.
            "pca": self.pca.transform(turned[:, : self.features.shape[1]]),
            "tsne": tsne_places(turned, standard, self.points["tsne"]),
        }


def _boxed(teacher, students):
    """The points of the teacher and of each run's snapshots, packed as fractions of a box around all."""
    every = np.concatenate([[teacher], *students])
    low, high = every.min((0, 1)), every.max((0, 1))

    def boxed(points):
        return pack((np.asarray(points) - low) / np.maximum(high - low, 1e-9), COORDINATE)

    return {
        "box": _plain([*low, *(high - low)]),
        "teacher": boxed(teacher),
        "students": [boxed(way) for way in students],
    }


def _rows(numbers, dtype):
    """Row numbers, packed in as many bits as they need."""
    return pack(numbers, dtype, 2 ** int(dtype.removeprefix("uint")) - 1)


def _plain(numbers):
    """As JSON holds them: three decimals, and None for NaN."""
    return [None if np.isnan(number) else round(float(number), 3) for number in numbers]
