"""What makes a scheme: who says what to whom at a step."""

from dataclasses import replace

import torch

from kdviz.tracing import Trace, rows_of, trace
from kdviz.training.batches import batches


class Lesson:
    """What a run learns from, step by step.

    ``lesson(student, step)`` gives the student's trace, the teacher's (or None) and the labels. A subclass
    says in ``traces`` what they are on some rows of the samples. It may keep what it likes from step to step,
    and may own tensors that are learned along with the student: ``parameters`` gives them, say those of a
    generator, a discriminator or an attention.

    Where nothing has to be kept, a function of student and step is a lesson too.

    >>> import kdviz as kd
    >>> class Live(kd.training.Lesson):
    ...     def __init__(self, data, network):
    ...         super().__init__(data)
    ...         self.network = network
    ...     def traces(self, student, rows):
    ...         inputs = self.inputs(rows)
    ...         return kd.trace(student, inputs), kd.tracing.answer(self.network, inputs)
    >>> lesson = Live(kd.datasets.digits(labels=50), network=kd.models.mlp(64, 16, 10, seed=1))
    >>> kd.training.Run(kd.models.mlp(64, 8, 10), lesson, kd.SoftTargets(4), steps=2).finish().step
    2

    Parameters
    ----------
    data : Dataset
    part : str
        Which of its parts the rows are of.
    """

    # Whether its place among the batches is all that it keeps from step to step; then a run can be saved.
    only_counts = False

    def __init__(self, data, part: str = "transfer"):
        if not hasattr(data, part):
            raise TypeError(
                "this scheme learns on a kdviz data set, such as kdviz.datasets.digits() gives; got "
                f"{type(data).__name__}. kdviz.distill and kdviz.train take tensors, tables and loaders too"
            )
        self.data, self.samples = data, getattr(data, part)

    def begin(self, run):
        """Take note of the run, which has its student and its settings by now; called once."""
        self.run = run
        self.seed = self.data.seed if run.seed is None else run.seed
        self.student_layers, self.teacher_layers = run.objective.student_layers, run.objective.teacher_layers
        self.batches = batches(len(self.samples), run.batch_size, self.seed)
        self.random = torch.Generator().manual_seed(self.seed)

    def epoch_length(self, batch_size) -> int | None:
        """How many batches show every sample once; None where that is not known."""
        return max(1, len(self.samples) // min(batch_size, max(1, len(self.samples))))

    def go_to(self, count):
        """Go on as after so many batches."""
        self.batches = batches(len(self.samples), self.run.batch_size, self.seed)
        for _ in range(count):
            next(self.batches)

    def parameters(self):
        """Tensors of the lesson's own that are learned along with the student."""
        return ()

    def __call__(self, student, step: int) -> tuple[Trace, Trace | None, torch.Tensor]:
        rows = next(self.batches)
        ours, theirs = self.traces(student, rows)
        if theirs is not None:
            # Of the data set, not of the batch: for losses that remember samples.
            theirs = replace(theirs, rows=rows)
        return ours, theirs, self.samples.labels[rows]

    def traces(self, student, rows) -> tuple[Trace, Trace | None]:
        """The traces of student and teacher on some rows of the samples."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its student is taught")

    def inputs(self, rows):
        return rows_of(self.samples.inputs, rows)

    def student_trace(self, student, rows, layers=None) -> Trace:
        """What the student says of these rows, with the layers that the objective reads of it."""
        return trace(student, self.inputs(rows), self.student_layers if layers is None else layers)
