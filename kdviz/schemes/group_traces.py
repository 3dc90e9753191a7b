"""Several students as one trace, (students, 1, N, ...), and who is whose teacher among them."""

from itertools import product

import torch

from kdviz.schemes.objectives import layers_of
from kdviz.tracing import Trace, trace
from kdviz.training.lesson import Lesson


class GroupLesson(Lesson):
    """A lesson of students that are each other's teachers: every layer read is traced in all of them.

    ``student_traces`` gives the group's trace on some rows, ``teachers_of`` its teachers': by default what
    the group says itself, without a gradient.
    """

    def begin(self, run):
        super().begin(run)
        self.layers = layers_of(run.objective)

    def traces(self, students, rows):
        group = self.student_traces(students, rows)
        return group, self.teachers_of(group, rows)

    def student_traces(self, students, rows):
        return together(self.student_trace(student, rows, self.layers) for student in students)

    def teachers_of(self, group, rows):
        return detached(group)


class HeadsLesson(GroupLesson):
    """A lesson of the heads of one network. By default the last teaches all, itself nothing new."""

    def student_traces(self, student, rows):
        seen = trace(student, self.inputs(rows), head_paths(student.heads, self.layers))
        return by_head(student.heads, self.layers, seen)

    def teachers_of(self, group, rows):
        return map_trace(lambda values: values.detach()[-1:], group)


def together(traces) -> Trace:
    """The traces of several students as one: logits (students, 1, N, C), features likewise."""
    traces = list(traces)
    shapes = {path: {one.features[path].shape for one in traces} for path in traces[0].features}
    for path, found in {"logits": {one.logits.shape for one in traces}, **shapes}.items():
        if len(found) > 1:
            raise ValueError(
                f"students that learn together must give {path} of one shape; got "
                f"{', '.join(str(tuple(shape)) for shape in sorted(found))}. Networks of unequal widths can "
                "learn from each other's logits, in an objective that reads no layers"
            )
    return map_trace(lambda *each: torch.stack(each).unsqueeze(1), *traces)


def head_paths(heads, layers=()):
    """The layers to trace so that each head gives its logits and the layers named."""
    return [f"{head}.{layer}" for head, layer in product(heads, ("logits", *layers))]


def by_head(heads, layers, seen) -> Trace:
    """The trace of a network, at :func:`head_paths`, as one of its heads: (heads, 1, N, ...)."""
    return together(
        Trace(seen.features[f"{head}.logits"], {layer: seen.features[f"{head}.{layer}"] for layer in layers})
        for head in heads
    )


def map_trace(function, *traces) -> Trace:
    """A trace made from the logits of others, and its features from theirs in the same way."""
    features = {path: function(*(one.features[path] for one in traces)) for path in traces[0].features}
    return Trace(function(*(one.logits for one in traces)), features)


def detached(trace) -> Trace:
    """A trace as a teacher's: no gradient goes back through it."""
    return map_trace(torch.Tensor.detach, trace)


def others(trace) -> Trace:
    """The teachers of each student: all the other students, (students, students - 1, N, ...)."""
    count = len(trace.logits)
    rows = torch.tensor([[other for other in range(count) if other != own] for own in range(count)])
    return map_trace(lambda values: values.detach()[:, 0][rows], trace)
