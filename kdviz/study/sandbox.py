"""All of a reader's own put back as it was, whatever a step of hers reaches."""

import copy
import io
import logging
import random
import socket
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np
import torch

from kdviz import seeding

# Beyond these nothing is followed, and that is said: a step that reaches so much reaches its data too.
MOST_OBJECTS = 200_000
MOST_BYTES = 2**31
_ATOMS = (
    *(
        type(None),
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        slice,
        type(...),
        BuiltinFunctionType,
        CodeType,
    ),
    *(np.generic, np.dtype, torch.dtype, torch.device, torch.Size, torch.layout, logging.Logger, ModuleType),
)
_LIBRARIES = (
    *{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")},
    str(Path(__file__).parents[1]),
)
# What goes on by itself, or goes on once it was asked: it cannot be put back.
_ON_THEIR_OWN = (io.IOBase, socket.socket, threading.Thread)


class CannotCopy(ValueError):
    """A model cannot be copied, so nothing can be tried on a copy of it."""


def copies(*parts):
    """Deep copies that share among themselves what the originals share, an optimizer's parameters too."""
    try:
        return copy.deepcopy(parts)
    except Exception as problem:
        raise CannotCopy(
            f"your models cannot be copied ({type(problem).__name__}: {problem}), and nothing of yours is to "
            "be changed. Does a module keep a tensor that was computed, with its graph? Detach it"
        ) from problem


class Snapshot:
    """What some objects are and hold, put back at the end of each ``with``.

    Followed are attributes, containers, bound objects, partial functions, closures, and the globals that a
    function of the reader's names, helper functions and classes of hers included. So weights, buffers, modes,
    gradients, optimizers, schedules, scalers, moving averages, memory banks, meters and counters need no word
    of their own. ``strangers`` names what was met and cannot be put back, such as an open file.

    >>> bank = [torch.zeros(2)]
    >>> with Snapshot(step=lambda: bank[0].add_(1)) as kept:
    ...     bank[0].add_(1), bank.append("more")
    (tensor([1., 1.]), None)
    >>> bank
    [tensor([0., 0.])]
    """

    def __init__(self, **owners):
        # By id what was met, held so that nothing else gets its id meanwhile, and from which owner first.
        self.found, self.strangers, self._undo, self._bytes, self._depth = {}, {}, [], 0, 0
        for self._owner, part in owners.items():
            self._waiting = deque([(self._owner, part)])
            self._follow()

    def _follow(self):
        while self._waiting:
            name, part = self._waiting.popleft()
            if isinstance(part, _ATOMS) or id(part) in self.found:
                continue
            if len(self.found) >= MOST_OBJECTS:
                self.strangers[name] = f"more than {MOST_OBJECTS:,} objects are reached"
                return
            self.found[id(part)] = part, self._owner
            self._meet(name, part)

    def __enter__(self):
        self._depth += 1
        return self

    def __exit__(self, *problem):
        self._depth -= 1
        # What was begun outside of an inner use, hooks for one, goes on after it.
        if not self._depth:
            self.put_back()

    def put_back(self):
        for undo in self._undo:
            undo()

    def of_type(self, kind, owner=None):
        """The objects of a type that were met, or of these those that one owner reaches."""
        every = (part for part, first in self.found.values() if owner in (None, first))
        return [part for part in every if isinstance(part, kind)]

    def _meet(self, name, part):
        """Keep what a part is, and wait for what it holds."""
        if isinstance(part, (torch.Tensor, np.ndarray)):
            self._keep_numbers(name, part)
        elif isinstance(part, (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)):
            self._keep_generator(part)
        elif isinstance(part, CellType):
            self._keep_cell(name, part)
        elif isinstance(part, FunctionType):
            self._follow_function(part)
        elif isinstance(part, (MethodType, partial, staticmethod, classmethod, property)):
            inner = ("__self__", "__func__", "func", "args", "keywords", "fget", "fset")
            self._wait(name, [getattr(part, each, None) for each in inner])
        elif isinstance(part, type):
            if _is_own(sys.modules.get(part.__module__)):
                self._keep_class(part)
        elif isinstance(part, _ON_THEIR_OWN) or (
            isinstance(part, Iterator) and not hasattr(part, "__dict__")
        ):
            if not any(part is each for each in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)):
                self.strangers.setdefault(".".join(name.split(".")[:3]), type(part).__name__)
        else:
            self._keep_container(name, part)
            self._follow_object(name, part)

    def _wait(self, name, parts):
        self._waiting.extend((name, part) for part in parts if not isinstance(part, _ATOMS))

    def _keep_numbers(self, name, part):
        size = part.nbytes if isinstance(part, np.ndarray) else part.numel() * part.element_size()
        weight = isinstance(part, torch.Tensor) and part.requires_grad
        if not weight and self._bytes + size > MOST_BYTES:
            self.strangers[name] = f"{type(part).__name__} of {size / 1e9:.1f} GB"
            return
        self._bytes += 0 if weight else size
        if isinstance(part, torch.Tensor):
            self._undo.append(_tensor_kept(part))
            return
        if part.dtype == object:
            self._wait(name, part.flat)
        kept = part.copy()
        self._undo.append(lambda: np.copyto(part, kept) if part.flags.writeable else None)

    def _keep_generator(self, part):
        if isinstance(part, np.random.Generator):
            state = copy.deepcopy(part.bit_generator.state)
            self._undo.append(lambda: setattr(part.bit_generator, "state", state))
            return
        get, put = (
            getattr(part, one, None) or getattr(part, other)
            for one, other in (("get_state", "getstate"), ("set_state", "setstate"))
        )
        state = get()
        self._undo.append(lambda: put(state))

    def _keep_container(self, name, part):
        if isinstance(part, (tuple, frozenset)):
            self._wait(name, part)
        elif isinstance(part, dict):
            kept = list(part.items())

            def refill():
                for key, value in kept:
                    part[key] = value

            self._undo.append(lambda: _refill(part, list(part.items()), kept, refill))
            for key, value in kept:
                self._wait(f"{name}.{key}" if isinstance(key, str) else name, [key, value])
        elif isinstance(part, (list, set, deque)):
            kept = list(part)
            refill = partial(part.update if isinstance(part, set) else part.extend, kept)
            self._undo.append(lambda: _refill(part, list(part), kept, refill))
            self._wait(name, kept)
        elif isinstance(part, Mapping):
            self._wait(name, part.values())

    def _keep_cell(self, name, cell):
        try:
            value = cell.cell_contents
        except ValueError:
            # The function has not come to the line that fills it.
            return
        self._undo.append(lambda: setattr(cell, "cell_contents", value))
        self._wait(name, [value])

    def _follow_function(self, function):
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            self._wait(name, [cell])
        self._wait(
            function.__name__, [*(function.__defaults__ or ()), function.__kwdefaults__, vars(function)]
        )
        if not function.__code__.co_filename.startswith(_LIBRARIES):
            self._keep_names(function.__globals__, _names(function.__code__))

    def _keep_names(self, namespace, names):
        """The values under these names in a module, and those under them in a module of hers named so."""
        kept = {name: namespace[name] for name in names if name in namespace}

        def undo():
            for name in names:
                if name in kept:
                    namespace[name] = kept[name]
                else:
                    namespace.pop(name, None)

        self._undo.append(undo)
        for name, value in kept.items():
            if isinstance(value, ModuleType):
                if _is_own(value) and id(value) not in self.found:
                    self.found[id(value)] = value, self._owner
                    self._keep_names(vars(value), names)
            else:
                self._wait(name, [value])

    def _keep_class(self, kind):
        kept = dict(vars(kind))

        def undo():
            for name, value in kept.items():
                if vars(kind).get(name) is not value:
                    setattr(kind, name, value)

        self._undo.append(undo)
        self._wait(kind.__name__, [*kept.values(), *kind.__bases__])

    def _follow_object(self, name, part):
        held = getattr(part, "__dict__", None)
        if isinstance(held, dict):
            self._wait(name, [held])
        for kind in type(part).__mro__:
            slots = vars(kind).get("__slots__", ())
            for slot in [slots] if isinstance(slots, str) else slots:
                if slot not in ("__dict__", "__weakref__") and hasattr(part, slot):
                    self._keep_slot(name, part, slot)
        if isinstance(part, torch.nn.Module):
            # A scripted module holds its own elsewhere.
            self._wait(name, [*part.parameters(), *part.buffers()])
            self._undo += [partial(_put_mode, module, module.training) for module in part.modules()]
        self._wait(name, [type(part)])

    def _keep_slot(self, name, part, slot):
        value = getattr(part, slot)

        def undo():
            if getattr(part, slot, None) is not value:
                object.__setattr__(part, slot, value)

        self._undo.append(undo)
        self._wait(name, [value])


@contextmanager
def restored(**owners):
    """Afterwards all that these objects reach is as it was: see :class:`Snapshot`."""
    with Snapshot(**owners) as kept:
        yield kept


@contextmanager
def random_state_kept(*generators):
    """Afterwards torch, numpy, Python and these generators go on as if nothing had been drawn."""
    states = [(generator.set_state, generator.get_state()) for generator in generators]
    states += [(np.random.set_state, np.random.get_state()), (random.setstate, random.getstate())]
    states += [(torch.set_grad_enabled, torch.is_grad_enabled())]
    try:
        with seeding.random_state_kept():
            yield
    finally:
        for put_back, state in states:
            put_back(state)


@contextmanager
def fixed_seed(seed=0):
    """The same random numbers at every entry; afterwards as :func:`random_state_kept`."""
    with random_state_kept():
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        yield


def _is_own(module):
    """Whether a module is the reader's: no library's, and none without a file but a notebook's."""
    path = getattr(module, "__file__", None)
    if path is None:
        return getattr(module, "__name__", None) == "__main__"
    return not path.startswith(_LIBRARIES)


def _names(code):
    """The names that a function uses, those in the functions inside it included."""
    inner = (name for part in code.co_consts if isinstance(part, CodeType) for name in _names(part))
    return {*code.co_names, *inner}


def _refill(container, now, kept, refill):
    """Empty a container and fill it as it was, where another thing stands in it now."""

    def same(one, other):
        pairs = zip(one, other, strict=True) if isinstance(one, tuple) and len(one) == 2 else [(one, other)]
        return type(one) is type(other) and all(a is b for a, b in pairs)

    if len(now) != len(kept) or not all(map(same, now, kept)):
        container.clear()
        refill()


def _put_mode(module, mode):
    if module.training != mode:
        module.training = mode


def _tensor_kept(tensor):
    """A function that puts back a tensor's values, its gradient, and whether it wants one."""
    home, value, leaf = tensor.data, tensor.detach().clone(), tensor.is_leaf
    needed, gradient = tensor.requires_grad, tensor.grad if leaf else None
    kept = None if gradient is None else gradient.detach().clone()
    version = None if tensor.is_inference() else tensor._version

    def undo():
        if _where(tensor) != _where(home):
            tensor.data = home
        _copy(home, value)
        if leaf:
            tensor.requires_grad_(needed)
            if gradient is not None:
                _copy(gradient.data, kept)
            tensor.grad = gradient
        if version is not None and tensor._version != version:
            # A graph that she holds may still need the values of this very version.
            torch._C._autograd._unsafe_set_version_counter((tensor,), (version,))

    return undo


def _where(tensor):
    return (tensor.data_ptr() if tensor.layout is torch.strided else None), tensor.shape


def _copy(tensor, value):
    with torch.inference_mode(tensor.is_inference()), torch.no_grad():
        if tensor.layout is not torch.strided:
            tensor.copy_(value)
        # Parts of an expanded tensor share one number, which nobody can have changed alone.
        elif 0 not in tensor.stride() and not torch.equal(tensor, value):
            tensor.copy_(value)
