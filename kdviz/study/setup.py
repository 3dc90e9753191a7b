"""A reader's set-up: all that was handed in, and what is worked out from it once."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch

from kdviz.study.batches import BatchSource, class_logits
from kdviz.study.sandbox import CannotCopy, copies, fixed_seed, restored
from kdviz.study.step_trace import take_step, take_steps


class CannotCheck(Exception):
    """A check cannot be made, and why."""


class StepFailed(CannotCheck):
    """The reader's step stopped with an error."""


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
    optimizer: torch.optim.Optimizer | None = None
    cached: torch.Tensor | None = None
    runs: dict | None = None
    samples: int = 2000

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

    @cached_property
    def batch(self):
        """One batch for the step: the first, or the next one that can be taught on."""
        return next((batch for batch in self._some if len(batch) > 1), self._some[0])

    @cached_property
    def labels(self):
        """The labels of the samples looked at, -1 where one is not known."""
        if any(batch.labels is None for batch in self._some):
            raise CannotCheck("labels in the data")
        return torch.cat([batch.labels.cpu() for batch in self.batches]).clamp(min=-1)

    @cached_property
    def rows(self):
        """The indices in the data set, or None where the batches do not tell."""
        if any(batch.rows is None for batch in self._some):
            return None
        return torch.cat([batch.rows.cpu() for batch in self.batches])

    @cached_property
    def teacher_logits(self):
        if self.teacher is None:
            if self.rows is None or int(self.rows.max()) >= len(self.cached):
                raise CannotCheck("the teacher, since the cached logits cannot be matched with the samples")
            return self.cached[self.rows].detach().double().cpu()
        return self._logits(self.teacher, "the teacher")

    @cached_property
    def student_logits(self):
        return self._logits(self.student, "the student")

    def _logits(self, model, who):
        """A copy's answers in eval mode."""
        (model,) = copies(model)
        try:
            with torch.no_grad(), fixed_seed():
                found = [class_logits(model.eval(), batch.inputs, who) for batch in self._some]
        except Exception as problem:
            raise CannotCheck(f"{who} to answer on your data; it stops with {_named(problem)}") from problem
        return torch.cat(found).double().cpu()

    @cached_property
    def classes(self):
        return self.student_logits.shape[1]

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
    def stepped_twice(self):
        """Two steps in turn: with the gradients that the first leaves, and without."""
        return self._run(take_steps), self._run(take_steps, clear=True)

    @cached_property
    def stepped_often(self):
        """Sixteen steps in turn: gradients may be gathered over several."""
        return self._run(take_steps, count=16)

    def _run(self, take, **how):
        if self.step is None:
            raise CannotCheck("step=, your training step")
        models = (self.teacher, self.student, self.optimizer)
        batch = self.batch
        with restored(*(part for part in models if part is not None)):
            try:
                return take(self.step, *models, batch, self.cached, **how)
            except CannotCopy:
                raise
            except Exception as problem:
                raise StepFailed(f"a step that runs; yours stops with {_named(problem)}") from problem

    @cached_property
    def loss_point(self):
        """Where the step took its loss."""
        passes = [one for one in self.stepped.student_passes if one.gradient is not None]
        if len(passes) != 1:
            raise CannotCheck(
                f"a step in which one forward pass of the student is taught; in yours there are {len(passes)}"
            )
        student, others = passes[0].logits, self.stepped.teacher_passes
        if len(others) == 1 and others[0].logits.shape == student.shape:
            teacher = others[0].logits
        elif not others and self.cached is not None and self.batch.rows is not None:
            teacher = self.cached[self.batch.rows.to(self.cached.device)]
        else:
            raise CannotCheck("a step in which the teacher answers once, for the same samples and classes")
        labels = self.batch.labels
        labels = torch.full((len(student),), -1) if labels is None else labels.cpu().clamp(min=-1)
        student, teacher, gradient = (
            part.detach().double().cpu() for part in (student, teacher, passes[0].gradient)
        )
        return LossPoint(student, teacher, labels, gradient)

    @cached_property
    def rounding(self):
        """How far off the logits and their gradient may be by the precision that they were computed in."""
        tensors = [one.gradient for one in self.stepped.student_passes if one.gradient is not None]
        tensors += [one.logits for one in (*self.stepped.student_passes, *self.stepped.teacher_passes)]
        return 4 * max(torch.finfo(tensor.dtype).eps for tensor in tensors)


def _named(problem):
    return f"{type(problem).__name__}: {problem}"
