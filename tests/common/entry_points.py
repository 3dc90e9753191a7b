"""Every loss, scheme, explorer and verb of the public names with a right call, and wrong values.

Whoever adds one gives it a case here: what has none fails ``test_every_entry_point_has_a_case``.
"""

import copy
import importlib.util
import inspect
import os
import random
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
import traitlets
from loss_examples import EXAMPLES, made
from torch import nn

import kdviz as kd
from kdviz import explorers, schemes
from kdviz.course import published
from kdviz.seeding import seeded
from kdviz.tracing import Trace
from kdviz.training.store import Store

VERBS = ("compare", "diagnose", "distill", "layers", "sweep", "teacher", "trace", "train")


@dataclass(frozen=True)
class Case:
    """An entry point: ``call(**arguments())`` is right, and gives something that can be compared."""

    name: str
    call: Callable
    arguments: Callable


# Losses ----------------------------------------------------------------------------------------------


def loss_cases():
    return [Case(type(loss).__name__, _loss_call(loss), _loss_arguments(loss)) for loss in EXAMPLES]


def _loss_call(loss):
    def call(student, teacher, labels):
        return loss(student, teacher, labels).detach()

    return call


def _loss_arguments(loss):
    """Plain logits, or the traces that a loss of layers reads."""

    def arguments():
        traces = made("student", 8, 5, 0, torch.float32), made("teacher", 8, 5, 1, torch.float32)
        given = [trace if loss.student_layers else trace.logits for trace in traces]
        return {"student": given[0], "teacher": given[1], "labels": torch.arange(8) % 5}

    return arguments


def loss_settings():
    """Each loss with each of its settings."""
    return [(loss, field.name) for loss in EXAMPLES for field in fields(loss)]


# Schemes ---------------------------------------------------------------------------------------------


def _scheme_examples():
    path = Path(__file__).parents[1] / "schemes" / "test_every_scheme.py"
    spec = importlib.util.spec_from_file_location("every_scheme", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SCHEMES


def scheme_cases():
    return [Case(name, _trained(name), _bound(name, example)) for name, example in _scheme_examples().items()]


def _function(name):
    return getattr(schemes, "collaborative" if name == "general" else name)


def _trained(name):
    def call(**given):
        return weights(_function(name)(**given).finish().student)

    return call


def _bound(name, example):
    """The arguments of a scheme's example, by name, with the settings of its training."""

    def arguments():
        function, caught = _function(name), {}

        def catch(*given, **named):
            caught.update(inspect.signature(function).bind(*given, **named).arguments)

        real = function.__name__
        setattr(schemes, real, catch)
        try:
            example(small(), steps=2, record_every=2)
        finally:
            setattr(schemes, real, function)
        settings = {"learning_rate": 0.005, "batch_size": 16, "seed": 0, "threads": 1}
        return settings | caught.pop("training", {}) | caught

    return arguments


# Explorers -------------------------------------------------------------------------------------------


def convnets():
    return {"teacher": kd.models.convnet(4, 6, seed=7), "student": kd.models.convnet(3, 6, seed=0)}


def students_table():
    row = {"student": "small", "accuracy": 95.0, "baseline_accuracy": 93.0, "parameters": 500, "bytes": 2000}
    return pd.DataFrame([row | {"seed": seed, "accuracy": 95.0 + seed / 10} for seed in range(6)])


def runs_of():
    data = small()
    teacher, objective = convnets()["teacher"], kd.CrossEntropy() + kd.SoftTargets(4)
    return kd.distill(teacher, kd.models.convnet(3, 6, seed=0), data, objective, steps=4)


def published_tables():
    every = pd.concat([published.survey(), published.sized()], ignore_index=True)
    return {"rows": every, "benchmarks": {name: published.benchmark(name) for name in published.BENCHMARKS}}


def cut_weights():
    """One layer before, and at two strengths of one family."""
    full = torch.linspace(-1, 1, 40).numpy()
    return {"all of it": full, "pruned": {"50 %": np.where(abs(full) < 0.5, 0, full), "90 %": 0 * full}}


def cut_table():
    every = [("pruned", "50 %", 800, 95.0), ("pruned", "90 %", 300, 60.0), ("pruned", "50 %", 1600, 97.0)]
    rows = pd.DataFrame(every, columns=["student", "network", "bytes", "accuracy"])
    return rows.assign(arm=["as cut", "as cut", "all of it"], seed=0)


def one_world():
    """Two features, of which one decides."""
    inputs = np.random.default_rng(0).standard_normal((12, 2))
    told = {"inputs": inputs, "labels": inputs[:, 0] > 0, "rules": np.array([[1.0, 0.0]]), "says": "A world."}
    return told | {"teacher": (3 * inputs[:, 0], 100.0), "shuffled": (inputs[:, 1], 50.0)}


def two_pairs():
    """Two pairs of an image and a tone, and the second one for the first."""
    return {
        "images": np.linspace(0, 1, 32).reshape(2, 4, 4),
        "sines": np.sin(np.arange(12.0).reshape(2, 6)),
        "noise": np.cos(np.arange(12.0).reshape(2, 6)),
        "hertz": np.array([[941.0, 1336.0], [697.0, 1209.0]]),
        "partners": {"at random": [[0, 1], [1, 0]], "next digit": [[0, 1], [1, 1]]},
    }


def table_of_pairs():
    """For two senses and two strengths of noise: rows of each way to learn, over two seeds."""
    ways = [("at random", 0.0, 90.0), ("at random", 1.0, 20.0), ("next digit", 0.0, 90.0)]
    ways += [("next digit", 1.0, 12.0), ("50 labels", 0.0, 70.0), ("all labels", 0.0, 95.0)]
    every = [
        (seed, sense, hiss, arm, wrong, accuracy - 10 * hiss + seed, 60.0 + seed)
        for seed in range(2)
        for sense in ("tone", "image")
        for hiss in (0.5, 1.0)
        for arm, wrong, accuracy in ways
    ]
    names = ["seed", "sense", "hiss", "arm", "wrong", "accuracy", "teacher_accuracy"]
    return pd.DataFrame(every, columns=names)


def pixel_network(seed):
    with seeded(seed):
        return torch.nn.Sequential(torch.nn.Conv2d(1, 44, 5, stride=2, padding=2), torch.nn.PixelShuffle(2))


EXPLORERS = {
    "alignment": lambda: {
        "teacher": convnets()["teacher"],
        "runs": {"soft targets": runs_of()},
        "data": small(),
        "layers": ("activation1", "logits"),
        "points": 20,
        "snapshots": 3,
    },
    "anatomy": lambda: {**convnets(), "data": small(), "temperature": 4.0, "count": 5},
    "attention": lambda: {
        "teacher": convnets()["teacher"],
        "students": convnets()["student"],
        "data": small(),
        "layers": ["activation1"],
        "images": 4,
    },
    "attribution": lambda: {**convnets(), "data": small(), "images": 10},
    "generations": lambda: {"points": 12, "noise": 0.6, "width": 0.05, "ridge": 0.3, "seed": 0},
    "guess": lambda: {"question": "Which?", "choices": ["one", "two"], "answer": "two", "because": "So."},
    "landscape": lambda: {
        "labels": 50,
        "width": 4,
        "steps": 3,
        "seeds": 2,
        "temperatures": (2.0, 4.0),
        "soft_weights": (0.5, 1.0),
    },
    "playback": lambda: {
        "panels": {"student": np.linspace(0, 1, 12).reshape(2, 3, 2)},
        "steps": [0, 1],
        "x_axis": "the teacher's",
        "y_axis": "the student's",
    },
    "dreams": lambda: {
        "film": [(np.full((2, 3, 4, 4), 0.5), np.array([0.5, 1.0]))] * 2,
        "terms": ["the class"],
        "steps": [0, 1],
        "wanted": ["0", "1", "2"],
    },
    "canvas": lambda: {
        "images": np.full((2, 8, 8), 0.5),
        "labels": [3, 7],
        "teacher": pixel_network(1),
        "students": {"student": pixel_network(2)},
    },
    "compression": lambda: {"weights": cut_weights(), "table": cut_table()},
    "language": lambda: {"beta": 0.5, "text": "own", "start": "cold", "temperature": 0.5, "seed": 3},
    "playground": lambda: {"story": "few-labels"},
    "privileged": lambda: {"worlds": {"one decides": one_world()}, "penalty": 0.01},
    "published": lambda: published_tables() | {"view": "reported gains", "method": None},
    "relations": lambda: {
        "teacher": convnets()["teacher"],
        "students": convnets()["student"],
        "data": small(),
        "layer": "activation1",
        "samples": 12,
    },
    "score": lambda: {
        "students": students_table(),
        "teacher": {"accuracy": 98.0, "parameters": 20_000, "bytes": 80_000},
        "minimum": 90,
        "size_weight": 0.5,
        "classes": 10,
    },
    "senses": lambda: {"pairs": two_pairs(), "table": table_of_pairs()},
    "soft_targets": lambda: {**convnets(), "data": small(), "count": 4, "temperature": 4.0},
    "tally": lambda: {"guesses": [explorers.guess("Which?", ["one", "two"], answer="two")], "exercises": ()},
    "theatre": lambda: {"run": runs_of(), "data": small(), "teacher": convnets()["teacher"], "count": 3},
}


def explorer_cases():
    def call(name):
        return lambda **given: getattr(explorers, name)(**given).static_html()

    return [Case(name, call(name), arguments) for name, arguments in EXPLORERS.items()]


# Verbs -----------------------------------------------------------------------------------------------


def small():
    return kd.datasets.digits(labels=50, transfer="labelled", seed=0)


def pair():
    return {"teacher": kd.models.mlp(64, 8, 10, seed=1), "student": kd.models.mlp(64, 4, 10, seed=2)}


def batch():
    data = small().test
    return data.inputs[:60].clone(), data.labels[:60].clone()


SETTINGS = {"steps": 2, "learning_rate": 0.005, "batch_size": 16, "seed": 0, "record_every": 1, "threads": 1}


def _verbs(folder):
    objective = kd.CrossEntropy() + kd.SoftTargets(2.0)
    names = [str(number) for number in range(10)]
    return {
        "compare": lambda: {
            **pair(),
            "data": batch(),
            "baselines": [kd.models.mlp(64, 4, 10, seed=3)],
            "layers": ["activation1"],
            "teacher_layers": ["activation1"],
            "classes": names,
            "answers": "classes",
            "batch_size": 32,
            "progress": False,
        },
        "diagnose": lambda: {**pair(), "data": batch(), "objective": objective, "samples": 60},
        "distill": lambda: {**pair(), "data": small(), "objective": objective, **SETTINGS},
        "layers": lambda: {"model": pair()["student"], "inputs": batch()[0], "blocks": False},
        "sweep": lambda: {
            "grid": {"temperature": [2.0, 4.0]},
            "objective": lambda temperature=2.0: kd.SoftTargets(temperature),
            "data": lambda seed: kd.datasets.digits(labels=50, seed=seed),
            "student": pair()["student"],
            "teacher": lambda data: torch.randn(
                len(data.transfer), 10, generator=torch.Generator().manual_seed(0)
            ),
            "seeds": 2,
            **{key: value for key, value in SETTINGS.items() if key not in ("seed", "record_every")},
            "curves": False,
            "students_at_once": 2,
            "device": "cpu",
            "store": Store(folder / "sweep"),
        },
        "teacher": lambda: {
            "data": small(),
            "model": pair()["teacher"],
            "on": "train",
            "steps": 2,
            "learning_rate": 0.003,
            "seed": 0,
            "store": Store(folder / "teacher"),
        },
        "trace": lambda: {"model": pair()["student"], "inputs": batch()[0], "layers": ["logits"]},
        "train": lambda: {
            "student": pair()["student"],
            "data": small(),
            "objective": kd.CrossEntropy(),
            "on": "labelled",
            **SETTINGS,
        },
    }


def verb_cases(folder):
    gives = {
        "compare": lambda found: found.table,
        "diagnose": str,
        "distill": lambda run: weights(run.finish().student),
        "layers": lambda table: table,
        "sweep": lambda sweep: sweep.finish(progress=False).table,
        "teacher": weights,
        "trace": lambda seen: seen.logits.detach(),
        "train": lambda run: weights(run.finish().student),
    }

    def call(name):
        return lambda **given: gives[name](getattr(kd, name)(**given))

    return [Case(name, call(name), arguments) for name, arguments in _verbs(folder).items()]


def weights(model):
    return torch.cat([part.detach().double().flatten() for part in model.state_dict().values()])


# Wrong values ----------------------------------------------------------------------------------------

ANYTHING = {
    "nothing": None,
    "a text": "wrong",
    "an object": SimpleNamespace(),
    "a number": 3,
    "NaN": float("nan"),
    "a list": [1, 2],
    "an empty list": [],
    "a function": lambda *given, **named: None,
}
NUMBERS = {
    "minus one": -1,
    "nought": 0,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "huge": 1e308,
    "true": True,
    "complex": 2j,
    "a text": "4",
    "nothing": None,
    "a list": [4],
    "half": 0.5,
    "numpy's integer": np.int64(2),
    "numpy's fraction": np.float32(0.5),
    "torch's number": torch.tensor(2.0),
}
TENSORS = {
    "half precision": lambda t: t.half(),
    "double precision": lambda t: t.double(),
    "whole numbers": lambda t: t.long(),
    "truths": lambda t: t.bool(),
    "complex": lambda t: t.to(torch.complex64),
    "NaN": lambda t: torch.full_like(t, torch.nan) if t.is_floating_point() else t.float() * torch.nan,
    "infinity": lambda t: torch.full_like(t, torch.inf) if t.is_floating_point() else t.float() * torch.inf,
    "no sample": lambda t: t[:0],
    "one sample": lambda t: t[:1],
    "a scalar": lambda t: t.float().mean(),
    "one axis more": lambda t: t.unsqueeze(0),
    "flat": lambda t: t.flatten(),
    "no width": lambda t: t[..., :0],
    "a numpy array": lambda t: t.numpy(),
    "lists": lambda t: t.tolist(),
    "sparse": lambda t: t.to_sparse(),
    "far off": lambda t: t + 1000,
    "minus": lambda t: -5 - t.abs(),
}


class Wrong(nn.Module):
    """A network that answers something else."""

    def __init__(self, answer):
        super().__init__()
        self.weight, self.answer = nn.Parameter(torch.ones(1)), answer

    def forward(self, inputs):
        return self.answer(inputs.flatten(1) * self.weight)


def raises(inputs):
    raise RuntimeError("of the reader's own")


MODELS = {
    "a class": nn.Linear,
    "without weights": nn.Flatten(),
    "for other inputs": nn.Sequential(nn.Flatten(), nn.Linear(7, 10)),
    "of one class": nn.Sequential(nn.Flatten(), nn.Linear(64, 1)),
    "of other classes": nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
    "of a scalar": Wrong(lambda x: x.mean()),
    "of nothing": Wrong(lambda x: None),
    "of NaN": Wrong(lambda x: x[:, :10] * torch.nan),
    "of infinity": Wrong(lambda x: x[:, :10] / 0),
    "of whole numbers": Wrong(lambda x: x[:, :10].long()),
    "of half precision": Wrong(lambda x: x[:, :10].half()),
    "of other samples": Wrong(lambda x: x[1:, :10]),
    "of a list": Wrong(lambda x: x[:, :10].tolist()),
}


def datasets():
    """Splits that cannot be learned from."""
    right = small()

    def with_inputs(change):
        parts = ("train", "validation", "test", "labelled", "transfer")
        return replace(
            right,
            **{
                part: replace(getattr(right, part), inputs=change(getattr(right, part).inputs))
                for part in parts
            },
        )

    yield "NaN inputs", with_inputs(lambda x: x * torch.nan)
    yield "flat inputs", with_inputs(lambda x: x.flatten(1))
    yield "whole inputs", with_inputs(lambda x: x.long())
    yield "a batch", batch()


def changed(trace, change):
    features = {layer: change(part.clone()) for layer, part in trace.features.items()}
    return Trace(features["logits"], features, trace.rows)


def wrong(value):
    """What may stand in a value's place, by name: of its kind and wrong, and of other kinds."""
    if isinstance(value, bool) or value is None:
        return dict(ANYTHING)
    if isinstance(value, (int, float)):
        return dict(NUMBERS)
    if isinstance(value, torch.Tensor):
        return ANYTHING | {name: change(value.clone()) for name, change in TENSORS.items()}
    if isinstance(value, Trace):
        other = {"elsewhere": value.logits}
        return (
            ANYTHING
            | {name: changed(value, change) for name, change in TENSORS.items()}
            | {
                "no layers": Trace(value.logits),
                "other layers": Trace(value.logits, other),
                "its logits": value.logits,
            }
        )
    if isinstance(value, nn.Module):
        return ANYTHING | MODELS
    if isinstance(value, kd.datasets.Dataset):
        return ANYTHING | dict(datasets())
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], torch.Tensor):
        inputs = {
            f"inputs: {name}": (part, value[1]) for name, part in (wrong(value[0]) if value else {}).items()
        }
        labels = {f"labels: {name}": (value[0], part) for name, part in wrong(value[1]).items()}
        return ANYTHING | inputs | labels
    if isinstance(value, dict):
        return (
            ANYTHING
            | {"empty": {}}
            | {
                f"{key}: {name}": value | {key: part}
                for key in value
                for name, part in wrong(value[key]).items()
            }
        )
    if isinstance(value, np.ndarray):
        return ANYTHING | {
            "NaN": value * np.nan,
            "empty": value[:0],
            "flat": value.ravel(),
            "texts": value.astype(str),
            "a scalar": value.mean(),
            "one axis more": value[None],
            "whole": value.astype(int),
        }
    if isinstance(value, pd.DataFrame):
        return ANYTHING | {
            "empty": value.iloc[:0],
            "one row": value.iloc[:1],
            "NaN": value.assign(accuracy=np.nan),
            "texts": value.astype(str),
            "no columns": value[[]],
        }
    if isinstance(value, (list, tuple)) and value:
        one = {
            f"one of them {name}": type(value)([part, *value[1:]]) for name, part in wrong(value[0]).items()
        }
        return ANYTHING | one | {"a number of them": len(value)}
    if isinstance(value, str):
        return ANYTHING | {"another text": "no such thing", "an empty text": ""}
    return dict(ANYTHING)


# What is looked at -------------------------------------------------------------------------------------


def _lasting(environment):
    # pytest notes in one of them which test runs, and torch where its compiler keeps its files.
    noted = ("PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR")
    return {name: value for name, value in environment.items() if name not in noted}


def global_state():
    """What no call may change for whoever calls next."""
    return {
        "torch's random numbers": torch.get_rng_state().tolist(),
        "numpy's random numbers": np.random.get_state()[1].tolist(),
        "Python's random numbers": random.getstate(),
        "gradients wanted": torch.is_grad_enabled(),
        "default precision": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "filters of warnings": list(warnings.filters),
        "environment": _lasting(os.environ),
        "folder": os.getcwd(),
        "printing": vars(torch._tensor_str.PRINT_OPTS).copy(),
        "pandas": pd.get_option("display.max_rows"),
        "errors of numpy": np.geterr(),
    }


def content(value):
    """The content of arguments, so that a change is seen: arrays, weights, modes, and what holds them."""
    if isinstance(value, torch.Tensor):
        return (value.detach().clone(), value.requires_grad, value.grad is None)
    if isinstance(value, nn.Module):
        parts = [*value.parameters(), *value.buffers()]
        hooks = [len(module._forward_hooks) for module in value.modules()]
        return [content(part) for part in parts], [module.training for module in value.modules()], hooks
    if isinstance(value, Trace):
        return content(value.features)
    if isinstance(value, kd.datasets.Dataset):
        parts = (value.train, value.validation, value.test, value.labelled, value.transfer)
        return [(content(part.inputs), content(part.labels)) for part in parts]
    if isinstance(value, dict):
        return {name: content(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [content(part) for part in value]
    return copy.deepcopy(value) if isinstance(value, pd.DataFrame) else None


def same(one, other):
    """Whether two results or contents are the same, to the last bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) or bool(
            torch.isnan(one).any() and torch.equal(one.nan_to_num(), other.nan_to_num())
        )
    if isinstance(one, pd.DataFrame):
        return one.equals(other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


KDVIZ = str(Path(kd.__file__).parent)


def is_told(error):
    """Whether an error is one of ours: raised on purpose, in words, or the reader's own passed on."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    ours = last.filename.startswith(KDVIZ) and last.line.startswith("raise")
    # A network's own error goes on as it is, with a note of what kdviz asked it.
    asked = any("kdviz called this" in note for note in getattr(error, "__notes__", ()))
    # Those of a widget's traits say what was expected and what was given.
    return (
        asked
        or isinstance(error, traitlets.TraitError)
        or any(frame.filename == __file__ for frame in frames[2:])
        or (ours and isinstance(error, (ValueError, TypeError)) and len(str(error)) > 20)
    )
