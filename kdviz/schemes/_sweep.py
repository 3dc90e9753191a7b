"""Sweeps: a grid of settings times many seeds, trained in stacks, as one tidy table."""

import inspect
import itertools
from dataclasses import dataclass, replace
from functools import partial

import torch

from kdviz import __version__
from kdviz.datasets import digits
from kdviz.losses.objective import Objective, as_objective
from kdviz.losses.response import CrossEntropy, SoftTargets, cross_entropy
from kdviz.models import mlp
from kdviz.schemes.offline import ask, distill
from kdviz.schemes.stacked import Exam, distill_stack, share, teachers, train_stack
from kdviz.schemes.supervised import described_teacher, fingerprint, train
from kdviz.tracing import trace
from kdviz.training.mapped import stacked_objective, structure
from kdviz.training.stacked import StackedModel
from kdviz.training.sweep import Sweep

TRAINING = ("steps", "learning_rate", "batch_size")
# The axes of the course's landscapes.
TEMPERATURES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
SOFT_WEIGHTS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)


def mixture(temperature, soft_weight):
    """The usual objective of a sweep; at ``soft_weight`` 0 it is the hard-label baseline."""
    return (1 - soft_weight) * CrossEntropy() + soft_weight * SoftTargets(temperature)


def small_student(width=16, seed=0):
    """The usual student of a sweep: ``mlp(64, width, 10)`` with the initial weights of its seed."""
    return mlp(64, width, 10, seed=seed)


def sweep(
    grid,
    objective,
    *,
    data=digits,
    student=small_student,
    teacher=None,
    seeds=30,
    steps=600,
    learning_rate=5e-3,
    batch_size=64,
    curves=False,
    students_at_once=None,
    threads=1,
    device="cpu",
    executor=None,
    store=None,
):
    """Train a student for each point of a grid and each seed, hundreds at once.

    >>> sweep({"temperature": [1, 4, 16], "soft_weight": [0.0, 0.5, 0.9]}, mixture,
    ...       data=partial(digits, labels=50, transfer="labelled")).finish().table

    Within a seed all students share the split, the teacher, the initial weights and the order of the
    batches, so that their differences are paired.

    Parameters
    ----------
    grid : dictionary of lists (all combinations), or list of dictionaries (these points)
        A name is an argument of one of the functions below, a setting of the objective by address
        (``"soft_targets.temperature"``), or one of steps, learning_rate, batch_size.
    objective : Objective, or function of names of the grid that returns one
    data : function of ``seed`` and names of the grid that returns a Dataset
    student : function of ``seed`` and names of the grid that returns a network; or a network
    teacher : default :func:`kdviz.teacher`
        Or a function of a Dataset that returns a network or its logits on ``data.transfer.inputs``.
    seeds : how many (0, 1, 2, ...), or a list of them
    steps, learning_rate, batch_size
        As in :func:`kdviz.distill`.
    curves : keep the validation accuracy of every student along its training, as (step, percent)
    students_at_once
        How many students make a piece; by default as many as keep a step's work within the processor's
        cache. The first piece is half as large, so that a first picture comes soon. The numbers do not
        depend on it, beyond rounding.
    threads, device
        Of torch, for each piece.
    executor : any ``concurrent.futures.Executor``; default: here, one piece after another
        What it must send to its workers has to be picklable: use functions of a module and
        ``functools.partial`` for data, student and teacher.
    store : Store
        Finished pieces are kept there, and found again when the same sweep is asked for.

    Returns
    -------
    Sweep
        Iterate, or ``finish()``; ``table`` has one row a student: ``seed``, the point, accuracies and
        agreement with the teacher in percent, mean negative log-likelihood in nats, and ``problem``,
        which says why a student could not be trained and is empty otherwise.
    """
    is_function = inspect.isroutine(objective) or isinstance(objective, partial)
    recipe = Recipe(
        objective if is_function else _Always(as_objective(objective)),
        data,
        _Always(student) if isinstance(student, torch.nn.Module) else student,
        teacher,
        {"steps": steps, "learning_rate": learning_rate, "batch_size": batch_size},
        curves,
        threads,
        device,
    )
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    settings = recipe.with_data([recipe.setting(point) for point in _points(grid)])
    pieces, refused = [], {}
    for place, (seed, setting) in enumerate(itertools.product(seeds, settings)):
        if setting.problem:
            refused[place] = {"seed": seed, **setting.point, "problem": setting.problem}
    for group in _stackable(settings):
        at_once = students_at_once or recipe.students_at_once(settings[group[0]])
        for some in _cut(len(seeds), at_once / len(group)):
            places = [row * len(settings) + column for row in some for column in group]
            pieces.append(Piece(recipe, [settings[c] for c in group], [seeds[row] for row in some], places))
    # The first seeds of every point come first, so that a picture of all of them can be drawn early.
    pieces.sort(key=lambda piece: piece.places[0] // len(settings))

    def alone(place):
        return recipe.alone(seeds[place // len(settings)], settings[place % len(settings)])

    return Sweep(pieces, len(seeds) * len(settings), refused, alone, executor=executor, store=store)


@dataclass(frozen=True)
class Setting:
    """A point of the grid, sorted by who uses what."""

    point: dict
    objective: Objective | None
    data: dict
    student: dict
    training: dict
    problem: str = ""


@dataclass(frozen=True)
class Recipe:
    """What all students of a sweep have in common."""

    objective: object
    data: callable
    student: callable
    teacher: callable
    training: dict
    curves: bool
    threads: int
    device: str

    def setting(self, point):
        """A point as a setting; one that cannot be trained says why."""
        taken = {
            "objective": _taken(self.objective, point),
            "data": _taken(self.data, point),
            "student": _taken(self.student, point),
        }
        training = {**self.training, **{name: point[name] for name in TRAINING if name in point}}
        addresses = {name: value for name, value in point.items() if "." in name}
        known = {*training, *addresses, *(name for names in taken.values() for name in names)}
        unknown = [name for name in point if name not in known]
        if unknown:
            raise ValueError(
                f"the grid's {unknown[0]!r} is used by nothing: neither the functions for objective, data "
                f"and student take it, nor is it one of {', '.join(TRAINING)}, nor an address such as "
                "'soft_targets.temperature'"
            )
        try:
            objective = as_objective(self.objective(**taken["objective"])).replace(addresses)
            _check_training(training)
        except (TypeError, ValueError) as problem:
            return Setting(point, None, {}, {}, {}, str(problem))
        return Setting(point, objective, taken["data"], taken["student"], training)

    def with_data(self, settings):
        """The settings again; those for which there is no data say why."""
        problems = {}
        for setting in settings:
            if repr(setting.data) not in problems:
                problems[repr(setting.data)] = _problem(self.data, setting.data)
        return [
            setting if setting.problem else replace(setting, problem=problems[repr(setting.data)])
            for setting in settings
        ]

    def materials(self, seed, setting):
        """The split and the initial student of a seed."""
        start = self.student(seed=seed, **setting.student)
        return self.data(seed=seed, **setting.data).to(self.device), start.to(self.device)

    def students_at_once(self, setting):
        """How many students give a step the work at which stacks were measured to be fastest."""
        data, start = self.materials(0, setting)
        work = setting.training["batch_size"] * _products(start, data.validation.inputs[:1])
        return max(1, 48_000_000 // max(1, work))

    def teachers(self, data, stopped=lambda: False):
        if self.teacher is None:
            return teachers(data, threads=self.threads, stopped=stopped)
        return [self.teacher(part) for part in data]

    def alone(self, seed, setting):
        """The run of one student on its own."""
        if setting.problem:
            raise ValueError(f"this row could not be trained: {setting.problem}")
        data, start = self.materials(seed, setting)
        if not setting.objective.needs_teacher:
            return train(start, data, setting.objective, **setting.training)
        (teacher,) = self.teachers([data])
        return distill(teacher, start, data, setting.objective, **setting.training)


@dataclass(frozen=True)
class Piece:
    """The settings of one stack, for some seeds: what is trained, stored and sent to a worker at a time."""

    recipe: Recipe
    settings: list
    seeds: list
    places: list

    def key(self):
        """Everything that the rows depend on, for the store."""
        first, recipe = self.settings[0], self.recipe
        materials = [recipe.materials(seed, first) for seed in self.seeds]
        return {
            "recipe": "sweep, 2",
            "kdviz": __version__,
            "data": [part.settings for part, _ in materials],
            "starts": [fingerprint(start) for _, start in materials],
            "teachers": self._described_teachers([part for part, _ in materials]),
            "objectives": [repr(setting.objective) for setting in self.settings],
            "points": [setting.point for setting in self.settings],
            "training": [setting.training for setting in self.settings],
            "seeds": self.seeds,
            "curves": recipe.curves,
        }

    def _described_teachers(self, data):
        if not self.settings[0].objective.needs_teacher:
            return None
        if self.recipe.teacher is None:
            return [described_teacher(part)[1] for part in data]
        return [
            fingerprint(teacher) if isinstance(teacher, torch.nn.Module) else teacher.tolist()
            for teacher in self.recipe.teachers(data)
        ]

    def train(self, stopped):
        """The rows of this piece, or None when told to stop."""
        first, recipe = self.settings[0], self.recipe
        materials = [recipe.materials(seed, first) for seed in self.seeds]
        data, starts = [part for part, _ in materials], [start for _, start in materials]
        taught = recipe.teachers(data, stopped) if first.objective.needs_teacher else None
        if stopped():
            return None
        training = {
            **first.training,
            "learning_rate": _one_or_each([s.training["learning_rate"] for s in self.settings]),
            "threads": recipe.threads,
        }
        students = StackedModel(starts, len(self.settings))
        objective = stacked_objective([setting.objective for setting in self.settings])
        if taught is None:
            run = train_stack(students, data, objective, **training)
        else:
            run = distill_stack(taught, students, data, objective, **training)
        for _ in run:
            if stopped():
                return None
        return self._rows(run, data, taught)

    def _rows(self, run, data, taught):
        measures = _measures(run.student, data, taught)
        rows = []
        for row, seed in enumerate(self.seeds):
            for column, setting in enumerate(self.settings):
                here = {name: float(values[row, column]) for name, values in measures.items()}
                step = int(run.diverged[row, column])
                if step:
                    here = dict.fromkeys(here)
                if self.recipe.curves:
                    here["curve"] = [
                        (record.step, 100 * float(record.measures["accuracy"][row, column]))
                        for record in run.records
                    ]
                problem = f"the loss was no finite number at step {step} or before" if step else ""
                rows.append({"seed": seed, **setting.point, **here, "problem": problem})
        return rows


def _measures(students, data, taught):
    validation, test = Exam([part.validation for part in data]), Exam([part.test for part in data])
    logits = test.logits(students)
    answers = logits.argmax(-1)
    measures = {
        "validation_accuracy": 100 * validation.accuracy(students),
        "accuracy": 100 * share(answers == test.labels),
        "negative_log_likelihood": cross_entropy(logits, test.labels).cpu().numpy(),
    }
    if taught is not None and not any(isinstance(teacher, torch.Tensor) for teacher in taught):
        said = [ask(teacher, part.test.inputs).logits for teacher, part in zip(taught, data, strict=True)]
        measures["agreement"] = 100 * share(answers == torch.stack(said).argmax(-1).unsqueeze(1))
    return measures


class _Always:
    """A function that returns what it was given, for every seed and point."""

    def __init__(self, value):
        self.value = value

    def __call__(self, seed=None):
        return self.value


def _problem(data, taken):
    try:
        data(seed=0, **taken)
    except (TypeError, ValueError) as problem:
        return str(problem)
    return ""


def _products(network, inputs):
    """Multiplications in one forward pass: each weight of a layer meets each position of its output.

    Unlike :func:`kdviz.models.cost` it needs no more of torch than is loaded already.
    """
    layers = {
        path: module.weight
        for path, module in network.named_modules()
        if getattr(module, "weight", None) is not None and module.weight.ndim > 1
    }
    with torch.no_grad():
        features = trace(network, inputs, tuple(layers)).features
    return sum(weight.numel() * features[path].numel() // weight.shape[0] for path, weight in layers.items())


def _points(grid):
    if isinstance(grid, dict):
        return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
    return [dict(point) for point in grid]


def _taken(function, point):
    parameters = inspect.signature(function).parameters
    return {name: value for name, value in point.items() if name in parameters}


def _check_training(training):
    for name in ("steps", "batch_size"):
        if not isinstance(training[name], int) or training[name] < 1:
            raise ValueError(f"{name} must be a whole number from 1 up; got {training[name]!r}")
    if not training["learning_rate"] > 0:
        raise ValueError(f"learning_rate must be above 0; got {training['learning_rate']!r}")


def _stackable(settings):
    """The places of the settings that can share a stack, group by group."""
    groups = {}
    for place, setting in enumerate(settings):
        if not setting.problem:
            training = {name: setting.training[name] for name in ("steps", "batch_size")}
            alike = structure(setting.objective), setting.data, setting.student, training
            groups.setdefault(repr(alike), []).append(place)
    return groups.values()


def _cut(count, at_once):
    """The numbers from 0 to count - 1 in pieces, the first half as large as the others."""
    ends = [max(1, round(at_once / 2))]
    while ends[-1] < count:
        ends.append(ends[-1] + max(1, round(at_once)))
    return [range(start, min(end, count)) for start, end in itertools.pairwise([0, *ends])]


def _one_or_each(rates):
    return rates[0] if len(set(rates)) == 1 else torch.tensor(rates, dtype=torch.float64)
