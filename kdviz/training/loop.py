"""The one training loop. It is an iterator: whoever consumes it decides when to stop."""

import math
import numbers
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch

from kdviz.losses.objective import Objective, as_objective
from kdviz.models.frozen import in_train_mode
from kdviz.seeding import seeded
from kdviz.tracing import Trace
from kdviz.training.devices import checked_device
from kdviz.training.lesson import Lesson
from kdviz.training.mapped import each_memory, each_value, over_teachers
from kdviz.training.record import Record, plain
from kdviz.training.threads import limited_threads
from kdviz.training.updates import Updates, check_settings, count_steps, in_single

CANNOT_BE_COPIED = (
    "a run cannot be copied or pickled: it holds generators, and functions of yours. run.save(folder) and "
    "kdviz.load_run(folder, run) go on another day with a run of kdviz.distill or kdviz.train. Its student "
    "is a network like any other: copy.deepcopy(run.student), torch.save(run.student.state_dict(), path)"
)


@dataclass
class Run:
    """A training run, one record after another.

    Leave the loop over its records at any time, by ``break`` or by interrupting the kernel: ``run.student``
    is then the student as trained so far, ready to use, and iterating again goes on from there.

    >>> import kdviz as kd
    >>> for record in kd.train(kd.models.mlp(64, 8, 10), kd.datasets.digits(labels=50), steps=40):
    ...     if record.step == 10:
    ...         print(list(record.losses), list(record.measures))
    ['cross_entropy'] ['accuracy']

    The student that you pass stays as it is; the run trains a copy. So two runs can start from the
    same weights. What of a student in train mode is in eval mode, such as a frozen batch normalisation, stays
    so while it trains; a student wholly in eval mode is trained wholly.

    ``lesson`` is what makes a scheme: a :class:`Lesson`, or a function of student and step that returns the
    student's trace, the teacher's trace (or None) and the labels for this step. ``evaluate(student)`` returns
    the measures of a record. ``seed`` draws the order of the batches; None takes the data's.

    Logits of shape (N, C) are one student's, logits of shape (students, 1, N, C) those of students that
    learn together. Those of the teacher may have shape (students, teachers, N, C), or (teachers, N, C)
    for one student: its loss is the mean over its teachers, or the sum with the ``weights`` of the teacher's
    trace, (students, teachers) or (teachers,). The losses of the students are added up, so that students
    which share nothing learn as they would alone.

    ``steps`` or ``epochs`` say how long, :class:`Training` explains the other settings. ``run.save(folder)``
    keeps all that is needed to go on in another process; see :func:`kdviz.load_run`.
    """

    student: torch.nn.Module
    lesson: Lesson | Callable
    objective: Objective
    evaluate: Callable = lambda student: {}
    steps: int | None = None
    learning_rate: float = 5e-3
    batch_size: int = 64
    seed: int | None = None
    record_every: int | None = None
    threads: int = 1
    records: list[Record] = field(default_factory=list)
    step: int = 0
    epochs: float | None = None
    optimizer: Callable | None = None
    schedule: Callable | None = None
    clip: float | None = None
    accumulate: int = 1
    precision: torch.dtype | None = None
    device: torch.device | str | None = None

    def __post_init__(self):
        check_settings(self)
        self._check_learning_rate()
        self.steps = count_steps(self)
        self.record_every = self.record_every or max(1, self.steps // 20)
        self.objective = as_objective(self.objective)
        self.student = in_train_mode(self.student)
        self.device = checked_device(self.device)
        if self.device is not None:
            self.student.to(self.device)
        self._frozen = [module for module in self.student.modules() if not module.training]
        self.student.eval()
        self._changes, self._begun, self._record_now = [], self.step, False
        # A setting may be changed from another thread, but not between a step's number and its objective.
        self._turn = threading.Lock()
        self._prepare()
        if isinstance(self.lesson, Lesson):
            with seeded(self._seed_of_step()):
                self.lesson.begin(self)
            self._learn_too(list(self.lesson.parameters()))

    def _seed_of_step(self):
        """Of what is drawn within a step from torch's global generator, such as the units dropped out.

        A step's draws are its own, so that a run that was left and goes on is the same run, and nothing that
        another thread or the reader draws matters, nor is disturbed.
        """
        seed = self.seed if self.seed is not None else getattr(getattr(self.lesson, "data", None), "seed", 0)
        return (seed * 1_000_003 + self.step + 1) % 2**63

    def _prepare(self):
        trainable = [weights for weights in self.student.parameters() if weights.requires_grad]
        if not trainable:
            raise ValueError("the student has no parameter that can learn; is it frozen?")
        self._optimizer = Updates(self, trainable)
        self.learned = None

    def _learn_too(self, parts):
        if parts and not hasattr(self, "_optimizer"):
            raise ValueError("a lesson that learns cannot be given to a stack; train its students one by one")
        if parts:
            self._optimizer.learn_too(parts)

    def _check_learning_rate(self):
        rate = self.learning_rate
        if not isinstance(rate, numbers.Real) or not 0 < rate < math.inf:
            raise ValueError(
                f"learning_rate must be above 0, and a finite number; got {self.learning_rate!r}"
            )

    @contextmanager
    def training_mode(self):
        """The student in the modes in which it trains; outside it is in eval mode."""
        self.student.train()
        for module in self._frozen:
            module.training = False
        try:
            yield self.student
        finally:
            self.student.eval()

    def __iter__(self):
        return self

    def __next__(self):
        if self.step >= self.steps:
            raise StopIteration
        try:
            return self._next_record()
        except StopIteration as problem:
            # It would be taken for the end of the run, as in a generator (PEP 479).
            raise RuntimeError(
                f"a StopIteration was raised within step {self.step}: by a next() of an iterator that had "
                "ended, in the student, the objective or the lesson. The student is kept as it was before "
                "this step"
            ) from problem

    def _next_record(self):
        try:
            with self.training_mode(), limited_threads(self.threads):
                last = min((self.step // self.record_every + 1) * self.record_every, self.steps)
                recorded = False
                while not recorded:
                    recorded = self._record_now or self.step + 1 == last
                    with seeded(self._seed_of_step()):
                        total, values = self._take_step(recorded)
        finally:
            self._begun, self._record_now = self.step, False
        # Alone, as a step is: what is drawn here, and given back, must not be drawn by another thread's step.
        with limited_threads(self.threads), seeded(self._seed_of_step()):
            measures = self.evaluate(self.student)
        record = Record(
            step=self.step,
            total=plain(total),
            losses={name: plain(value) for name, value in values.items()},
            measures=measures,
            changes=self._changes_so_far(),
        )
        self.records.append(record)
        return record

    def finish(self):
        """Train to the end and return the run itself."""
        for _ in self:
            pass
        return self

    def set(self, address, value):
        """Change a weight or a setting of the objective; the next step uses it.

        Addresses are those of ``objective.settings()``, such as ``"soft_targets.temperature"``. It may be
        called from another thread while the run trains.
        """
        with self._turn:
            old = self.objective.settings().get(address)
            self.objective = self.objective.replace({address: value})
            self._changes.append((self._begun, address, old, value))

    def record_now(self):
        """Give the next record after the step in hand, not after ``record_every``; from any thread."""
        self._record_now = True

    # As it was called once.
    hurry = record_now

    def _changes_so_far(self):
        """The changes that steps were taken with; later ones belong to the next record."""
        with self._turn:
            taken = tuple(change for change in self._changes if change[0] < self.step)
            del self._changes[: len(taken)]
        return taken

    def _take_step(self, recorded):
        self._optimizer.begin()
        found = [self._learn_from_a_batch() for _ in range(self.accumulate)]
        self._optimizer.step()
        self.step += 1
        totals, values = zip(*found, strict=True)
        return _mean(totals), {name: _mean([part[name] for part in values]) for name in values[0]}

    def _learn_from_a_batch(self):
        """Add the gradient of one batch to those that are there; its loss, whole and by term."""
        with self._optimizer.autocast():
            student, teacher, labels = self.lesson(self.student, self.step)
        student, teacher = in_single(student), in_single(teacher)
        if self.learned is None:
            self._begin_to_learn(student, teacher)
        with self._turn:
            objective, self._begun = self.objective, self.step + 1
        values = {
            name: self._value(name, term.loss, student, teacher, labels)
            for name, term in objective.named.items()
        }
        total = sum(_per_student(term.weight) * values[name] for name, term in objective.named.items())
        if not torch.isfinite(total).all():
            raise ValueError(self._what_diverged(values))
        if not total.requires_grad:
            raise ValueError(
                "the loss does not depend on the student's weights: its answer is detached, or made of whole "
                "numbers"
            )
        self._remember(student, teacher, labels)
        self._optimizer.backward(total.sum() / self.accumulate)
        return total.detach(), {name: value.detach() for name, value in values.items()}

    def _value(self, name, loss, student, teacher, labels):
        """What a term says to each student: the mean over its teachers, or by their weights."""
        value = each_value(loss, student, teacher, labels, self.learned[name])
        weights = teacher.weights if teacher is not None and loss.needs_teacher else None
        return over_teachers(value, weights)

    def _begin_to_learn(self, student, teacher):
        """Take in what the losses themselves learn; its sizes are known once layers have been seen."""
        self.learned = self._initial(student, teacher)
        self._learn_too(self._learning())

    def _learning(self):
        return [part for parts in self.learned.values() for part in parts.values() if part.requires_grad]

    def _initial(self, student, teacher):
        """What the losses learn, a copy of the same start for each of several students."""
        shape = student.logits.shape[:-2]
        alone, named = self.objective.initial(_first(student), _first(teacher)), self.objective.named
        return {
            name: {
                key: part.expand((*shape, *part.shape))
                .contiguous()
                .clone()
                .requires_grad_(key not in named[name].loss.remembers)
                for key, part in parts.items()
            }
            for name, parts in alone.items()
        }

    @torch.no_grad()
    def _remember(self, student, teacher, labels):
        """Renew the memory of losses that have one, as they found it before this step."""
        for name, term in self.objective.named.items():
            if term.loss.remembers:
                self.learned[name] |= each_memory(term.loss, student, teacher, labels, self.learned[name])

    def _what_diverged(self, values):
        bad = [name for name, value in values.items() if not torch.isfinite(value).all()]
        return (
            f"the loss is not a finite number at step {self.step}: {', '.join(bad) or 'the total'}. "
            "The student is kept as it was before this step. Look for inputs or logits that are not "
            f"finite, or try a learning rate below {self.learning_rate:g}"
        )

    def save(self, folder):
        """Write all that is needed to go on into a folder; see :func:`kdviz.load_run`."""
        from kdviz.training.saving import save_run

        return save_run(self, folder)

    def __getstate__(self):
        raise TypeError(CANNOT_BE_COPIED)

    def __repr__(self):
        state = f"{self.step} of {self.steps} steps"
        if not self.records or not self.records[-1].measures:
            return f"Run({state}; {self.objective})"
        measures = ", ".join(f"{k} {v:.3f}" for k, v in self.records[-1].measures.items())
        return f"Run({state}; {self.objective}; {measures})"


def _mean(values):
    return sum(values) / len(values)


def _per_student(weight):
    """A weight; one for each of several students may be written as a column, (students, 1)."""
    column = isinstance(weight, torch.Tensor) and weight.ndim == 2
    return weight.squeeze(-1) if column else weight


def _first(trace):
    """The trace of the first student on its own, or of its first teacher."""
    if trace is None:
        return None
    stack = trace.logits.ndim - 2
    features = {path: feature[(0,) * stack] for path, feature in trace.features.items()}
    rows = None if trace.rows is None else trace.rows[(0,) * (trace.rows.ndim - 1)]
    return Trace(trace.logits[(0,) * stack], features, rows)
