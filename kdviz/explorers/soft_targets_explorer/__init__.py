"""The soft-target explorer: teacher and student on one image, at any temperature."""

import numpy as np
import torch
import traitlets

from kdviz.explorers.base import ImageExplorer
from kdviz.explorers.selection import best_start, logits_of, mask_true_class, most_informative
from kdviz.explorers.validation import (
    Index,
    array,
    check_count,
    check_data,
    check_index,
    checked_images,
    class_numbers,
)
from kdviz.explorers.wire import Array
from kdviz.losses.response import permute_dark_knowledge

LOWEST, HIGHEST = 0.5, 100.0


class SoftTargetExplorer(ImageExplorer):
    """Teacher's and student's probabilities for one image, as the temperature moves.

    Made by :func:`soft_targets` from two models, or by :meth:`from_logits` from plain arrays. What a
    reader can set, Python can set and read: ``temperature``, ``index`` (the image), ``class_index``
    (the class written out in the formula), ``log_scale`` and ``permuted``.
    """

    temperature = traitlets.Float(4.0).tag(sync=True)
    index = Index("labels")
    class_index = Index("classes")
    log_scale = traitlets.Bool(False).tag(sync=True)
    permuted = traitlets.Bool(False).tag(sync=True)

    teacher_logits = Array("float64").tag(sync=True)
    student_logits = Array("float64").tag(sync=True)
    # Row n, column c: the class whose teacher's logit class c takes when n is permuted.
    permutations = Array("uint16", 65535).tag(sync=True)
    # In place of images.
    texts = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # What the Reset button goes back to.
    defaults = traitlets.Dict().tag(sync=True)

    @classmethod
    def from_logits(
        cls, images, labels, teacher_logits, student_logits, classes, *, index=0, temperature=4.0
    ):
        """An explorer of logits that are there already; no model is needed.

        Parameters
        ----------
        images : (n, height, width), (n, 1, height, width) or in colour (n, 3, height, width)
            Grey, from 0 (paper) to 1 (ink). Or a list of n texts.
        labels : (n,) the true classes, 0 to C - 1
        teacher_logits, student_logits : (n, C)
        classes : C names
        index : int
            The image to begin with.
        temperature : float
            The temperature to begin with, from 0.5 to 100.
        """
        classes = [str(name) for name in classes]
        teacher = _logits("teacher_logits", teacher_logits, classes)
        student = _logits("student_logits", student_logits, classes)
        if student.shape != teacher.shape:
            raise ValueError(
                f"teacher_logits {teacher.shape} and student_logits {student.shape} must have the same "
                "shape; pass both models the same images"
            )
        labels = class_numbers(labels, *teacher.shape)
        texts = images if isinstance(images, list) and all(isinstance(one, str) for one in images) else []
        if texts and len(texts) != len(teacher):
            raise ValueError(
                f"there must be {len(teacher)} texts, one for each row of logits; got {len(texts)}"
            )
        images = np.zeros((len(teacher), 0, 0)) if texts else checked_images(images, len(teacher))
        check_index("index", index, len(teacher))
        start = {
            "temperature": _checked_temperature(temperature),
            "index": int(index),
            "class_index": int(mask_true_class(teacher, labels)[index].argmax()),
            "log_scale": False,
            "permuted": False,
        }
        return cls(
            images=images,
            texts=texts,
            labels=labels.tolist(),
            classes=classes,
            teacher_logits=teacher,
            student_logits=student,
            permutations=_permutations(labels, len(classes)),
            defaults=start,
            **start,
        )

    @traitlets.validate("temperature")
    def _check_temperature(self, proposal):
        return _checked_temperature(proposal.value)

    def __repr__(self):
        samples = f"{len(self.labels)} {'texts' if self.texts else 'images'}"
        return f"SoftTargetExplorer({samples}, {len(self.classes)} classes, temperature={self.temperature:g})"


def soft_targets(teacher, student, data, count=40, temperature=4.0):
    """Explore what a teacher and a student say about test images, at any temperature.

    The images are chosen by a fixed rule: of each class alike, those on which the teacher gives most
    to a wrong class. It starts with the one among them that has the most to show although the teacher
    is right. The images are only looked at; nothing is trained or chosen on them.

    Parameters
    ----------
    teacher, student : torch.nn.Module
        Any two models that take ``data.test.inputs``. Their train or eval mode is left as it was.
    data : Dataset
    count : int
        How many images to choose from.
    temperature : float
        The temperature to begin with, from 0.5 to 100.

    Returns
    -------
    SoftTargetExplorer
    """
    check_data(data)
    test = data.test
    count, labels = check_count("count", count, 1, len(test), of="test images"), test.labels.numpy()
    teacher_logits = logits_of(teacher, test.inputs)
    rows = most_informative(teacher_logits, labels, count)
    return SoftTargetExplorer.from_logits(
        data.pixels(test.inputs[rows]),
        labels[rows],
        teacher_logits[rows],
        logits_of(student, test.inputs)[rows],
        data.classes,
        index=best_start(teacher_logits[rows], labels[rows]),
        temperature=temperature,
    )


def _permutations(labels, classes):
    # The library's own control, applied to the class numbers, says which logit goes where.
    numbers = torch.arange(classes).repeat(len(labels), 1)
    return permute_dark_knowledge(numbers, torch.from_numpy(labels)).numpy()


def _logits(name, values, classes):
    values = array(name, values)
    if len(classes) < 2:
        raise ValueError(f"classes must name two classes or more; got {classes}")
    if values.ndim != 2 or len(values) == 0 or values.shape[1] != len(classes):
        raise ValueError(
            f"{name} must have shape (images, {len(classes)}), a column for each of the "
            f"{len(classes)} classes; got {values.shape}"
        )
    return values


def _checked_temperature(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not LOWEST <= value <= HIGHEST:
        raise ValueError(
            f"temperature must be a number from {LOWEST:g} to {HIGHEST:g}, as on the slider; got {value!r}"
        )
    return float(value)
