"""What is measured at each record, on the validation samples: of one student, of several, of heads."""

from collections import Counter
from collections.abc import Callable

import torch

from kdviz.datasets.dataset import Dataset
from kdviz.inputs.batches import BatchSource
from kdviz.inputs.kinds import kind_of, scored, targets
from kdviz.inputs.models import outputs_of
from kdviz.inputs.seeded import draws_of
from kdviz.measure.predictions import accuracy, agreement
from kdviz.schemes.group_traces import by_head, head_paths
from kdviz.schemes.own_data import check_alike, unchanged
from kdviz.tracing import answer


def evaluate_student(data: Dataset, teacher_logits: torch.Tensor | None = None) -> Callable:
    """For one student: its accuracy, and how often it agrees with a teacher that answered."""

    def evaluate(student):
        logits = answer(student, data.validation.inputs).logits
        measures = {"accuracy": accuracy(logits, data.validation.labels)}
        if teacher_logits is not None:
            measures["agreement"] = agreement(logits, teacher_logits)
        return measures

    return evaluate


def evaluate_batches(validation, teacher=None, pick=None, declared=None) -> Callable:
    """For one student on any data, batch by batch: right answers, and those that are a teacher's.

    Of numbers, the mean distance to the labels and to the teacher's.
    """
    source = BatchSource(validation, part="validation")
    theirs = []

    def evaluate(student):
        # Where the order is always the same, a teacher has to be asked only once.
        known, sums, kind = list(theirs) if source.in_order else [], Counter(), None
        with draws_of(source, 0), torch.no_grad():
            for number, batch in enumerate(source):
                outputs = outputs_of(student, batch, "the student", pick)
                kind = kind or kind_of(batch, outputs, declared)
                spots, labels = scored(kind, batch, outputs), targets(kind, batch, outputs)
                said, labels = _said(kind, outputs)[spots], labels[spots]
                if teacher is not None and number == len(known):
                    with unchanged(teacher):
                        given = outputs_of(teacher, batch, "the teacher", pick)
                    check_alike(kind, outputs, given)
                    known.append(_said(kind, given.to(outputs.device))[spots])
                _count(kind, sums, said, labels, known[number] if teacher is not None else None)
        theirs[:] = known
        return _means(kind, sums)

    return evaluate


def _said(kind, outputs):
    """What is compared: the class at each position, or the number."""
    table = kind.positions(outputs)
    return table[..., 0].double() if kind.has_numbers else table.argmax(-1)


def _count(kind, sums, said, labels, theirs):
    for name, other in (("label", labels), ("teacher", theirs)):
        if other is None:
            continue
        if kind.has_numbers:
            known, apart = ~other.isnan(), (said - other).abs()
        else:
            known, apart = other >= 0, (said == other).double()
        sums[name] += float(apart[known].sum())
        sums[f"{name} count"] += int(known.sum())


def _means(kind, sums):
    numbers = {"label": "absolute_error", "teacher": "distance"}
    names = numbers if kind and kind.has_numbers else {"label": "accuracy", "teacher": "agreement"}
    return {
        shown: sums[name] / sums[f"{name} count"] for name, shown in names.items() if sums[f"{name} count"]
    }


def evaluate_group(data: Dataset) -> Callable:
    """For several: their mean accuracy, each one's, that of their ensemble, and how far they agree."""
    labels = data.validation.labels

    def evaluate(students):
        logits = torch.stack([answer(student, data.validation.inputs).logits for student in students])
        each = [accuracy(own, labels) for own in logits]
        pairs = [agreement(one, other) for index, one in enumerate(logits) for other in logits[:index]]
        return {
            "accuracy": sum(each) / len(each),
            **{f"accuracy_{index}": value for index, value in enumerate(each)},
            "ensemble_accuracy": accuracy(logits.softmax(-1).mean(0), labels),
            "agreement": sum(pairs) / len(pairs),
        }

    return evaluate


def evaluate_heads(data: Dataset) -> Callable:
    """For the heads of one network: the last one's accuracy, and each one's by name."""

    def evaluate(student):
        seen = answer(student, data.validation.inputs, head_paths(student.heads))
        logits = by_head(student.heads, (), seen).logits[:, 0]
        each = [accuracy(own, data.validation.labels) for own in logits]
        return {"accuracy": each[-1], **dict(zip(student.heads, each, strict=True))}

    return evaluate
