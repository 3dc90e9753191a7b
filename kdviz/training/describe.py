"""What a result depends on, in words: the parts of the keys under which the store keeps things.

Two things with the same description give the same numbers. What comes with a version (torch, kdviz, whatever
is installed) is described by its name; functions and classes of your own by their code, and by the code and
values that they refer to. What cannot be told so raises :class:`Undescribable`, and has to be drawn: then a
network is described by its weights, and data by their content.
"""

import dis
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
import sysconfig
import types
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

import kdviz

# What the numbers of a training can depend on; the pictures of it are not among them.
_ENGINE = (
    "datasets",
    "inputs",
    "losses",
    "measure",
    "models",
    "schemes",
    "training",
    "seeding.py",
    "tracing.py",
)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), range)
_CODE = (types.FunctionType, types.BuiltinFunctionType, type)
_HEAP_TYPE = 1 << 9


class Undescribable(TypeError):
    """It cannot be said without running it."""


@functools.cache
def say_once(reason: str):
    """Say why a result is not kept; the same reason is said once."""
    warnings.warn(
        f"{reason}. So it cannot be told when it changes: its results are not kept in the store, and are "
        "computed each time. Functions, classes and values of your notebook or module can be described.",
        stacklevel=2,
    )


@functools.cache
def versions() -> dict[str, str]:
    """kdviz, by version and code, and the libraries that draw data and initial weights."""
    folder, digest = Path(kdviz.__file__).parent, hashlib.sha256()
    for name in _ENGINE:
        part = folder / name
        for file in [part] if part.is_file() else sorted(part.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    libraries = ("numpy", "scikit-learn", "torch")
    return {
        "kdviz": f"{kdviz.__version__} {digest.hexdigest()[:16]}",
        **{name: importlib.metadata.version(name) for name in libraries},
    }


def fingerprint(model: nn.Module) -> str:
    """Architecture and weights in one word."""
    digest = hashlib.sha256(repr(model).encode())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + _bytes(tensor))
    return digest.hexdigest()


def describe(value, _within=()):
    """A value, function, class or network as something that JSON can hold; see the module."""
    if isinstance(value, _PLAIN):
        # By repr, since JSON has no bytes, no range, and but one kind of number.
        return repr(value)
    if any(value is other for other in _within):
        return "itself"
    inner = functools.partial(describe, _within=(*_within, value))
    # A function may say as what it is to be known, whatever its other arguments: one that also writes a log.
    function = value.func if isinstance(value, functools.partial) else value
    if "described_as" in getattr(function, "__dict__", {}):
        return inner(function.described_as)
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [inner(part) for part in value]
        return [
            type(value).__name__,
            sorted(parts, key=repr) if isinstance(value, (set, frozenset)) else parts,
        ]
    if isinstance(value, dict):
        return ["dict", [[inner(name), inner(part)] for name, part in value.items()]]
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and not value.dtype.hasobject):
        content = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return ["array", str(value.dtype), list(value.shape), content]
    if isinstance(value, (torch.dtype, torch.device, torch.Size)):
        return repr(value)
    if isinstance(value, torch.Tensor):
        return ["tensor", str(value.dtype), list(value.shape), hashlib.sha256(_bytes(value)).hexdigest()]
    if isinstance(value, functools.partial):
        return ["partial", inner(value.func), inner(value.args), inner(value.keywords)]
    if isinstance(value, types.MethodType):
        return ["method", inner(value.__func__), inner(value.__self__)]
    if isinstance(value, types.ModuleType):
        return _installed(value.__name__)
    if isinstance(value, _CODE) or hasattr(value, "__wrapped__"):
        return _code_of(value, inner)
    if isinstance(value, nn.Module):
        return ["network", fingerprint(value), [_module(*named, inner) for named in value.named_modules()]]
    if all(map(_keeps_all_in_its_dictionary, type(value).__mro__)):
        return [inner(type(value)), inner(vars(value))]
    raise Undescribable(f"a {type(value).__name__} cannot be described")


def _module(path, module, inner):
    """A module of a network without the modules in it: its code, and all that it keeps besides weights."""
    own = {}
    for name, part in vars(module).items():
        if name == "_modules":
            continue
        # Hooks are counted through the whole process: only what they are matters.
        own[name] = list(part.values()) if name.endswith(("_hooks", "_hooks_with_kwargs")) else part
    return [path, inner(type(module)), inner(own)]


def _keeps_all_in_its_dictionary(kind):
    return kind is object or (kind.__flags__ & _HEAP_TYPE and not vars(kind).get("__slots__"))


def _code_of(value, inner):
    """A function or class: by its name in what is installed, else by its code and by what that refers to."""
    if _is_found_by_name(value):
        try:
            return [_installed(value.__module__), value.__qualname__]
        except Undescribable:
            pass
    if isinstance(value, type):
        return _class(value, inner)
    if not isinstance(value, types.FunctionType):
        if not hasattr(value, "__wrapped__"):
            raise Undescribable(f"{value!r} has no code to read")
        return ["wrapped", type(value).__name__, inner(value.__wrapped__)]
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    defaults = [value.__defaults__, value.__kwdefaults__, cells]
    return [
        "function",
        value.__qualname__,
        inner(defaults),
        _instructions(value.__code__, value.__globals__, inner),
    ]


def _is_found_by_name(value):
    """Not so a function made by another: it depends on what that was called with."""
    found = sys.modules.get(value.__module__)
    for name in getattr(value, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is value


def _class(value, inner):
    own = {
        name: part.__func__ if isinstance(part, (staticmethod, classmethod)) else part
        for name, part in vars(value).items()
        if isinstance(part, types.FunctionType) or not name.startswith(("__", "_abc_"))
    }
    own = {name: _inside(part) for name, part in own.items()}
    return ["class", value.__qualname__, inner(value.__bases__), inner(own)]


def _inside(part):
    """The functions of a class's attribute that computes its value."""
    if isinstance(part, property):
        return [part.fget, part.fset, part.fdel]
    return part.func if isinstance(part, functools.cached_property) else part


def _instructions(code, names, inner):
    """The instructions of a function, with the values of the global names in it."""
    found = []
    for one in dis.get_instructions(code):
        argument = one.argval
        if isinstance(argument, types.CodeType):
            argument = _instructions(argument, names, inner)
        elif one.opname == "IMPORT_NAME":
            argument = _installed(argument)
        elif one.opname in ("LOAD_GLOBAL", "LOAD_NAME") and argument in names:
            argument = [argument, inner(names[argument])]
        else:
            argument = inner(argument)
        found.append([one.opname, argument])
    return found


@functools.cache
def _installed(name):
    """A module by its name and version, if it has one that changes with its code."""
    top = (name or "").partition(".")[0]
    if top == "kdviz":
        return f"{name} {versions()['kdviz']}"
    if top in sys.stdlib_module_names:
        return f"{name} {sys.version.split()[0]}"
    try:
        spec = importlib.util.find_spec(top) if top and top != "__main__" else None
    except ValueError:
        spec = None
    paths = sysconfig.get_paths()
    folders = {Path(paths[kind]).resolve() for kind in ("purelib", "platlib")}
    if spec is None or not spec.origin or folders.isdisjoint(Path(spec.origin).resolve().parents):
        raise Undescribable(f"{name} is code of your own")
    try:
        return f"{name} {importlib.metadata.version(top)}"
    except importlib.metadata.PackageNotFoundError:
        version = getattr(importlib.import_module(top), "__version__", None)
    if version is None:
        raise Undescribable(f"{name} says no version")
    return f"{name} {version}"


def _bytes(tensor):
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
