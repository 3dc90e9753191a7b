"""The attribution explorer: what teacher, student and label-only students look at in an image."""

import math

import numpy as np
import traitlets

from kdviz.explain import (
    compare_attributions,
    interval,
    methods_of,
    rank_correlation,
    strongest,
    top_overlap,
)
from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.selection import stratified_rows
from kdviz.explorers.validation import Index, array, check_count, check_data, checked_images, class_numbers
from kdviz.explorers.wire import pack

MOST_BYTES = 900_000


class AttributionExplorer(ImageExplorer):
    """What each network's answer rests on, image by image and method by method.

    Made by :func:`attribution` from models, or by :meth:`from_maps` from plain arrays. What a reader can
    set, Python can set and read: ``method`` (its number in ``methods``) and ``image``.
    """

    method = Index("methods")
    image = Index("labels")

    networks = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # The class that is asked about, the same for all networks.
    targets = traitlets.List(traitlets.Int()).tag(sync=True)
    # Each has a name; packed, by network, image, row and column, its maps, the largest of an image at 1, and
    # whether a pixel is one of the strongest; for all but the teacher how alike each image's map is to the
    # teacher's, or None; and the means over all images, with what to hold them against.
    methods = traitlets.List(traitlets.Dict()).tag(sync=True)
    top = traitlets.Int(1).tag(sync=True)

    @classmethod
    def from_maps(cls, images, labels, targets, maps, classes, top=None):
        """An explorer of attributions that are there already; no model is needed.

        Parameters
        ----------
        images : (n, height, width), (n, 1, height, width) or in colour (n, 3, height, width)
            Grey, from 0 (paper) to 1 (ink).
        labels, targets : (n,) the true classes, and those asked about
        maps : dict of method to dict of network to (n, height, width)
            The same networks for each method, the first of them the teacher, then the student.
        classes : C names
        top : how many pixels count as the strongest, by default a tenth
        """
        classes = [str(name) for name in classes]
        images = checked_images(images, len(images))
        networks = _networks(maps, images.shape[:3])
        top = max(1, math.prod(images.shape[1:3]) // 10) if top is None else top
        found = [_method(name, [each[network] for network in networks], top) for name, each in maps.items()]
        size = sum(len(method["maps"]) + len(method["tops"]) for method in found)
        if size > MOST_BYTES:
            raise ValueError(
                f"{len(images)} images would put {size / 1000:.0f} kB into the page, more than "
                f"{MOST_BYTES / 1000:.0f}; show at most {max(1, MOST_BYTES * len(images) // size)}"
            )
        return cls(
            images=images,
            labels=class_numbers(labels, len(images), len(classes)).tolist(),
            targets=class_numbers(targets, len(images), len(classes)).tolist(),
            classes=classes,
            networks=networks,
            methods=found,
            top=top,
        )

    def __repr__(self):
        names = ", ".join(method["name"] for method in self.methods)
        return f"AttributionExplorer({len(self.labels)} images; {', '.join(self.networks)}; {names})"


def attribution(teacher, student, data, *, baselines=(), methods=None, images=20, top=None):
    """Explore what teacher, student and label-only students look at in test images.

    All are asked about the class that the teacher answers. The images are the first of each class of the
    test part, as many of each. They are only looked at; nothing is trained or chosen on them.

    Parameters
    ----------
    teacher, student : torch.nn.Module
    data : Dataset
    baselines : students trained on labels alone, or a dictionary of them by name; best two of different seeds
    methods : names out of ``kdviz.explain.METHODS``
        By default all that work for these networks: Grad-CAM needs feature maps.
    images : int
    top : how many pixels count as the strongest, by default a tenth

    Returns
    -------
    AttributionExplorer
    """
    check_data(data)
    test = data.test
    images = check_count("images", images, 5, len(test))
    shown = test[stratified_rows(test.labels.numpy(), images)]
    maps, targets = ask_all(teacher, student, shown.inputs, baselines, methods, top)
    images = data.pixels(shown)
    return AttributionExplorer.from_maps(images, shown.labels, targets, maps, data.classes, top)


def ask_all(teacher, student, inputs, baselines=(), methods=None, top=None):
    """The maps by method and network, and the classes asked about."""
    maps, targets = {}, None
    if methods is None:
        others = baselines.values() if isinstance(baselines, dict) else baselines
        methods = methods_of([teacher, student, *others], inputs)
    for name in methods:
        found = compare_attributions(
            teacher, student, inputs, targets, baselines=baselines, method=name, top=top
        )
        maps[name.replace("_", " ").replace("grad cam", "Grad-CAM")], targets = found.maps, found.targets
    return maps, targets


def _networks(maps, shape):
    if not isinstance(maps, dict) or not maps or not all(isinstance(each, dict) for each in maps.values()):
        raise ValueError("maps must be a dict of method to dict of network to maps (n, height, width)")
    networks = [list(each) for each in maps.values()]
    if len(networks[0]) < 2 or any(names != networks[0] for names in networks):
        raise ValueError(
            f"each method needs the same networks in the same order, the teacher and at least one more; got "
            f"{networks}"
        )
    for name, each in maps.items():
        for network, values in each.items():
            found = array(f"{name} of {network}", values).shape
            if found != shape:
                raise ValueError(f"{name} of {network} must have the images' shape {shape}; got {found}")
    return networks[0]


def _method(name, maps, top):
    maps = [array(name, values) for values in maps]
    teacher, *others = maps
    ranks = [rank_correlation(teacher, each) for each in others]
    shared = [top_overlap(teacher, each, top) for each in others]
    elsewhere = np.roll(others[0], 1, 0)
    return {
        "name": name,
        "maps": pack([_of_largest(values) for values in maps], "int8"),
        "tops": pack([strongest(values, top) for values in maps], "uint1"),
        "ranks": [_plain(values) for values in ranks],
        "shared": [_plain(values) for values in shared],
        "mean_ranks": [_interval(values) for values in ranks],
        "mean_shared": [_interval(values) for values in shared],
        # Image by image, by how much the student is more like the teacher than the first baseline is.
        "gain": _interval(ranks[0] - ranks[1]) if len(ranks) > 1 else None,
        "elsewhere": [
            _interval(rank_correlation(teacher, elsewhere)),
            _interval(top_overlap(teacher, elsewhere, top)),
        ],
        "chance": top / maps[0][0].size,
    }


def _of_largest(maps):
    """Each map in units of its largest value."""
    largest = np.abs(maps).max((1, 2), keepdims=True)
    return maps / np.where(largest > 0, largest, 1)


def _plain(values):
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def _interval(values):
    return _plain(interval(values))
