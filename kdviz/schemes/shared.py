"""What schemes share: several students as one trace, who is teacher among them, and what is measured."""

from itertools import product

import torch

from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets
from kdviz.measure.predictions import accuracy, agreement
from kdviz.tracing import Trace, trace
from kdviz.training.batches import batches
from kdviz.training.loop import Run


def begin(student, lesson, objective, examine, *, steps=600, learning_rate=5e-3, record_every=None):
    """A run with the defaults of :func:`kdviz.distill`."""
    return Run(
        student,
        lesson,
        objective,
        steps=steps,
        learning_rate=learning_rate,
        record_every=record_every or max(1, steps // 20),
        examine=examine,
    )


def labels_and_soft_targets(objective, temperature):
    """The objective given, or the usual one: the labels and the teacher, each with weight 1."""
    return as_objective(CrossEntropy() + SoftTargets(temperature) if objective is None else objective)


def generator(data, seed):
    """A source of random numbers that belongs to the data's seed, or to the one given."""
    return torch.Generator().manual_seed(data.seed if seed is None else seed)


def rows_of(data, batch_size, seed):
    """Endless batches of rows of the transfer set, in the order that :func:`kdviz.distill` takes them."""
    return batches(len(data.transfer), batch_size, data.seed if seed is None else seed)


def check_reads_no_layers(objective, why):
    """Some teachers have nothing but logits."""
    if layers_of(objective):
        raise ValueError(f"{why}, but the objective reads {', '.join(layers_of(objective))}")


def layers_of(objective):
    """The layers to trace where students are teachers too."""
    return tuple(dict.fromkeys(objective.student_layers + objective.teacher_layers))


def together(traces):
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
    features = {path: _stacked([one.features[path] for one in traces]) for path in traces[0].features}
    return Trace(_stacked([one.logits for one in traces]), features)


def _stacked(values):
    return torch.stack(values).unsqueeze(1)


def heads(model, inputs, layers):
    """The heads of one network as students: (heads, 1, N, ...); a layer is looked up in each head."""
    paths = [f"{head}.{layer}" for head, layer in product(model.heads, ("logits", *layers))]
    seen = trace(model, inputs, paths).features
    return together(
        Trace(seen[f"{head}.logits"], {layer: seen[f"{head}.{layer}"] for layer in layers})
        for head in model.heads
    )


def mapped(function, *traces):
    """A trace made from the logits of others, and its features from theirs in the same way."""
    features = {path: function(*(one.features[path] for one in traces)) for path in traces[0].features}
    return Trace(function(*(one.logits for one in traces)), features)


def detached(trace):
    """What was said, as a teacher says it: no gradient goes back through it."""
    return mapped(torch.Tensor.detach, trace)


def others(trace):
    """The teachers of each student: all the other students, (students, students - 1, N, ...)."""
    count = len(trace)
    rows = torch.tensor([[other for other in range(count) if other != own] for own in range(count)])
    return mapped(lambda values: values.detach()[:, 0][rows], trace)


def last_teaches(student, data, objective, batch_size, seed, training):
    """A run in which the last head of a network teaches all its heads: to itself it says nothing new."""
    rows, samples, layers = rows_of(data, batch_size, seed), data.transfer, layers_of(objective)

    def lesson(student, step):
        batch = next(rows)
        seen = heads(student, samples.inputs[batch], layers)
        return seen, mapped(lambda values: values.detach()[-1:], seen), samples.labels[batch]

    return begin(student, lesson, objective, heads_exam(data), **training)


def exam(data):
    """Examine one student: its validation accuracy."""

    def examine(student):
        return {"accuracy": accuracy(_answers(student, data), data.validation.labels)}

    return examine


def group_exam(data):
    """Examine several: their mean accuracy, each one's, that of their ensemble, and how far they agree."""
    labels = data.validation.labels

    def examine(students):
        said = torch.stack([_answers(student, data) for student in students])
        each = [accuracy(logits, labels) for logits in said]
        pairs = [agreement(one, other) for place, one in enumerate(said) for other in said[:place]]
        return {
            "accuracy": sum(each) / len(each),
            **{f"accuracy_{place}": value for place, value in enumerate(each)},
            "ensemble_accuracy": accuracy(said.softmax(-1).mean(0), labels),
            "agreement": sum(pairs) / len(pairs),
        }

    return examine


def heads_exam(data):
    """Examine the heads of one network: the last one's accuracy, and each one's by name."""

    @torch.no_grad()
    def examine(student):
        said = heads(student, data.validation.inputs, ()).logits[:, 0]
        each = [accuracy(logits, data.validation.labels) for logits in said]
        return {"accuracy": each[-1], **dict(zip(student.heads, each, strict=True))}

    return examine


@torch.no_grad()
def _answers(student, data):
    return trace(student, data.validation.inputs).logits
