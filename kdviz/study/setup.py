"""A reader's set-up: all that was handed in, and what is worked out from it once."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch

from kdviz.inputs import kinds
from kdviz.inputs.batches import BatchSource
from kdviz.inputs.kinds import kind_of
from kdviz.inputs.models import outputs_of
from kdviz.inputs.stops import one_sample_too_few
from kdviz.measure.answers import KINDS, AnswerKind
from kdviz.study.sandbox import Snapshot, fixed_seed
from kdviz.study.step_trace import step_arguments, take_step, take_steps
from kdviz.tracing import evaluating, hooked

# How many logits are looked at, in double precision: of texts and maps of pixels a part of the positions.
_MOST_LOGITS = 2**24


class CannotCheck(Exception):
    """A check cannot be made, and why."""


class StepFailed(CannotCheck):
    """The reader's step stopped with an error, which is the cause."""


class LabelsWrong(CannotCheck):
    """The labels do not go with the outputs."""


class ModelStops(CannotCheck):
    """A model stopped with an error on the reader's data, which is the cause."""


class LossPoint(NamedTuple):
    """Where a loss was taken, in double precision on the CPU, and its gradient at the student's logits."""

    student: torch.Tensor
    teacher: torch.Tensor
    labels: torch.Tensor
    gradient: torch.Tensor


@dataclass
class Setup:
    """A set-up: ``teacher`` or ``cached`` may be None, and so may all that follows them."""

    teacher: torch.nn.Module | None
    student: torch.nn.Module
    source: BatchSource
    objective: object = None
    step: object = None
    optimizers: list[torch.optim.Optimizer] = field(default_factory=list)
    cached: torch.Tensor | None = None
    runs: dict | None = None
    samples: int = 2000
    pick: object = None
    answers: str | None = None

    @cached_property
    def batches(self):
        """The first batches, until there are enough samples."""
        found, count = [], 0
        for batch in self.source:
            found.append(batch)
            count += len(batch)
            if count >= self.samples:
                break
        return found

    @cached_property
    def count(self):
        return sum(len(batch) for batch in self._some)

    @property
    def _some(self):
        if not self.batches:
            raise CannotCheck("there is no batch to look at")
        return self.batches

    @property
    def batch(self):
        """One batch for the step: the first, or the next one that can be taught on."""
        return self._some[self.batch_number]

    @cached_property
    def batch_number(self):
        return next((number for number, batch in enumerate(self._some) if len(batch) > 1), 0)

    @cached_property
    def kept(self):
        """All that is the reader's as it is now; used in a ``with``, it is so again afterwards."""
        owners = {"teacher": self.teacher, "student": self.student, "optimizer": self.optimizers}
        return Snapshot(step=self.step, **owners, batch=self.batch, cached_logits=self.cached)

    @cached_property
    def moved_by(self):
        """The optimizers that were handed in, and those that the step reaches by itself."""
        given = {id(one): one for one in self.optimizers}
        return [
            *self.optimizers,
            *(one for one in self.step_reaches(torch.optim.Optimizer) if id(one) not in given),
        ]

    def step_reaches(self, kind):
        """The objects of a type that the step reaches by itself."""
        return [] if self.step is None else self.kept.of_type(kind, "step")

    def step_uses(self, name):
        """Whether the step takes this argument, or reaches what it stands for by itself."""
        model = getattr(self, name)
        return name in step_arguments(self.step) or any(
            one is model for one in self.step_reaches(torch.nn.Module)
        )

    # Answers -----------------------------------------------------------------------------------------

    @cached_property
    def kind(self) -> AnswerKind:
        """What the models' outputs are."""
        outputs, batch = self.outputs("student")[0], self._some[0]
        if batch.labels is None and self.answers is None and outputs.numel() == len(batch):
            # A number or one logit, which for all checks without labels is the same.
            return KINDS["numbers"]
        return kind_of(batch, outputs, self.answers)

    @property
    def class_axis(self):
        """Where the classes stand in the outputs."""
        try:
            return 2 if self.kind.name == "tokens" else 1
        except (CannotCheck, TypeError, ValueError):
            return 1

    def outputs(self, who):
        """What a model gives for each batch, in eval mode."""
        found = self._outputs[who]
        if isinstance(found, Exception):
            raise ModelStops(f"the {who} to answer on your data") from found
        return found

    @cached_property
    def _outputs(self):
        return {who: self._asked(who) for who in ("teacher", "student") if getattr(self, who) is not None}

    def _asked(self, who):
        model = getattr(self, who)
        try:
            with torch.no_grad(), fixed_seed(), self.kept, evaluating(model):
                return [outputs_of(model, batch, f"the {who}", self.pick).cpu() for batch in self._some]
        except CannotCheck:
            raise
        except Exception as problem:
            return problem

    @cached_property
    def spots(self):
        """Of each batch which positions are looked at (samples, positions): of many, some at random."""
        spots = [
            scored(self.kind, batch, output)
            for batch, output in zip(self._some, self.outputs("student"), strict=True)
        ]
        most = _MOST_LOGITS // max(1, self.kind.positions(self.outputs("student")[0][:1]).shape[2])
        share = most / max(1, sum(int(one.sum()) for one in spots))
        generator = torch.Generator().manual_seed(0)
        return [one & (torch.rand(one.shape, generator=generator) < share) for one in spots]

    def _rows(self, tables):
        return torch.cat([table[spots] for table, spots in zip(tables, self.spots, strict=True)])

    @cached_property
    def labels(self):
        """The target of each position looked at, -1 or NaN where one is not known."""
        if any(batch.labels is None for batch in self._some):
            raise CannotCheck("labels in the data")
        every = zip(self.batches, self.outputs("student"), strict=True)
        return self._rows([targets(self.kind, batch, output) for batch, output in every])

    @cached_property
    def rows(self):
        """The indices in the data set, or None where the batches do not tell."""
        if any(batch.rows is None for batch in self._some):
            return None
        return torch.cat([batch.rows.cpu() for batch in self.batches])

    @cached_property
    def teacher_logits(self):
        """The teacher's logits at each position looked at: (positions, classes)."""
        if self.teacher is None:
            if self.rows is None or int(self.rows.max()) >= len(self.cached):
                raise CannotCheck("the teacher, since the cached logits cannot be matched with the samples")
            return self.cached[self.rows].detach().double().cpu()
        return self._logits("teacher")

    @cached_property
    def student_logits(self):
        return self._logits("student")

    def _logits(self, who):
        tables = [self.kind.positions(output) for output in self.outputs(who)]
        if [table.shape[:2] for table in tables] != [spots.shape for spots in self.spots]:
            raise CannotCheck("teacher and student that answer at the same positions")
        return self._rows(tables).double()

    @cached_property
    def classes(self):
        return self.student_logits.shape[1]

    def needs_classes(self):
        """For checks of probabilities: of amounts nobody takes a softmax."""
        if self.kind.has_numbers:
            raise CannotCheck("answers that are classes; yours are numbers, of which nobody takes a softmax")

    # Steps -------------------------------------------------------------------------------------------

    @cached_property
    def stepped(self):
        return self._run(take_step)

    @cached_property
    def stepped_again(self):
        """The same once more: what differs between the two is chance."""
        return self._run(take_step)

    @cached_property
    def stepped_disturbed(self):
        return self._run(take_step, disturb=True)

    @cached_property
    def stepped_at_teacher(self):
        """The same with the teacher's logits in place of the student's."""
        if len(self.stepped.student_passes) != 1 or len(self.stepped.teacher_passes) != 1:
            raise CannotCheck("a step in which teacher and student are each called once")
        answers = self.stepped.teacher_passes[0].logits
        found = self._run(take_step, answers=answers)
        if not all(torch.equal(one.logits, answers.to(one.logits)) for one in found.student_passes):
            raise CannotCheck("a step that calls the whole student, so that others can answer in its place")
        return found

    @cached_property
    def stepped_twice(self):
        """Two steps in turn: with the gradients that the first leaves, and without."""
        return self._run(take_steps), self._run(take_steps, clear=True)

    @cached_property
    def stepped_often(self):
        """Sixteen steps in turn: gradients may be gathered over several."""
        return self._run(take_steps, count=16)

    def why(self, stop):
        """What stopped the step or a model, in words."""
        problem = stop.__cause__
        said = one_sample_too_few(problem, self.teacher, self.student) or problem
        return f"{type(problem).__name__}: {said}"

    def _run(self, take, **how):
        if self.step is None:
            raise CannotCheck("step=, your training step")
        if any(isinstance(model, torch.jit.ScriptModule) for model in (self.teacher, self.student)):
            raise CannotCheck("models of Python: what happens inside a ScriptModule cannot be watched")
        # Found by passes of their own, which must not be seen as some of the step's.
        _ = self._last_layers, self.class_axis
        try:
            return take(self, **how)
        except CannotCheck:
            raise
        except Exception as problem:
            raise StepFailed("a step that runs") from problem

    def last_layer(self, who):
        """The module of a model that gives its logits, where one does: a step may call the parts alone."""
        return self._last_layers.get(who)

    @cached_property
    def _last_layers(self):
        return {
            who: _last_layer(self, who) for who in ("teacher", "student") if getattr(self, who) is not None
        }

    @cached_property
    def loss_point(self):
        """Where the step took its loss."""
        return self._point_of(self.stepped)

    @cached_property
    def loss_point_at_teacher(self):
        """The same where the student says what the teacher says."""
        return self._point_of(self.stepped_at_teacher)

    def _point_of(self, stepped):
        passes = [one for one in stepped.student_passes if one.gradient is not None]
        if len(passes) != 1:
            raise CannotCheck(
                f"a step in which one forward pass of the student is taught; in yours there are {len(passes)}"
            )
        student, others = passes[0].logits, stepped.teacher_passes
        if len(others) == 1 and others[0].logits.shape == student.shape:
            teacher = others[0].logits
        elif not others and self.cached is not None and self.batch.rows is not None:
            teacher = self.cached[self.batch.rows.to(self.cached.device)]
        else:
            raise CannotCheck("a step in which the teacher answers once, for the same samples and classes")
        return self._point(student, teacher, passes[0].gradient)

    def _point(self, student, teacher, gradient):
        kind = self.kind
        if kind.name not in ("classes", "tokens", "pixels") or student.shape[0] != len(self.batch):
            raise CannotCheck("a loss on the logits of classes, for the samples of one batch")
        student, teacher, gradient = (part.detach().cpu() for part in (student, teacher, gradient))
        labels, spots = targets(kind, self.batch, student), scored(kind, self.batch, student)
        parts = [kind.positions(part)[spots].double() for part in (student, teacher, gradient)]
        return LossPoint(*parts[:2], labels[spots], parts[2] / self.loss_scale)

    @cached_property
    def loss_scale(self):
        """What gradient scalers of the step multiply its loss by."""
        scale = 1.0
        for scaler in self.step_reaches(torch.amp.GradScaler):
            scale *= scaler.get_scale() if scaler.is_enabled() else 1.0
        return scale

    @cached_property
    def rounding(self):
        """How far off the logits and their gradient may be by the precision that they were computed in."""
        tensors = [one.gradient for one in self.stepped.student_passes if one.gradient is not None]
        tensors += [one.logits for one in (*self.stepped.student_passes, *self.stepped.teacher_passes)]
        return 4 * max(torch.finfo(tensor.dtype).eps for tensor in tensors)


def targets(kind, batch, outputs):
    """:func:`kdviz.inputs.kinds.targets`, for labels that may be wrong."""
    with _labels_checked():
        return kinds.targets(kind, batch, outputs)


def scored(kind, batch, outputs):
    """:func:`kdviz.inputs.kinds.scored`, for labels that may be wrong."""
    with _labels_checked():
        return kinds.scored(kind, batch, outputs)


@contextmanager
def _labels_checked():
    try:
        yield
    except (TypeError, ValueError) as problem:
        raise LabelsWrong(f"labels that go with the outputs: {problem}") from problem


def _last_layer(setup, who):
    """The path-less answer: the last module whose output is the very tensor of the logits."""
    model, found = getattr(setup, who), []

    def note(path, module, output):
        if isinstance(output, torch.Tensor):
            found.append((module, output))

    layers = [path for path, _ in model.named_modules() if path]
    try:
        with torch.no_grad(), fixed_seed(), setup.kept, evaluating(model), hooked(model, note, layers):
            logits = outputs_of(model, setup.batch.head(2), f"the {who}", setup.pick)
    except Exception:
        return None
    ends = [module for module, output in found if output is logits and not any(module.children())]
    return ends[-1] if ends else None
