"""A student as a file that runs without kdviz, checked to give the same answers."""

import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.utils import _pytree as pytree

from kdviz.inputs.batches import as_tensors
from kdviz.inputs.models import logits_in, outputs_of
from kdviz.study.sandbox import copies, random_state_kept
from kdviz.tracing import call, rows_of, size_of, to_device

NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
SUFFIXES = {"onnx": ".onnx", "torch": ".pt2"}
# How far logits of single precision may be apart, as a fraction of the largest; of others so many roundings.
TOLERANCE = 1e-4
_ROUNDINGS = 16


@dataclass(frozen=True)
class Exported:
    """The file written, and how far its logits were from the student's: at most, on the samples given.

    ``free`` says by input which axes may have another length than in these samples; all others are fixed.
    """

    path: Path
    format: str
    samples: int
    difference: float
    free: dict[str, list[int]]

    def __repr__(self):
        size = self.path.stat().st_size / 1024
        return (
            f"{self.path} ({self.format}, {size:,.0f} KiB): on the {self.samples} samples given, and on one "
            f"of them alone, its logits differ from the student's by at most {self.difference:.1e}; of any "
            f"length are {', '.join(f'{name} {axes}' for name, axes in self.free.items())}"
        )


def export_student(
    student: nn.Module,
    path: str | Path,
    inputs,
    format: Literal["onnx", "torch"] = "onnx",
    *,
    dynamic: Mapping[str, Sequence[int]] | Sequence[int] | None = None,
    tolerance: float | None = None,
    logits: int | str | Callable | None = None,
) -> Exported:
    """Write the student to a file that gives its logits for batches of any size, without kdviz.

    The file is checked before it gets its name: it must answer as the student does in eval mode, on all of
    ``inputs``, on the first of them alone, and on shorter texts where their length is free. The student is
    not changed. :func:`kdviz.compare` takes what was written as teacher or student.

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
    dynamic : axes that may have any length beside the first, the samples
        Axes of the one input, or a dictionary of them by name. By default the second of whole numbers, such
        as tokens and their mask, where the student allows it.
    tolerance : how far the logits may be from the student's, as a fraction of the largest
        By default 1e-4, and for half precision 16 times its rounding.
    logits : int, str or function
        Which part of what the student returns holds the logits, where that is not plain.

    Returns
    -------
    Exported

    Raises
    ------
    ValueError
        ``torch.export`` cannot follow the student, the file answers otherwise, an axis cannot be of any
        length, or there is only one sample.
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
    model = _Logits(copied.cpu().eval(), logits)
    inputs = _in_precision(model, to_device(inputs, "cpu"))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-")
    with temporary as folder, torch.no_grad(), random_state_kept():
        # What it cannot answer it says in its own words, not in those of the exporter.
        outputs_of(model.student, inputs, "the student", logits)
        written = Path(folder) / path.name
        program, free = _program(model, inputs, dynamic)
        run = {"onnx": _onnx, "torch": _torch}[format](program, inputs, written)
        tried = [inputs, rows_of(inputs, slice(0, 1)), *_shorter(inputs, free)]
        difference = max(_difference(model, run, some, tolerance) for some in tried)
        os.replace(written, path)
    return Exported(path, format, size_of(inputs), difference, free)


class _Logits(nn.Module):
    """A model that returns its logits and nothing else."""

    def __init__(self, student, pick):
        super().__init__()
        self.student, self.pick = student, pick

    def forward(self, inputs):
        return logits_in(call(self.student, inputs), self.pick, "the student")


def _check(student, path, format):
    if format not in NEEDED:
        raise ValueError(f"format must be {' or '.join(map(repr, NEEDED))}; got {format!r}")
    if path.suffix != SUFFIXES[format]:
        raise ValueError(f"a file of the format {format!r} ends in {SUFFIXES[format]}; got {path.name!r}")
    if not isinstance(student, nn.Module):
        raise TypeError(f"the student must be a torch.nn.Module; got {type(student).__name__}")
    hidden = sorted(
        {type(part).__name__ for part in student.modules() if "quantized" in type(part).__module__}
    )
    if hidden:
        raise ValueError(
            f"quantised modules cannot be exported: the student has {', '.join(hidden)}. Export it before "
            "it is quantised, and quantise the file, for example by "
            "onnxruntime.quantization.quantize_dynamic"
        )
    missing = [package for package in NEEDED[format] if find_spec(package) is None]
    if missing:
        raise ImportError(
            f"the format {format!r} needs {' and '.join(missing)}: pip install 'kdviz[export]'. "
            "Or export with format='torch', which needs nothing more"
        )


def _in_precision(model, inputs):
    """Fractions as precise as the student's weights, as it gets them from kdviz."""
    weight = next((part for part in model.parameters() if part.is_floating_point()), None)
    if weight is None:
        return inputs
    return pytree.tree_map(
        lambda part: (
            part.to(weight.dtype) if isinstance(part, torch.Tensor) and part.is_floating_point() else part
        ),
        inputs,
    )


def _named(inputs):
    """The tensors of the inputs by name, or by their number."""
    if isinstance(inputs, dict):
        return inputs
    return dict(enumerate(inputs)) if isinstance(inputs, tuple) else {"inputs": inputs}


def _program(model, inputs, dynamic):
    """The program, and by input the axes that may have any length."""
    parts = _named(inputs)
    asked = dynamic if isinstance(dynamic, Mapping) else dict.fromkeys(parts, dynamic or ())
    unknown = [name for name in asked if name not in parts]
    if unknown:
        raise ValueError(f"dynamic names {unknown[0]!r}; the inputs are {', '.join(map(repr, parts))}")
    free = {name: sorted({0, *asked.get(name, ())}) for name in parts}
    if dynamic is not None:
        return _exported(model, inputs, free), _told(free)
    # Texts come in any length; a student that fixes it, by a table of positions for one, gets that length.
    lengths = {name: [0, 1] if _is_text(part) else [0] for name, part in parts.items()}
    if lengths != free:
        try:
            return _exported(model, inputs, lengths), _told(lengths)
        except ValueError:
            pass
    return _exported(model, inputs, free), _told(free)


def _is_text(part):
    return isinstance(part, torch.Tensor) and not part.is_floating_point() and part.ndim > 1


def _told(free):
    return {str(name): axes for name, axes in free.items()}


def _exported(model, inputs, free):
    shapes = {name: dict.fromkeys(axes, torch.export.Dim.DYNAMIC) for name, axes in free.items()}
    if isinstance(inputs, tuple):
        shapes = tuple(shapes.values())
    elif not isinstance(inputs, dict):
        shapes = shapes["inputs"]
    try:
        return torch.export.export(model, (inputs,), dynamic_shapes=(shapes,))
    except Exception as problem:
        raise ValueError(
            "torch.export cannot follow this student. Does its forward branch on the values of its inputs, "
            f"or fix the size of a batch or of an axis? {type(problem).__name__}: {problem}"
        ) from problem


def _shorter(inputs, free):
    """The same with half the length, where all that is free has one."""
    parts = _named(inputs)
    lengths = {parts[name].shape[1] for name in parts if 1 in free[str(name)]}
    if len(lengths) != 1 or (length := lengths.pop()) < 4:
        return []
    cut = {name: part[:, : length // 2] if 1 in free[str(name)] else part for name, part in parts.items()}
    if isinstance(inputs, dict):
        return [cut]
    return [tuple(cut.values()) if isinstance(inputs, tuple) else cut["inputs"]]


def _torch(program, inputs, path):
    torch.export.save(program, path)
    return torch.export.load(path).module()


def _onnx(program, inputs, path):
    import onnxruntime

    names = list(inputs) if isinstance(inputs, dict) else None
    with _quiet("torch.onnx"):
        exported = torch.onnx.export(
            program,
            input_names=names,
            output_names=["logits"],
            dynamo=True,
            verbose=False,
        )
    exported.save(path)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as problem:
        raise ValueError(
            f"onnxruntime cannot run this student on a CPU: {problem}. Of a student in bfloat16 export a "
            "copy in single precision, student.float()"
        ) from problem
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


def _difference(model, run, inputs, tolerance):
    wanted = outputs_of(model.student, inputs, "the student", model.pick)
    given = run(inputs)
    difference = float((wanted - given).abs().max()) if wanted.shape == given.shape else float("inf")
    if tolerance is None:
        # In half precision another order of sums is another rounding.
        tolerance = max(TOLERANCE, _ROUNDINGS * torch.finfo(wanted.dtype).eps)
    # NaN is not at most anything.
    if not difference <= tolerance * max(1.0, float(wanted.abs().max())):
        raise ValueError(
            f"the exported file gives other logits than the student: they differ by up to {difference:.3g}, "
            f"more than {tolerance:.1g} of the largest. Nothing was written. Does the student draw random "
            "numbers in eval mode, or are its logits not finite?"
        )
    return difference
