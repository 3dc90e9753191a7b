"""The examples in the docstrings of losses run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest
import torch

import kdviz.losses as losses
from kdviz.tracing import Trace

MODULES = ["kdviz.losses.objective"] + [
    module.name
    for room in (losses.response, losses.feature, losses.relation)
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_run(name):
    module = importlib.import_module(name)
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner()
    for example in finder.find(module, extraglobs={"torch": torch, "Trace": Trace}):
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", losses.LOSSES)
def test_every_loss_has_one(name):
    assert ">>>" in getattr(losses, name).__doc__, f"{name} shows no example of how it is called"
