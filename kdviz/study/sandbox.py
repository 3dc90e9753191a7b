"""Copies to try things on, and all of a reader's own put back as it was."""

import copy
import functools
import inspect
import random
from contextlib import ExitStack, contextmanager

import numpy as np
import torch

_OURS = (torch.nn.Module, torch.optim.Optimizer, torch.Tensor)


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


@contextmanager
def restored(*owners):
    """Put back weights, buffers, gradients, modes and optimizer states of all that is handed in.

    What a function reaches by itself (its closure, its globals, the object it is bound to) counts too.
    """
    with ExitStack() as undo:
        for part in {id(part): part for owner in owners for part in _reached(owner)}.values():
            _remember(part, undo.callback)
        yield


@contextmanager
def random_state_kept(*generators):
    """Afterwards torch, numpy, Python and these generators go on as if nothing had been drawn."""
    states = [(generator.set_state, generator.get_state()) for generator in generators]
    states += [(np.random.set_state, np.random.get_state()), (random.setstate, random.getstate())]
    try:
        with torch.random.fork_rng():
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


def _reached(owner):
    if isinstance(owner, _OURS):
        yield owner
        return
    if isinstance(owner, functools.partial):
        for part in (owner.func, *owner.args, *owner.keywords.values()):
            yield from _reached(part)
    if inspect.ismethod(owner):
        yield from (part for part in vars(owner.__self__).values() if isinstance(part, _OURS))
        owner = owner.__func__
    if inspect.isfunction(owner):
        seen = inspect.getclosurevars(owner)
        every = (*seen.globals.values(), *seen.nonlocals.values())
        yield from (part for part in every if isinstance(part, _OURS))


def _remember(part, undo):
    """Hand ``undo`` what puts a module, an optimizer or a tensor back."""
    tensors = [part]
    if isinstance(part, torch.nn.Module):
        for module in part.modules():
            undo(setattr, module, "training", module.training)
        tensors = [*part.parameters(), *part.buffers()]
    elif isinstance(part, torch.optim.Optimizer):
        undo(part.load_state_dict, copy.deepcopy(part.state_dict()))
        tensors = [held for group in part.param_groups for held in group["params"]]
    for tensor in tensors:
        gradient = tensor.grad
        kept = None if gradient is None else gradient.clone()
        undo(_put_back, tensor, tensor.detach().clone(), tensor.requires_grad, gradient, kept)


def _put_back(tensor, value, needed, gradient, kept):
    with torch.no_grad():
        if not torch.equal(tensor, value):
            tensor.copy_(value)
    if tensor.is_leaf:
        tensor.requires_grad_(needed)
        if gradient is not None:
            gradient.copy_(kept)
        tensor.grad = gradient
