"""Offline distillation, learning from labels and mutual learning for a stack: S seeds, K settings each."""

import torch

from kdviz.losses.objective import as_objective
from kdviz.losses.response import CrossEntropy
from kdviz.losses.response.logits import at_label
from kdviz.schemes.group_traces import map_trace
from kdviz.schemes.objectives import labels_and_soft_targets, layers_of
from kdviz.schemes.offline import teacher_trace
from kdviz.schemes.online.peers import peers_of
from kdviz.schemes.supervised import described_teacher
from kdviz.training.batches import StackedBatches, one_tensor, samples_last
from kdviz.training.stacked import Stack, StackedModel
from kdviz.training.store import Store


def distill_stack(teachers, students, data, objective, *, batch_size=64, seeds=None, **training):
    """:func:`kdviz.distill` for a stack.

    Parameters
    ----------
    teachers : one for each seed: modules, or tensors of logits as in :func:`kdviz.distill`
    students : StackedModel
    data : one Dataset for each seed, with equally large transfer sets
    objective : Objective or Loss
        Its numbers may be tensors: one value for each of the K settings, or for each student (S, K).
    seeds : list of int, default the data's
        They draw the order of the batches of each row of students.
    batch_size, steps, learning_rate, record_every, threads
        As in :func:`kdviz.distill`; ``learning_rate`` may be such a tensor too.

    Returns
    -------
    Stack
        An iterator of records whose numbers are arrays (S, K).
    """
    objective = as_objective(objective)
    samples = [part.transfer for part in data]
    answers = [
        teacher_trace(teacher, part, objective.teacher_layers)
        for teacher, part in zip(teachers, samples, strict=True)
    ]
    return _stack(students, data, samples, answers, objective, batch_size, seeds, training)


def train_stack(students, data, objective=None, *, on="labelled", batch_size=64, seeds=None, **training):
    """:func:`kdviz.train` for a stack: learning from labels alone."""
    objective = as_objective(CrossEntropy() if objective is None else objective)
    samples = [getattr(part, on) for part in data]
    return _stack(students, data, samples, None, objective, batch_size, seeds, training)


def mutual_stack(pairs, data, objective=None, *, settings=1, batch_size=64, seeds=None, **training):
    """:func:`kdviz.schemes.mutual` for pairs of peers, many pairs at once.

    More than two peers are trained seed by seed: a student of a stack has one teacher.

    Parameters
    ----------
    pairs : list of two networks for each seed, all of one architecture
    data : one Dataset for each seed, with equally large transfer sets
    objective : default ``CrossEntropy() + SoftTargets(temperature=1)``
        Its numbers may be tensors with a value for each of the settings.
    settings : int
        How many settings K; each pair of a seed starts from the same weights.
    batch_size, seeds, steps, learning_rate, record_every, threads
        As in :func:`distill_stack`.

    Returns
    -------
    Stack
        Peer p of seed s under setting k is ``run.student.student(2 * s + p, k)``; a record's numbers are
        arrays (2 seeds, K) in that order.
    """
    for pair in pairs:
        if len(pair) != 2:
            raise ValueError(f"a stack holds pairs of peers; got {len(pair)} for one seed")
    objective = labels_and_soft_targets(objective, temperature=1)
    students = StackedModel([peer for pair in pairs for peer in peers_of(pair)], settings)
    twice = [part for part in data for _ in range(2)]
    other = torch.arange(len(twice)).view(-1, 2).flip(1).flatten()
    return _stack(
        students,
        twice,
        [part.transfer for part in twice],
        None,
        objective,
        batch_size,
        None if seeds is None else [seed for seed in seeds for _ in range(2)],
        training,
        live=lambda pairs: map_trace(lambda values: values.detach()[other], pairs),
    )


def teachers(data, model=None, *, on="train", store=None, threads=1, stopped=lambda: False, **recipe):
    """:func:`kdviz.teacher` for many splits: those that the store does not hold are trained in one stack.

    A teacher's weights agree with those that it gets alone up to rounding, so the store keeps the two apart:
    what it gives must not depend on which was trained first. ``stopped`` is asked now and then; once it says
    so, the result is None, and what was trained to its end is in the store.
    """
    store = store or Store()
    starts, settings, recipes = zip(
        *(described_teacher(part, model, on, **recipe) for part in data), strict=True
    )
    settings = [described and {**described, "recipe": "teacher in a stack"} for described in settings]
    found = [
        store.find(described, start.state_dict()) for described, start in zip(settings, starts, strict=True)
    ]
    missing = [index for index, weights in enumerate(found) if weights is None]
    for group in _of_equal_size(missing, [len(getattr(part, on)) for part in data]):
        run = train_stack(
            StackedModel([starts[index] for index in group]),
            [data[index] for index in group],
            on=on,
            seeds=[recipes[index]["seed"] for index in group],
            steps=recipes[group[0]]["steps"],
            learning_rate=recipes[group[0]]["learning_rate"],
            threads=threads,
        )
        for _ in run:
            if stopped():
                return None
        for row, index in enumerate(group):
            found[index] = run.student.student(row, 0).state_dict()
            store.keep(settings[index], found[index])
    for start, weights in zip(starts, found, strict=True):
        start.load_state_dict(weights)
    return [start.eval().requires_grad_(False) for start in starts]


def _of_equal_size(indices, sizes):
    groups = {}
    for index in indices:
        groups.setdefault(sizes[index], []).append(index)
    return groups.values()


def _stack(students, data, samples, answers, objective, batch_size, seeds, training, live=None):
    """A stack taught by cached ``answers``, by nobody, or by what ``live`` makes of the students' trace."""
    batches = StackedBatches(
        samples, answers, batch_size, [part.seed for part in data] if seeds is None else seeds
    )
    evaluator = Evaluator([part.validation for part in data])
    layers = objective.student_layers if live is None else layers_of(objective)

    def lesson(students, step):
        inputs, teacher, labels = next(batches)
        student = students.trace(inputs, layers)
        return student, teacher if live is None else live(student), labels

    return Stack(
        students, lesson, objective, lambda students: {"accuracy": evaluator.accuracy(students)}, **training
    )


class Evaluator:
    """Evaluates every student of a stack on the same samples: one set of samples a seed."""

    def __init__(self, samples):
        inputs = [one_tensor(part.inputs) for part in samples]
        self.inputs = samples_last(torch.stack(inputs).unsqueeze(1), 2)
        self.labels = torch.stack([part.labels for part in samples]).unsqueeze(1)

    @torch.no_grad()
    def logits(self, students) -> torch.Tensor:
        return students.trace(self.inputs).logits

    def accuracy(self, students):
        """The fraction of right answers of each student, (S, K)."""
        logits = self.logits(students)
        # The largest value is found ten times faster in a stack than its index.
        return fraction(at_label(logits, self.labels) == logits.amax(-1))


def fraction(hits):
    """The fraction of what is true along the samples, as an array."""
    return hits.double().mean(-1).cpu().numpy()
