"""A run in files, to go on in another process: weights as safetensors, all else as JSON. Nothing can run."""

import json
from dataclasses import asdict
from pathlib import Path

import torch

from kdviz.tracing import device_of
from kdviz.training.lesson import Lesson
from kdviz.training.mapped import structure
from kdviz.training.record import Record
from kdviz.training.store import checksum_of, load_weights, save_weights

FORMAT = 1
NAME = "run.json"
_PLAIN = (bool, int, float, str, type(None))


def save_run(run, folder) -> Path:
    """Write a run into a folder, in place of what it held of an earlier moment."""
    lesson = run.lesson
    if not (isinstance(lesson, Lesson) and lesson.only_counts):
        raise TypeError(
            f"a run of {type(lesson).__name__} keeps more than its place among the batches; the runs of "
            "kdviz.distill and kdviz.train can be saved"
        )
    tensors = {}
    state = {
        "step": run.step,
        "records": [asdict(record) for record in run.records],
        "changes": run._changes,
        "objective": _numbers(run.objective),
        "student": run.student.state_dict(),
        "learned": run.learned,
        "updates": run._optimizer.state() if run.learned is not None else None,
    }
    content = {"format": FORMAT, "asked": asked(run), "state": _packed(state, "", tensors)}
    path = Path(folder) / NAME
    save_weights(path, tensors, {**content, "checksum": checksum_of(content)})
    kept = json.loads(path.read_text(encoding="utf-8"))["weights"]
    for old in path.parent.glob("*.safetensors"):
        if old.name != kept:
            old.unlink(missing_ok=True)
    return path


def load_run(folder, run):
    """Go on with a run that :meth:`kdviz.training.Run.save` wrote, in this process or another.

    >>> import tempfile
    >>> import kdviz as kd
    >>> data, folder = kd.datasets.digits(labels=50), tempfile.mkdtemp()
    >>> def begun():
    ...     return kd.train(kd.models.mlp(64, 16, 10), data, steps=40)
    >>> run = begun()
    >>> for record in run:
    ...     if record.step == 20:
    ...         path = run.save(folder)
    >>> again = kd.load_run(folder, begun())
    >>> again.step, again.finish().records[-1].total == run.records[-1].total
    (20, True)

    A file holds numbers, not your networks, data and functions; so make the run as you made the first, and
    it becomes the saved one: weights, what the losses have learned, the state of optimizer and schedule, the
    place among the batches, records, and settings that were changed on the way. What is drawn within a step
    belongs to the seed and the step. So on a CPU the end is that of a run that was never left, bit for bit.
    Of a loader of yours that holds too, if what its data set draws comes from torch, numpy or random, and its
    workers are not persistent; the batches of the epoch in hand are read again up to its place.

    Parameters
    ----------
    folder : what ``run.save(folder)`` was given
    run : a run that has not begun, of :func:`kdviz.distill` or :func:`kdviz.train`, with the same arguments

    Returns
    -------
    Run
        The run handed in.

    Raises
    ------
    FileNotFoundError
        There is no run in the folder.
    ValueError
        The files are damaged, or the run was made with other settings; the error names the first.
    """
    if run.step:
        raise ValueError(f"hand in a run that has not begun; this one has taken {run.step} steps")
    path = Path(folder) / NAME
    content = _read(path)
    _check_asked(content["asked"], asked(run), path)
    state = _unpacked(content["state"], load_weights(path))
    run.student.load_state_dict(state["student"])
    run.objective = run.objective.replace(state["objective"])
    run.step, run._changes = state["step"], [tuple(change) for change in state["changes"]]
    run._begun = run.step
    run.records[:] = [_record(record) for record in state["records"]]
    if state["learned"] is not None:
        run.learned = _learned(run, state["learned"])
        run._learn_too(run._learning())
        run._optimizer.go_on_from(state["updates"])
    run.lesson.go_to(run.step * run.accumulate)
    return run


def _learned(run, kept):
    """What the losses have learned: parameters, but for what a loss only remembers."""
    named, device = run.objective.named, device_of(run.student)
    return {
        name: {
            key: part.to(device).requires_grad_(key not in named[name].loss.remembers)
            for key, part in parts.items()
        }
        for name, parts in kept.items()
    }


def asked(run):
    """What the run that goes on must have been asked for, too."""
    made = {name: _name_of(getattr(run, name)) for name in ("optimizer", "schedule")}
    plain = ("steps", "batch_size", "seed", "record_every", "accumulate", "clip")
    weights = {name: list(part.shape) for name, part in run.student.named_parameters()}
    return {
        **{name: getattr(run, name) for name in plain},
        "learning_rate": float(run.learning_rate),
        "precision": str(run.precision),
        "objective": repr(structure(run.objective)),
        "teacher": type(getattr(run.lesson, "teacher", None)).__name__,
        "batches an epoch": run.lesson.epoch_length(run.batch_size),
        "weights of the student": weights,
        **made,
    }


def _check_asked(saved, ours, path):
    ours = json.loads(json.dumps(ours))
    for name, value in ours.items():
        if saved.get(name) != value:
            raise ValueError(
                f"{path} is of a run with another {name}: {_short(saved.get(name))}, and the one handed in "
                f"has {_short(value)}. Make it with the arguments of the first"
            )


def _short(value):
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."


def _name_of(function):
    return None if function is None else getattr(function, "__qualname__", type(function).__qualname__)


def _numbers(objective):
    """The settings that may have been changed: tuples of layers and the like cannot have been."""
    return {name: value for name, value in objective.settings().items() if isinstance(value, _PLAIN)}


def _record(kept):
    return Record(**{**kept, "changes": tuple(tuple(change) for change in kept["changes"])})


def _read(path):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["settings"]
        checksum = content.pop("checksum")
        version = content["format"]
    except FileNotFoundError as problem:
        raise FileNotFoundError(f"there is no saved run in {path.parent}") from problem
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise ValueError(f"{path} is not a run that kdviz saved, or it is damaged") from problem
    if checksum != checksum_of(content):
        raise ValueError(f"{path} is damaged: its checksum is not the one recorded")
    if version != FORMAT:
        raise ValueError(f"{path} has format {version}, and this kdviz reads {FORMAT}")
    return content


def _packed(value, name, tensors):
    """A value as JSON has it, with its tensors put beside it by name."""
    if isinstance(value, torch.Tensor):
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        parts = [_packed(part, f"{name}/{number}", tensors) for number, part in enumerate(value)]
        return {type(value).__name__ if type(value) in (list, tuple) else "list": parts}
    if isinstance(value, dict):
        # JSON has no numbers as keys, and the optimizer's state has nothing else.
        return {"dict": [[key, _packed(part, f"{name}/{key}", tensors)] for key, part in value.items()]}
    raise TypeError(
        f"{name.strip('/') or 'the run'} holds a {type(value).__name__}, which cannot be kept as numbers. A "
        "schedule or optimizer that is made of numbers alone can be saved"
    )


def _unpacked(value, tensors):
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "dict":
        return {key: _unpacked(part, tensors) for key, part in inner}
    parts = [_unpacked(part, tensors) for part in inner]
    return tuple(parts) if kind == "tuple" else parts
