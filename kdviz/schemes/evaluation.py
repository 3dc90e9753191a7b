"""What is measured at each record, on the validation samples: of one student, of several, of heads."""

from collections.abc import Callable

import torch

from kdviz.datasets.dataset import Dataset
from kdviz.measure.predictions import accuracy, agreement
from kdviz.schemes.group_traces import by_head, head_paths
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
