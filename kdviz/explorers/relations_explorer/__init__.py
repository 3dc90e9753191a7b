"""The relation explorer: how similar a teacher and its students find the same pairs of images."""

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
    check_index,
    checked_images,
    class_numbers,
    named,
)
from kdviz.explorers.wire import pack
from kdviz.losses.relation import angle_relation, distance_relation, similarity_preserving
from kdviz.losses.relation._relational import relative_distances
from kdviz.losses.relation.relations import gram, unit, vectors
from kdviz.tracing import answer, check_model

MOST = 200


class RelationExplorer(ImageExplorer):
    """Similarity matrices of teacher and student, and the triangle that three images form in both.

    Made by :func:`relations` from models, or by :meth:`from_embeddings` from plain arrays. What a reader
    can set, Python can set and read: ``student`` (its number in ``students``) and ``corners``, the three
    images of the triangle.
    """

    student = Index("students")
    corners = traitlets.List(traitlets.Int(), default_value=[0, 1, 2]).tag(sync=True)

    students = traitlets.List(traitlets.Unicode()).tag(sync=True)
    # The teacher's, then each student's: the pairs (0, 1), (0, 2), ... (1, 2), ..., packed. Distances are in
    # units of their mean.
    cosines = traitlets.Unicode().tag(sync=True)
    distances = traitlets.Unicode().tag(sync=True)
    # What kdviz.losses says of all these images, for each student.
    losses = traitlets.List(traitlets.Dict()).tag(sync=True)

    @classmethod
    def from_embeddings(cls, images, labels, teacher, students, classes):
        """An explorer of embeddings that are there already; no model is needed.

        Parameters
        ----------
        images : (n, height, width), (n, 1, height, width) or in colour (n, 3, height, width)
            Grey, from 0 (paper) to 1 (ink).
        labels : (n,) the true classes, 0 to C - 1
        teacher : (n, D)
        students : dict of name to (n, D'), or one array
        classes : C names
        """
        classes = [str(name) for name in classes]
        teacher = _embeddings("the teacher's embeddings", teacher)
        students = {
            name: _embeddings(f"the embeddings of {name!r}", values, len(teacher))
            for name, values in named(students).items()
        }
        labels = class_numbers(labels, len(teacher), len(classes))
        images = checked_images(images, len(teacher))
        # Sorted by class, so that the classes are blocks of the matrices.
        order = np.argsort(labels, kind="stable")
        every = [torch.from_numpy(values[order]) for values in (teacher, *students.values())]
        cosines = [gram(unit(values)).clamp(-1, 1).numpy() for values in every]
        distances = [relative_distances(values, "paper").numpy() for values in every]
        furthest = max(float(table.max()) for table in distances) or 1.0
        pairs = np.triu_indices(len(order), 1)
        return cls(
            images=images[order],
            labels=labels[order].tolist(),
            classes=classes,
            students=list(students),
            cosines=pack([table[pairs] for table in cosines], "int16"),
            distances=pack([table[pairs] for table in distances], "uint16", furthest),
            losses=[_losses(student, every[0]) for student in every[1:]],
            corners=_most_different(cosines[1] - cosines[0], labels[order]),
        )

    @traitlets.validate("corners")
    def _check_corners(self, proposal):
        if len(proposal.value) != 3:
            raise ValueError(f"corners must be three images; got {proposal.value}")
        return [check_index("each of the corners", corner, len(self.labels)) for corner in proposal.value]

    def __repr__(self):
        return f"RelationExplorer({len(self.labels)} images, students: {', '.join(self.students)})"


def relations(teacher, students, data, layer, *, teacher_layer=None, samples=60):
    """Explore how a teacher and its students relate test images to each other in one layer.

    The matrices hold the cosine of each pair of images, sorted by class. A chosen cell shows its two
    images; with a third one they are the corners of a triangle, drawn from the distances in both networks,
    with the terms of relational knowledge distillation (RKD) that it adds. The images are the first of each
    class of the test part, as many of each. They are only looked at; nothing is trained or chosen on them.

    Parameters
    ----------
    teacher : torch.nn.Module
    students : torch.nn.Module, or a dict of name to torch.nn.Module
        Several students are shown one at a time, by name.
    data : Dataset
    layer : str
        The path of the layer, as in ``model.named_modules()``. Maps are flattened.
    teacher_layer : str, default ``layer``
    samples : int
        How many images, from 3 to 200; with 60, a cell can still be pointed at.

    Returns
    -------
    RelationExplorer
    """
    check_data(data)
    test = data.test
    samples = check_count("samples", samples, 3, min(MOST, len(test)))
    shown = test[stratified_rows(test.labels.numpy(), samples)]
    return RelationExplorer.from_embeddings(
        data.pixels(shown),
        shown.labels,
        _embedded("the teacher", teacher, shown.inputs, teacher_layer or layer),
        {name: _embedded(name, each, shown.inputs, layer) for name, each in named(students).items()},
        data.classes,
    )


def _embedded(name, model, inputs, layer):
    check_model(name, model)
    return vectors(answer(model, inputs, [layer]), layer)


def _embeddings(name, values, count=None):
    values = array(name, values)
    if values.ndim != 2 or len(values) < 3 or (count is not None and len(values) != count):
        expected = "at least 3" if count is None else f"{count}, as the teacher's"
        raise ValueError(
            f"{name} must have shape (images, width), the number of images {expected}; got {values.shape}"
        )
    return values


def _losses(student, teacher):
    """The losses over all images; those of RKD as means over distinct images, as a triangle's terms are."""
    return {
        "similarity": float(similarity_preserving(student, teacher)),
        "distance": float(distance_relation(student, teacher, form="paper")),
        "angle": float(angle_relation(student, teacher, form="paper")),
    }


def _most_different(difference, labels):
    """The pair about which teacher and student differ most, and one more image of the first one's class."""
    first, second = np.unravel_index(np.abs(np.triu(difference, 1)).argmax(), difference.shape)
    others = [row for row in range(len(labels)) if row not in (first, second)]
    third = next((row for row in others if labels[row] == labels[first]), others[0])
    return [int(first), int(second), int(third)]
