"""A student as a file that runs without kdviz, checked to give the same answers."""

import logging
import os
import tempfile
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.utils import _pytree as pytree

from kdviz.study.batches import as_tensors
from kdviz.study.models import outputs_of as class_logits
from kdviz.study.sandbox import copies, random_state_kept
from kdviz.tracing import call, logits_of, rows_of, size_of, to_device

NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Exported:
    """The file written, and how far its logits were from the student's: at most, on the samples given."""

    path: Path
    format: str
    samples: int
    difference: float

    def __repr__(self):
        size = self.path.stat().st_size / 1024
        return (
            f"{self.path} ({self.format}, {size:,.0f} KiB): on the {self.samples} samples given, and on one "
            f"of them alone, its logits differ from the student's by at most {self.difference:.1e}"
        )


def export_student(
    student: nn.Module, path: str | Path, inputs, format: Literal["onnx", "torch"] = "onnx"
) -> Exported:
    """Write the student to a file that gives its logits for batches of any size, without kdviz.

    The file is checked before it gets its name: it must answer as the student does in eval mode, on all of
    ``inputs`` and on the first of them alone. The student is not changed.

    Parameters
    ----------
    student : torch.nn.Module
        Whatever it returns (a tensor, a tuple, a dictionary, an object with ``.logits``), the file gives the
        logits alone.
    path : path of the file to write, ending in ``.onnx`` or ``.pt2``
    inputs : tensor, tuple of tensors, or dictionary of them by name
        Two samples or more, such as the student takes.
    format : {"onnx", "torch"}
        ``"onnx"`` needs the packages of ``pip install 'kdviz[export]'``. ``"torch"`` needs torch alone; the
        file is run by ``torch.export.load(path).module()(inputs)``.

    Returns
    -------
    Exported

    Raises
    ------
    ValueError
        ``torch.export`` cannot follow the student, the file answers otherwise, or there is only one sample.
    ImportError
        A package that the format needs is missing.

    >>> folder = tempfile.mkdtemp()
    >>> exported = export_student(nn.Linear(3, 2), f"{folder}/student.pt2", torch.rand(4, 3), "torch")
    >>> exported.difference < 1e-6, torch.export.load(exported.path).module()(torch.rand(7, 3)).shape
    (True, torch.Size([7, 2]))
    """
    path = Path(path)
    _check(student, path, format)
    inputs = as_tensors(inputs)
    if size_of(inputs) < 2:
        raise ValueError("inputs must be two samples or more, so that the file takes batches of any size")
    [copied] = copies(student)
    model = _Logits(copied.cpu().eval())
    inputs = to_device(inputs, "cpu")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-")
    with temporary as folder, torch.no_grad(), random_state_kept():
        written = Path(folder) / path.name
        run = {"onnx": _onnx, "torch": _torch}[format](model, inputs, written)
        difference = max(_difference(model, run, some) for some in (inputs, rows_of(inputs, slice(0, 1))))
        os.replace(written, path)
    return Exported(path, format, size_of(inputs), difference)


class _Logits(nn.Module):
    """A model that returns its logits and nothing else."""

    def __init__(self, student):
        super().__init__()
        self.student = student

    def forward(self, inputs):
        return logits_of(call(self.student, inputs))


def _check(student, path, format):
    if format not in NEEDED:
        raise ValueError(f"format must be {' or '.join(map(repr, NEEDED))}; got {format!r}")
    if path.suffix != SUFFIXES[format]:
        raise ValueError(f"a file of the format {format!r} ends in {SUFFIXES[format]}; got {path.name!r}")
    if not isinstance(student, nn.Module):
        raise TypeError(f"the student must be a torch.nn.Module; got {type(student).__name__}")
    missing = [package for package in NEEDED[format] if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"the format {format!r} needs {' and '.join(missing)}: pip install 'kdviz[export]'. "
            "Or export with format='torch', which needs nothing more"
        )


def _program(model, inputs):
    shapes = pytree.tree_map(lambda part: {0: torch.export.Dim.DYNAMIC}, (inputs,))
    try:
        return torch.export.export(model, (inputs,), dynamic_shapes=shapes)
    except Exception as problem:
        raise ValueError(
            "torch.export cannot follow this student. Does its forward branch on the values of its inputs, "
            f"or fix the size of a batch? {type(problem).__name__}: {problem}"
        ) from problem


def _torch(model, inputs, path):
    torch.export.save(_program(model, inputs), path)
    return torch.export.load(path).module()


def _onnx(model, inputs, path):
    import onnxruntime

    names = list(inputs) if isinstance(inputs, dict) else None
    with _quiet("torch.onnx"):
        exported = torch.onnx.export(
            _program(model, inputs),
            input_names=names,
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    exported.save(path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    slots = [slot.name for slot in session.get_inputs()]

    def run(inputs):
        given = [part.numpy() for part in pytree.tree_leaves(inputs)]
        return torch.from_numpy(session.run(["logits"], dict(zip(slots, given, strict=True)))[0])

    return run


@contextmanager
def _quiet(name):
    """Without the notes on operators of packages that are not there."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _difference(model, run, inputs):
    wanted, given = class_logits(model.student, inputs, "the student"), run(inputs)
    difference = float((wanted - given).abs().max()) if wanted.shape == given.shape else float("inf")
    # NaN is not at most anything.
    if not difference <= TOLERANCE * max(1.0, float(wanted.abs().max())):
        raise ValueError(
            f"the exported file gives other logits than the student: they differ by up to {difference:.3g}. "
            "Nothing was written. Does the student draw random numbers in eval mode, or are its logits not "
            "finite?"
        )
    return difference
