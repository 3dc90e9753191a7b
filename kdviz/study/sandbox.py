"""Copies to try things on, and all of a reader's own put back as it was."""

import copy
import functools
import inspect
import random
from contextlib import contextmanager

import numpy as np
import torch


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
def nothing_changed(*owners):
    """Put back weights, buffers, gradients, modes and optimizer states of all that is handed in.

    What a function reaches by itself (its closure, its globals, the object it is bound to) counts too.
    """
    held = {id(part): part for owner in owners for part in _reached(owner)}.values()
    undo = [_memory(part) for part in held]
    try:
        yield
    finally:
        for put_back in undo:
            put_back()


@contextmanager
def same_draws(seed=0):
    """The same random numbers at every entry; afterwards all generators go on as if nothing had been."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def _reached(owner):
    if isinstance(owner, (torch.nn.Module, torch.optim.Optimizer, torch.Tensor)):
        yield owner
        return
    if isinstance(owner, functools.partial):
        for part in (owner.func, *owner.args, *owner.keywords.values()):
            yield from _reached(part)
    if inspect.ismethod(owner):
        yield from (part for part in vars(owner.__self__).values() if _is_ours(part))
        owner = owner.__func__
    if inspect.isfunction(owner):
        seen = inspect.getclosurevars(owner)
        yield from (part for part in (*seen.globals.values(), *seen.nonlocals.values()) if _is_ours(part))


def _is_ours(part):
    return isinstance(part, (torch.nn.Module, torch.optim.Optimizer, torch.Tensor))


def _memory(part):
    if isinstance(part, torch.nn.Module):
        return _module_memory(part)
    if isinstance(part, torch.optim.Optimizer):
        state = copy.deepcopy(part.state_dict())
        tensors = [_tensor_memory(held) for group in part.param_groups for held in group["params"]]

        def put_back():
            part.load_state_dict(state)
            for tensor in tensors:
                tensor()

        return put_back
    return _tensor_memory(part)


def _module_memory(module):
    modes = [(each, each.training) for each in module.modules()]
    tensors = [_tensor_memory(held) for held in (*module.parameters(), *module.buffers())]

    def put_back():
        for each, training in modes:
            each.training = training
        for tensor in tensors:
            tensor()

    return put_back


def _tensor_memory(tensor):
    value, needed, gradient = tensor.detach().clone(), tensor.requires_grad, tensor.grad
    kept = None if gradient is None else gradient.clone()

    def put_back():
        with torch.no_grad():
            if not torch.equal(tensor, value):
                tensor.copy_(value)
        if tensor.is_leaf:
            tensor.requires_grad_(needed)
            if gradient is not None:
                gradient.copy_(kept)
            tensor.grad = gradient

    return put_back
