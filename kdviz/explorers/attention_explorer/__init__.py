"""The attention explorer: where teacher and students are active in an image, and how their layers flow."""

from itertools import pairwise

import numpy as np
import torch
import traitlets

from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.selection import stratified_rows
from kdviz.explorers.validation import (
    Index,
    array,
    check_count,
    check_data,
    checked_images,
    class_numbers,
    items,
    named,
)
from kdviz.explorers.wire import pack
from kdviz.losses.feature import attention_map, attention_transfer
from kdviz.losses.relation import flow_of_solution
from kdviz.losses.relation._flow_of_solution import flow
from kdviz.tracing import answer, check_model

MOST_BYTES = 600_000


class AttentionExplorer(ImageExplorer):
    """Attention maps, and the flow between layers, of a teacher and its students, image by image.

    Made by :func:`attention` from models, or by :meth:`from_features` from plain arrays. What a reader can
    set, Python can set and read: ``picture`` (its number in ``pictures``) and ``image``.
    """

    picture = Index("pictures")
    image = Index("labels")

    students = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # First the attention maps, then the flows. Each has its name and kind, the names of a column and a row,
    # for each network (the teacher first) a matrix for every image, packed, and for each student the loss of
    # every image, or None where kdviz.losses has none.
    pictures = traitlets.List(traitlets.Dict()).tag(sync=True)

    @classmethod
    def from_features(cls, images, labels, teacher, students, classes):
        """An explorer of feature maps that are there already; no model is needed.

        Parameters
        ----------
        images : (n, height, width), (n, 1, height, width) or in colour (n, 3, height, width)
            Grey, from 0 (paper) to 1 (ink).
        labels : (n,) the true classes, 0 to C - 1
        teacher : dict of layer to (n, C, H, W), from the first layer to the last
        students : dict of name to such a dict, or one such dict
            Its layers are compared with the teacher's in their order; they may have other names.
        classes : C names
        """
        classes = [str(name) for name in classes]
        if isinstance(students, dict) and any(isinstance(each, dict) for each in students.values()):
            students = named(students)
        else:
            students = {"student": students}
        images = checked_images(images, len(images))
        teacher = _maps("the teacher", teacher, len(images))
        students = {name: _maps(name, each, len(images)) for name, each in students.items()}
        _check_pairs(teacher, students)
        pictures = _attention_pictures(teacher, students) + _flow_pictures(teacher, students)
        _check_size(pictures, len(images))
        return cls(
            images=images,
            labels=class_numbers(labels, len(images), len(classes)).tolist(),
            classes=classes,
            students=list(students),
            pictures=pictures,
        )

    def __repr__(self):
        names = ", ".join(picture["name"] for picture in self.pictures)
        return f"AttentionExplorer({len(self.labels)} images; students: {', '.join(self.students)}; {names})"


def attention(teacher, students, data, layers, *, teacher_layers=None, images=20):
    """Explore where a teacher and its students are active in an image, and how their layers flow.

    The attention map of a layer is the sum over its channels of the squared activations, as a vector of
    length 1: what attention transfer compares. The flow between two layers is the matrix of inner products
    of their channels: what FSP compares. With one layer, it is the layer's Gram matrix. The images are the
    first of each class of the test part, as many of each. They are only looked at; nothing is trained or
    chosen on them.

    Parameters
    ----------
    teacher : torch.nn.Module
        A network with feature maps, for example ``kdviz.models.convnet``.
    students : torch.nn.Module, or a dict of name to torch.nn.Module
        All are shown side by side, so four are many.
    data : Dataset
    layers : str, or a sequence of str
        The students' layers, from the first to the last; they must give maps, so come before the pooling.
    teacher_layers : as ``layers``, by which it is replaced if it is left out
    images : int

    Returns
    -------
    AttentionExplorer
    """
    check_data(data)
    test = data.test
    images = check_count("images", images, 1, len(test), of="test images")
    layers, teacher_layers = _paths(layers), _paths(teacher_layers or layers)
    shown = test[stratified_rows(test.labels.numpy(), images)]
    return AttentionExplorer.from_features(
        data.pixels(shown),
        shown.labels,
        _features("the teacher", teacher, shown.inputs, teacher_layers),
        {name: _features(name, each, shown.inputs, layers) for name, each in named(students).items()},
        data.classes,
    )


def _paths(layers):
    layers = [layers] if isinstance(layers, str) else items("layers", layers, "paths")
    if not layers or not all(isinstance(path, str) for path in layers) or len(set(layers)) < len(layers):
        raise ValueError(
            f"layers must be the path of a layer or several different ones, "
            f"for example ['activation1', 'activation2']; got {layers}"
        )
    return layers


def _features(name, model, inputs, layers):
    check_model(name, model)
    found = answer(model, inputs, layers).features
    return {path: found[path] for path in layers}


def _maps(who, features, count):
    if not isinstance(features, dict) or not features:
        raise ValueError(f"{who} must be a dict of layer to feature maps; got {features!r}")
    checked = {}
    for layer, values in features.items():
        values = array(f"layer {layer!r} of {who}", values)
        if values.ndim != 4 or len(values) != count:
            raise ValueError(
                f"layer {layer!r} of {who} must give feature maps of shape ({count}, channels, height, "
                f"width); it gives {values.shape}. Name a layer before the pooling"
            )
        checked[layer] = torch.from_numpy(values)
    return checked


def _check_pairs(teacher, students):
    for name, layers in students.items():
        if len(layers) != len(teacher):
            raise ValueError(
                f"{name} must have as many layers as the teacher, each to be compared with one; got "
                f"{list(layers)} for the teacher's {list(teacher)}"
            )
        for (ours, mine), (theirs, other) in zip(layers.items(), teacher.items(), strict=True):
            if mine.shape[-2:] != other.shape[-2:]:
                raise ValueError(
                    f"layer {ours!r} of {name} has maps of {tuple(mine.shape[-2:])} and the teacher's "
                    f"{theirs!r} of {tuple(other.shape[-2:])}; choose layers of the same height and width"
                )


def _check_size(pictures, images):
    size = sum(len(matrices) for picture in pictures for matrices in picture["networks"])
    if size > MOST_BYTES:
        raise ValueError(
            f"{images} images would put {size / 1000:.0f} kB into the page, more than "
            f"{MOST_BYTES / 1000:.0f}; ask for at most {max(1, MOST_BYTES * images // size)} images, or for "
            "fewer layers or students"
        )


def _attention_pictures(teacher, students):
    pictures = []
    for number, theirs in enumerate(teacher.values()):
        ours = [list(layers.values())[number] for layers in students.values()]
        pictures.append(
            {
                "kind": "attention",
                "name": _layer_names(teacher, students)[number],
                "axes": ["column #", "row #"],
                "networks": [_matrices(_squares(maps)) for maps in (theirs, *ours)],
                "losses": [_image_by_image(attention_transfer, maps, theirs) for maps in ours],
            }
        )
    return pictures


def _flow_pictures(teacher, students):
    names = _layer_names(teacher, students)
    networks = [list(layers.values()) for layers in (teacher, *students.values())]
    pictures = []
    for first, second in list(pairwise(range(len(names)))) or [(0, 0)]:
        pair = [(maps[first], maps[second]) for maps in networks]
        theirs, *ours = pair
        pictures.append(
            {
                "kind": "flow",
                "name": f"{names[first]} → {names[second]}",
                "axes": [f"channel # of {names[second]}", f"channel # of {names[first]}"],
                "networks": [_matrices(flow(*maps, "paper")) for maps in pair],
                "losses": [
                    _image_by_image(flow_of_solution, *maps, *theirs) if _same_widths(maps, theirs) else None
                    for maps in ours
                ],
            }
        )
    return pictures


def _layer_names(teacher, students):
    """The layers of the first student, and the teacher's where they have another name."""
    ours = next(iter(students.values()))
    return [
        mine if mine == other else f"{mine} (teacher: {other})"
        for mine, other in zip(ours, teacher, strict=True)
    ]


def _same_widths(ours, theirs):
    """Whether the channels are as many, as the FSP loss needs them."""
    return all(mine.shape[1] == other.shape[1] for mine, other in zip(ours, theirs, strict=True))


def _squares(maps):
    return attention_map(maps).unflatten(-1, maps.shape[-2:])


def _image_by_image(loss, *features):
    """The loss of each image alone."""
    count = len(features[0])
    return [float(loss(*(each[image : image + 1] for each in features))) for image in range(count)]


def _matrices(values):
    """One matrix for each image, packed."""
    values = values.numpy()
    return pack(values, "int16", float(np.abs(values).max()) or 1.0)
