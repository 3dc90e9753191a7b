"""Learning from a reader's own batches, of whatever answers: the lesson under distill and train."""

import copy
from contextlib import contextmanager
from dataclasses import replace

import torch

from kdviz.inputs.batches import BatchSource
from kdviz.inputs.kinds import kind_of, scored, targets
from kdviz.inputs.models import Answers, StoredAnswers, as_model, outputs_of
from kdviz.inputs.seeded import SeededBatches, epoch_length
from kdviz.seeding import random_state_kept
from kdviz.tracing import Trace, device_of, evaluating, to_device, watch
from kdviz.training.batches import batches
from kdviz.training.lesson import Lesson

# Bytes that a teacher's answers to all samples may take; where they take more, it is asked at each step.
MOST_KEPT = 2**28
_AT_ONCE = 256


class BatchLesson(Lesson):
    """Batches of any data, and a teacher, or None, that answers them.

    The teacher is asked once, in batches, where it always sees the same and its answers are small; else at
    each step. What is taught are positions: of a text its tokens, of a picture its pixels, of several labels
    each, as rows of logits (rows, classes). One logit z is the two logits 0 and z.
    """

    only_counts = True

    def __init__(self, data, teacher, *, pick=None, answers=None, augment=None, consistent=True):
        self.data = data
        self.source = data if isinstance(data, BatchSource) else BatchSource(data, part="transfer")
        self.teacher = None if teacher is None else as_model(teacher, "teacher", self.source.columns)
        self.pick, self.declared, self.augment, self.consistent = pick, answers, augment, consistent
        self.kind, self._kept = None, None

    def epoch_length(self, batch_size):
        return epoch_length(self.source, batch_size)

    def begin(self, run):
        self.run, self.seed = run, getattr(self.data, "seed", 0) if run.seed is None else run.seed
        self.student_layers, self.teacher_layers = run.objective.student_layers, run.objective.teacher_layers
        self.device = device_of(run.student)
        if self.teacher is not None and device_of(self.teacher) != self.device:
            if not isinstance(self.teacher, Answers):
                self.teacher = copy.deepcopy(self.teacher).to(self.device)
        self._check_stored()
        self.go_to(0)
        if self._sees_the_same():
            self._kept = kept_answers(self.teacher, self.source, self.teacher_layers, self.pick)

    def go_to(self, count):
        self.batches = SeededBatches(self.source, self.run.batch_size, self.seed, batches)
        self.batches.skip(count)

    def __call__(self, student, step):
        batch = next(self.batches)
        views = self._views(batch)
        ours = traced(student, views["student"], self.student_layers, "the student", self.pick)
        theirs = self._answer(batch, views["teacher"])
        if self.kind is None:
            self.kind = kind_of(batch, ours.logits, self.declared)
            check_objective(self.kind, self.run.objective)
        return self._taught(batch, ours, theirs)

    def _check_stored(self):
        if isinstance(self.teacher, StoredAnswers) and self.source.samples is not None:
            stored, there = len(self.teacher.logits), len(self.source.samples)
            if stored != there:
                raise ValueError(
                    f"cached logits must have one row for each of the {there:,} samples, in their order; got "
                    f"{tuple(self.teacher.logits.shape)}"
                )

    def _sees_the_same(self):
        asked = self.teacher is not None and not isinstance(self.teacher, StoredAnswers)
        return asked and self.source.in_memory and (self.augment is None or not self.consistent)

    def _views(self, batch):
        """What student and teacher see of a batch, on the student's device."""
        plain = replace(batch, inputs=to_device(batch.inputs, self.device))
        if self.augment is None:
            return {"student": plain, "teacher": plain}
        draws = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        changed = replace(plain, inputs=self.augment(plain.inputs, draws))
        return {"student": changed, "teacher": changed if self.consistent else plain}

    def _answer(self, batch, seen):
        if self.teacher is None:
            return None
        if self._kept is not None:
            kept = self._kept[batch.rows]
            features = {path: part.to(self.device) for path, part in kept.features.items()}
            return Trace(kept.logits.to(self.device), features)
        with unchanged(self.teacher):
            return traced(self.teacher, seen, self.teacher_layers, "the teacher", self.pick)

    def _taught(self, batch, ours, theirs):
        """The positions that are learned, as rows of logits, with the label of each."""
        labels, spots = targets(self.kind, batch, ours.logits), scored(self.kind, batch, ours.logits)
        if not spots.any():
            raise ValueError("a batch has no position to learn: each has the label -1 or -100, or is masked")
        if theirs is not None:
            check_alike(self.kind, ours.logits, theirs.logits)
            single = self.kind.name in ("classes", "binary")
            rows = batch.rows if single and batch.rows is not None else None
            rows = None if rows is None else rows.to(self.device)
            # Under autocast the student answers in half precision; what the teacher said stays exact.
            precise = torch.promote_types(ours.logits.dtype, torch.float32)
            features = {path: part.to(precise) for path, part in theirs.features.items()}
            logits = self.kind.positions(theirs.logits.to(self.device, precise))[spots]
            theirs = Trace(logits, features, rows)
        return replace(ours, logits=self.kind.positions(ours.logits)[spots]), theirs, labels[spots]


def kept_answers(teacher, source, layers, pick=None) -> Trace | None:
    """A teacher's answers to all samples, in batches; None where they would take too much memory."""
    count, parts = len(source.samples), []
    with unchanged(teacher):
        for rows in torch.arange(count).split(_AT_ONCE):
            batch = source.of_rows(rows)
            batch = replace(batch, inputs=to_device(batch.inputs, device_of(teacher)))
            part = traced(teacher, batch, layers, "the teacher", pick)
            parts.append(Trace(part.logits.cpu(), {path: each.cpu() for path, each in part.features.items()}))
            each = sum(values.nbytes for values in (parts[0].logits, *parts[0].features.values()))
            if each / len(parts[0]) * count > MOST_KEPT:
                return None
    features = {path: torch.cat([part.features[path] for part in parts]) for path in layers}
    return Trace(torch.cat([part.logits for part in parts]), features)


def check_objective(kind, objective):
    """Of numbers nobody takes a softmax: the terms that would are named, with what to give in their place."""
    if not kind.has_numbers:
        return
    for term in objective.parts:
        if term.weight and term.loss.kind == "response" and "shift" in term.loss.invariant_to:
            raise ValueError(
                f"the answers are numbers, and {type(term.loss).__name__} compares classes. Give "
                "kdviz.losses.LogitMatching('mean'), the mean squared difference to the teacher's. To "
                "learn the labels themselves, hand them in as the teacher: kdviz.distill(labels, student, "
                "inputs, kdviz.losses.LogitMatching('mean'), answers='numbers'). If the labels are classes, "
                "say answers="
            )


def traced(model, batch, layers, who, pick):
    with watch(model, layers) as features:
        logits = outputs_of(model, batch, who, pick)
    missing = [path for path in layers if path not in features]
    if missing:
        raise ValueError(f"the layers {missing} exist but did not run in this forward pass")
    if logits.is_inference():
        logits, features = logits.clone(), {path: part.clone() for path, part in features.items()}
    return Trace(logits, features)


@contextmanager
def unchanged(teacher):
    """The teacher in eval mode, without gradient; what it draws is drawn by nobody else."""
    with evaluating(teacher), torch.no_grad(), random_state_kept():
        yield


def check_alike(kind, ours, theirs):
    if kind.positions(ours).shape != kind.positions(theirs).shape:
        raise ValueError(
            f"the student answers with shape {tuple(ours.shape)} and the teacher with {tuple(theirs.shape)}: "
            f"both must give {kind.shape}. Of a larger teacher keep the columns of your classes"
        )
