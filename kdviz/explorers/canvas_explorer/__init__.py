"""The canvas explorer: a reader places a digit, and networks name the class of every pixel."""

import traitlets
from torch import nn

from kdviz.datasets._canvases import BACKGROUND, CLASSES, DIGIT, INK, SIZE
from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.validation import (
    Index,
    check_count,
    checked_images,
    class_numbers,
    items,
    named,
)
from kdviz.explorers.wire import pack

MOST = SIZE - DIGIT


class Canvas(ImageExplorer):
    """What networks say of a canvas that the reader composes, pixel by pixel. Made by :func:`canvas`."""

    # Of each network its convolutions in order, with their weights as texts; the first is the teacher.
    networks = traitlets.Dict().tag(sync=True)
    size = traitlets.Int(SIZE).tag(sync=True)
    ink = traitlets.Float(INK).tag(sync=True)
    image = Index("images")
    across = traitlets.Int(MOST).tag(sync=True)
    down = traitlets.Int(MOST).tag(sync=True)
    student = traitlets.Unicode().tag(sync=True)

    @traitlets.validate("across", "down")
    def _check_place(self, proposal):
        return check_count(proposal.trait.name, proposal.value, 0, MOST)

    @traitlets.validate("student")
    def _check_student(self, proposal):
        students = list(self.networks)[1:]
        if students and proposal.value not in students:
            raise ValueError(f"student must be one of {', '.join(students)}; got {proposal.value!r}")
        return proposal.value

    def __repr__(self):
        return f"Canvas({len(self.images)} digits to place, {', '.join(self.networks)})"


def canvas(images, labels, teacher, students):
    """Place a digit beside another one, and see what teacher and student say of each pixel.

    A first digit lies in the upper left corner; the second one is the reader's, also upon the first. The
    networks answer in the browser at each move.

    Parameters
    ----------
    images : (n, 8, 8) or (n, 1, 8, 8), ink from 0 to 1
        The digits to choose from. The first of them is the one that lies there already.
    labels : (n,), the class of each
    teacher : torch.nn.Sequential
        Of ``Conv2d``, ``ReLU`` and ``PixelShuffle``, from (1, 16, 16) to (11, 16, 16): a network for
        :func:`kdviz.datasets.canvases`. Its weights are kept in half precision.
    students : such a network, or a dictionary of them by name

    Returns
    -------
    Canvas

    Examples
    --------
    >>> import torch
    >>> network = nn.Sequential(nn.Conv2d(1, 44, 5, stride=2, padding=2), nn.PixelShuffle(2))
    >>> canvas(torch.rand(2, 8, 8), [3, 7], network, {"untrained": network})
    Canvas(2 digits to place, teacher, untrained)
    """
    labels = items("labels", labels)
    images = checked_images(images, len(labels))
    if not labels or images.shape[1:] != (DIGIT, DIGIT):
        raise ValueError(f"images must be one digit at least, of shape (n, 8, 8); got {images.shape}")
    networks = {"teacher": teacher, **named(students)}
    if len(networks) < 1 + len(named(students)):
        raise ValueError("a student cannot be called 'teacher'; give it another name")
    return Canvas(
        classes=list(CLASSES),
        images=images,
        labels=[int(label) for label in class_numbers(labels, len(labels), BACKGROUND)],
        networks={name: _layers(name, network) for name, network in networks.items()},
        student=list(networks)[1],
        image=min(1, len(labels) - 1),
    )


def _layers(name, network):
    """The convolutions of a network, each with what follows it."""
    found = []
    for layer in network if isinstance(network, nn.Sequential) else [network]:
        if type(layer) is nn.Conv2d and layer.groups == 1 and layer.dilation == (1, 1):
            weights = pack(layer.weight.detach().cpu(), "float16")
            bias = layer.weight.new_zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
            step = {"stride": layer.stride[0], "padding": layer.padding[0], "rectified": False, "shuffle": 1}
            found.append({"weights": weights, "bias": pack(bias.cpu(), "float32"), **step})
        elif type(layer) is nn.ReLU and found:
            found[-1]["rectified"] = True
        elif type(layer) is nn.PixelShuffle and found:
            found[-1]["shuffle"] = layer.upscale_factor
        else:
            raise TypeError(
                f"{name!r} must be a torch.nn.Sequential of Conv2d, ReLU and PixelShuffle, beginning with a "
                f"Conv2d; got {type(layer).__name__}"
            )
    return found
